package binding_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// TestExamplesAreTaken holds the example plans to the engines.
func TestExamplesAreTaken(t *testing.T) {
	files, err := filepath.Glob("../../examples/plans/*.tech.yaml")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, tech := range files {
		for _, problem := range binding.Check(parsed(t, strings.TrimSuffix(tech, ".tech.yaml")+".yaml", read(t, tech))) {
			t.Error(problem.Text(catalogue.En))
		}
	}
}

func TestRefusals(t *testing.T) {
	file := "../../examples/plans/order-upgrade.yaml"
	good := string(read(t, plan.TechName(file)))
	for _, c := range []struct{ from, to, says string }{
		{"flow: flows/place-order.yaml", "flow: ../../secrets.yaml", "is outside the plan's folder"},
		{"flow: flows/place-order.yaml", "flow: /etc/passwd", "is outside the plan's folder"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatal(c.from)
		}
		line, column := where(text, c.to)
		want := fmt.Sprintf("%s:%d:%d: ", plan.TechName(file), line, column)
		found := binding.Check(parsed(t, file, []byte(text)))
		if !slices.ContainsFunc(found, func(p problem) bool {
			said := p.Text(catalogue.En)
			return strings.HasPrefix(said, want) && strings.Contains(said, c.says)
		}) {
			t.Errorf("%s: %v, not %s%s", c.to, found, want, c.says)
		}
	}
}

type problem = yamldoc.Problem

func where(text, part string) (line, column int) {
	before, _, _ := strings.Cut(text, part)
	value := len(part[:strings.Index(part, ": ")+2])
	return strings.Count(before, "\n") + 1, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + value + 1
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parsed(t *testing.T, file string, tech []byte) *plan.Plan {
	t.Helper()
	p, problems := plan.Parse(plan.Source{Name: file, Text: read(t, file)}, &plan.Source{Name: plan.TechName(file), Text: tech}, nil)
	if p == nil {
		t.Fatal(problems)
	}
	return p
}
