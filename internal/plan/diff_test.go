package plan

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffGoesByIDs(t *testing.T) {
	src, err := os.ReadFile("testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before := string(src)
	after := strings.NewReplacer(
		"rto: 1h", "rto: 60m", // the same
		"mtd: 4h", "mtd: 3h",
		"name: Web shop", "name: {en: Web shop, zh: 商城}",
		"[li.wei, zhang.min]", "[zhang.min, li.wei]",
		"  - {id: phones, kind: phone, standby: true}", "  - {id: mails, kind: mail}\n  - {id: phones, kind: phone, standby: true}",
		"      - {id: call, say: Call the hosting provider., owner: commander, within: 10m}",
		"      - {id: look, say: Look., owner: commander}\n      - {id: call, say: Call the hosting provider., owner: commander}",
	).Replace(before)
	got, problems := Diff(Source{"a.yaml", []byte(before)}, Source{"b.yaml", []byte(after)})
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	want := []Change{
		{Changed, []string{"name"}, "Web shop", "{en: Web shop, zh: 商城}"},
		{Changed, []string{"impact", "orders", "mtd"}, "4h", "3h"},
		{Added, []string{"runbooks", "restart", "steps", "look"}, "", "{id: look, say: Look., owner: commander}"},
		{Removed, []string{"runbooks", "restart", "steps", "call", "within"}, "10m", ""},
		{Changed, []string{"roles", "commander", "people"}, "[li.wei, zhang.min]", "[zhang.min, li.wei]"},
		{Added, []string{"channels", "mails"}, "", "{id: mails, kind: mail}"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDiffTellsOfOrder(t *testing.T) {
	a := Source{"a.yaml", []byte("schema: holdfast/people@1\npeople:\n  - {id: a, name: A}\n  - {id: b, name: B}\n")}
	b := Source{"b.yaml", []byte("schema: holdfast/people@1\npeople:\n  - {id: b, name: B}\n  - {id: a, name: A}\n")}
	got, _ := Diff(a, b)
	if diff := cmp.Diff([]Change{{Moved, []string{"people"}, "a, b", "b, a"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, _ := Diff(a, a); got != nil {
		t.Errorf("a file differs from itself: %+v", got)
	}
}
