package relay

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/http1"
)

// preference is what a client says it prefers (RFC 7240). Of a preference that
// is given twice only the first instance counts, even where it can't be read.
type preference struct {
	async, asyncSeen bool
	waits, waitSeen  bool
	wait             time.Duration
}

func (f *flight) preference() (p preference) {
	for i := range f.req.Header {
		field := &f.req.Header[i]
		if len(field.Name) == len("Prefer") && strings.EqualFold(field.Name, "Prefer") {
			p.read(field.Value)
		}
	}
	return p
}

// read reads the list that a field is: names, mostly with a value, sometimes
// with parameters, of which ours have none.
func (p *preference) read(list string) {
	for list != "" {
		var item string
		item, list = cutUnquoted(list, ',')
		item, _ = cutUnquoted(item, ';')
		name, value, _ := strings.Cut(item, "=")
		name = strings.Trim(name, blanks)
		switch {
		case !p.asyncSeen && strings.EqualFold(name, "respond-async"):
			word, ok := unquote(strings.Trim(value, blanks))
			p.asyncSeen, p.async = true, ok && word == ""
		case !p.waitSeen && strings.EqualFold(name, "wait"):
			p.waitSeen = true
			p.wait, p.waits = delay(strings.Trim(value, blanks))
		}
	}
}

// applied names, for Preference-Applied, what was done as it was asked.
func (p *preference) applied() string {
	waits := p.waits && p.wait <= mostWait
	if !waits {
		if p.async {
			return "respond-async"
		}
		return ""
	}
	wait := "wait=" + strconv.FormatInt(int64(p.wait/time.Second), 10)
	if p.async {
		return "respond-async, " + wait
	}
	return wait
}

const blanks = " \t"

// cutUnquoted cuts at the first sep outside quoted strings.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unquote returns the word that a token or a quoted string is.
func unquote(s string) (word string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return s, !strings.Contains(s, `"`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i == len(s)-1
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false // it never ends
}

// delay reads a number of seconds. One that is too large to count is a long
// time all the same.
func delay(s string) (time.Duration, bool) {
	word, ok := unquote(s)
	if !ok || word == "" || strings.Trim(word, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(word, 10, 31)
	if err != nil {
		n = 1<<31 - 1
	}
	return time.Duration(n) * time.Second, true // #nosec G115 -- 31 bits
}

// languages chooses the language of an answer. Clients send few different
// fields, and reading one costs more than keeping a request.
type languages struct {
	chosen sync.Map // by field
	count  atomic.Int64
}

const (
	longLanguage  = 128
	manyLanguages = 256
)

func (l *languages) of(req *http1.Request) catalogue.Lang {
	field := req.Get("Accept-Language")
	if field == "" {
		return catalogue.En
	}
	if lang, ok := l.chosen.Load(field); ok {
		return lang.(catalogue.Lang)
	}
	lang := catalogue.Accept(field)
	if len(field) <= longLanguage && l.count.Add(1) <= manyLanguages {
		l.chosen.Store(strings.Clone(field), lang)
	}
	return lang
}
