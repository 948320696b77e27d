package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/warning"
)

// judgesEvery is how often thresholds are held against the measures.
const judgesEvery = 15 * time.Second

// thresholds see how the thresholds of all plans stand.
type thresholds struct {
	from  measure.Querier
	log   *slog.Logger
	every time.Duration
	now   func() ([]binding.Threshold, <-chan struct{}) // those that hold, and when others do

	all       []binding.Threshold
	changed   <-chan struct{}
	evaluator *measure.Evaluator
	states    map[string]measure.State // as remembered, until there is an evaluator
	at        time.Time                // of seen
	seen      []warning.Sighting
}

// remembered is what is stored of a threshold: since when each of its rules has
// been on its way.
type remembered struct {
	Rules map[string]measure.State `json:"rules"`
}

// Begin implements warning.Source.
func (t *thresholds) Begin(memories map[string]json.RawMessage) {
	t.states, t.evaluator, t.changed, t.at = map[string]measure.State{}, nil, nil, time.Time{}
	for _, body := range memories {
		var m remembered
		if json.Unmarshal(body, &m) == nil {
			for rule, state := range m.Rules {
				t.states[rule] = state
			}
		}
	}
}

// Look implements warning.Source.
func (t *thresholds) Look(ctx context.Context, now time.Time) ([]warning.Sighting, []string) {
	if !t.follow() {
		return nil, nil
	}
	if t.at.IsZero() || now.Sub(t.at) >= t.every || now.Before(t.at) {
		t.evaluator.Evaluate(ctx, now)
		if ctx.Err() != nil {
			return nil, nil
		}
		t.at, t.seen = now, t.sightings(now)
	}
	return t.seen, []string{continuity.FromMeasure, continuity.FromSLO}
}

// follow takes over the thresholds that hold; false while nobody knows which
// those are.
func (t *thresholds) follow() bool {
	if t.changed != nil {
		select {
		case <-t.changed:
		default:
			return true
		}
	}
	all, changed := t.now()
	if changed == nil {
		return false
	}
	if t.evaluator == nil {
		t.evaluator = measure.NewEvaluator(t.from, t.log, t.states)
	}
	var rules []measure.Rule
	for i := range all {
		rules = append(rules, all[i].Rules...)
	}
	if err := t.evaluator.Set(rules); err != nil { // binding has checked them
		t.log.Error("thresholds can't be taken over", "error", err)
		return false
	}
	t.all, t.changed, t.at = all, changed, time.Time{}
	return true
}

func (t *thresholds) sightings(now time.Time) []warning.Sighting {
	states := t.evaluator.States()
	out := make([]warning.Sighting, 0, len(t.all))
	for i := range t.all {
		out = append(out, sighting(&t.all[i], states, now))
	}
	return out
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
