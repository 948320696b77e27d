package sensitive

import (
	"strings"
)

// The digits of a card number that may be shown.
const (
	shownFirst = 6
	shownLast  = 4
)

// hidden stands in place of a field that is not shown.
const hidden = "***"

// Mask hides the middle of every card number in a text. Of a text without one
// it returns the text itself.
func Mask(text string) string {
	if len(text) < leastDigits {
		return text
	}
	var b *strings.Builder
	done := 0
	cards(text, func(s span) bool {
		if b == nil {
			b = &strings.Builder{}
		}
		b.WriteString(text[done:s.from])
		b.WriteString(masked(text[s.from:s.to]))
		done = s.to
		return true
	})
	if b == nil {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

func masked(card string) string {
	digits := 0
	for _, c := range card {
		if isDigit(c) {
			digits++
		}
	}
	var b strings.Builder
	n := 0
	for _, c := range card {
		if isDigit(c) {
			if n++; n > shownFirst && n <= digits-shownLast {
				c = '*'
			}
		}
		b.WriteRune(c)
	}
	return b.String()
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' || '０' <= c && c <= '９' }

// Target hides in a path and query what the route never stores, and card
// numbers.
func (f *Finder) Target(target string) string {
	path, query, has := strings.Cut(target, "?")
	path = Mask(path)
	if !has {
		return path
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, valued := strings.Cut(part, "=")
		switch {
		case !valued:
			parts[i] = Mask(part)
		case f.hides(unescape(name)):
			parts[i] = name + "=" + hidden
		default:
			plain := unescape(value)
			if m := Mask(plain); m != plain {
				value = m
			}
			parts[i] = name + "=" + value
		}
	}
	return path + "?" + strings.Join(parts, "&")
}

// hides reports whether a query parameter is never shown.
func (f *Finder) hides(name string) bool {
	for _, q := range f.Query {
		if q == name {
			return true
		}
	}
	return named(codeNames, name)
}

// Body hides in a body what the route never stores, codes, and card numbers.
// Whatever is no JSON only loses its card numbers.
func (f *Finder) Body(body string) string {
	if !looksJSON([]byte(body)) {
		return Mask(body)
	}
	var b strings.Builder
	if !f.maskJSON([]byte(body), &b) {
		return Mask(body)
	}
	return b.String()
}
