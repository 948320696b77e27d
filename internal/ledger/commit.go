package ledger

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// proposal is one event on its way into the journal. Whoever proposed it waits
// for done, or has the sequencer call then.
type proposal struct {
	event    continuity.Event
	payload  []byte
	ref      uint32              // the slot it keeps busy; 0: none
	claim    continuity.Position // the claim that ends with it; 0: none
	route    string              // for who asks afterwards
	position continuity.Position
	status   Status // of the record, once applied
	err      error
	done     chan struct{} // one signal a use
	then     func(Status, error)
	pool     *sync.Pool

	attempt continuity.Attempt // what event points to
	outcome continuity.Outcome
}

// newProposal takes one from the ledger's own pool: signals are not shared
// between ledgers.
func (l *Ledger) newProposal(e continuity.Event) *proposal {
	p := l.blank()
	p.event = e
	p.payload = encode(p.payload, &p.event)
	return p
}

func (l *Ledger) blank() *proposal {
	if p, ok := l.pool.Get().(*proposal); ok {
		return p
	}
	return &proposal{done: make(chan struct{}, 1), pool: &l.pool}
}

// keepPayload is the largest payload whose room is used again.
const keepPayload = 16 << 10

// free gives a proposal back for its next use.
func (p *proposal) free() {
	payload := p.payload[:0]
	if cap(payload) > keepPayload {
		payload = nil
	}
	*p = proposal{done: p.done, pool: p.pool, payload: payload}
	p.pool.Put(p)
}

// wait returns once the event is on stable storage and applied, or is known not
// to be.
func (p *proposal) wait() (Status, error) {
	<-p.done
	status, err := p.status, p.err
	p.free()
	return status, err
}

// tell wakes whoever proposed; the proposal is theirs then. l.mu is not held,
// unless nobody gave it a then.
func (p *proposal) tell() {
	if p.then == nil {
		p.done <- struct{}{}
		return
	}
	then, status, err := p.then, p.status, p.err
	p.free()
	then(status, err)
}

func tell(answered []*proposal) {
	for _, p := range answered {
		p.tell()
	}
}

// propose queues a small event; l.mu is held.
func (l *Ledger) propose(e continuity.Event) *proposal {
	p := l.newProposal(e)
	l.enqueue(p)
	return p
}

// enqueue queues an event that somebody waits for; l.mu is held.
func (l *Ledger) enqueue(p *proposal) {
	switch queued, first := l.offer(p); {
	case !queued:
		p.tell()
	case first:
		l.bell.ring()
	}
}

// offer queues an event, or answers it; l.mu is held. Its place in the queue is
// its place in the journal. Of the first the sequencer has to be told, best
// without the lock, for which it asks at once.
func (l *Ledger) offer(p *proposal) (queued, first bool) {
	switch {
	case l.latched != nil:
		l.answer(p, continuity.E(continuity.CodeLatched, l.latched))
		return false, false
	case l.closed:
		l.answer(p, continuity.E(continuity.CodeLatched, errClosed))
		return false, false
	}
	p.event.Clock, p.event.At = l.now(), time.Now()
	stamp(p.payload, p.event.Clock, p.event.At)
	l.queue = append(l.queue, p)
	return true, len(l.queue) == 1
}

var errClosed = errors.New("ledger: closed")

// answer says how a proposal ended and gives back what it kept in flight; l.mu
// is held. It is told afterwards.
func (l *Ledger) answer(p *proposal, err error) {
	p.err = err
	if r := p.joins(); r != nil {
		l.land(r, len(p.payload))
	}
	if p.ref != 0 {
		l.state.slots.edit(p.ref).flags &^= flagBusy
		l.consider(p.ref)
		l.idle.Broadcast()
	}
}

// joins returns the record that the event adds to its key, or nil.
func (p *proposal) joins() *continuity.Record {
	switch p.event.Kind {
	case continuity.KindAccepted:
		return p.event.Accepted
	case continuity.KindAct:
		return p.event.Act.Replacement
	}
	return nil
}

// launch and land count a record that is on its way; l.mu is held.
func (l *Ledger) launch(r *continuity.Record, size int) {
	l.flight.keys[r.Key]++
	l.flight.receipts[r.Receipt] = struct{}{}
	l.flight.count[r.Route]++
	l.flight.bytes[r.Route] += int64(size)
	l.flight.total++
	if !r.Amount.IsZero() {
		l.flight.money[moneyKey{r.Route, r.Amount.Currency}] += r.Amount.Units
	}
	if !r.Again.IsZero() {
		l.flight.again++
	}
}

func (l *Ledger) land(r *continuity.Record, size int) {
	if l.flight.keys[r.Key]--; l.flight.keys[r.Key] == 0 {
		delete(l.flight.keys, r.Key)
	}
	delete(l.flight.receipts, r.Receipt)
	l.flight.count[r.Route]--
	l.flight.bytes[r.Route] -= int64(size)
	l.flight.total--
	if !r.Amount.IsZero() {
		l.flight.money[moneyKey{r.Route, r.Amount.Currency}] -= r.Amount.Units
	}
	if !r.Again.IsZero() {
		l.flight.again--
	}
}

