package extract

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name is something that a text may speak of: a component of the plan by each of
// its names.
type Name struct {
	ID    string
	Names []string
}

// Mentioned returns the ids of what a text speaks of, in the order of names.
func Mentioned(text string, names []Name) (ids []string) {
	text = strings.ToLower(fold(text))
	for _, n := range names {
		if slices.ContainsFunc(n.Names, func(name string) bool { return mentions(text, strings.ToLower(fold(name))) }) && !slices.Contains(ids, n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// mentions looks for a name as a word of its own; Chinese has no gaps between
// words, so there any place counts.
func mentions(text, name string) bool {
	name = strings.TrimSpace(name)
	if utf8.RuneCountInString(name) < 2 {
		return false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(name):])
		first, _ := utf8.DecodeRuneInString(name)
		last, _ := utf8.DecodeLastRuneInString(name)
		if !(latin(before) && latin(first)) && !(latin(after) && latin(last)) {
			return true
		}
		from = i + len(name)
	}
}

func latin(r rune) bool {
	return r != utf8.RuneError && (unicode.IsDigit(r) || unicode.IsLetter(r) && !unicode.Is(unicode.Han, r))
}
