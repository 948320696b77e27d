package relay

import (
	"sync/atomic"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// verdict is what the ledger made of a record, and who waits for it.
type verdict struct {
	waiter continuity.Waiter
	st     ledger.Status
	err    error
	known  atomic.Bool
}

// accept has the ledger keep a record, and waits until it is on stable storage.
// Requests that share a thread share the wait, too: the sequencer tells all of a
// batch, one after the other, and wakes their loop once.
func (f *flight) accept(rec *continuity.Record, onlyBehind bool) (st ledger.Status, kept bool, err error) {
	v := &f.verdict
	v.waiter = f.waiter()
	v.known.Store(false)
	queued, err := f.engine.ledger.AcceptAsync(rec, onlyBehind, f.tell)
	if !queued || err != nil {
		return ledger.Status{}, false, err
	}
	for !v.known.Load() {
		v.waiter.Wait()
	}
	if v.err == nil {
		f.registered = false // as who repeats it finds the record
	}
	return v.st, v.err == nil, v.err
}

// told is what the sequencer calls. Once the verdict is known the flight may
// land at any moment.
func (f *flight) told(st ledger.Status, err error) {
	v := &f.verdict
	waiter := v.waiter
	v.st, v.err = st, err
	v.known.Store(true)
	waiter.Wake()
}
