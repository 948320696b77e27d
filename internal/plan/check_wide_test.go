package plan

import (
	"fmt"
	"strings"
	"testing"
)

func wide(n int, line string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(line, "@", fmt.Sprint(10_000+i)))
	}
	return b.String()
}

func parseWide(business, tech string) int {
	_, problems := Parse(Source{Name: "shop.yaml", Text: []byte("schema: holdfast/plan@1\nid: shop\n" + business)},
		&Source{Name: "shop.tech.yaml", Text: []byte("schema: holdfast/plan-tech@1\n" + tech)}, nil)
	return len(problems)
}

// TestTwiceThePlanIsTwiceTheWork holds plans of thousands of lines, all of them
// wrong in the same way, to work that grows as they do.
func TestTwiceThePlanIsTwiceTheWork(t *testing.T) {
	for name, c := range map[string]struct{ head, line string }{
		"names that nothing bears": {"components:\n", "  - {id: c@, name: c, depends_on: [x@]}\n"},
		"rings":                    {"components:\n  - {id: c9999, name: c, depends_on: [c10000]}\n", "  - {id: c@, name: c, depends_on: [c@0, c9999]}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			work := func(n int) float64 {
				return testing.AllocsPerRun(1, func() {
					if parseWide(c.head+wide(n, c.line), "") < 100 {
						t.Error("the plan has too few mistakes")
					}
				})
			}
			if once, twice := work(1000), work(2000); twice > 2.5*once {
				t.Errorf("%.0f allocations, and %.0f for twice as much", once, twice)
			}
		})
	}
}

func TestPrivateAddressesAreBounded(t *testing.T) {
	for n, refused := range map[int]bool{mostAllowed: false, mostAllowed + 1: true} {
		_, problems := Parse(Source{Name: "shop.yaml", Text: []byte("schema: holdfast/plan@1\n")},
			&Source{Name: "shop.tech.yaml", Text: []byte("schema: holdfast/plan-tech@1\nallow: [" + wide(n, "10.1.0.1:@, ") + "]\n")}, nil)
		found := false
		for _, p := range problems {
			found = found || p.ID == "plan.allow-many"
		}
		if found != refused {
			t.Errorf("%d: refused %v", n, found)
		}
	}
}
