package replay

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// Without admission, live requests are bounded only while replay has something
// to send, and only by a capacity that somebody stated.
func TestRule6_1_LiveLeavesReplayItsTenth(t *testing.T) {
	stated := New(Options{Route: continuity.Route{ID: "orders", Capacity: 100}})
	measured := New(Options{Route: continuity.Route{ID: "orders"}})
	feed(measured.Meter, rampBegin, 2*time.Minute, 300, 100, 0)
	for _, c := range []struct {
		name      string
		drainable int64
		paused    Pause
		stated    float64
	}{
		{"nothing to replay", 0, PauseNone, 0},
		{"a backlog", 5, PauseNone, 90},
		{"a backlog that may not be sent", 5, PauseOff, 0},
	} {
		for _, d := range []*Drainer{stated, measured} {
			d.flow.drainable, d.paused = c.drainable, c.paused
		}
		if got := stated.LiveBound(); got != c.stated {
			t.Errorf("%s: live bounded at %v, want %v", c.name, got, c.stated)
		}
		if got := measured.LiveBound(); got != 0 {
			t.Errorf("%s: live bounded at %v by what was measured", c.name, got)
		}
	}
	stated.flow.drainable, stated.paused, stated.inFlight = 0, PauseOff, 1
	if got := stated.LiveBound(); got != 90 {
		t.Errorf("with an attempt under way live is bounded at %v", got)
	}
}
