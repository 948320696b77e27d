package yamldoc_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/yamldoc"
)

type said struct {
	Both string `yaml:"both" kind:"text" short:"true"`
	En   string `yaml:"en" kind:"text"`
	Zh   string `yaml:"zh" kind:"text"`
}

type step struct {
	ID   string      `yaml:"id" kind:"id" required:"true" example:"hold"`
	With yamldoc.Raw `yaml:"with"`
}

type sheet struct {
	Name    said              `yaml:"name" required:"true"`
	Every   time.Duration     `yaml:"every" kind:"duration" default:"1m"`
	Words   []string          `yaml:"words" kind:"text"`
	Steps   []step            `yaml:"steps"`
	Grades  map[string]*limit `yaml:"grades" names:"text"`
	Numbers map[string]int64  `yaml:"numbers" names:"id" kind:"int"`
	Limit   *limit            `yaml:"limit"`
}

type limit struct {
	Within time.Duration `yaml:"within" kind:"duration" required:"true" example:"5m"`
}

var language = &yamldoc.Language{Name: "sheet.yaml", Kinds: yamldoc.Basic()}

func read(t *testing.T, src string) (sheet, yamldoc.Places, []yamldoc.Problem) {
	t.Helper()
	f := yamldoc.NewFindings("sheet.yaml")
	root, lines := yamldoc.Read(f, []byte(src))
	if root == nil {
		t.Fatalf("%+v", f.Settle(lines))
	}
	var out sheet
	places := language.Decode(f, root, &out)
	return out, places, f.Settle(lines)
}

func TestPlainFieldsAreDecodedWithTheirPlaces(t *testing.T) {
	got, places, problems := read(t, `name: {en: Orders, zh: 订单}
words: [a, b]
steps:
  - id: hold
    with: {route: orders}
grades:
  SEV-1: {within: 5m}
numbers: {one: 1}
`)
	if len(problems) != 0 {
		t.Fatalf("%+v", problems)
	}
	if got.Name.Zh != "订单" || got.Every != time.Minute || !cmp.Equal(got.Words, []string{"a", "b"}) ||
		got.Steps[0].With.Node.Pairs[0].Value.Text != "orders" || got.Grades["SEV-1"].Within != 5*time.Minute ||
		got.Numbers["one"] != 1 || got.Limit != nil {
		t.Errorf("%+v", got)
	}
	for path, want := range map[string]yamldoc.Place{
		"name.zh":             {Line: 1, Column: 24, Length: 2},
		"words[1]":            {Line: 2, Column: 12, Length: 1},
		"steps[0].id":         {Line: 4, Column: 9, Length: 4},
		"grades.SEV-1.within": {Line: 7, Column: 19, Length: 2},
	} {
		if places[path] != want {
			t.Errorf("%s: %+v, want %+v", path, places[path], want)
		}
	}
	if _, ok := places["limit"]; ok {
		t.Error("an absent field has a place")
	}
}

func TestOneWordStandsForABlock(t *testing.T) {
	got, _, problems := read(t, "name: Orders\n")
	if got.Name.Both != "Orders" || len(problems) != 0 {
		t.Errorf("%+v, %+v", got, problems)
	}
}

func TestPlainFieldsAreChecked(t *testing.T) {
	for src, want := range map[string]string{
		"every: 1m":                                 "1:1 config.missing-block",
		"name: x\nevery: 5":                         "2:8 config.no-unit",
		"name: x\nsteps: [{with: 1}]":               "2:10 config.missing",
		"name: x\nsteps: 1":                         "2:8 config.not-list",
		"name: x\ngrades: 1":                        "2:9 config.not-mapping",
		"name: x\ngrades: {S: {}}":                  "2:10 config.missing",
		"name: x\nnumbers: {one: 1, one: 2}":        "2:19 config.twice",
		"name: x\nnumbers: {One: 1}":                "2:11 config.id",
		"name: x\nwords: []":                        "2:8 config.empty-list",
		"name: x\nlimit: {withing: 5m, within: 5m}": "2:9 config.unknown-near",
		"name: x\nnumbers: {a: 1}\nnumbers: {b: 2}": "3:1 config.twice",
	} {
		_, _, problems := read(t, src)
		var got []string
		for _, p := range problems {
			got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.ID))
		}
		if !cmp.Equal(got, []string{want}) {
			t.Errorf("%q: %v, want %s", src, got, want)
		}
	}
}

func TestSchemaOfPlainFields(t *testing.T) {
	text := string(language.Schema(reflect.TypeFor[sheet](), "https://example/sheet.json", "Sheet", func(path string) string { return "about " + path }))
	for _, want := range []string{`"about steps.id"`, `"about grades.within"`, `"additionalProperties"`, `"default": "1m"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}
