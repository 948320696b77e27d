package ledger

import (
	"errors"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Arrival says what is known of a request when it comes.
type Arrival uint8

// The arrivals.
const (
	Fresh    Arrival = iota // nobody is answering it, no record of it: it is registered until Leave
	InFlight                // the same request is being answered
	Known                   // there is a record of it
)

// Arrive looks a request up by its receipt and registers it where it is new.
func (l *Ledger) Arrive(r continuity.Receipt) (Arrival, Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st, ok := l.state.status(r); ok {
		return Known, st
	}
	if _, ok := l.live[r]; ok {
		return InFlight, Status{}
	}
	l.live[r] = struct{}{}
	return Fresh, Status{}
}

// Leave ends what a fresh Arrive began, unless the request was kept: a record
// ends it, too.
func (l *Ledger) Leave(r continuity.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, r)
}

var errTaken = errors.New("ledger: a record with this receipt is kept already")

// Accept keeps a request and returns once it is on stable storage. With
// onlyBehind it is kept only where its key is in the gate, which is decided in
// the same step. An error other than CodeOutcomeUnknown means that nothing was
// kept.
func (l *Ledger) Accept(rec *continuity.Record, onlyBehind bool) (st Status, kept bool, err error) {
	p, err := l.accept(rec, onlyBehind, nil)
	if p == nil {
		return Status{}, false, err
	}
	st, err = p.wait()
	return st, err == nil, err
}

// AcceptAsync is Accept for who has no goroutine to spend on waiting. Where it
// returns queued, done is called exactly once, by the sequencer, without a
// lock: it must not wait for anything, as all who come later wait for it, and
// the record is the ledger's until then. Otherwise nothing was kept, by err or
// because the key is not in the gate, and done is not called.
func (l *Ledger) AcceptAsync(rec *continuity.Record, onlyBehind bool, done func(Status, error)) (queued bool, err error) {
	p, err := l.accept(rec, onlyBehind, done)
	return p != nil, err
}

// accept queues a request, if it may be kept.
func (l *Ledger) accept(rec *continuity.Record, onlyBehind bool, then func(Status, error)) (*proposal, error) {
	if rec.Lost {
		l.mu.Lock()
		rec.Settle = l.routes[rec.Route].Settle
		l.mu.Unlock()
	}
	p := l.newProposal(continuity.Event{Kind: continuity.KindAccepted, Accepted: rec})
	p.then = then
	l.mu.Lock()
	for l.promised()+recordRoom > l.granted {
		l.mu.Unlock()
		if err := l.reserve(); err != nil {
			p.free()
			return nil, err
		}
		l.mu.Lock()
	}
	gated := !onlyBehind || l.gated(rec.Key)
	err := l.within(rec, len(p.payload))
	if !gated || err != nil {
		l.mu.Unlock()
		p.free()
		if !gated {
			err = nil
		}
		return nil, err
	}
	l.launch(rec, len(p.payload))
	queued, first := l.offer(p)
	l.mu.Unlock()
	if first {
		l.bell.ring()
	}
	if !queued {
		err = p.err
		p.free()
		return nil, err
	}
	return p, nil
}

// within checks the bounds of one more record; l.mu is held.
func (l *Ledger) within(rec *continuity.Record, size int) error {
	if l.latched != nil {
		return continuity.E(continuity.CodeLatched, l.latched)
	}
	if !l.begun {
		return continuity.E(continuity.CodeDiskFull, journal.ErrFull)
	}
	if _, ok := l.flight.receipts[rec.Receipt]; ok || l.state.repeats.find(rec.Receipt) != nil {
		return continuity.E(continuity.CodeInFlight, errTaken)
	}
	hold := l.routes[rec.Route].Hold
	if !rec.Again.IsZero() { // two persons decided; what was delivered once must not be refused for room
		hold = continuity.Hold{}
	} else if err := l.affords(rec, continuity.Money{}); err != nil {
		return err
	}
	var count, bytes, all int64
	for _, r := range l.state.routes {
		n := r.pendingCount()
		all += n
		if r.name == rec.Route {
			count, bytes = n, r.bytes
		}
	}
	count += l.flight.count[rec.Route] + 1
	bytes += l.flight.bytes[rec.Route] + int64(size)
	switch {
	case hold.Count > 0 && count > hold.Count:
		return continuity.E(continuity.CodeLimitCount, nil, "route", rec.Route, "limit", hold.Count)
	case l.limits.Count > 0 && all+l.flight.total+1 > l.limits.Count:
		return continuity.E(continuity.CodeLimitCount, nil, "route", rec.Route, "limit", l.limits.Count)
	case hold.Bytes > 0 && bytes > hold.Bytes:
		return continuity.E(continuity.CodeLimitBytes, nil, "route", rec.Route, "limit", hold.Bytes)
	case l.state.repeats.total+int(l.flight.total) >= l.maxRepeats:
		return continuity.E(continuity.CodeIndexFull, nil, "route", rec.Route, "limit", l.maxRepeats)
	}
	return nil
}

// recordRoom is kept free for each pending record: two attempts and an outcome
// without the response, which is the first thing to go when room is short.
const recordRoom = 512

// promised is the room that pending records may still need; l.mu is held.
func (l *Ledger) promised() int64 {
	var n int64
	for _, r := range l.state.routes {
		n += r.pendingCount()
	}
	return (n + l.flight.total) * recordRoom
}

const reserveStep = 4 << 20

// reserve makes sure that the log keeps room for one more record's life.
func (l *Ledger) reserve() error {
	l.mu.Lock()
	need := l.promised() + recordRoom
	enough := need <= l.granted
	l.mu.Unlock()
	if enough {
		return nil
	}
	grant := need + reserveStep
	if err := l.log.Reserve(grant); err != nil {
		grant = need
		if err := l.log.Reserve(grant); err != nil {
			return continuity.E(continuity.CodeDiskFull, err)
		}
	}
	l.mu.Lock()
	l.granted = max(l.granted, grant)
	l.mu.Unlock()
	return nil
}
