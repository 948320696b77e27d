package ledger

import "holdfast/internal/continuity"

// holdsFirst is the share of the journal that recording leaves to what is
// held: a fourth.
const holdsFirst = 4

// mostPassed ends of recorded requests wait in memory for the next batch.
const mostPassed = 512

// Recording puts a request that is about to pass on stable storage and returns
// its place. Only then may the first byte be sent (rule 12). It promises
// nothing and bounds nothing; where room is short, it gives way to what is held.
func (l *Ledger) Recording(rec *continuity.Record) (continuity.Position, error) {
	p := l.newProposal(continuity.Event{Kind: continuity.KindRecorded, Recorded: rec})
	l.mu.Lock()
	l.tellPassed()
	l.enqueue(p)
	l.mu.Unlock()
	st, err := p.wait()
	return st.Position, err
}

// Recorded takes down how a recorded request ended. It goes into the journal
// with a later batch: should the relay die before, the upstream's own list
// tells.
func (l *Ledger) Recorded(p continuity.Passed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.passed = append(l.passed, p); len(l.passed) >= mostPassed {
		l.tellPassed()
	}
}

// tellPassed proposes what is known by now of recorded requests; nobody waits
// for it. l.mu is held.
func (l *Ledger) tellPassed() {
	if len(l.passed) == 0 {
		return
	}
	l.propose(continuity.Event{Kind: continuity.KindPassed, Passed: l.passed})
	l.passed = nil
}

func (l *Ledger) savePassed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellPassed()
}
