package ledger

import (
	"time"

	"holdfast/internal/continuity"
)

// mark says that everything below At had happened by Clock. Marks tell how far
// the horizon may move; they are coarse, which only keeps things longer.
type mark struct {
	At    continuity.Position `json:"at"`
	Clock continuity.Clock    `json:"clock"`
	Away  continuity.Clock    `json:"away,omitempty"` // Clock and Away together are outside time
}

const (
	markBytes = 8 << 20
	markEvery = continuity.Clock(10 * time.Minute / time.Millisecond)
	maxMarks  = 4096
)

func (s *State) mark(at continuity.Position, size int) {
	s.unmarked += size
	if n := len(s.marks); n > 0 && s.unmarked < markBytes && s.clock-s.marks[n-1].Clock < markEvery {
		return
	}
	s.unmarked = 0
	s.addMark(mark{At: at, Clock: s.clock, Away: s.away})
}

// markPause marks where nothing happened, or no relay ran, for a while: what
// stands before an event is as old as the one before that, and not as the event.
func (s *State) markPause(e *continuity.Event, at continuity.Position) {
	if n := len(s.marks); n > 0 && s.unmarked > 0 && e.Clock+s.missed(e.At, e.Clock) >= s.clock+markEvery {
		s.addMark(mark{At: at - 1, Clock: s.clock, Away: s.away}) // no entry stands there
	}
}

func (s *State) addMark(m mark) {
	if len(s.marks) == maxMarks {
		half := s.marks[:0]
		for i := 1; i < maxMarks; i += 2 {
			half = append(half, s.marks[i])
		}
		s.marks = half
	}
	s.marks = append(s.marks, m)
}

// before returns the furthest mark that is older than age, or 0.
func (s *State) before(now continuity.Clock, age time.Duration) (at continuity.Position) {
	for _, m := range s.marks {
		if m.Clock+millis(age) > now {
			break
		}
		at = m.At
	}
	return at
}

func (s *State) dropMarks(below continuity.Position) {
	for len(s.marks) > 0 && s.marks[0].At < below {
		s.marks = s.marks[1:]
	}
}
