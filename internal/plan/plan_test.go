package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// parseFile reads a plan as it lies on disk, with the files beside it.
func parseFile(t *testing.T, file string) (*Plan, []yamldoc.Problem, map[string][]byte) {
	t.Helper()
	texts := map[string][]byte{}
	load := func(path string) *Source {
		src, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		name := filepath.Base(path)
		texts[name] = src
		return &Source{name, src}
	}
	business := load(file)
	if business == nil {
		t.Fatalf("no %s", file)
	}
	var people *People
	if s := load(strings.TrimSuffix(file, ".yaml") + ".people.yaml"); s != nil {
		known, problems := ParsePeople(*s)
		if known == nil {
			return nil, problems, texts
		}
		people = known
	}
	p, problems := Parse(*business, load(TechName(file)), people)
	return p, problems, texts
}

func render(t *testing.T, lang catalogue.Lang, problems []yamldoc.Problem, texts map[string][]byte) string {
	t.Helper()
	var out bytes.Buffer
	for _, p := range problems {
		if err := yamldoc.Render(&out, lang, texts[p.File], []yamldoc.Problem{p}); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestGoodPlansHaveNoProblems(t *testing.T) {
	files, _ := filepath.Glob("testdata/good/*.yaml")
	examples, _ := filepath.Glob("../../examples/plans/*.yaml")
	checked := 0
	for _, file := range append(files, examples...) {
		if strings.HasSuffix(file, techSuffix) || strings.HasSuffix(file, "people.yaml") {
			continue
		}
		checked++
		p, problems, texts := parseFile(t, file)
		if p == nil || len(problems) > 0 {
			t.Errorf("%s", render(t, catalogue.En, problems, texts))
		}
	}
	if checked == 0 {
		t.Error("no plan found")
	}
}
