package relay_test

import (
	"testing"

	"holdfast/internal/admission"
	"holdfast/internal/continuity"
)

// What live requests would take of replay's tenth is kept, and delivered by it;
// what can't be kept is turned away. Without a backlog nothing is bounded.
func TestRule6_1_LiveAboveNineTenthsIsKept(t *testing.T) {
	h := open(t)
	room := 0.0
	gate := func(standing continuity.Admitting) *admission.Gate {
		g := admission.New(admission.Options{
			Route: &h.route, Secret: []byte("secret"), Implied: true, Capacity: func() float64 { return room },
			Standing: func() continuity.Admitting { return standing },
		})
		h.engine.SetGate(h.route.ID, g)
		return g
	}
	gate(continuity.Admitting{})
	for range 5 {
		wantStatus(t, h.post(order("A")), 201)
	}
	room = 0.01 // one at once, and then none for long
	g := gate(continuity.Admitting{})
	wantStatus(t, h.post(order("A")), 201)
	wantHeld(t, h.post(order("B")))
	r := h.do("GET", "/orders/A", "")
	wantProblem(t, r, 503, "shed")
	if i := g.Info(); i.Refused[admission.Capacity] != 2 || i.RateBy != admission.Capacity {
		t.Errorf("%+v", i)
	}
	h.wantKept(1)
	h.route.Answer = nil // neither route nor client understands being held
	h.use(continuity.Limits{})
	gate(continuity.Admitting{})
	wantStatus(t, h.post(order("C")), 201)
	wantProblem(t, h.post(order("D")), 503, "not-held")
	// A limit that a person set is not replay's: it sheds.
	gate(continuity.Admitting{Rate: 0.001})
	wantStatus(t, h.post(order("E"), "Prefer: respond-async"), 201)
	wantProblem(t, h.post(order("F"), "Prefer: respond-async"), 503, "shed")
	h.wantKept(1)
}

// Who is verified before the body is read is admitted by who it is; what
// clients write in headers counts for nothing.
func TestAdmissionKnowsTheVerifiedCaller(t *testing.T) {
	h, b := guarded(t)
	h.bounded(continuity.Admission{Rate: 0.01, Burst: 2, Classes: continuity.AdmissionClasses{
		Order: []string{"checkout", "crawler"}, Members: [][]string{{"alice", "order:write"}, nil},
	}}, nil)
	wantStatus(t, h.do("GET", "/orders/1", "", "X-Class: checkout"), 201) // the half of two that the last class may use
	wantProblem(t, h.do("GET", "/orders/1", "", "X-Class: checkout"), 503, "shed")
	wantStatus(t, h.do("GET", "/orders/1", "", "X-Badge: alice"), 201)
	wantProblem(t, h.do("GET", "/orders/1", "", "X-Badge: alice"), 503, "shed")
	if b.asked == 0 {
		t.Error("nobody was verified")
	}
}
