package replay

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// fakeLedger keeps the ledger's contract in memory, by the clock of the test's
// bubble, and can be told to fail. order_test.go runs the real one.
type fakeLedger struct {
	mu       sync.Mutex
	began    time.Time
	records  []*fakeRecord // by position-1
	byID     map[continuity.Receipt]*fakeRecord
	keys     map[continuity.KeyTag][]*fakeRecord // pending
	switches []continuity.Switch
	ready    chan struct{}
	reads    int
	events   []string
	attempt  func(continuity.Receipt) error // fails an Attempt
	finish   func(continuity.Outcome) error // fails a Finish
	latched  error
}

type fakeRecord struct {
	st      ledger.Status
	rec     *continuity.Record
	claimed bool
	final   continuity.Outcome
}

func newFakeLedger() *fakeLedger {
	return &fakeLedger{
		began: time.Now(), byID: make(map[continuity.Receipt]*fakeRecord),
		keys: make(map[continuity.KeyTag][]*fakeRecord), ready: make(chan struct{}, 1),
	}
}

func (l *fakeLedger) accept(key continuity.KeyTag, change ...func(*continuity.Record)) continuity.Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.records) + 1
	rec := &continuity.Record{
		Route: "orders", Key: key, IdempotencyKey: fmt.Sprint("idem-", n), Method: "POST", Target: "/orders", Host: "shop",
		Header: header("Content-Type", "application/json", "idempotency-key", fmt.Sprint("idem-", n)),
		Body:   fmt.Appendf(nil, `{"key":%d,"n":%d}`, key, n),
	}
	rec.Receipt[0], rec.Receipt[1], rec.Receipt[2] = byte(n), byte(n>>8), byte(n>>16)
	for _, c := range change {
		c(rec)
	}
	r := &fakeRecord{rec: rec, st: ledger.Status{
		Receipt: rec.Receipt, Route: rec.Route, Key: key, State: continuity.Queued,
		Position: continuity.Position(n), AcceptedAt: l.clock(), // #nosec G115 -- a test's count
	}}
	if rec.Lost {
		r.st.State, r.st.Reason, r.st.Doubted, r.st.Attempts = continuity.InDoubt, continuity.ReasonLost, true, 1
		r.st.FirstAttempt = l.clock()
		r.st.NotBefore = l.clock() + continuity.Clock(testSettle/time.Millisecond)
	}
	l.records = append(l.records, r)
	l.byID[rec.Receipt] = r
	l.keys[key] = append(l.keys[key], r)
	signal(l.ready)
	return rec.Receipt
}

func (l *fakeLedger) clock() continuity.Clock {
	return 1 + continuity.Clock(time.Since(l.began)/time.Millisecond) // #nosec G115 -- virtual time
}

func (l *fakeLedger) Outside() continuity.Clock {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock()
}

func (l *fakeLedger) claimable(r *fakeRecord) bool {
	return (r.st.State == continuity.Queued || r.st.State == continuity.InDoubt) && !r.claimed && l.keys[r.st.Key][0] == r
}

func (l *fakeLedger) Claim(string) (ledger.Status, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if l.latched == nil && r.st.State.Pending() && l.claimable(r) && r.st.NotBefore <= l.clock() {
			r.claimed = true
			return r.st, true
		}
	}
	return ledger.Status{}, false
}

func (l *fakeLedger) Release(r continuity.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byID[r].claimed = false
	signal(l.ready)
}

func (l *fakeLedger) Record(at continuity.Position) (*continuity.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	return l.records[at-1].rec, nil
}

func (l *fakeLedger) note(format string, args ...any) {
	l.events = append(l.events, fmt.Sprintf(format, args...))
}

func (l *fakeLedger) Attempt(id continuity.Receipt) (ledger.Status, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.byID[id]
	if l.attempt != nil {
		if err := l.attempt(id); err != nil {
			return ledger.Status{}, err
		}
	}
	if !r.claimed || r.st.State != continuity.Queued && r.st.State != continuity.InDoubt {
		return ledger.Status{}, continuity.E(continuity.CodeState, nil)
	}
	r.st.Attempts++
	r.st.State, r.st.Reason = continuity.Attempting, continuity.ReasonNone
	if r.st.FirstAttempt == 0 {
		r.st.FirstAttempt = l.clock()
	}
	l.note("attempt %d of %d", r.st.Attempts, r.st.Position)
	return r.st, nil
}

