package runbook

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Options of an engine.
type Options struct {
	Plans   Plans
	Actions Actions
	Eyes    Eyes
	Wake    func() // has the engine asked soon, as an action has ended
	Log     *slog.Logger
}

// Engine goes through runs while its node leads. It is made for one term, ended by
// Close: what another term's engine began is interrupted.
type Engine struct {
	o       Options
	ctx     context.Context
	stop    context.CancelFunc
	acts    sync.WaitGroup
	runs    map[string]*kept
	trouble map[string]trouble // incidents
	upgrade map[string]continuity.Upgrade
	clock   continuity.Clocks
	began   map[string]bool      // attempts whose start is being stored: to be begun
	looks   map[string]time.Time // when to look again, by look

	mu      sync.Mutex
	flights map[string]*flight
}

// trouble is what a run goes by of the incident that it is for.
type trouble struct {
	Grade string                       `json:"grade"`
	State string                       `json:"state"`
	Into  string                       `json:"merged_into"`
	Roles map[string]continuity.Holder `json:"roles"`
}

// kept is a run as it is stored.
type kept struct {
	run     continuity.Run
	version int64
	script  *Script
}

// flight is an action, or a look, that is under way. What it says is under the
// engine's lock.
type flight struct {
	run    string
	cancel context.CancelFunc
	done   bool
	result Result
	keep   json.RawMessage // wanted stored
	kept   chan struct{}
}

// Kinds are the objects that the engine has to see.
var Kinds = []string{KindScript, continuity.KindRun, continuity.KindIncident, continuity.KindExercise, continuity.KindUpgrade}

// New makes an engine whose actions end with ctx.
func New(ctx context.Context, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	e := &Engine{o: o, began: map[string]bool{}, looks: map[string]time.Time{}, flights: map[string]*flight{}}
	e.ctx, e.stop = context.WithCancel(ctx)
	e.Reset()
	return e
}

// Close ends what is under way and waits for its end.
func (e *Engine) Close() {
	e.stop()
	e.acts.Wait()
}

// Reset implements follow.Engine. What is under way goes on: its start is stored.
func (e *Engine) Reset() {
	e.runs, e.trouble, e.clock = map[string]*kept{}, map[string]trouble{}, continuity.Clocks{}
	e.upgrade = map[string]continuity.Upgrade{}
}

// Show implements follow.Engine.
func (e *Engine) Show(kind, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	switch kind {
	case continuity.KindExercise:
		return e.clock.Take(id, body)
	case continuity.KindIncident:
		delete(e.trouble, id)
		if body == nil {
			return nil
		}
		var i trouble
		err := json.Unmarshal(body, &i)
		e.trouble[id] = i
		return err
	case continuity.KindUpgrade:
		delete(e.upgrade, id)
		if body == nil {
			return nil
		}
		var u continuity.Upgrade
		err := json.Unmarshal(body, &u)
		e.upgrade[id] = u
		return err
	case KindScript:
		k := e.run(id)
		k.script = nil
		if body == nil {
			return nil
		}
		return json.Unmarshal(body, &k.script)
	case continuity.KindRun:
		if body == nil {
			e.settle(id, nil)
			delete(e.runs, id)
			return nil
		}
		k := e.run(id)
		k.version, k.run = version, continuity.Run{}
		err := json.Unmarshal(body, &k.run)
		e.settle(id, &k.run)
		return err
	}
	return nil
}

func (e *Engine) run(id string) *kept {
	k := e.runs[id]
	if k == nil {
		k = &kept{}
		e.runs[id] = k
	}
	return k
}

// settle tells actions that what they wanted kept is kept, and forgets those whose end
// is stored.
func (e *Engine) settle(id string, run *continuity.Run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	wanted := map[string]*continuity.StepRun{}
	for i := 0; run != nil && i < len(run.Steps); i++ {
		if s := &run.Steps[i]; s.State == continuity.StepRunning {
			wanted[keyOf(run, s)] = s
		}
	}
	for key, f := range e.flights {
		if f.run != id {
			continue
		}
		s, there := wanted[key]
		switch {
		case there && f.keep != nil && s.Kept == s.Attempt:
			f.keep = nil
			close(f.kept)
		case !there && f.done && !looking(key):
			delete(e.flights, key)
		}
	}
}

// Step implements follow.Engine: one change of one run at a time.
func (e *Engine) Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	for _, id := range sorted(e.runs) {
		k := e.runs[id]
		if k.run.ID == "" {
			continue // its script alone has been shown
		}
		t := e.turn(ctx, k, now)
		if err := t.decide(); err != nil {
			return nil, time.Time{}, err
		}
		if t.changed() {
			if changes := follow.Free(ctx, t.batch()); len(changes) > 0 {
				return changes, time.Time{}, nil
			}
		}
		if !t.next.IsZero() && (next.IsZero() || t.next.Before(next)) {
			next = t.next
		}
	}
	return nil, next, nil
}

// begin has something done beside the engine.
func (e *Engine) begin(run, key string, do func(context.Context, *flight) Result) {
	ctx, cancel := context.WithCancel(e.ctx)
	f := &flight{run: run, cancel: cancel}
	e.mu.Lock()
	e.flights[key] = f
	e.mu.Unlock()
	e.acts.Go(func() {
		defer cancel()
		result := do(ctx, f)
		e.mu.Lock()
		f.done, f.result = true, result
		e.mu.Unlock()
		e.o.Wake()
	})
}

// flight is what is under way for a key, as it stands.
func (e *Engine) flight(key string) (f flight, there bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.flights[key]; p != nil {
		return *p, true
	}
	return flight{}, false
}

func (e *Engine) forget(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.flights, key)
}

// cancel ends what is under way for a key.
func (e *Engine) cancel(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.flights[key]; f != nil {
		f.cancel()
	}
}

// keep is Call.Keep of a flight.
func (e *Engine) keep(f *flight) func(context.Context, json.RawMessage) error {
	return func(ctx context.Context, undo json.RawMessage) error {
		kept := make(chan struct{})
		e.mu.Lock()
		f.keep, f.kept = undo, kept
		e.mu.Unlock()
		e.o.Wake()
		select {
		case <-kept:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look asks whether a condition is met, beside the engine, as often as every: known is
// false while it has not been found out.
func (t *turn) look(s *Step, what string, c *Condition) (well bool, why continuity.CheckReason, known bool) {
	e, key := t.e, lookPrefix+what+" "+t.run.ID+"/"+s.ID
	f, there := e.flight(key)
	if !there {
		if at := e.looks[key]; t.now.Before(at) {
			t.at(at)
			return false, why, false
		}
		service := t.run.Service
		e.begin(t.run.ID, key, func(ctx context.Context, _ *flight) Result {
			ctx, done := context.WithTimeout(ctx, lookTime)
			defer done()
			well, why := e.o.Eyes.Look(ctx, service, c)
			if well {
				return Result{}
			}
			return Result{Failed: &why}
		})
		return false, why, false
	}
	if !f.done {
		return false, why, false
	}
	e.forget(key)
	e.looks[key] = t.now.Add(lookEvery)
	t.at(e.looks[key])
	if f.result.Failed == nil {
		delete(e.looks, key)
		return true, why, true
	}
	return false, *f.result.Failed, true
}

const (
	lookPrefix = "look "
	lookEvery  = 5 * time.Second
	lookTime   = time.Minute
)

func looking(key string) bool {
	return len(key) > len(lookPrefix) && key[:len(lookPrefix)] == lookPrefix
}
