package plan

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// TestTextsThatAreNoPlan spoils a good plan in one place each: the place is
// named, and no plan comes of it.
func TestTextsThatAreNoPlan(t *testing.T) {
	src, err := os.ReadFile("testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(src)
	deep := "x: " + strings.Repeat("[", 30) + strings.Repeat("]", 30) + "\n"
	for name, c := range map[string]struct{ from, to, id, at string }{
		"tab":             {"id: shop\n", "id:\tshop\n", "config.tab", "2:4"},
		"anchor":          {"name: Web shop", "name: &n Web shop", "config.anchor", "3:7"},
		"alias":           {"name: Web shop", "name: *n", "config.anchor", "3:7"},
		"tag":             {"name: Web shop", "name: !!str Web shop", "config.tag", "3:7"},
		"two documents":   {"id: shop\n", "id: shop\n---\n", "config.documents", "3:1"},
		"a directive":     {"schema:", "%YAML 1.2\n---\nschema:", "config.directive", "1:1"},
		"open quote":      {"name: Web shop", "name: \"Web shop", "config.unclosed-quote", "3:7"},
		"open bracket":    {"people: [li.wei, zhang.min]", "people: [li.wei, zhang.min", "config.unclosed-bracket", ""},
		"second colon":    {"name: Web shop", "name: Web: shop", "config.second-colon", "3:7"},
		"twice":           {"owner: li.wei\n", "owner: li.wei\nowner: li.wei\n", "config.twice", "5:1"},
		"unknown":         {"owner: li.wei\n", "owner: li.wei\nflavour: mint\n", "config.unknown", "5:1"},
		"misspelt":        {"channels:", "chanels:", "config.unknown-near", "14:1"},
		"missing":         {"owner: li.wei\n", "", "config.missing", "1:1"},
		"empty":           {"owner: li.wei\n", "owner:\n", "config.no-value", "4:1"},
		"list for text":   {"owner: li.wei\n", "owner: [li.wei]\n", "config.not-scalar", "4:8"},
		"text for list":   {"channels:\n  - {", "channels: phones # {", "config.not-list", "14:11"},
		"text for block":  {"  SEV-1: {recover_within: 1h}", "  SEV-1: 1h", "config.not-mapping", "11:10"},
		"empty list":      {"people: [li.wei, zhang.min]", "people: []", "config.empty-list", "13:23"},
		"zero-width":      {"id: shop", "id: sh\u200bop", "config.character", "2:7"},
		"mark of order":   {"id: shop", "id: \ufeffshop", "config.character", "2:5"},
		"control":         {"id: shop", "id: sh\x07op", "config.character", "2:7"},
		"Latin-1":         {"Web shop", "Caf\xe9", "config.encoding", "3:10"},
		"no-break space":  {"id: shop", "id:\u00a0shop", "config.full-width-space", "2:4"},
		"ideographic":     {"id: shop", "id:\u3000shop", "config.full-width-space", "2:4"},
		"wide colon":      {"id: shop", "id：shop", "config.full-width", "2:3"},
		"wide digits":     {"mtd: 4h", "mtd: ４h", "config.full-width", "7:47"},
		"no unit":         {"mtd: 4h", "mtd: 4", "config.no-unit", "7:47"},
		"months":          {"mtd: 4h", "mtd: 1mo", "config.calendar", "7:47"},
		"negative":        {"mtd: 4h", "mtd: -4h", "config.positive", "7:47"},
		"not a word":      {"profile: small", "profile: tiny", "config.word", "5:10"},
		"not an id":       {"id: shop", "id: Shop", "config.id", "2:5"},
		"not a day":       {"2026-03-02", "2026-02-30", "config.date", ""},
		"too deep":        {"id: shop\n", "id: shop\n" + deep, "config.too-deep", ""},
		"an empty file":   {good, "", "config.empty", "1:1"},
		"comments only":   {good, "# nothing\n", "config.empty", "1:1"},
		"a list":          {good, "- a\n", "config.not-mapping", "1:1"},
		"UTF-16":          {good, "\xff\xfes\x00c\x00", "config.utf16", "1:1"},
		"too large":       {good, strings.Repeat("#", yamldoc.MaxSize+1), "config.too-large", "1:1"},
		"schema of later": {"holdfast/plan@1", "holdfast/plan@2", "config.word-near", "1:9"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.from, c.to, 1)
			if text == good {
				t.Fatalf("there is no %q", c.from)
			}
			p, problems := Parse(Source{"x.yaml", []byte(text)}, nil, nil)
			if p != nil {
				t.Error("a plan came of it")
			}
			if !slices.ContainsFunc(problems, func(p yamldoc.Problem) bool {
				return p.ID == c.id && (c.at == "" || fmt.Sprintf("%d:%d", p.Line, p.Column) == c.at)
			}) {
				for _, p := range problems {
					t.Logf("%s %s", p.ID, p.Text(catalogue.En))
				}
				t.Errorf("no %s at %s", c.id, c.at)
			}
		})
	}
}
