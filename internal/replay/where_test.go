package replay

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
)

// What may have been processed at the standby is sent there and nowhere else,
// and tells health nothing about the first upstream.
func TestRule4_7_ARecordGoesToTheUpstreamItWasAttemptedAt(t *testing.T) {
	const second, before, gone = "http://second", "http://second-before", "http://gone"
	for name, c := range map[string]struct {
		at            string
		first, beside int // attempts
		state         continuity.State
		reason        continuity.Reason
	}{
		"attempted nowhere":     {"", 1, 0, continuity.Delivered, ""},
		"at the first":          {"http://first", 1, 0, continuity.Delivered, ""},
		"where the first was":   {"http://first-before", 1, 0, continuity.Delivered, ""},
		"at the standby":        {second, 0, 1, continuity.Delivered, ""},
		"where the standby was": {before, 0, 1, continuity.Delivered, ""},
		"at neither":            {gone, 0, 0, continuity.Parked, continuity.ReasonElsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			route := testRoute(func(r *continuity.Route) {
				r.Upstream, r.Moved = "http://first", []string{"http://first-before"}
				r.Standby = &continuity.Standby{Upstream: second, Moved: []string{before}}
			})
			first, beside := always(201), always(201)
			synctest.Test(t, func(t *testing.T) {
				r := &rig{T: t, ledger: newFakeLedger(), up: first, health: &fakeHealth{}}
				r.d = New(Options{Route: *route, Ledger: r.ledger, Sender: first, Standby: beside, Health: r.health, Seed: 1})
				defer r.d.Stop()
				id := r.ledger.accept(1, func(rec *continuity.Record) { rec.Upstream, rec.Lost = c.at, c.at != "" })
				r.start()
				pass(testSettle + time.Minute)
				r.wantStatus(id, c.state, c.reason)
				if first.count() != c.first || beside.count() != c.beside {
					t.Errorf("%d attempts at the first, %d at the standby; want %d and %d", first.count(), beside.count(), c.first, c.beside)
				}
				if ok, bad, lost := r.health.heard(); c.first == 0 && ok+bad+lost > 0 {
					t.Errorf("health heard of the first: %d ok, %d clean, %d lost", ok, bad, lost)
				}
			})
		})
	}
}
