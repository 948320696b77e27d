package ledger

import (
	"time"

	"holdfast/internal/continuity"
)

func millis(d time.Duration) continuity.Clock {
	return continuity.Clock(max(0, (d+time.Millisecond-1)/time.Millisecond)) // #nosec G115 -- not negative
}

// permits says whether a person may do this to a record in this state. What may
// have been processed is never edited; only doubts are settled by hand.
func permits(verb continuity.Verb, st Status) bool {
	switch verb {
	case continuity.VerbRetry:
		return st.State == continuity.Parked || st.State == continuity.Dead || st.State == continuity.InDoubt
	case continuity.VerbDiscard:
		return st.State == continuity.Parked || st.State == continuity.Dead || st.State == continuity.Queued
	case continuity.VerbExpire:
		return st.State == continuity.Dead
	case continuity.VerbErase:
		return st.State == continuity.Queued || st.State == continuity.InDoubt || st.State == continuity.Parked || st.State == continuity.Dead
	case continuity.VerbEdit:
		return !st.Doubted && (st.State == continuity.Parked || st.State == continuity.Dead || st.State == continuity.Queued)
	case continuity.VerbPark:
		return st.State == continuity.Queued
	case continuity.VerbDelivered, continuity.VerbUnprocessed:
		return st.Doubted && (st.State == continuity.InDoubt || st.State == continuity.Parked)
	default:
		return false
	}
}

func (s *State) act(a *continuity.Act, at continuity.Position, size int) error {
	switch a.Verb {
	case continuity.VerbTold:
		s.told(a)
		return nil
	case continuity.VerbRestore: // what it decided follows, record by record
		return nil
	case continuity.VerbReject:
		delete(s.proposed, a.Receipt)
		return nil
	}
	ref, err := s.find(a.Receipt)
	if err != nil {
		return err
	}
	if !permits(a.Verb, s.statusOf(ref)) {
		return errState
	}
	delete(s.proposed, a.Receipt)
	t := s.slots.edit(ref)
	switch a.Verb {
	case continuity.VerbRetry:
		if t.state() == continuity.Dead {
			s.revive(ref, a.Receipt)
			return nil
		}
		s.requeue(ref, t)
	case continuity.VerbUnprocessed:
		t.flags &^= flagDoubted
		s.requeue(ref, t)
	case continuity.VerbPark:
		s.move(t, continuity.Parked, continuity.ReasonPerson)
	case continuity.VerbDelivered:
		s.end(ref, a.Receipt, continuity.Delivered, continuity.ReasonPerson, at)
	case continuity.VerbDiscard:
		s.discard(ref, a.Receipt, at)
	case continuity.VerbErase:
		s.erase(ref, a.Receipt, at)
	case continuity.VerbExpire:
		s.discard(ref, a.Receipt, s.repeats.find(a.Receipt).ended) // its end was that it died
	case continuity.VerbEdit:
		if a.Replacement == nil || s.repeats.find(a.Replacement.Receipt) != nil {
			return errTwice
		}
		// The new one joins first, so that the key stays in the gate.
		if err := s.accepted(a.Replacement, at, size); err != nil {
			return err
		}
		s.discard(ref, a.Receipt, at)
	}
	return nil
}

// requeue lets a pending record be sent again, not before its time. That a
// person asked for it is its state: queued needs no further decision.
func (s *State) requeue(ref uint32, t *slot) {
	s.move(t, continuity.Queued, continuity.ReasonPerson)
	if t.is(flagHead) {
		s.schedule(ref)
	}
}

// revive puts a dead record back, at the end of its key.
func (s *State) revive(ref uint32, r continuity.Receipt) {
	t := s.slots.edit(ref)
	s.book(t, continuity.Dead, -1)
	s.untell(ref, r)
	t.stand(continuity.Queued, continuity.ReasonPerson)
	t.accepted = ceilTick(s.clock) // its age begins anew, or it would expire at once
	s.repeats.put(remembered{receipt: r, accepted: inSlot(ref)})
	s.count(t, 1)
	s.join(ref, t)
}

// untell takes the mark off a record that goes on after all.
func (s *State) untell(ref uint32, r continuity.Receipt) {
	if s.repeats.find(r).told() {
		s.routes[s.slots.at(ref).route].totals.Told--
	}
}

func (s *State) discard(ref uint32, r continuity.Receipt, at continuity.Position) {
	if s.slots.at(ref).state() == continuity.Dead {
		t := s.slots.at(ref)
		s.book(t, continuity.Dead, -1)
		s.book(t, continuity.Discarded, 1)
		told := s.repeats.find(r).told()
		s.forgetSlot(ref, r, continuity.Discarded, at)
		if told {
			marked := *s.repeats.find(r)
			marked.accepted |= toldMark
			s.repeats.put(marked)
		}
		return
	}
	s.end(ref, r, continuity.Discarded, continuity.ReasonPerson, at)
}
