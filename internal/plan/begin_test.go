package plan

import (
	"testing"

	"holdfast/internal/catalogue"
)

func TestTenAnswersMakeAPlan(t *testing.T) {
	if n := len(Questions()); n != 10 {
		t.Fatalf("%d questions", n)
	}
	answers := map[string]string{
		"service": "商城: \"main\" # one", "id": "shop", "owner": "li.wei", "deputy": "zhang.min",
		"department": "销售部", "meanwhile": "orders come by phone, on paper",
	}
	text := Begin(Beginning{Answers: answers, Day: "2026-03-02"})
	p, problems := Parse(Source{"shop.yaml", text}, nil, nil)
	if p == nil || len(problems) > 0 {
		t.Fatalf("%s\n%s", text, render(t, catalogue.En, problems, map[string][]byte{"shop.yaml": text}))
	}
	if p.Name.Zh != answers["service"] || p.Impact[0].Department.Zh != "销售部" {
		t.Errorf("%+v", p)
	}
}

func TestAnswersAreCheckedOneByOne(t *testing.T) {
	wrong := map[string]string{"id": "Shop", "owner": "Li Wei", "mtd": "4", "loss": "much", "service": " "}
	for _, q := range Questions() {
		if answer, ok := wrong[q.ID]; ok && q.Wrong(answer, nil) == nil {
			t.Errorf("%s: %q is taken", q.ID, answer)
		}
		if q.Default != "" && q.Wrong(q.Default, nil) != nil {
			t.Errorf("%s: its default is refused", q.ID)
		}
		// Two that don't fit together are refused at the later one, whichever it is.
		for _, pair := range []struct {
			id, answer, other, said string
			wrong                   bool
		}{
			{"rto", "2h", "mtd", "1h", true}, {"mtd", "1h", "rto", "2h", true}, {"rto", "60m", "mtd", "1h", false}, {"rto", "2h", "loss", "1h", false},
		} {
			if p := q.Wrong(pair.answer, map[string]string{pair.other: pair.said}); q.ID == pair.id && (p != nil) != pair.wrong {
				t.Errorf("%+v: %v", pair, p)
			}
		}
	}
}
