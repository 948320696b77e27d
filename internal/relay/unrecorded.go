package relay

import (
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// missed counts what passed unrecorded, by why.
type missed struct {
	mu    sync.Mutex
	all   map[continuity.Code]int64
	last  time.Time // when it was told last
	since time.Time // of the newest
}

// tellEvery is how often the log says so.
const tellEvery = 10 * time.Second

func (m *missed) count(why continuity.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[continuity.Code]int64)
	}
	m.all[why]++
	m.since = time.Now()
}

func (m *missed) tell(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.last) < tellEvery {
		return false
	}
	m.last = now
	return true
}

// Unrecorded tells how many requests of a route passed unrecorded though they
// should have been, why, and when the newest did.
func (e *Engine) Unrecorded(id string) (counts map[continuity.Code]int64, newest time.Time) {
	r := e.table.Load().find(id)
	if r == nil {
		return nil, time.Time{}
	}
	r.unrecorded.mu.Lock()
	defer r.unrecorded.mu.Unlock()
	counts = make(map[continuity.Code]int64, len(r.unrecorded.all))
	for why, n := range r.unrecorded.all {
		counts[why] = n
	}
	return counts, r.unrecorded.since
}
