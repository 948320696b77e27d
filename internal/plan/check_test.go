package plan

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// badPlans are the fixtures, each with the files beside it.
func badPlans(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("fixtures: %d, %v", len(files), err)
	}
	var out []string
	for _, file := range files {
		if !strings.HasSuffix(file, techSuffix) && !strings.HasSuffix(file, ".people.yaml") {
			out = append(out, file)
		}
	}
	return out
}

// TestCheckSaysWhatIsWrong renders every bad fixture as a person sees it.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	for _, file := range badPlans(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			p, problems, texts := parseFile(t, file)
			if len(problems) == 0 {
				t.Error("no problem found")
			}
			if (p == nil) != yamldoc.Failed(problems) {
				t.Error("a plan with errors is in use, or one without is not")
			}
			for lang, ext := range map[catalogue.Lang]string{catalogue.En: ".want", catalogue.Zh: ".want.zh"} {
				got := render(t, lang, problems, texts)
				if strings.Contains(got, "<no value>") {
					t.Errorf("an argument is missing:\n%s", got)
				}
				golden(t, strings.TrimSuffix(file, ".yaml")+ext, got)
			}
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEveryProblemHasAFixture holds the catalogue's texts, the code and the
// fixtures together.
func TestEveryProblemHasAFixture(t *testing.T) {
	texts, err := os.ReadFile("../catalogue/locales/plan.en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{"plan.same-plan": true, "plan.no-such-plan": true, "plan.cycle-plans": true} // TestPlansThatNeedEachOther
	for _, file := range badPlans(t) {
		_, problems, _ := parseFile(t, file)
		for _, p := range problems {
			shown[p.ID] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(plan\.[a-z0-9-]+): `).FindAllStringSubmatch(string(texts), -1) {
		if !shown[m[1]] {
			t.Errorf("no fixture shows %s", m[1])
		}
	}
}

func TestPlansThatNeedEachOther(t *testing.T) {
	src, err := os.ReadFile("testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var plans []*Plan
	for _, v := range []struct{ file, id, needs string }{{"a.yaml", "shop", "pay"}, {"b.yaml", "pay", "shop"}, {"c.yaml", "pay", "nowhere"}} {
		text := strings.Replace(string(src), "id: shop\n", "id: "+v.id+"\n", 1) + "dependencies: [{id: d, plan: " + v.needs + "}]\n"
		p, problems := Parse(Source{v.file, []byte(text)}, nil, nil)
		if p == nil {
			t.Fatalf("%+v", problems)
		}
		plans = append(plans, p)
	}
	var got []string
	for _, p := range CheckPlans(plans) {
		got = append(got, p.Text(catalogue.En))
	}
	want := []string{
		"c.yaml:2:5: plan pay stands in b.yaml too",
		"b.yaml:22:30: services stop each other: pay → shop → pay",
		"c.yaml:22:30: there is no plan nowhere among the files",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
