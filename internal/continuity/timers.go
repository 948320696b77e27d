package continuity

import (
	"encoding/json"
	"math/rand/v2"
	"time"
)

// Timer is something to be done once, at a time or later, by one of several
// nodes.
type Timer struct {
	ID       string
	Kind     string
	Due      time.Time
	Body     json.RawMessage
	Attempts int // claims, this one included

	// Set by a claim.
	Node  string
	Fence int64 // grows with each claim: who holds an older one has lost it
	Until time.Time
	Error string // why the attempt before failed: a code, no secret
}

// LongestLease is how long a lease may be at most.
const LongestLease = 10 * time.Minute

// Lease is a named right that one node holds at a time, as to lead.
type Lease struct {
	Name  string
	Node  string
	Fence int64 // grows whenever the holder changes
	Until time.Time
}

// Backoff is how long to wait after so many attempts: doubled each time from
// first to most, and shortened by up to a quarter at random so that what failed
// together does not come again together.
func Backoff(attempts int, first, most time.Duration) time.Duration {
	wait := first
	for i := 1; i < attempts && wait < most; i++ {
		wait *= 2
	}
	wait = min(wait, most)
	return wait - time.Duration(rand.Int64N(int64(wait/4)+1)) // #nosec G404 -- not a secret
}
