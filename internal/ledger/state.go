package ledger

import (
	"math"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

// State is what the journal's events amount to. It is not safe for concurrent
// use; the Ledger's lock guards it.
type State struct {
	slots    slots
	keys     keys
	purse    purse
	failures map[uint32]uint16 // by slot: attempts that failed for a reason of the record's own
	proposed map[continuity.Receipt]Proposal
	repeats  repeats
	routes   []*routeState // by number
	numbers  map[string]uint16
	clock    continuity.Clock    // of the newest event
	wall     int64               // of the newest event, in milliseconds; 0: unknown
	away     continuity.Clock    // what outside time is ahead of running time
	applied  continuity.Position // where the next entry begins
	started  bool                // an event has been applied since position zero, or a checkpoint read
	marks    []mark              // oldest first
	unmarked int                 // bytes since the last mark
	settings atomic.Uint64       // grows whenever a standing setting changes

	// schedule is told whenever a key's first record may have become ready.
	schedule func(ref uint32)
	// ended is told when a record leaves pending.
	ended func(continuity.Receipt)
}

type routeState struct {
	name    string
	totals  continuity.Totals
	pending [continuity.Parked + 1]int64 // by state
	bytes   int64
	sums    []*Sums
	ages    ages
	owners  []continuity.Switch // standing settings, one an owner, oldest first
}

// newState returns the state of an empty journal.
func newState() *State {
	s := &State{numbers: make(map[string]uint16), failures: make(map[uint32]uint16), proposed: make(map[continuity.Receipt]Proposal), schedule: func(uint32) {}, ended: func(continuity.Receipt) {}}
	s.keys.slots = &s.slots
	return s
}

func (s *State) route(name string) (uint16, *routeState) {
	if n, ok := s.numbers[name]; ok {
		return n, s.routes[n]
	}
	n := uint16(len(s.routes)) // #nosec G115 -- a configuration bounds them
	r := &routeState{name: name, totals: continuity.Totals{Route: name}}
	s.routes = append(s.routes, r)
	s.numbers[name] = n
	return n, r
}

func (r *routeState) pendingCount() int64 {
	var n int64
	for _, c := range r.pending {
		n += c
	}
	return n
}

// Counters are a route's balanced books, in records, and how much is pending.
type Counters struct {
	Accepted            int64         `json:"accepted"`
	DeliveredAtOnce     int64         `json:"delivered_at_once"`
	DeliveredAfterDoubt int64         `json:"delivered_after_doubt"`
	Refused             int64         `json:"refused"`
	Dead                int64         `json:"dead"`
	Discarded           int64         `json:"discarded"`
	Queued              int64         `json:"queued"`
	Attempting          int64         `json:"attempting"`
	InDoubt             int64         `json:"in_doubt"`
	Parked              int64         `json:"parked"`
	PendingBytes        int64         `json:"pending_bytes"`
	Told                int64         `json:"told"`              // of the refused, dead and discarded: the customer knows
	Recorded            int64         `json:"recorded"`          // passed, and written down before
	Sums                []Sums        `json:"amounts,omitempty"` // by currency
	OldestAge           time.Duration `json:"oldest_age_ns"`     // of running time; 0 with nothing pending
}

// Pending is how many records still have to end.
func (c Counters) Pending() int64 { return c.Queued + c.Attempting + c.InDoubt + c.Parked }

// Balanced reports rules 2.1 and 2.2: what was accepted, in records and in
// money, has ended or is pending.
func (c Counters) Balanced() bool {
	for _, s := range c.Sums {
		if !s.balanced() {
			return false
		}
	}
	return c.Accepted == c.DeliveredAtOnce+c.DeliveredAfterDoubt+c.Refused+c.Dead+c.Discarded+c.Pending()
}

func (r *routeState) counters(now continuity.Clock) Counters {
	return Counters{
		Accepted:            r.totals.Accepted,
		DeliveredAtOnce:     r.totals.DeliveredAtOnce,
		DeliveredAfterDoubt: r.totals.DeliveredAfterDoubt,
		Refused:             r.totals.Refused,
		Dead:                r.totals.Dead,
		Discarded:           r.totals.Discarded,
		Queued:              r.pending[continuity.Queued],
		Attempting:          r.pending[continuity.Attempting],
		InDoubt:             r.pending[continuity.InDoubt],
		Parked:              r.pending[continuity.Parked],
		PendingBytes:        r.bytes,
		OldestAge:           r.ages.oldest(now),
		Told:                r.totals.Told,
		Recorded:            r.totals.Recorded,
		Sums:                r.sumList(),
	}
}

// Status is what is known of one record.
type Status struct {
	Receipt      continuity.Receipt
	Route        string
	Key          continuity.KeyTag
	State        continuity.State
	Reason       continuity.Reason
	Version      uint16 // grows with each event about the record
	Attempts     int
	Position     continuity.Position // of the accepted or carried entry
	Outcome      continuity.Position // of the entry that ended it; 0 while pending
	AcceptedAt   continuity.Clock
	FirstAttempt continuity.Clock // by Outside
	NotBefore    continuity.Clock // the earliest next attempt
	Size         int64            // bytes of its entry
	Doubted      bool             // it may have been processed by an earlier attempt
	Again        bool             // it brings back what a restored upstream lost
	Told         bool             // it ended undelivered, and the customer knows
	Failures     int              // attempts that failed for a reason of its own
	Amount       continuity.Money
	Class        continuity.Class // of its key, for the key's first record
}

// status tells where the record of a receipt stands. Of records that have
// ended, other than dead ones, the journal tells the rest.
func (s *State) status(r continuity.Receipt) (Status, bool) {
	e := s.repeats.find(r)
	if e == nil {
		return Status{}, false
	}
	ref, ok := e.slot()
	if !ok {
		return Status{Receipt: r, State: e.state(), Position: e.position(), Outcome: e.ended, Told: e.told()}, true
	}
	st := s.statusOf(ref)
	st.Receipt, st.Outcome, st.Told = r, e.ended, e.told()
	return st, true
}

// statusOf leaves out the receipt, which a slot does not hold.
func (s *State) statusOf(ref uint32) Status {
	t := s.slots.at(ref)
	st := t.status(s.routes[t.route].name)
	st.Amount, st.Failures = s.purse.get(t.money), int(s.failures[ref])
	return st
}

func (s *slot) status(route string) Status {
	return Status{
		Route: route, Key: s.key, State: s.state(), Reason: s.reason(), Version: s.version,
		Attempts: int(s.attempts), Position: s.position, AcceptedAt: s.accepted.clock(),
		FirstAttempt: s.first.clock(), NotBefore: s.notBefore.clock(), Size: int64(s.size),
		Doubted: s.is(flagDoubted), Again: s.is(flagAgain), Class: s.class(),
	}
}

// ages counts pending records by the second of running time in which they were
// accepted, which gives the oldest without looking at any record.
type ages struct {
	counts map[uint32]int32
	low    uint32 // nothing is older
}

func second(t tick) uint32 { return uint32(t) / ticksPerSecond }

func (a *ages) add(t tick) {
	if a.counts == nil {
		a.counts = make(map[uint32]int32)
	}
	sec := second(t)
	if len(a.counts) == 0 || sec < a.low {
		a.low = sec
	}
	a.counts[sec]++
}

func (a *ages) remove(t tick) {
	sec := second(t)
	if a.counts[sec]--; a.counts[sec] == 0 {
		delete(a.counts, sec)
	}
}

// lowest returns the second of the oldest.
func (a *ages) lowest() (uint32, bool) {
	if len(a.counts) == 0 {
		return 0, false
	}
	for a.counts[a.low] == 0 {
		a.low++
	}
	return a.low, true
}

func (a *ages) oldest(now continuity.Clock) time.Duration {
	sec, ok := a.lowest()
	if !ok || continuity.Clock(sec)*1000 >= now {
		return 0
	}
	return time.Duration(now-continuity.Clock(sec)*1000) * time.Millisecond // #nosec G115 -- positive, lasts centuries
}

// effective is what the standing settings amount to: the later intake and
// replay setting wins, forced ones beat all others.
func (r *routeState) effective() (continuity.Intake, continuity.Replay) {
	var replay [2]continuity.Replay
	for _, s := range r.owners {
		i := 0
		if s.Force {
			i = 1
		}
		replay[i] = max(replay[i], s.Replay)
	}
	re := replay[0]
	if replay[1] != continuity.ReplayUnset {
		re = replay[1]
	}
	return continuity.IntakeOf(r.owners), max(re, continuity.ReplayOn)
}

func clampUint16(n int) uint16 { return uint16(min(max(n, 0), math.MaxUint16)) } // #nosec G115 -- clamped
func clampUint32(n int) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) } // #nosec G115 -- clamped
