package control

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// TestTheGateOfAnUnreadPlanStaysShut has a plan in force that this program can't
// read, so that it names no gate: the word that was said stands and is said anew.
// What a plan that can be read names no more is taken back.
func TestTheGateOfAnUnreadPlanStaysShut(t *testing.T) {
	n, _ := checkingNode(t, t.TempDir(), "127.0.0.1")
	applyChecks(t, n, "schema: holdfast/plan-tech@1\nchecks:\n  - {id: web, heartbeat: 10s}\n  - {id: backup, heartbeat: 10s}\n")
	newer := continuity.PlanProposal{Service: "shop", Base: 1, Texts: continuity.PlanTexts{Plan: "schema: [of a newer program"}, Apply: true}
	if _, err := n.store.Plans().Draft(t.Context(), li, newer); err != nil {
		t.Fatal(err)
	}
	if err := n.plans.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := make(chan api.FollowRequest, 10)
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f api.FollowRequest
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			t.Error(err)
		}
		said <- f
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("[]"))
	}))
	defer relay.Close()
	ago := word{down: true, at: time.Now().Add(-wordEvery)}
	unread := binding.Gate{Service: "shop", Relay: "relay", Route: "orders", Check: "shop/web"}
	gone := binding.Gate{Service: "till", Relay: "relay", Route: "bills", Check: "till/web"}
	s := &speaker{
		node: n, relays: map[string]*api.Client{"relay": api.ClientOf(relay.URL, relay.Client(), "control", catalogue.En)},
		states: map[string]continuity.CheckState{"shop/web": continuity.CheckDown, "till/web": continuity.CheckDown},
		said:   map[binding.Gate]word{unread: ago, gone: ago}, mute: map[string]bool{}, busy: map[string]bool{},
	}
	s.speak(t.Context())
	s.passes.Wait()
	close(said)
	down := map[string]bool{}
	for f := range said {
		down[f.Route] = f.Down
	}
	if len(down) != 2 || !down["orders"] || down["bills"] {
		t.Fatalf("the relay was told %v", down)
	}
	if !s.said[unread].at.After(ago.at) || len(s.said) != 1 {
		t.Fatalf("said %v", s.said)
	}

	s.states["shop/web"] = continuity.CheckUp
	said = make(chan api.FollowRequest, 1)
	s.speak(t.Context())
	s.passes.Wait()
	if f := <-said; f.Down {
		t.Error("the system is up, and the gate is not opened")
	}
}
