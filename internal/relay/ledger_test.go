package relay_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// books is a ledger in memory that the test can read, end records in, and make
// fail.
type books struct {
	mu       sync.Mutex
	live     map[continuity.Receipt]bool
	statuses map[continuity.Receipt]ledger.Status
	records  []*continuity.Record // position n+1
	answers  map[continuity.Position]*continuity.Response
	intake   continuity.Intake
	owners   []continuity.Switch
	settings atomic.Uint64
	fail     error         // of Accept
	gate     chan struct{} // nil: Accept does not wait
	accepts  chan struct{} // told of each Accept that began
	ended    *sync.Cond
}

func newBooks() *books {
	b := &books{
		live: map[continuity.Receipt]bool{}, statuses: map[continuity.Receipt]ledger.Status{},
		answers: map[continuity.Position]*continuity.Response{}, intake: continuity.IntakePass, accepts: make(chan struct{}, 100),
	}
	b.ended = sync.NewCond(&b.mu)
	return b
}

func (b *books) Arrive(r continuity.Receipt) (ledger.Arrival, ledger.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st, ok := b.statuses[r]; ok {
		return ledger.Known, st
	}
	if b.live[r] {
		return ledger.InFlight, ledger.Status{}
	}
	b.live[r] = true
	return ledger.Fresh, ledger.Status{}
}

func (b *books) Blank(route string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rec := range b.records {
		if rec.Route == route {
			return false
		}
	}
	return true
}

func (b *books) Leave(r continuity.Receipt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, r)
	b.ended.Broadcast()
}

// AcceptAsync answers from another goroutine, as the ledger's sequencer does.
func (b *books) AcceptAsync(rec *continuity.Record, onlyBehind bool, done func(ledger.Status, error)) (bool, error) {
	st, kept, err := b.Accept(rec, onlyBehind)
	if !kept && err == nil {
		return false, nil
	}
	go done(st, err)
	return true, nil
}

func (b *books) Accept(rec *continuity.Record, onlyBehind bool) (ledger.Status, bool, error) {
	b.accepts <- struct{}{}
	if b.gate != nil {
		<-b.gate
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if onlyBehind && !b.gated(rec.Key) {
		return ledger.Status{}, false, nil
	}
	if b.fail != nil {
		return ledger.Status{}, false, b.fail
	}
	if _, ok := b.statuses[rec.Receipt]; ok {
		return ledger.Status{}, false, continuity.E(continuity.CodeInFlight, nil)
	}
	kept := *rec
	kept.Body = append([]byte(nil), rec.Body...) // the journal has its own copy
	kept.Header = append([]continuity.Field(nil), rec.Header...)
	b.records = append(b.records, &kept)
	delete(b.live, rec.Receipt)
	b.ended.Broadcast()
	st := ledger.Status{Receipt: rec.Receipt, Route: rec.Route, Key: rec.Key, State: continuity.Queued, Position: continuity.Position(len(b.records))}
	if rec.Lost {
		st.State, st.Attempts, st.Doubted = continuity.InDoubt, 1, true
	}
	b.statuses[rec.Receipt] = st
	return st, true, nil
}

func (b *books) gated(k continuity.KeyTag) bool {
	for _, st := range b.statuses {
		if st.Key == k && st.State.Pending() {
			return true
		}
	}
	return false
}

func (b *books) Gated(k continuity.KeyTag) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gated(k)
}

func (b *books) GateEmpty(route string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, st := range b.statuses {
		if st.Route == route && st.State.Pending() {
			return false
		}
	}
	return true
}

func (b *books) Status(r continuity.Receipt) (ledger.Status, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st, ok := b.statuses[r]
	return st, ok
}

func (b *books) Record(at continuity.Position) (*continuity.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at == 0 || int(at) > len(b.records) {
		return nil, errors.New("no such record")
	}
	return b.records[at-1], nil
}

func (b *books) Response(at continuity.Position) (*continuity.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers[at], nil
}

func (b *books) Wait(ctx context.Context, r continuity.Receipt) ledger.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended.Broadcast()
	})
	defer stop()
	for b.statuses[r].State.Pending() && ctx.Err() == nil {
		b.ended.Wait()
	}
	return b.statuses[r]
}

func (b *books) Effective(string) (continuity.Intake, continuity.Replay) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.intake, continuity.ReplayOn
}

func (b *books) Switches(string) []continuity.Switch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]continuity.Switch(nil), b.owners...)
}

// Settings grows with set and pass; who changes owners otherwise adds to it.
func (b *books) Settings() uint64 { return b.settings.Load() }

// hold sets intake as an owner's switch would.
func (b *books) Latched() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if continuity.CodeOf(b.fail) == continuity.CodeLatched {
		return b.fail
	}
	return nil
}

func (b *books) hold(owner string) { b.set(owner, continuity.IntakeHold) }

// set puts an owner's switch, which wins.
func (b *books) set(owner string, intake continuity.Intake) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settings.Add(1)
	b.intake = intake
	b.owners = append(b.owners, continuity.Switch{Owner: owner, Intake: intake})
}

func (b *books) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settings.Add(1)
	b.intake, b.owners = continuity.IntakePass, nil
}

// end ends a record; response may be nil.
func (b *books) end(r continuity.Receipt, to continuity.State, response *continuity.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.statuses[r]
	at := continuity.Position(1000 + len(b.answers))
	b.answers[at] = response
	// Of what has ended the ledger remembers no more than this.
	b.statuses[r] = ledger.Status{Receipt: r, State: to, Position: st.Position, Outcome: at}
	b.ended.Broadcast()
}

func (b *books) kept() []*continuity.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*continuity.Record(nil), b.records...)
}

// idle waits until no request is under way.
func (b *books) idle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.live) > 0 {
		b.ended.Wait()
	}
}
