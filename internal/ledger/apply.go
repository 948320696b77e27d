package ledger

import (
	"errors"
	"fmt"

	"holdfast/internal/continuity"
)

// ErrHistory says that an event contradicts those before it: the journal is
// damaged, or was written by something else.
var ErrHistory = errors.New("ledger: the event contradicts the journal before it")

// Apply turns one synced event into state. It depends on nothing but the
// events so far. size is the entry's payload length, at its position, next the
// position behind it.
func (s *State) Apply(e *continuity.Event, at, next continuity.Position, size int) error {
	if at < s.applied {
		return fmt.Errorf("%w: %s at %d after %d", ErrHistory, e.Kind, at, s.applied)
	}
	s.applied, s.started = next, true
	s.markPause(e, at)
	s.pass(e)
	s.mark(at, size)
	var err error
	switch e.Kind {
	case continuity.KindAccepted:
		err = s.accepted(e.Accepted, at, size)
	case continuity.KindAttempt:
		err = s.attempt(e.Attempt)
	case continuity.KindOutcome:
		err = s.outcome(e.Outcome, at)
	case continuity.KindAct:
		err = s.act(e.Act, at, size)
	case continuity.KindSwitch:
		s.standing(e.Switch)
	case continuity.KindRestart:
		s.restart(e)
	case continuity.KindClock, continuity.KindPassed, continuity.KindPrivacy:
	case continuity.KindCarried:
		err = s.carried(e.Carried.Record, at, size)
	case continuity.KindRecorded:
		_, route := s.route(e.Recorded.Route)
		route.totals.Recorded++
	case continuity.KindProposed:
		s.propose(e.Proposed, at)
	case continuity.KindHorizon:
		s.repeats.horizon = max(s.repeats.horizon, e.Horizon)
	default:
		err = fmt.Errorf("unknown kind %d", e.Kind)
	}
	if err != nil {
		return fmt.Errorf("%w: %s at %d: %w", ErrHistory, e.Kind, at, err)
	}
	return nil
}

var (
	errUnknown = errors.New("no such record")
	errTwice   = errors.New("the receipt is taken")
	errState   = errors.New("not possible in the record's state")
)

func (s *State) accepted(r *continuity.Record, at continuity.Position, size int) error {
	if s.repeats.find(r.Receipt) != nil {
		return errTwice
	}
	number, route := s.route(r.Route)
	ref := s.slots.add()
	t := s.slots.edit(ref)
	*t = slot{key: r.Key, position: at, accepted: ceilTick(s.clock), size: clampUint32(size), route: number}
	t.money = s.purse.put(r.Amount)
	t.rank(r.Class)
	t.stand(continuity.Queued, continuity.ReasonNone)
	if r.Lost {
		t.stand(continuity.InDoubt, continuity.ReasonLost)
		t.attempts = 1
		t.first = max(1, floorTick(s.outside()))
		t.notBefore = ceilTick(s.clock + millis(r.Settle))
		s.delay(r.Key, t.notBefore)
		t.flags |= flagDoubted
	}
	s.repeats.put(remembered{receipt: r.Receipt, accepted: inSlot(ref)})
	route.totals.Accepted++
	if sums, units := s.money(t); sums != nil {
		sums.Accepted += units
	}
	s.count(t, 1)
	if r.Again.IsZero() {
		s.join(ref, t)
	} else {
		t.flags |= flagAgain
		s.joinAhead(ref, t)
	}
	return nil
}

// delay keeps the first record of a key that is not being sent back until a
// time, and with it all behind it: while a lost request may still be worked on,
// nothing of its key is sent, not even what was kept before it.
func (s *State) delay(key continuity.KeyTag, until tick) {
	ref := s.keys.head(key)
	if ref != 0 && s.slots.at(ref).state() == continuity.Attempting {
		ref = s.after(ref)
	}
	if ref != 0 && s.slots.at(ref).notBefore < until {
		s.slots.edit(ref).notBefore = until
	}
}

// count adds a pending slot to its route's books, or takes it out.
func (s *State) count(t *slot, n int64) {
	route := s.routes[t.route]
	route.pending[t.state()] += n
	route.bytes += n * int64(t.size)
	if sums, units := s.money(t); sums != nil {
		*sums.in(t.state()) += n * units
	}
	if n > 0 {
		route.ages.add(t.accepted)
	} else {
		route.ages.remove(t.accepted)
	}
}

