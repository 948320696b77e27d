package paper

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/mozillazg/go-pinyin"
)

// TestReadings compares the reading of each character with the library that the
// table comes from, and that would take a megabyte of every process.
func TestReadings(t *testing.T) {
	of := map[string][]rune{}
	for r := range pinyin.PinyinDict {
		if read := pinyin.SinglePinyin(rune(r), pinyin.NewArgs()); unicode.Is(unicode.Han, rune(r)) && len(read) > 0 && read[0] != "" {
			of[read[0]] = append(of[read[0]], rune(r))
		}
	}
	if flag.Lookup("update").Value.String() == "true" { // the flag of cards_test.go writes the table anew
		var table strings.Builder
		for _, syllable := range slices.Sorted(maps.Keys(of)) {
			slices.Sort(of[syllable])
			fmt.Fprintf(&table, "%s %s\n", syllable, string(of[syllable]))
		}
		if err := os.WriteFile("pinyin.txt", []byte(table.String()), 0o644); err != nil { // #nosec G306 -- a source file
			t.Fatal(err)
		}
		return
	}
	for syllable, all := range of {
		for _, r := range all {
			if got := reading(r); got != syllable {
				t.Errorf("%c is read %q, not %q", r, got, syllable)
			}
		}
	}
	for _, r := range "a é\n①" {
		if got := reading(r); got != "" {
			t.Errorf("%q is read %q", r, got)
		}
	}
}
