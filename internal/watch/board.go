package watch

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// Judged is a check as it is judged.
type Judged struct {
	ID      string // service/check
	Service string
	Every   time.Duration
	Timeout time.Duration
	Lag     time.Duration // until a result is here
	Rule    Rule
	Nodes   []string // who looks; who says nothing has a vote, too
	Quorum  int      // how many have to say the same; 0: more than half
	// Fingerprint is of all that is said of it: with another one it is judged anew.
	Fingerprint string
}

// silence is after how long without a result nothing is known any more.
func (j Judged) silence() time.Duration { return 2*j.Every + j.Timeout + j.Lag }

// Verdict is what holds of a check.
type Verdict struct {
	Check   string                 `json:"check"`
	Service string                 `json:"service"`
	State   continuity.CheckState  `json:"state"`
	Since   time.Time              `json:"since"`
	Reason  continuity.CheckReason `json:"reason,omitzero"`
	Settled bool                   `json:"settled"` // something was seen, or there was time enough to
	Nodes   []View                 `json:"nodes"`
}

// View is what one node holds to be so, and its last look.
type View struct {
	Node     string                `json:"node"`
	State    continuity.CheckState `json:"state"`
	Isolated bool                  `json:"isolated,omitempty"`
	Last     continuity.CheckResult
}

// Board makes verdicts of what nodes report. Its methods may be called at the
// same time.
type Board struct {
	mu      sync.Mutex
	ready   bool // it was set
	unread  map[string]bool
	checks  map[string]*entry
	changed map[chan<- struct{}]bool
}

// NewBoard makes one without checks.
func NewBoard() *Board {
	return &Board{checks: map[string]*entry{}, changed: map[chan<- struct{}]bool{}}
}

type entry struct {
	Judged
	voters  []voter
	set     time.Time
	state   continuity.CheckState
	since   time.Time
	reason  continuity.CheckReason
	settled bool
	torn    time.Time // since when nodes that see something don't agree; zero: they do
}

type voter struct {
	node     string
	trend    *Trend
	heard    time.Time // when its last report came; zero: never
	silent   bool      // for too long
	isolated bool
	last     continuity.CheckResult
}

func (v *voter) state() continuity.CheckState {
	if v.heard.IsZero() || v.isolated {
		return continuity.CheckUnknown
	}
	return v.trend.State()
}

// Set says what is to be judged. A check with the same fingerprint keeps the trends of
// the nodes that still look at it. unread are the services of whose plans not all can
// be read: of these there may be more checks.
func (b *Board) Set(all []Judged, unread map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.ready, b.unread = true, unread
	old := b.checks
	b.checks = make(map[string]*entry, len(all))
	for _, j := range all {
		e := &entry{Judged: j, set: now, state: continuity.CheckUnknown, since: now, reason: continuity.CheckReason{Code: "watch.not-looked"}}
		before := old[j.ID]
		if before != nil {
			e.state, e.since, e.reason = before.state, before.since, before.reason
		}
		same := before != nil && before.Fingerprint == j.Fingerprint
		if same {
			e.settled, e.set = before.settled, before.set
		}
		for _, node := range j.Nodes {
			v := voter{node: node}
			if same {
				if i := slices.IndexFunc(before.voters, func(v voter) bool { return v.node == node }); i >= 0 {
					v = before.voters[i]
				}
			}
			if v.trend == nil {
				v.trend = NewTrend(j.Rule)
			}
			e.voters = append(e.voters, v)
		}
		b.checks[j.ID] = e
		if !same {
			e.state, e.reason = continuity.CheckUnknown, continuity.CheckReason{Code: "watch.not-looked"}
			if before == nil || before.state != continuity.CheckUnknown {
				e.since = now
			}
		}
	}
	b.tell()
}

// Add takes what a node found. An isolated node's looks say nothing, as it
// can't tell its own fault from the service's. It returns which of the results
// counted, in their order: checks that the node was not asked about are left out.
func (b *Board) Add(node string, isolated bool, results []continuity.CheckResult) []continuity.CheckResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	counted := make([]continuity.CheckResult, 0, len(results))
	changed := false
	for _, r := range results {
		e := b.checks[r.Check]
		if e == nil {
			continue
		}
		i := slices.IndexFunc(e.voters, func(v voter) bool { return v.node == node })
		if i < 0 {
			continue
		}
		v := &e.voters[i]
		r.Node = node
		if isolated {
			r.State, r.Reason = continuity.CheckUnknown, continuity.CheckReason{Code: "watch.isolated", Args: map[string]any{"node": node}}
		}
		v.heard, v.silent, v.isolated, v.last = now, false, isolated, r
		v.trend.Add(r.State)
		counted = append(counted, r)
		changed = e.judge(now) || changed
	}
	if changed {
		b.tell()
	}
	return counted
}

