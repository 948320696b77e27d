package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Checkpoints keeps snapshots of the state, each tied to a synced position.
// Load gives the newest whole one that the log's end has reached, and
// fs.ErrNotExist where there is none.
type Checkpoints interface {
	Save(at continuity.Position, write func(io.Writer) error) error
	Load(read func(at continuity.Position, r io.Reader) error) error
}

// Options say what a Ledger works on.
type Options struct {
	Log         journal.Log
	Checkpoints Checkpoints // nil: the log alone
	Routes      []continuity.Route
	Limits      continuity.Limits
	Logger      *slog.Logger
	// MaxRemembered bounds the repeat index; 0: 20 million.
	MaxRemembered int
	// Thread has the sequencer wait with a thread of its own, where that is
	// cheaper: not for code under testing/synctest.
	Thread bool
}

// Recovery says what Open found.
type Recovery struct {
	Checkpoint continuity.Position // where the snapshot stood; 0: none
	Events     int64               // applied after it
	Pending    int64
	InDoubt    int64
	Took       time.Duration
}

// Ledger is the live state over a log. Its methods are safe for concurrent use.
type Ledger struct {
	log         journal.Log
	checkpoints Checkpoints
	logger      *slog.Logger
	maxRepeats  int

	mu       sync.Mutex
	idle     *sync.Cond // a record stopped being busy
	state    *State
	schedule schedule
	routes   map[string]continuity.Route
	limits   continuity.Limits
	queue    []*proposal
	closed   bool
	latched  error
	begun    bool // the restart is in the journal

	flight  flight
	passed  []continuity.Passed // ends of recorded requests that are not in the journal yet
	live    map[continuity.Receipt]struct{}
	waiters map[continuity.Receipt][]chan struct{}
	claims  map[continuity.Position]*continuity.Record // requests of claimed records

	clockBase  continuity.Clock
	clockStart time.Time
	pool       sync.Pool                                // of proposals
	granted    int64                                    // room the log has promised to keep
	since      int64                                    // bytes appended since the last checkpoint
	saved      continuity.Position                      // horizon of the newest checkpoint
	carried    continuity.Position                      // what is kept below has been copied forward
	bodies     continuity.Position                      // nobody asks for entries below
	looks      map[continuity.Position]continuity.Clock // when a segment is looked through for what has had its time

	bell bell          // the queue is not empty
	done chan struct{} // the committer has ended
}

// flight counts what is proposed and not yet applied.
type flight struct {
	keys     map[continuity.KeyTag]int
	receipts map[continuity.Receipt]struct{}
	count    map[string]int64
	bytes    map[string]int64
	money    map[moneyKey]int64
	total    int64
	again    int64 // of them records that may go before the first of their key
}

// Open restores the state from the newest checkpoint and the log behind it and
// begins to accept. Whatever was being attempted is in doubt from then on.
func Open(o Options) (*Ledger, Recovery, error) {
	began := time.Now()
	l := &Ledger{
		log: o.Log, checkpoints: o.Checkpoints, logger: o.Logger, maxRepeats: o.MaxRemembered,
		state: newState(), live: make(map[continuity.Receipt]struct{}), waiters: make(map[continuity.Receipt][]chan struct{}),
		flight: flight{
			keys: make(map[continuity.KeyTag]int), receipts: make(map[continuity.Receipt]struct{}),
			count: make(map[string]int64), bytes: make(map[string]int64),
			money: make(map[moneyKey]int64),
		},
		claims: make(map[continuity.Position]*continuity.Record),
		bell:   newChannel(), done: make(chan struct{}),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.maxRepeats == 0 {
		l.maxRepeats = 20_000_000
	}
	l.idle = sync.NewCond(&l.mu)
	l.setRoutes(o.Routes, o.Limits)
	recovery, err := l.recover()
	if err != nil {
		return nil, recovery, err
	}
	if o.Thread {
		l.bell = newThreadBell()
	}
	go l.commit()
	if err := l.begin(); err != nil && continuity.CodeOf(err) != continuity.CodeDiskFull {
		_ = l.Close()
		return nil, recovery, err
	}
	c := l.totals()
	recovery.Pending, recovery.InDoubt, recovery.Took = c.Pending(), c.InDoubt, time.Since(began)
	return l, recovery, nil
}

func (l *Ledger) recover() (Recovery, error) {
	state, recovery, err := Restore(l.log, l.checkpoints)
	if err != nil {
		return recovery, err
	}
	l.state = state
	l.clockBase, l.clockStart = state.clock, time.Now()
	l.saved = 0 // what an older checkpoint needs is not known
	state.schedule = l.consider
	state.ended = l.wakeWaiters
	return recovery, nil
}

// begin writes the restart into the journal, which puts in doubt whatever the
// relay was attempting when it stopped. Until it is written, the gate stands
// and nothing is accepted or handed out: with a full disk, Run tries again.
func (l *Ledger) begin() error {
	l.mu.Lock()
	if l.begun {
		l.mu.Unlock()
		return nil
	}
	settle := time.Duration(0)
	for _, r := range l.routes {
		settle = max(settle, r.Settle)
	}
	p := l.propose(continuity.Event{Kind: continuity.KindRestart, Settle: settle, First: !l.state.started})
	l.mu.Unlock()
	_, err := p.wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun = err == nil
	if l.begun {
		l.rebuild()
	}
	return err
}

// rebuild queues every key's first record, in the order of the journal.
func (l *Ledger) rebuild() {
	var heads []uint32
	for ref := uint32(1); int(ref) <= l.state.slots.used; ref++ {
		if claimable(l.state.slots.at(ref)) {
			heads = append(heads, ref)
		}
	}
	slices.SortFunc(heads, func(a, b uint32) int {
		return cmp.Compare(l.state.slots.at(a).position, l.state.slots.at(b).position)
	})
	for _, ref := range heads {
		l.consider(ref)
	}
}

// Close ends the sequencer after what is queued; it does not close the log.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.tellPassed()
	l.closed = true
	l.mu.Unlock()
	l.bell.ring()
	<-l.done
	l.bell.close()
	return nil
}

