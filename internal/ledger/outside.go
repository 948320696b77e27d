package ledger

import (
	"time"

	"holdfast/internal/continuity"
)

// An upstream forgets by its own clock, which goes on while no relay runs, or
// while the machine sleeps. Outside time is running time plus all that the wall
// clock says has been missed. A wall clock that jumps ahead makes it too long,
// which costs a person's decision; running time alone would be too short, and
// cost a second delivery.
const missedLeast = continuity.Clock(time.Second / time.Millisecond)

// missed tells how much more the wall clock has advanced than the running clock
// since the newest event.
func (s *State) missed(at time.Time, clock continuity.Clock) continuity.Clock {
	if s.wall == 0 || clock < s.clock {
		return 0
	}
	passed := at.UnixMilli() - s.wall
	if passed <= 0 || continuity.Clock(passed) < clock-s.clock+missedLeast { // #nosec G115 -- positive
		return 0
	}
	return continuity.Clock(passed) - (clock - s.clock) // #nosec G115 -- positive
}

// pass moves both clocks to an event's.
func (s *State) pass(e *continuity.Event) {
	s.away += s.missed(e.At, e.Clock)
	s.clock = max(s.clock, e.Clock)
	s.wall = e.At.UnixMilli()
}

// outside is the outside time of the newest event.
func (s *State) outside() continuity.Clock { return s.clock + s.away }

// Outside is the time by which an upstream forgets; Status.FirstAttempt is
// measured by it.
func (l *Ledger) Outside() continuity.Clock {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	return now + l.state.away + l.state.missed(time.Now(), now)
}
