package replay

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// Clients go on as before all the time: 50 requests a second of 40 keys. The
// upstream is gone for most of the first minute, so that the minute is healthy
// and yet shows less than half of what clients ask for.
func TestRule6_1_ADrainUnderLoadEndsWhoeverMeasuredTooLittle(t *testing.T) {
	inBubble(t, always(200), testRoute(func(r *continuity.Route) { r.Capacity = 0; r.Ramp.Window = 30 * time.Second }), func(r *rig) {
		off := continuity.Switch{Route: "orders", Owner: "health", Replay: continuity.ReplayOff}
		r.start()
		n := 0
		clients := func(d time.Duration, down bool) {
			for end := time.Now().Add(d); time.Now().Before(end); n++ {
				key := continuity.KeyTag(n%40) + 1 // #nosec G115 -- small
				r.d.Meter.Asked()
				if down || r.ledger.gated(key) {
					r.ledger.accept(key)
				} else {
					r.d.Meter.Live(false)
				}
				pass(20 * time.Millisecond)
			}
		}
		clients(15*time.Second, false)
		_ = r.ledger.Switch(off)
		clients(35*time.Second, true)
		off.Lift = true
		_ = r.ledger.Switch(off)
		for range 10 {
			if clients(30*time.Second, false); r.ledger.pending() == 0 {
				return
			}
		}
		p := r.d.Progress()
		r.Errorf("%d records pending after five minutes, with %.0f a second taken as the capacity, of 50 asked for", p.Backlog, p.Capacity)
	})
}

// Retries of those who are turned away must not lift the limit that does so.
func TestRule6_1_WhatClientsAskForDoesNotRaiseTheirLimit(t *testing.T) {
	d := New(Options{Route: continuity.Route{ID: "orders"}})
	now := feed(d.Meter, rampBegin, 2*time.Minute, 300, 100, 0)
	for range 20 {
		for range 4000 {
			d.Meter.Asked()
		}
		now = now.Add(time.Second)
		d.Meter.Sample(now)
	}
	if room := d.LiveRoom(); room < 439 || room > 441 {
		t.Errorf("live requests may take %.0f a second, want 110 %% of the 400 of the healthy minute", room)
	}
	if c := d.capacity(); c < 4000 {
		t.Errorf("replay takes %.0f a second as the capacity, below what is asked for", c)
	}
}
