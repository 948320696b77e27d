package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/warning"
)

// judgesEvery is how often thresholds are held against the measures.
const judgesEvery = 15 * time.Second

// thresholds see how the thresholds of all plans stand: run holds them against the
// measures, in its own time, and Look tells what it found last.
type thresholds struct {
	from measure.Querier
	log  *slog.Logger
	now  func() thresholdsNow
	wake chan struct{} // there is another evaluator

	mu        sync.Mutex
	evaluator *measure.Evaluator
	all       []binding.Threshold // that evaluator holds; nil: nobody knows yet
	unread    map[string]bool     // with all
}

// thresholdsNow are those that hold.
type thresholdsNow struct {
	all     []binding.Threshold
	unread  map[string]bool // services that may have more
	changed <-chan struct{} // closed when others hold; nil: nobody knows yet
}

func newThresholds(from measure.Querier, log *slog.Logger, now func() thresholdsNow) *thresholds {
	return &thresholds{from: from, log: log, now: now, wake: make(chan struct{}, 1)}
}

// remembered is what is stored of a threshold: since when each of its rules has
// been on its way.
type remembered struct {
	Rules map[string]measure.State `json:"rules"`
}

// Begin implements warning.Source.
func (t *thresholds) Begin(memories map[string]json.RawMessage) {
	states := map[string]measure.State{}
	for _, body := range memories {
		var m remembered
		if json.Unmarshal(body, &m) == nil {
			maps.Copy(states, m.Rules)
		}
	}
	t.mu.Lock()
	t.evaluator, t.all = measure.NewEvaluator(t.from, t.log, states), nil
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Look implements warning.Source.
func (t *thresholds) Look(_ context.Context, now time.Time) warning.Sight {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		return warning.Sight{}
	}
	states := t.evaluator.States(now)
	out := make([]warning.Sighting, 0, len(t.all))
	for i := range t.all {
		out = append(out, sighting(&t.all[i], states, now))
	}
	return warning.Sight{All: out, Of: []string{continuity.FromMeasure, continuity.FromSLO}, Unread: t.unread}
}

// run evaluates every so often, and whenever there are other thresholds or another
// evaluator, until the context ends.
func (t *thresholds) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var evaluator *measure.Evaluator
	var changed <-chan struct{}
	for {
		if evaluator == nil {
			evaluator, changed = t.follow()
		}
		if evaluator != nil {
			evaluator.Evaluate(ctx, time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-changed:
			evaluator = nil
		case <-t.wake:
			evaluator = nil
		}
	}
}

// follow gives the evaluator the thresholds that hold, and says when others do;
// nil while nobody knows which those are.
func (t *thresholds) follow() (*measure.Evaluator, <-chan struct{}) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.evaluator == nil || now.changed == nil {
		return nil, now.changed
	}
	var rules []measure.Rule
	for i := range now.all {
		rules = append(rules, now.all[i].Rules...)
	}
	back := func(id string) bool { // once the plan can be read again
		service, _, _ := strings.Cut(id, ".")
		return now.unread[service]
	}
	if err := t.evaluator.Set(rules, back); err != nil { // of a plan that was not read whole: others are checked before they hold
		t.log.Error("some thresholds can't be taken over", "error", err)
	}
	t.all, t.unread = append([]binding.Threshold{}, now.all...), now.unread
	return t.evaluator, now.changed
}

// sighting is how a threshold stands: as bad as the worst of its rules. While one
// of them is not known, and would be worse, so is the whole.
func sighting(t *binding.Threshold, states map[string]measure.State, now time.Time) warning.Sighting {
	s := warning.Sighting{
		ID: t.ID, Service: t.Service, Source: t.Source, Rule: t.Rule, Owner: t.Owner, Text: t.Text, Partial: t.Partial, Sign: t.Sign,
	}
	memory := remembered{map[string]measure.State{}}
	unknown := continuity.LevelNone
	for i := range t.Rules {
		r := &t.Rules[i]
		state, level := states[r.ID], continuity.Level(r.Level)
		if kept, worth := worthKeeping(r, state, now); worth {
			memory.Rules[r.ID] = kept
		}
		if state.Status == measure.Unknown && level.Over(unknown) {
			unknown = level
		}
		if !state.Open || state.Status == measure.Unknown {
			continue
		}
		if level.Over(s.Level) {
			s.Level = level
		}
		value, limit := state.Value, r.Limit
		s.Evidence = append(s.Evidence, continuity.Evidence{Kind: "measure", ID: r.Measure.Name, Query: r.Measure.Exprs[0], Value: &value, Limit: &limit, At: now})
	}
	s.Known = unknown == continuity.LevelNone || s.Level != continuity.LevelNone && !unknown.Over(s.Level)
	if len(memory.Rules) > 0 {
		s.Memory, _ = json.Marshal(memory) // finite numbers and times
	}
	return s
}

// worthKeeping is what has to be remembered of a rule, so that neither a restart
// nor another leader begins anew: that a warning stands, and since when the value
// has been on the other side. What turns to and fro within a quarter of the time
// that counts is not written down each time.
func worthKeeping(r *measure.Rule, s measure.State, now time.Time) (measure.State, bool) {
	kept := measure.State{Status: measure.Kept, Open: s.Open}
	if s.Open {
		kept.Status = measure.Broken
	}
	if !s.Turning.IsZero() && now.Sub(s.Turning) >= min(r.For/4, time.Minute) {
		kept.Turning = s.Turning.UTC()
	}
	return kept, kept.Open || !kept.Turning.IsZero()
}