// move changes the state of a pending slot that stays pending.
func (s *State) move(t *slot, to continuity.State, reason continuity.Reason) {
	route := s.routes[t.route]
	route.pending[t.state()]--
	route.pending[to]++
	if sums, units := s.money(t); sums != nil {
		*sums.in(t.state()) -= units
		*sums.in(to) += units
	}
	t.stand(to, reason)
}

// find returns the slot of a pending or dead record.
func (s *State) find(r continuity.Receipt) (uint32, error) {
	e := s.repeats.find(r)
	if e == nil {
		return 0, errUnknown
	}
	ref, ok := e.slot()
	if !ok {
		return 0, errState
	}
	return ref, nil
}

func (s *State) attempt(a *continuity.Attempt) error {
	ref, err := s.find(a.Receipt)
	if err != nil {
		return err
	}
	t := s.slots.edit(ref)
	if !t.is(flagHead) || t.state() != continuity.Queued && t.state() != continuity.InDoubt {
		return errState
	}
	s.move(t, continuity.Attempting, continuity.ReasonNone)
	t.attempts = clampUint16(a.Number)
	if t.first == 0 {
		t.first = max(1, floorTick(s.outside()))
	}
	return nil
}

func (s *State) outcome(o *continuity.Outcome, at continuity.Position) error {
	ref, err := s.find(o.Receipt)
	if err != nil {
		return err
	}
	t := s.slots.edit(ref)
	if !t.state().Pending() {
		return errState
	}
	s.fail(ref, o)
	switch o.To {
	case continuity.Queued, continuity.InDoubt, continuity.Parked:
		if o.To == continuity.InDoubt {
			t.flags |= flagDoubted
		}
		t.notBefore = 0
		if o.After > 0 {
			t.notBefore = ceilTick(s.clock + millis(o.After))
		}
		s.move(t, o.To, o.Reason)
		if t.is(flagHead) {
			s.schedule(ref)
		}
	case continuity.Delivered, continuity.Refused, continuity.Dead:
		behind := s.end(ref, o.Receipt, o.To, o.Reason, at)
		if o.Reason == continuity.ReasonExpired && behind != 0 {
			// What follows an order that never arrived may make no sense alone.
			if b := s.slots.edit(behind); b.state() == continuity.Queued {
				s.move(b, continuity.Parked, continuity.ReasonBehindExpired)
			}
		}
	default:
		return errState
	}
	return nil
}

// end takes a pending record out of its key and books its end.
func (s *State) end(ref uint32, r continuity.Receipt, to continuity.State, reason continuity.Reason, at continuity.Position) (behind uint32) {
	behind = s.leave(ref)
	t := s.slots.edit(ref)
	s.count(t, -1)
	s.book(t, to, 1)
	delete(s.failures, ref)
	delete(s.proposed, r)
	if to == continuity.Dead { // a person may still send it, so it keeps its slot
		t.stand(continuity.Dead, reason)
		t.flags &= flagDoubted | classMask
		s.repeats.put(remembered{receipt: r, accepted: inSlot(ref), ended: at})
	} else {
		s.forgetSlot(ref, r, to, at)
	}
	s.ended(r)
	return behind
}

func (s *State) forgetSlot(ref uint32, r continuity.Receipt, to continuity.State, at continuity.Position) {
	s.repeats.put(remembered{receipt: r, accepted: endedAs(to, s.slots.at(ref).position), ended: at})
	s.purse.drop(s.slots.at(ref).money)
	s.slots.remove(ref)
}

func (s *State) restart(e *continuity.Event) {
	for ref := uint32(1); int(ref) <= s.slots.used; ref++ {
		if s.slots.at(ref).state() != continuity.Attempting {
			continue
		}
		t := s.slots.edit(ref)
		t.flags |= flagDoubted
		t.notBefore = ceilTick(s.clock + millis(e.Settle))
		s.move(t, continuity.InDoubt, continuity.ReasonRestart)
		s.schedule(ref)
	}
}

func (s *State) standing(w *continuity.Switch) {
	_, r := s.route(w.Route)
	for i := range r.owners {
		if r.owners[i].Owner == w.Owner {
			r.owners = append(r.owners[:i], r.owners[i+1:]...)
			break
		}
	}
	if !w.Lift {
		r.owners = append(r.owners, *w)
	}
	s.settings.Add(1)
}
