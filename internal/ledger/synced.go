package ledger

import "holdfast/internal/continuity"

// applyStep is how many events are applied under one lock, so that whoever wants
// it meanwhile does not give up its thread; tellStep is how many are told at once,
// so that live requests neither wait for a whole batch nor wake their loop for
// each of its records.
const (
	applyStep = 4
	tellStep  = 16
)

// apply turns a synced batch into state and answers its proposers.
func (l *Ledger) apply(batch []*proposal, positions []continuity.Position) {
	end := l.log.End()
	for untold := 0; untold < len(batch); {
		most := min(untold+tellStep, len(batch))
		for at := untold; at < most; at += applyStep {
			l.mu.Lock()
			for i := at; i < min(at+applyStep, most); i++ {
				next := end
				if i+1 < len(positions) {
					next = positions[i+1]
				}
				l.applyOne(batch[i], positions[i], next)
			}
			l.mu.Unlock()
		}
		tell(batch[untold:most])
		untold = most
	}
}

// applyOne applies a synced event and answers it; l.mu is held.
func (l *Ledger) applyOne(p *proposal, at, next continuity.Position) {
	if p.ref != 0 {
		t := l.state.slots.edit(p.ref)
		t.flags &^= flagBusy
		if p.event.Kind == continuity.KindOutcome {
			t.flags &^= flagClaimed
			delete(l.claims, p.claim)
		}
	}
	if err := l.state.Apply(&p.event, at, next, len(p.payload)); err != nil {
		// Cannot happen: it was checked against this very state.
		l.latched = err
		l.logger.Error("journal latched: an event does not fit the state", "error", err)
		l.answer(p, continuity.E(continuity.CodeOutcomeUnknown, err))
		return
	}
	if r := p.event.Accepted; r != nil {
		delete(l.live, r.Receipt) // it is known by its record now
	}
	l.since += int64(len(p.payload) + frameRoom)
	p.position = at
	p.status = l.result(&p.event, at)
	l.answer(p, nil)
}

// result is the status of the record that an event was about.
func (l *Ledger) result(e *continuity.Event, at continuity.Position) Status {
	var r continuity.Receipt
	switch {
	case e.Accepted != nil:
		r = e.Accepted.Receipt
	case e.Attempt != nil:
		r = e.Attempt.Receipt
	case e.Outcome != nil:
		r = e.Outcome.Receipt
	case e.Act != nil && e.Act.Replacement != nil:
		r = e.Act.Replacement.Receipt
	case e.Act != nil:
		r = e.Act.Receipt
	case e.Recorded != nil:
		return Status{Position: at}
	default:
		return Status{}
	}
	st, _ := l.state.status(r)
	return st
}