// Sweep finds what has not been heard of for too long; it is to be called every
// few seconds. It returns the results that stand for those that did not come.
func (b *Board) Sweep() []continuity.CheckResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var missing []continuity.CheckResult
	changed := false
	for _, e := range b.checks {
		limit := e.silence()
		touched := !e.torn.IsZero()
		for i := range e.voters {
			v := &e.voters[i]
			if v.silent || v.heard.IsZero() || now.Sub(v.heard) <= limit {
				continue
			}
			v.silent = true
			v.trend.Blind()
			v.last = continuity.CheckResult{Check: e.ID, Node: v.node, At: now, State: continuity.CheckUnknown, Reason: silent(limit)}
			missing = append(missing, v.last)
			touched = true
		}
		if !e.settled && now.Sub(e.set) > limit {
			touched = true
		}
		if touched {
			changed = e.judge(now) || changed
		}
	}
	if changed {
		b.tell()
	}
	return missing
}

func silent(limit time.Duration) continuity.CheckReason {
	return continuity.CheckReason{Code: "watch.silent", Args: map[string]any{"limit": limit.String()}}
}

// judge makes the verdict and says whether it is another one.
func (e *entry) judge(now time.Time) bool {
	var votes []Vote
	for i := range e.voters {
		v := &e.voters[i]
		votes = append(votes, Vote{Node: v.node, State: v.state(), Isolated: v.isolated})
	}
	state := Agree(votes, e.Quorum)
	wasSettled := e.settled
	e.settled = e.settled || state != continuity.CheckUnknown || now.Sub(e.set) > e.silence()
	e.reason = e.why(state)
	if state == e.state {
		e.torn = time.Time{}
		return e.settled != wasSettled
	}
	if state == continuity.CheckUnknown && e.disagree() {
		// One node is a look ahead of the others: what held goes on for a moment.
		if e.torn.IsZero() {
			e.torn = now
		}
		if now.Sub(e.torn) <= e.silence() {
			e.reason = e.why(e.state)
			return false
		}
	}
	e.torn = time.Time{}
	e.state, e.since = state, now
	return true
}

// disagree says whether enough nodes see something, and not the same.
func (e *entry) disagree() bool {
	need := e.Quorum
	if need <= 0 {
		need = len(e.voters)/2 + 1
	}
	seeing := 0
	for i := range e.voters {
		if severity(e.voters[i].state()) > 0 {
			seeing++
		}
	}
	return len(e.voters) > 1 && seeing >= need
}

// why is the reason of a state: of the last look of a node that holds the same.
func (e *entry) why(state continuity.CheckState) continuity.CheckReason {
	var none continuity.CheckReason
	if state == continuity.CheckUp {
		return none
	}
	heard := false
	var reason continuity.CheckReason
	for i := range e.voters {
		v := &e.voters[i]
		heard = heard || !v.heard.IsZero()
		holds := v.state() == state || severity(state) > 0 && severity(v.state()) >= severity(state)
		switch {
		case !holds || v.isolated && state != continuity.CheckUnknown:
		case v.last.Reason.Code != "" && severity(v.last.State) >= severity(state):
			return v.last.Reason
		case reason.Code == "":
			reason = v.last.Reason
		}
	}
	switch {
	case !heard:
		return continuity.CheckReason{Code: "watch.not-looked"}
	case reason.Code != "":
		return reason
	case state == continuity.CheckUnknown && len(e.voters) > 1:
		return continuity.CheckReason{Code: "watch.disagree"}
	case state == e.state: // the last look was better, but not often enough
		return e.reason
	}
	return continuity.CheckReason{Code: "watch.few-looks"}
}

// Verdict is what holds of one check.
func (b *Board) Verdict(id string) (Verdict, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.checks[id]
	if e == nil {
		return Verdict{}, false
	}
	return e.verdict(), true
}

// Verdicts are those of all checks, by their ids.
func (b *Board) Verdicts() []Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Verdict, 0, len(b.checks))
	for _, e := range b.checks {
		all = append(all, e.verdict())
	}
	slices.SortFunc(all, func(x, y Verdict) int { return cmp.Compare(x.Check, y.Check) })
	return all
}

// settled are the verdicts without the nodes' views, in their order, and the services
// that may have more; ready is false before Set.
func (b *Board) settled() (all []Verdict, unread map[string]bool, ready bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all = make([]Verdict, 0, len(b.checks))
	for _, e := range b.checks {
		all = append(all, Verdict{Check: e.ID, Service: e.Service, State: e.state, Since: e.since, Reason: e.reason, Settled: e.settled})
	}
	slices.SortFunc(all, func(x, y Verdict) int { return cmp.Compare(x.Check, y.Check) })
	return all, b.unread, b.ready
}

func (e *entry) verdict() Verdict {
	v := Verdict{Check: e.ID, Service: e.Service, State: e.state, Since: e.since, Reason: e.reason, Settled: e.settled}
	for i := range e.voters {
		x := &e.voters[i]
		last := x.last
		last.Values = maps.Clone(last.Values)
		v.Nodes = append(v.Nodes, View{Node: x.node, State: x.state(), Isolated: x.isolated, Last: last})
	}
	return v
}

// Since says how long a state has held already: what was written before this
// program began. It counts where the state is the same.
func (b *Board) Since(id string, state continuity.CheckState, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.checks[id]; e != nil && e.state == state && since.Before(e.since) {
		e.since = since
	}
}

// Changes is told, without waiting, whenever a verdict may be another one. stop
// ends it.
func (b *Board) Changes() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changed[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.changed, c)
	}
}

func (b *Board) tell() {
	for c := range b.changed {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
