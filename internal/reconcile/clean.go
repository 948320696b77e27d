package reconcile

import (
	"net/url"
	"slices"
	"strings"
)

// hidden stands where something was taken out of a database's message.
const hidden = "…"

// cleaner takes parts of a DSN out of texts.
type cleaner struct{ secrets []string }

// newCleaner knows the DSN as a whole, its decoded and its quoted parts.
func newCleaner(dsn string, parts ...string) cleaner {
	all := append([]string{dsn}, parts...)
	if u, err := url.Parse(dsn); err == nil {
		all = append(all, u.Host, u.Hostname(), u.User.Username(), strings.TrimPrefix(u.Path, "/"), u.Path, u.Opaque)
		if password, ok := u.User.Password(); ok {
			all = append(all, password, url.QueryEscape(password))
		}
	}
	var c cleaner
	for _, s := range all {
		if len(s) >= 2 {
			c.secrets = append(c.secrets, s)
		}
	}
	slices.SortFunc(c.secrets, func(a, b string) int { return len(b) - len(a) }) // whole before parts
	return c
}

const longestText = 300

func (c cleaner) text(s string) string {
	for _, secret := range c.secrets {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	if r := []rune(s); len(r) > longestText {
		s = string(r[:longestText]) + hidden
	}
	return s
}
