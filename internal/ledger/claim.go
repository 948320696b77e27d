package ledger

import (
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Claim hands out the next record of a route that may be sent: the first of its
// key, queued or in doubt, whose time has come. It is the caller's until Finish
// or Release. Its request is read here, once; Record then costs nothing.
func (l *Ledger) Claim(route string) (Status, bool) {
	l.mu.Lock()
	ref := l.pick(route)
	if ref == 0 {
		l.mu.Unlock()
		return Status{}, false
	}
	st := l.state.statusOf(ref)
	l.mu.Unlock()
	rec, err := l.Record(st.Position)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		// Its place in the order can't be given up, and nothing may overtake it.
		if l.latched == nil {
			l.latched = err
			l.logger.Error("journal latched: a pending record cannot be read", "position", uint64(st.Position), "error", err)
		}
		return Status{}, false
	}
	l.claims[st.Position] = rec
	st.Receipt = rec.Receipt
	return st, true
}

// pick chooses and marks the next slot; l.mu is held.
func (l *Ledger) pick(route string) uint32 {
	n, ok := l.state.numbers[route]
	if !ok || l.latched != nil || !l.begun {
		return 0
	}
	r := l.schedule.route(n)
	l.due(r)
	for {
		ref, ok := r.pop()
		if !ok {
			return 0
		}
		t := l.state.slots.edit(ref)
		t.flags &^= flagReady
		switch {
		case !claimable(t) || t.is(flagBusy) || t.route != n:
			// Whatever changes it considers it again.
		case t.notBefore > floorTick(l.now()):
			l.consider(ref)
		default:
			t.flags |= flagClaimed
			return ref
		}
	}
}

// Release gives a claimed record back unsent.
func (l *Ledger) Release(r continuity.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ref, err := l.state.find(r); err == nil {
		t := l.state.slots.edit(ref)
		t.flags &^= flagClaimed
		delete(l.claims, t.position)
		l.consider(ref)
		l.idle.Broadcast()
	}
}

// Ready is signalled when a Claim of the route may succeed.
func (l *Ledger) Ready(route string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := l.state.route(route)
	return l.schedule.route(n).signal
}

// NextDue tells how long until the next delayed record of a route may be sent.
func (l *Ledger) NextDue(route string) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.state.numbers[route]
	if !ok {
		return 0, false
	}
	delayed := l.schedule.route(n).delayed
	if len(delayed) == 0 {
		return 0, false
	}
	until, now := delayed[0].until.clock(), l.now()
	if until <= now {
		return 0, true
	}
	return time.Duration(until-now) * time.Millisecond, true // #nosec G115 -- positive
}

// Attempt puts "attempt n started" on stable storage. Only then may the first
// byte be sent.
func (l *Ledger) Attempt(r continuity.Receipt) (Status, error) {
	l.mu.Lock()
	ref, err := l.hold(r, false)
	if err != nil {
		l.mu.Unlock()
		return Status{}, err
	}
	t := l.state.slots.at(ref)
	// A record on its way that goes before the first of its key would make the
	// attempt come too late: claimed again, it is known which is the first.
	if l.flight.again > 0 || !t.is(flagHead) || !t.is(flagClaimed) || t.state() != continuity.Queued && t.state() != continuity.InDoubt {
		l.drop(ref)
		l.mu.Unlock()
		return Status{}, continuity.E(continuity.CodeState, errState, "state", t.state().String())
	}
	p := l.blank()
	p.attempt = continuity.Attempt{Receipt: r, Number: int(t.attempts) + 1}
	p.event = continuity.Event{Kind: continuity.KindAttempt, Attempt: &p.attempt}
	p.payload = encode(p.payload, &p.event)
	p.ref = ref
	l.enqueue(p)
	l.mu.Unlock()
	return p.wait()
}

// Finish puts how an attempt, or the wait for one, ended on stable storage. The
// record is no longer claimed then. Where room is short, or the log can't hold
// the response, it is left out and marked as cut.
func (l *Ledger) Finish(o continuity.Outcome) (Status, error) {
	st, err := l.finish(o)
	if tooLarge(&o, err) {
		return l.finish(cut(o))
	}
	return st, err
}

// FinishAsync is Finish for who goes on meanwhile: done is called exactly once,
// usually by the sequencer, without a lock, and must not wait for anything. It
// may be called before FinishAsync returns.
func (l *Ledger) FinishAsync(o continuity.Outcome, done func(Status, error)) {
	p, queued, err := l.conclude(o, func(st Status, err error) {
		if tooLarge(&o, err) {
			go func() { done(l.finish(cut(o))) }() // rare; and it may have to wait
			return
		}
		done(st, err)
	})
	switch {
	case err != nil:
		done(Status{}, err)
	case !queued:
		p.tell()
	}
}

// tooLarge reports whether an outcome may be taken without its response.
func tooLarge(o *continuity.Outcome, err error) bool {
	if err == nil || o.Response == nil || len(o.Response.Body) == 0 && len(o.Response.Header) == 0 {
		return false
	}
	code := continuity.CodeOf(err)
	return code == continuity.CodeDiskFull || code == continuity.CodeLimitItem
}

func cut(o continuity.Outcome) continuity.Outcome {
	o.Response = &continuity.Response{Status: o.Response.Status, Cut: true}
	return o
}

func (l *Ledger) finish(o continuity.Outcome) (Status, error) {
	p, queued, err := l.conclude(o, nil)
	if err != nil {
		return Status{}, err
	}
	if !queued {
		p.tell()
	}
	return p.wait()
}

// conclude proposes an outcome; a proposal that is not queued has been answered
// and is yet to be told.
func (l *Ledger) conclude(o continuity.Outcome, then func(Status, error)) (p *proposal, queued bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ref, err := l.hold(o.Receipt, false)
	if err != nil {
		return nil, false, err
	}
	t := l.state.slots.at(ref)
	if !t.state().Pending() || o.To == continuity.Attempting || o.To == continuity.Discarded || o.To == 0 {
		l.drop(ref)
		return nil, false, continuity.E(continuity.CodeState, errState, "state", t.state().String())
	}
	p = l.blank()
	p.outcome, p.then = o, then
	p.event = continuity.Event{Kind: continuity.KindOutcome, Outcome: &p.outcome}
	p.payload = encode(p.payload, &p.event)
	p.ref, p.claim = ref, t.position
	queued, first := l.offer(p)
	if first {
		l.bell.ring()
	}
	return p, queued, nil
}

// hold finds a record in memory and waits until no event about it is in
// flight and, if asked, nobody has claimed it; it is busy then. l.mu is held.
func (l *Ledger) hold(r continuity.Receipt, unclaimed bool) (uint32, error) {
	for {
		ref, err := l.state.find(r)
		if errors.Is(err, errUnknown) {
			return 0, continuity.E(continuity.CodeNotFound, err)
		}
		if err != nil {
			st, _ := l.state.status(r)
			return 0, continuity.E(continuity.CodeState, err, "state", st.State.String())
		}
		t := l.state.slots.edit(ref)
		if !t.is(flagBusy) && !(unclaimed && t.is(flagClaimed)) {
			t.flags |= flagBusy
			return ref, nil
		}
		l.idle.Wait()
	}
}

// drop undoes hold where nothing was proposed; l.mu is held.
func (l *Ledger) drop(ref uint32) {
	l.state.slots.edit(ref).flags &^= flagBusy
	l.idle.Broadcast()
	l.consider(ref)
}
