package control

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/planbook"
)

// TestUnreadPlanKeepsItsVerdicts starts a program that can't read the plan which
// holds: what was judged of its checks stays, while another plan's are judged.
func TestUnreadPlanKeepsItsVerdicts(t *testing.T) {
	target := httptest.NewServer(http.NotFoundHandler())
	defer target.Close()
	place, dir := strings.TrimPrefix(target.URL, "http://"), t.TempDir()
	tech := "schema: holdfast/plan-tech@1\nallow: [127.0.0.1]\nchecks:\n" +
		"  - {id: web, http: " + target.URL + "/, every: 200ms, timeout: 150ms}\n  - {id: backup, heartbeat: 10s}\n"
	judged := func(n *Node, id string) (state continuity.CheckState) {
		o, err := n.store.Get(t.Context(), continuity.ObjectCheck, id)
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			return ""
		}
		var kept continuity.JudgedCheck
		if err == nil {
			err = json.Unmarshal(o.Body, &kept)
		}
		if err != nil {
			t.Fatal(err)
		}
		return kept.State
	}
	n, _ := checkingNode(t, dir, place)
	applyChecks(t, n, tech)
	eventually(t, "shop/web is judged", func() bool { return judged(n, "shop/web") == continuity.CheckDown })
	newer := continuity.PlanProposal{Service: "shop", Base: 1, Texts: continuity.PlanTexts{Plan: "schema: [of a newer program"}, Apply: true}
	if _, err := n.store.Plans().Draft(t.Context(), li, newer); err != nil {
		t.Fatal(err)
	}
	stopNode(t, n)

	n, _ = checkingNode(t, dir, place)
	if !n.plans.Holding().Unread["shop"] {
		t.Fatal("the plan can be read")
	}
	texts := continuity.PlanTexts{Plan: strings.Replace(checkedPlan, "id: shop\n", "id: till\n", 1), Tech: tech}
	if _, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "till", Texts: texts}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "till/web is judged", func() bool { return judged(n, "till/web") == continuity.CheckDown })
	if got := judged(n, "shop/web"); got != continuity.CheckDown {
		t.Errorf("shop/web is %q", got)
	}
}