func (l *fakeLedger) Finish(o continuity.Outcome) (ledger.Status, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.finish != nil {
		if err := l.finish(o); err != nil {
			return ledger.Status{}, err
		}
	}
	r := l.byID[o.Receipt]
	if !r.claimed || !r.st.State.Pending() {
		return ledger.Status{}, continuity.E(continuity.CodeState, nil)
	}
	r.claimed = false
	r.st.State, r.st.Reason, r.final = o.To, o.Reason, o
	if o.Counts {
		r.st.Failures++
	}
	if o.To == continuity.Parked {
		r.st.Failures = 0
	}
	r.st.NotBefore = l.clock() + continuity.Clock(o.After/time.Millisecond) // #nosec G115 -- not negative
	r.st.Doubted = r.st.Doubted || o.To == continuity.InDoubt
	l.note("%s %d", o.To, r.st.Position)
	if o.To.Ended() {
		l.keys[r.st.Key] = l.keys[r.st.Key][1:]
	}
	signal(l.ready)
	return r.st, nil
}

func (l *fakeLedger) FinishAsync(o continuity.Outcome, done func(ledger.Status, error)) {
	done(l.Finish(o))
}

func (l *fakeLedger) Ready(string) <-chan struct{} { return l.ready }

func (l *fakeLedger) NextDue(string) (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	best, found := time.Duration(0), false
	for _, r := range l.records {
		if r.st.State.Pending() && l.claimable(r) {
			due := time.Duration(max(r.st.NotBefore, l.clock())-l.clock()) * time.Millisecond // #nosec G115 -- a test's time
			if !found || due < best {
				best, found = due, true
			}
		}
	}
	return best, found
}

func (l *fakeLedger) Effective(string) (continuity.Intake, continuity.Replay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mode := continuity.ReplayOn
	for _, s := range l.switches {
		mode = max(mode, s.Replay)
	}
	return continuity.IntakePass, mode
}

func (l *fakeLedger) Switch(s continuity.Switch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latched != nil {
		return l.latched
	}
	l.switches = slices.DeleteFunc(l.switches, func(old continuity.Switch) bool { return old.Owner == s.Owner })
	if !s.Lift {
		l.switches = append(l.switches, s)
	}
	return nil
}

func (l *fakeLedger) Switches(string) []continuity.Switch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.switches)
}

func (l *fakeLedger) Counters(string) ledger.Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c ledger.Counters
	for _, r := range l.records {
		c.Accepted++
		switch r.st.State {
		case continuity.Queued:
			c.Queued++
		case continuity.Attempting:
			c.Attempting++
		case continuity.InDoubt:
			c.InDoubt++
		case continuity.Parked:
			c.Parked++
		}
		if r.st.State.Pending() {
			c.OldestAge = max(c.OldestAge, time.Duration(l.clock()-r.st.AcceptedAt)*time.Millisecond) // #nosec G115 -- a test's time
		}
	}
	return c
}

func (l *fakeLedger) Latched() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latched
}

// person retries a record, as an act does.
func (l *fakeLedger) person(id continuity.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st := &l.byID[id].st; st.State == continuity.Parked { // what has ended is not sent again
		st.State, st.Reason = continuity.Queued, continuity.ReasonPerson
		signal(l.ready)
	}
}

func (l *fakeLedger) status(id continuity.Receipt) ledger.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[id].st
}

func (l *fakeLedger) states() map[continuity.State]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := make(map[continuity.State]int)
	for _, r := range l.records {
		n[r.st.State]++
	}
	return n
}

func (l *fakeLedger) gated(key continuity.KeyTag) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys[key]) > 0
}

func (l *fakeLedger) pending() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.keys {
		n += len(of)
	}
	return n
}
