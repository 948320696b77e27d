package measure

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Change is a rule that went from one state to another.
type Change struct {
	Rule     Rule
	From, To State
}

// Opened says that a warning begins, Ended that it is over.
func (c Change) Opened() bool { return c.To.Open && !c.From.Open }

// Ended says that a warning is over.
func (c Change) Ended() bool { return c.From.Open && !c.To.Open }

// Evaluator holds rules against what was measured.
type Evaluator struct {
	from Querier
	log  *slog.Logger

	mu     sync.Mutex
	rules  []Rule
	states map[string]State
}

// NewEvaluator makes an evaluator. States are those of an evaluator before it,
// by the ids of their rules: a restart neither ends a warning nor begins one.
func NewEvaluator(from Querier, log *slog.Logger, states map[string]State) *Evaluator {
	if states == nil {
		states = map[string]State{}
	}
	return &Evaluator{from: from, log: log, states: maps.Clone(states)}
}

// Set replaces the rules. A rule that stays goes on where it stood; the state of
// one that is gone is forgotten.
func (e *Evaluator) Set(rules []Rule) error {
	states := map[string]State{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range rules {
		r := &rules[i]
		if err := r.Check(); err != nil {
			return err
		}
		if _, double := states[r.ID]; double {
			return invalid("two thresholds are called %s", r.ID)
		}
		states[r.ID] = e.states[r.ID]
	}
	e.rules, e.states = append([]Rule(nil), rules...), states
	return nil
}

// States returns where each rule stands. One that was never evaluated is unknown.
func (e *Evaluator) States() map[string]State {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := maps.Clone(e.states)
	for id, s := range out {
		if s.Status == "" {
			s.Status = Unknown
			out[id] = s
		}
	}
	return out
}

// Evaluate holds every rule against what is known at a time, and returns those
// whose status changed. A query that fails leaves its rule unknown.
func (e *Evaluator) Evaluate(ctx context.Context, at time.Time) []Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	var changes []Change
	for _, r := range e.rules {
		values, err := r.Measure.read(ctx, e.from, at)
		if ctx.Err() != nil {
			return changes
		}
		if err != nil && !errors.Is(err, errUnknown) {
			e.log.Warn("measure can't be read", "measure", r.Measure.Name, "rule", r.ID, "err", err)
		}
		before := e.states[r.ID]
		if before.Status == "" {
			before.Status, before.Since = Unknown, at
		}
		after := r.step(before, at, values)
		e.states[r.ID] = after
		if after.Status != before.Status || after.Open != before.Open {
			changes = append(changes, Change{Rule: r, From: before, To: after})
		}
	}
	return changes
}

// Run evaluates every so often until the context ends.
func (e *Evaluator) Run(ctx context.Context, every time.Duration, changed func([]Change)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			if changes := e.Evaluate(ctx, at); len(changes) > 0 {
				changed(changes)
			}
		}
	}
}
