package catalogue

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// halfWidth finds ASCII punctuation in Chinese prose.
var halfWidth = regexp.MustCompile(`\p{Han}[,;:!?()]|[,;:!?()]\p{Han}|\p{Han}\.(\s|$)`)

func TestChineseHasFullWidthPunctuation(t *testing.T) {
	for _, area := range areas(t) {
		for id, text := range texts(t, area+".zh.yaml") {
			if found := halfWidth.FindString(text); found != "" {
				t.Errorf("%s: %q", id, found)
			}
		}
	}
}

// TestEveryTextIsUsed finds texts that no constant of the code names, wholly
// or by its beginning, with or without an ending such as ".hint".
func TestEveryTextIsUsed(t *testing.T) {
	found := literals(t)
	var beginnings, endings []string
	for text := range found {
		if len(text) > 3 && (strings.HasSuffix(text, ".") || strings.HasSuffix(text, "-")) {
			beginnings = append(beginnings, text)
		}
		if len(text) > 2 && text[0] == '.' {
			endings = append(endings, text)
		}
	}
	named := func(id string) bool {
		_, ok := found[id]
		return ok || slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(id, b) })
	}
	for id := range all(t) {
		if !named(id) && !slices.ContainsFunc(endings, func(e string) bool {
			base, cut := strings.CutSuffix(id, e)
			return cut && named(base)
		}) {
			t.Errorf("%s is used nowhere", id)
		}
	}
}