const maxBatchBytes = 4 << 20

// take returns the next batch, or nil once closed and empty.
func (l *Ledger) take(batch []*proposal) []*proposal {
	usual := len(batch)
	for {
		l.bell.wait()
		// Whoever is about to propose gets its chance now: one yield more than
		// halves the syncs a request costs, and no timer is as short. Who comes
		// alone, as the last did, need not wait for nobody.
		if usual > 1 || l.queued() > 1 {
			runtime.Gosched()
		}
		l.mu.Lock()
		size := 0
		n := 0
		for n < len(l.queue) && (n == 0 || size+len(l.queue[n].payload) <= maxBatchBytes) {
			size += len(l.queue[n].payload)
			n++
		}
		batch = append(batch[:0], l.queue[:n]...)
		rest := copy(l.queue, l.queue[n:])
		clear(l.queue[rest:])
		l.queue = l.queue[:rest]
		closed := l.closed
		l.mu.Unlock()
		if rest > 0 || closed {
			l.bell.ring()
		}
		if n > 0 || closed {
			return batch
		}
	}
}

func (l *Ledger) queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// commit is the sequencer's loop: it alone appends to the log and applies.
func (l *Ledger) commit() {
	defer close(l.done)
	var batch []*proposal
	var entries []journal.Entry
	for {
		batch = l.take(batch)
		if len(batch) == 0 {
			return
		}
		if kept := l.admit(batch); len(kept) > 0 {
			entries = l.write(kept, entries[:0])
			clear(entries) // payloads are used again
		}
	}
}

// write appends a batch and applies it. An entry that the log can't hold costs
// only itself; those of its batch go one by one. It returns entries for their
// next use.
func (l *Ledger) write(batch []*proposal, entries []journal.Entry) []journal.Entry {
	for _, p := range batch {
		entries = append(entries, journal.Entry{Kind: p.event.Kind, Payload: p.payload})
	}
	positions, err := l.log.Append(entries)
	switch {
	case err == nil:
		l.apply(batch, positions)
	case errors.Is(err, journal.ErrEntry) && len(batch) > 1:
		for i := range batch {
			entries = l.write(batch[i:i+1], entries[:0])
		}
	default:
		l.refuse(batch, err)
	}
	return entries
}

// frameRoom is what an entry takes beside its payload, generously.
const frameRoom = 64

// admit turns away what would take the room promised to the records already
// kept: new ones, edited ones, and copies.
func (l *Ledger) admit(batch []*proposal) []*proposal {
	free := l.log.Spare()
	if !l.roomy(batch, free) {
		free, _ = l.log.Room()
	}
	kept, away := batch[:0], []*proposal(nil)
	l.mu.Lock()
	promised := l.promised()
	for _, p := range batch {
		need := int64(len(p.payload) + frameRoom)
		if (p.joins() != nil || p.event.Kind == continuity.KindCarried) && free-need < promised {
			l.answer(p, continuity.E(continuity.CodeDiskFull, journal.ErrFull))
			away = append(away, p)
			continue
		}
		if p.event.Kind == continuity.KindRecorded && free-need < promised+l.limits.Bytes/holdsFirst {
			l.answer(p, continuity.E(continuity.CodeDiskFull, journal.ErrFull))
			away = append(away, p)
			continue
		}
		free -= need
		kept = append(kept, p)
	}
	l.mu.Unlock()
	tell(away)
	return kept
}

// roomy reports whether a batch fits beside what is promised, with something to
// spare for what is kept back for others.
func (l *Ledger) roomy(batch []*proposal, free int64) bool {
	for _, p := range batch {
		free -= int64(len(p.payload) + frameRoom)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return free > l.promised()+l.limits.Bytes/holdsFirst
}

// refuse answers a batch that the log did not take.
func (l *Ledger) refuse(batch []*proposal, err error) {
	l.mu.Lock()
	switch {
	case errors.Is(err, journal.ErrFull):
		for _, p := range batch {
			l.answer(p, continuity.E(continuity.CodeDiskFull, err))
		}
	case errors.Is(err, journal.ErrEntry):
		for _, p := range batch {
			l.answer(p, continuity.E(continuity.CodeLimitItem, err, "limit", len(p.payload)))
		}
	default:
		if l.latched == nil {
			l.latched = err
			l.logger.Error("journal latched: nothing is accepted or replayed until it has been verified and reopened", "error", err)
		}
		for _, p := range batch {
			l.answer(p, continuity.E(continuity.CodeOutcomeUnknown, err))
		}
		for _, p := range l.queue {
			l.answer(p, continuity.E(continuity.CodeLatched, err))
		}
		batch = slices.Concat(batch, l.queue)
		l.queue = l.queue[:0]
	}
	l.mu.Unlock()
	tell(batch)
}