// SetRoutes takes over a new configuration's bounds.
func (l *Ledger) SetRoutes(routes []continuity.Route, limits continuity.Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setRoutes(routes, limits)
}

func (l *Ledger) setRoutes(routes []continuity.Route, limits continuity.Limits) {
	l.routes = make(map[string]continuity.Route, len(routes))
	for _, r := range routes {
		l.routes[r.ID] = r
	}
	l.limits, l.looks = limits, nil
}

// now is the running clock; l.mu or single use is required.
func (l *Ledger) now() continuity.Clock {
	return l.clockBase + continuity.Clock(time.Since(l.clockStart)/time.Millisecond) // #nosec G115 -- monotonic
}

// Clock is the relay's running time.
func (l *Ledger) Clock() continuity.Clock {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now()
}

// Latched returns why nothing can be kept any more, or nil.
func (l *Ledger) Latched() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latched
}

// Status tells where a record stands; false where none is remembered.
func (l *Ledger) Status(r continuity.Receipt) (Status, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.status(r)
}

// Counters returns a route's books.
func (l *Ledger) Counters(route string) Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.state.numbers[route]; ok {
		return l.state.routes[n].counters(l.now())
	}
	return Counters{}
}

// Routes names every route that the journal knows, configured or not.
func (l *Ledger) Routes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, len(l.state.routes))
	for i, r := range l.state.routes {
		names[i] = r.name
	}
	return names
}

func (l *Ledger) totals() Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum Counters
	for _, r := range l.state.routes {
		c := r.counters(l.now())
		sum.Queued += c.Queued
		sum.Attempting += c.Attempting
		sum.InDoubt += c.InDoubt
		sum.Parked += c.Parked
	}
	return sum
}

// Gated reports whether a key has pending records, or one on its way to disk.
func (l *Ledger) Gated(k continuity.KeyTag) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gated(k)
}

func (l *Ledger) gated(k continuity.KeyTag) bool {
	return l.flight.keys[k] > 0 || l.state.keys.head(k) != 0
}

// First tells of the first pending record of a key.
func (l *Ledger) First(k continuity.KeyTag) (Status, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ref := l.state.keys.head(k)
	if ref == 0 {
		return Status{}, false
	}
	return l.state.statusOf(ref), true
}

// GateKeys is how many keys are in the gate, apart from those on their way to
// disk.
func (l *Ledger) GateKeys() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.keys.len()
}

// GateEmpty reports whether a route has no pending records, and none on the way.
func (l *Ledger) GateEmpty(route string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.state.numbers[route]
	return l.flight.count[route] == 0 && (!ok || l.state.routes[n].pendingCount() == 0)
}

// Blank reports whether no request of a route was ever kept, nor is one on the
// way: then none is known, and no key of it is in the gate.
func (l *Ledger) Blank(route string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.state.numbers[route]
	return l.flight.count[route] == 0 && (!ok || l.state.routes[n].totals.Accepted == 0)
}

// Record reads the request that an accepted or carried entry, or an edit,
// holds.
func (l *Ledger) Record(at continuity.Position) (*continuity.Record, error) {
	l.mu.Lock()
	claimed := l.claims[at]
	l.mu.Unlock()
	if claimed != nil {
		return claimed, nil
	}
	e, err := l.event(at)
	if err != nil {
		return nil, err
	}
	return recordOf(&e)
}

func recordOf(e *continuity.Event) (*continuity.Record, error) {
	switch {
	case e.Accepted != nil:
		return e.Accepted, nil
	case e.Carried != nil:
		return e.Carried.Record, nil
	case e.Act != nil && e.Act.Replacement != nil:
		return e.Act.Replacement, nil
	case e.Recorded != nil:
		return e.Recorded, nil
	}
	return nil, continuity.E(continuity.CodeDamaged, fmt.Errorf("no record but %s", e.Kind))
}

// Response reads the response that an outcome holds; nil where none was kept.
func (l *Ledger) Response(at continuity.Position) (*continuity.Response, error) {
	e, err := l.event(at)
	if err != nil {
		return nil, err
	}
	if e.Outcome == nil {
		return nil, nil // a person ended it
	}
	return e.Outcome.Response, nil
}

func (l *Ledger) event(at continuity.Position) (continuity.Event, error) {
	s, err := l.log.Read(at)
	if err != nil {
		if errors.Is(err, journal.ErrGone) {
			return continuity.Event{}, continuity.E(continuity.CodeNotFound, err)
		}
		return continuity.Event{}, continuity.E(continuity.CodeDamaged, err)
	}
	return Decode(s)
}
