package relay

import (
	"sync/atomic"
	"time"
)

// The live rate is counted in short slots over a few seconds.
const (
	slot  = 250 * time.Millisecond
	slots = 16
	span  = 8 // slots that a rate looks back over
)

// traffic counts a route's live attempts.
type traffic struct {
	slots [slots]struct{ at, n atomic.Int64 }
	took  atomic.Int64 // moving average in nanoseconds
	under atomic.Int64 // on their way now
}

func (t *traffic) count(now time.Time) {
	at := now.UnixNano() / int64(slot)
	s := &t.slots[at%slots]
	if old := s.at.Load(); old < at && s.at.CompareAndSwap(old, at) {
		s.n.Store(0) // who counts in between is counted with the old slot: one at most
	}
	s.n.Add(1)
}

// rate looks back over whole slots, not the one that has just begun.
func (t *traffic) rate(now time.Time) float64 {
	at := now.UnixNano() / int64(slot)
	var n int64
	for back := int64(1); back <= span; back++ {
		if s := &t.slots[(at-back)%slots]; s.at.Load() == at-back {
			n += s.n.Load()
		}
	}
	return float64(n) / (span * slot).Seconds()
}

const weight = 16 // of the past in the moving average

func (t *traffic) answered(took time.Duration) {
	old := t.took.Load()
	if old == 0 {
		t.took.CompareAndSwap(0, int64(took))
		return
	}
	t.took.CompareAndSwap(old, old+(int64(took)-old)/weight) // losing a race loses one sample
}

func (t *traffic) latency() time.Duration { return time.Duration(t.took.Load()) }

// What says how a live request ended, for an Observer.
type What string

// How live requests end.
const (
	Passed   What = "passed"   // the upstream's answer reached the client, or was on its way
	Held     What = "held"     // kept before anything was sent
	Late     What = "late"     // kept in doubt after a lost attempt
	Repeated What = "repeated" // answered from the ledger
	Refused  What = "refused"  // neither passed nor kept
	Cut      What = "cut"      // the answer was cut after it had begun
	Shed     What = "shed"     // turned away by a limit, or to wait in line

	Diverted    What = "diverted"    // answered by the standby
	Stale       What = "stale"       // a reader got the last good response
	Maintenance What = "maintenance" // the maintenance answer
	Blocked     What = "blocked"     // refused by a block
)

// Observer is told how each live request ended: by which status its client was
// answered, and how long that took.
type Observer interface {
	Observe(route string, what What, status int, took time.Duration)
	// Checked is told instead where the request was a check's.
	Checked(route string, what What, status int)
}

type nobody struct{}

func (nobody) Observe(string, What, int, time.Duration) {}
func (nobody) Checked(string, What, int)                {}
