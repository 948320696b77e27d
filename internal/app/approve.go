package app

import (
	"context"
	"sync"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// alone counts on how many records each person has acted without a second one.
type alone struct {
	mu   sync.Mutex
	acts map[string][]time.Time
}

// aloneFor is how long an act counts.
const aloneFor = time.Hour

// recent counts a person's acts.
func (a *alone) recent(person string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := a.acts[person][:0]
	for _, at := range a.acts[person] {
		if time.Since(at) < aloneFor {
			kept = append(kept, at)
		}
	}
	if len(kept) == 0 {
		delete(a.acts, person)
	} else {
		a.acts[person] = kept
	}
	return int64(len(kept))
}

func (a *alone) add(person string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acts == nil {
		a.acts = make(map[string][]time.Time)
	}
	a.acts[person] = append(a.acts[person], time.Now())
}

// needsSecond reports whether an act on a record is more than one person may do
// (rule 9.2).
func (d *desk) needsSecond(act *continuity.Act, amount continuity.Money) bool {
	limits := d.approvals.Load()
	if limits == nil {
		return false
	}
	if act.Replacement != nil && limits.Over(1, act.Replacement.Amount) {
		return true
	}
	return limits.Over(d.alone.recent(act.Person)+1, amount)
}

// approve does what another person proposed.
func (d *desk) approve(r continuity.Receipt, req api.ActRequest) (continuity.Act, error) {
	p, ok := d.ledger.Proposal(r)
	if !ok {
		return continuity.Act{}, invalid("api.invalid.not-proposed")
	}
	act, err := d.ledger.ProposedAct(p)
	if err != nil {
		return continuity.Act{}, err
	}
	if act.Person == req.Person {
		return continuity.Act{}, continuity.E(continuity.CodeApproval, nil)
	}
	act.Approver = req.Person
	return *act, nil
}

// The verbs that only the API knows, beside those of the journal.
const verbApprove continuity.Verb = "approve"

// told marks a record that ended undelivered, or takes a proposal back.
func (d *desk) noted(ctx context.Context, r continuity.Receipt, route string, req api.ActRequest) (api.ActResult, error) {
	_, err := d.ledger.Act(continuity.Act{Receipt: r, Verb: req.Verb, Person: req.Person, Why: req.Why, Route: route})
	if err != nil {
		return api.ActResult{}, err
	}
	rec, err := d.Record(ctx, r)
	return api.ActResult{Record: rec}, err
}

func (d *desk) proposed(r continuity.Receipt) *api.Proposal {
	p, ok := d.ledger.Proposal(r)
	if !ok {
		return nil
	}
	return &api.Proposal{Verb: p.Verb, Person: p.Person}
}

// sums are a route's amounts, for people and programs.
func sums(list []ledger.Sums) []api.Amounts {
	var out []api.Amounts
	u := continuity.Units
	for _, s := range list {
		out = append(out, api.Amounts{
			Currency: s.Currency, Accepted: u(s.Accepted), DeliveredAtOnce: u(s.DeliveredAtOnce), DeliveredAfterDoubt: u(s.DeliveredAfterDoubt),
			Refused: u(s.Refused), Dead: u(s.Dead), Discarded: u(s.Discarded), Queued: u(s.Queued), Attempting: u(s.Attempting),
			InDoubt: u(s.InDoubt), Parked: u(s.Parked), Pending: u(s.Pending()),
		})
	}
	return out
}

// gaining names the keys that gain faster than they drain.
func (d *desk) gaining(l *lane) []api.Gaining {
	var out []api.Gaining
	for _, g := range l.drainer.Progress().Gaining {
		key := ""
		if st, ok := d.ledger.First(g.Key); ok {
			if rec, err := d.ledger.Record(st.Position); err == nil {
				key = rec.KeyText
			}
		}
		out = append(out, api.Gaining{Key: key, In: g.In, Out: g.Out, Seconds: g.Seconds})
	}
	return out
}

// unrecordedFor is how long a warning stands after something passed unrecorded.
const unrecordedFor = 10 * time.Minute

// unrecorded counts what passed though it could not be recorded.
func (d *desk) unrecorded(route string) (n int64, lately bool) {
	counts, newest := d.engine.Unrecorded(route)
	for _, c := range counts {
		n += c
	}
	return n, n > 0 && time.Since(newest) < unrecordedFor
}
