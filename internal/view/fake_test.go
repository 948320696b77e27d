package view_test

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// fakeLog is a journal in memory. Its payloads are the numbers of events kept
// beside it, and a filler, so that entries have sizes.
type fakeLog struct {
	mu      sync.Mutex
	seed    byte
	first   continuity.Position
	end     continuity.Position
	entries []journal.Stored
	events  []continuity.Event
	clock   continuity.Clock
	hook    func(n int, at continuity.Position) error // called before the n-th entry of a read is given
}

var wall = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

const logBegin = continuity.Position(64)

func newLog() *fakeLog { return &fakeLog{first: logBegin, end: logBegin, seed: 1} }

// put appends an event and returns how it was stamped.
func (l *fakeLog) put(ev continuity.Event) stamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock += 7
	ev.Clock, ev.At = l.clock, wall.Add(time.Duration(l.clock)*time.Millisecond)
	payload := binary.LittleEndian.AppendUint64([]byte{l.seed}, uint64(len(l.events)))
	payload = append(payload, make([]byte, len(l.events)%50)...)
	at := l.end
	l.end += continuity.Position(len(payload) + 24)
	l.entries = append(l.entries, journal.Stored{Entry: journal.Entry{Kind: ev.Kind, Payload: payload}, Position: at, Next: l.end})
	l.events = append(l.events, ev)
	return stamp{at: at, size: int64(len(payload)), ev: ev}
}

// gap leaves room behind the last entry, as the start of a new segment does.
func (l *fakeLog) gap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += 100
}

func (l *fakeLog) retire(below continuity.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.DeleteFunc(slices.Clone(l.entries), func(s journal.Stored) bool { return s.Position < below })
	l.first = max(l.first, below)
}

var errBadEntry = errors.New("fake: does not parse")

func (l *fakeLog) decode(s journal.Stored) (continuity.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := binary.LittleEndian.Uint64(s.Payload[1:])
	if n >= uint64(len(l.events)) {
		return continuity.Event{}, errBadEntry
	}
	return l.events[n], nil
}

func (l *fakeLog) All(from continuity.Position) iter.Seq2[journal.Stored, error] {
	l.mu.Lock()
	entries, first, hook := l.entries, l.first, l.hook
	l.mu.Unlock()
	return func(yield func(journal.Stored, error) bool) {
		if from == 0 {
			from = first
		}
		if from < first {
			yield(journal.Stored{}, journal.ErrGone)
			return
		}
		n := 0
		for _, s := range entries {
			if s.Position < from {
				continue
			}
			if hook != nil {
				if err := hook(n, s.Position); err != nil {
					yield(journal.Stored{}, err)
					return
				}
			}
			n++
			reused := s
			reused.Payload = slices.Clone(s.Payload)
			if !yield(reused, nil) {
				return
			}
			for i := range reused.Payload { // a reader must not keep it
				reused.Payload[i] = 0xff
			}
		}
	}
}

func (l *fakeLog) Start() continuity.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

func (l *fakeLog) End() continuity.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}
