package admission

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

const (
	adaptiveEvery = 250 * time.Millisecond
	adaptiveTell  = 10 // answers; fewer say nothing
	adaptiveBad   = 0.1
	adaptiveNoise = 2 * time.Millisecond // more than this many times slower can't be told apart
)

// adaptive is a limit of concurrency that follows the upstream: it grows by its
// square root while it is used and answers come as fast as from a quiet
// upstream, and shrinks by as much as they come slower, or by a fifth where they
// fail.
//
// What a quiet upstream takes is learned at once where it is faster, and where
// few requests are on their way: what those take is no queue but the upstream's
// own time. So a limit that has shrunk to its least finds out whether the
// upstream is overloaded, or has merely become slower.
type adaptive struct {
	conf  continuity.Adaptive
	limit atomic.Int64
	peak  atomic.Int64 // most on their way since the last look
	due   atomic.Int64
	seen  window

	mu    sync.Mutex
	quiet time.Duration
}

func newAdaptive(conf *continuity.Adaptive) *adaptive {
	a := &adaptive{conf: *conf}
	a.conf.Least = max(a.conf.Least, 1)
	if a.conf.Most <= 0 {
		a.conf.Most = 1000
	}
	if a.conf.Slow <= 1 {
		a.conf.Slow = 2
	}
	if a.conf.Start <= 0 {
		a.conf.Start = 20
	}
	a.limit.Store(int64(min(max(a.conf.Start, a.conf.Least), a.conf.Most)))
	return a
}

func (a *adaptive) entered(onWay int64) {
	if onWay > a.peak.Load() {
		a.peak.Store(onWay) // losing a race loses little
	}
}

func (a *adaptive) ended(now int64, took time.Duration, bad bool) {
	a.seen.add(took, bad)
	due := a.due.Load()
	if now < due || !a.due.CompareAndSwap(due, now+int64(adaptiveEvery)) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.seen.look(false); s.n >= adaptiveTell {
		a.seen.look(true)
		a.judge(s, a.peak.Swap(0))
	}
}

// judge sets the limit by what was seen; a.mu is held.
func (a *adaptive) judge(s sample, peak int64) {
	limit := float64(a.limit.Load())
	least := float64(a.conf.Least)
	took, known := s.median, a.quiet > 0
	if s.median > 0 {
		switch {
		case !known:
			a.quiet = took
		case took < a.quiet:
			a.quiet += (took - a.quiet) / 4
		case float64(peak) <= max(least, limit/4) && s.failed() <= adaptiveBad:
			a.quiet += (took - a.quiet) / 16
		}
	}
	fits := time.Duration(a.conf.Slow * float64(a.quiet))
	switch {
	case s.failed() > adaptiveBad && s.bad > 1:
		limit *= 0.8
	case took > max(fits, a.quiet+adaptiveNoise):
		limit *= min(0.9, max(0.5, float64(fits)/float64(took)))
	case float64(peak) >= 0.75*limit:
		limit += math.Sqrt(limit)
	}
	a.limit.Store(int64(min(max(limit, least), float64(a.conf.Most))))
}
