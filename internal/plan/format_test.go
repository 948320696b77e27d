package plan

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/width"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

func TestFormatMendsAndKeepsComments(t *testing.T) {
	src := "schema： holdfast/plan@1\r\nid: shop # 商城，主站   \nowner: li。wei\nname: {en: Shop，and more, zh: 商城，主站}\nimpact:\n  - {process: orders， mtd: ４h}\n\n\n"
	want := "schema: holdfast/plan@1\nid: shop # 商城，主站\nowner: li.wei\nname: {en: Shop，and more, zh: 商城，主站}\nimpact:\n  - {process: orders, mtd: 4h}\n"
	got, found := Format(Source{"shop.yaml", []byte(src)})
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(found) < 3 {
		t.Errorf("named only %d: %+v", len(found), found)
	}
	again, found := Format(Source{"shop.yaml", got})
	if string(again) != string(got) || len(found) != 0 {
		t.Errorf("not settled: %s %+v", again, found)
	}
}

func TestFormatLeavesBlockTexts(t *testing.T) {
	src := "id: shop\nname: |\n  two spaces  \n  follow\n"
	if got, _ := Format(Source{"shop.yaml", []byte(src)}); string(got) != src {
		t.Errorf("%q", got)
	}
}

// TestFormatNamesAndMendsWhatCantBeSeen has each of them in names, values,
// texts, comments and indentation.
func TestFormatNamesAndMendsWhatCantBeSeen(t *testing.T) {
	src := "\ufeffschema: holdfast/plan@1\nid: sh\u200bop\u200d\nowner: li.wei\u00a0# who\u2060 leads\nname: 商\u200b城\u3000主站\n" +
		"\u200bimpact:\n\u00a0\u00a0- process:\u3000orders\u200b\n\u3000\u3000\u3000\u3000mtd: 4h\u3000\nprofile\ufeff: small\u2028\n"
	want := "schema: holdfast/plan@1\nid: shop\nowner: li.wei # who leads\nname: 商城\u3000主站\nimpact:\n  - process: orders\n    mtd: 4h\nprofile: small\n"
	got, found := Format(Source{"shop.yaml", []byte(src)})
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var at []string
	for _, p := range found {
		at = append(at, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Args["code"]))
	}
	golden := []string{
		"1:1 U+FEFF", "2:7 U+200B", "2:10 U+200D", "3:14 U+00A0", "3:20 U+2060", "4:8 U+200B", "5:1 U+200B",
		"6:1 U+00A0", "6:13 U+3000", "6:20 U+200B", "7:1 U+3000", "7:12 U+3000", "8:8 U+FEFF", "8:16 U+2028",
	}
	if diff := cmp.Diff(golden, at); diff != "" {
		t.Errorf("places: -want +got:\n%s", diff)
	}
	if again, found := Format(Source{"shop.yaml", got}); string(again) != string(got) || len(found) != 0 {
		t.Errorf("not settled: %q %+v", again, found)
	}
}

// letters are what of a text can't be punctuation, space or invisible: fmt may
// change everything else.
func letters(text []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.So, r) {
			return r
		}
		return -1
	}, width.Fold.String(string(text)))
}

// FuzzFormat holds fmt to losing no text, keeping the meaning and being done
// after one go.
func FuzzFormat(f *testing.F) {
	for _, file := range badPlans(f) {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("\ufeffid： \u200bshop\u3000# 商城，主站 \r\nname: “a： b”\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s := Source{"x.yaml", src}
		got, _ := Format(s)
		if utf8.Valid(src) && letters(got) != letters(src) {
			t.Errorf("lost text: %q became %q", src, got)
		}
		visible, _ := yamldoc.Visible("", src)
		if mended := yamldoc.Mend(visible); bytes.Equal(mended, got) {
			return
		}
		if again, _ := Format(Source{"x.yaml", got}); !bytes.Equal(again, got) {
			t.Errorf("not settled: %q, then %q", got, again)
		}
	})
}

// FuzzParse holds reading to its places: whatever comes, each problem stands in
// the file, and a plan comes only without an error.
func FuzzParse(f *testing.F) {
	for _, file := range badPlans(f) {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		tech, err := os.ReadFile(TechName(file))
		if err != nil {
			tech = []byte("schema: holdfast/plan-tech@1\n")
		}
		f.Add(src, tech)
	}
	examples, _ := filepath.Glob("../../examples/plans/*.tech.yaml")
	for _, file := range examples {
		tech, _ := os.ReadFile(file)
		src, _ := os.ReadFile(strings.TrimSuffix(file, techSuffix) + ".yaml")
		f.Add(src, tech)
	}
	f.Fuzz(func(t *testing.T, src, tech []byte) {
		p, problems := Parse(Source{"x.yaml", src}, &Source{"x.tech.yaml", tech}, nil)
		if (p == nil) != yamldoc.Failed(problems) {
			t.Errorf("a plan: %v, problems: %v", p != nil, problems)
		}
		lines := map[string][]string{"x.yaml": yamldoc.SplitLines(src), "x.tech.yaml": yamldoc.SplitLines(tech)}
		for _, problem := range problems {
			in := lines[problem.File]
			if problem.Line < 1 || problem.Line > len(in) || problem.Column < 1 || problem.Column > utf8.RuneCountInString(in[problem.Line-1])+1 {
				t.Errorf("%s:%d:%d is outside the file", problem.File, problem.Line, problem.Column)
			}
			for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
				if text := problem.What(lang); text == problem.ID || strings.Contains(text, "<no value>") {
					t.Errorf("%s: %q", problem.ID, text)
				}
			}
		}
	})
}
