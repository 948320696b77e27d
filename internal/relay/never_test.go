package relay_test

import (
	"testing"

	"holdfast/internal/continuity"
)

// A route that never holds looks nothing up, until it turns out to have held.
func TestRule5_3_RoutesThatNeverHoldKnowWhatTheyKept(t *testing.T) {
	h := open(t)
	h.route.Hold.State = continuity.HoldNever
	h.use(continuity.Limits{})
	wantStatus(t, h.post(`{"order_no":"A"}`, "Idempotency-Key: k"), 201)
	wantStatus(t, h.post(`{"order_no":"A"}`, "Idempotency-Key: k"), 201) // passed requests are the upstream's to tell apart

	h.route.Hold.State = continuity.HoldOn
	h.use(continuity.Limits{})
	h.books.hold("operator")
	first := h.post(`{"order_no":"A"}`, "Idempotency-Key: kept")
	wantHeld(t, first)
	h.route.Hold.State = continuity.HoldNever
	h.use(continuity.Limits{})
	h.books.pass()
	again := h.post(`{"order_no":"A"}`, "Idempotency-Key: kept")
	if again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Location") == "" {
		t.Errorf("a repeat is answered %v, its first %v", again, first)
	}
	wantHeld(t, h.post(`{"order_no":"A"}`, "Idempotency-Key: behind")) // rule 3.2
	wantStatus(t, h.post(`{"order_no":"B"}`, "Idempotency-Key: other"), 201)
	h.wantKept(2)
}
