package cards

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// runes measures a text by its characters.
func runes(text string) float64 { return float64(utf8.RuneCountInString(text)) }

func TestBreakLines(t *testing.T) {
	for _, c := range []struct {
		text  string
		width float64
		want  []string
	}{
		{"", 5, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"订单照常接收，处理稍有延迟。", 6, []string{"订单照常接", "收，处理稍有", "延迟。"}},
		{"他说（现在就）切换", 4, []string{"他说（现", "在就）切", "换"}},
		{"他说（现在）切换", 3, []string{"他说", "（现", "在）切", "换"}},
		{"电话他“应急”群", 4, []string{"电话", "他“应", "急”群"}},
		{"abcdefghij kl", 4, []string{"abcd", "efgh", "ij", "kl"}},
		{"first\nsecond", 20, []string{"first", "second"}},
		{"a\tb\u200bc", 20, []string{"a bc"}},
	} {
		if diff := cmp.Diff(c.want, breakLines(c.text, c.width, runes)); diff != "" {
			t.Errorf("%q in %v: -want +got:\n%s", c.text, c.width, diff)
		}
	}
}

func TestBreakingLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("ab,. \n订单，。（）“”—…1%"))).Draw(t, "text")
		width := rapid.Float64Range(2, 12).Draw(t, "width")
		lines := breakLines(text, width, runes)
		bare := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		if got := bare(strings.Join(lines, "")); got != bare(text) {
			t.Fatalf("%q became %q", text, lines)
		}
		for _, line := range lines {
			if runes(line) > width {
				t.Fatalf("%q is wider than %v", line, width)
			}
		}
	})
}
