package measure

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// What an evaluation may take.
const (
	rulesAtOnce  = 2
	ruleTime     = 5 * time.Second  // of the queries of one rule
	evaluateTime = 15 * time.Second // of all rules
	// staleAfter is how old the evaluation of a rule may be before it says nothing
	// any more.
	staleAfter = time.Minute
)

// Evaluator holds rules against what was measured. States may be asked at any
// time; the other methods are called by one goroutine.
type Evaluator struct {
	from  Querier
	log   *slog.Logger
	rules []Rule

	mu        sync.Mutex
	standings map[string]standing
}

// standing is where a rule stands, as of its last evaluation.
type standing struct {
	State

	at   time.Time
	took time.Duration
}

// NewEvaluator makes an evaluator. States are those of an evaluator before it,
// by the ids of their rules: a restart neither ends a warning nor begins one.
func NewEvaluator(from Querier, log *slog.Logger, states map[string]State) *Evaluator {
	e := &Evaluator{from: from, log: log, standings: map[string]standing{}}
	for id, s := range states {
		e.standings[id] = standing{State: s}
	}
	return e
}

// Set replaces the rules. A rule that stays goes on where it stood; the state of
// one that is gone is forgotten, unless it may come back. What can't work is left out, as is a second rule of
// the same id, and the error says so: the others hold nevertheless.
func (e *Evaluator) Set(rules []Rule, back func(id string) bool) error {
	var taken []Rule
	var wrong []error
	standings := map[string]standing{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range rules {
		r := &rules[i]
		err := r.Check()
		if _, double := standings[r.ID]; double && err == nil {
			err = invalid("two thresholds are called %s", r.ID)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		standings[r.ID] = e.standings[r.ID]
		taken = append(taken, *r)
	}
	for id, s := range e.standings {
		if _, there := standings[id]; !there && back(id) {
			standings[id] = s
		}
	}
	e.rules, e.standings = taken, standings
	return errors.Join(wrong...)
}

// States returns where each rule stands. One that was not evaluated for a minute
// is unknown, as is one that never was.
func (e *Evaluator) States(now time.Time) map[string]State {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make(map[string]State, len(e.standings))
	for id, s := range e.standings {
		if now.Sub(s.at).Abs() > staleAfter {
			s.Status = Unknown
		}
		out[id] = s.State
	}
	return out
}

// Evaluate holds every rule against what is known at a time. A query that fails,
// or for which no time is left, leaves its rule unknown. What was slow the last
// time is asked last, and holds up none of the others.
func (e *Evaluator) Evaluate(ctx context.Context, at time.Time) {
	within, cancel := context.WithTimeout(ctx, evaluateTime)
	defer cancel()
	e.mu.Lock()
	slices.SortStableFunc(e.rules, func(a, b Rule) int { return cmp.Compare(e.standings[a.ID].took, e.standings[b.ID].took) })
	e.mu.Unlock()
	places := make(chan struct{}, rulesAtOnce)
	var all sync.WaitGroup
	for i := range e.rules {
		places <- struct{}{}
		all.Go(func() {
			e.evaluate(within, &e.rules[i], at)
			<-places
		})
	}
	all.Wait()
}

func (e *Evaluator) evaluate(ctx context.Context, r *Rule, at time.Time) {
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, ruleTime)
	defer cancel()
	values, err := r.Measure.read(within, e.from, at)
	if errors.Is(ctx.Err(), context.Canceled) { // nobody wants to know any more
		return
	}
	if err != nil && !errors.Is(err, errUnknown) {
		e.log.Warn("measure can't be read", "measure", r.Measure.Name, "rule", r.ID, "err", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.standings[r.ID] = standing{r.step(e.standings[r.ID].State, at, values), at, time.Since(began)}
}
