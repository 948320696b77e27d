package upgrade

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Options of an Engine.
type Options struct {
	Plans Plans
	Hands Hands
	Wake  func() // has the engine asked soon, as an effect has ended
	Log   *slog.Logger
}

// Engine leads upgrades; it is a follow.Engine. It is made for one term, ended by
// Close: what another term's engine was doing is done again.
type Engine struct {
	o        Options
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup
	upgrades map[string]held
	runs     map[string]heldRun
	scripts  map[string]script
	releases map[string]continuity.Release
	looks    map[string]*looking

	mu      sync.Mutex
	flights map[string]*flight
}

// held is an upgrade as it is stored.
type held struct {
	continuity.Upgrade

	version int64
}

type heldRun struct {
	continuity.Run

	version int64
}

// kindScript is the kind of objects that keep what runs go through.
const kindScript = "script"

// script is what has to be known of what a run goes through.
type script struct {
	Steps []struct {
		ID    string            `json:"id"`
		Do    string            `json:"do"`
		With  map[string]string `json:"with"`
		IfNot string            `json:"if_not"`
		Else  []string          `json:"else"`
	} `json:"steps"`
}

// flight is an effect that is under way. What it says is under the engine's lock.
type flight struct {
	upgrade string
	cancel  context.CancelFunc
	done    bool
	answer  any
	err     error
}

// looking is what is remembered of looks that say nothing new.
type looking struct {
	next time.Time // at how it goes
	bad  int       // so many in a row found something wrong

	visit int       // of the stage whose effect is done again ...
	again time.Time // ... then
}

// Kinds are the kinds of objects that the engine wants to be shown.
func Kinds() []string {
	return []string{continuity.KindUpgrade, continuity.KindRun, kindScript, continuity.KindRelease}
}

// New makes an engine whose effects end with ctx.
func New(ctx context.Context, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	e := &Engine{o: o, flights: map[string]*flight{}, looks: map[string]*looking{}}
	e.ctx, e.stop = context.WithCancel(ctx)
	e.Reset()
	return e
}

// Close ends what is under way and waits for its end.
func (e *Engine) Close() {
	e.stop()
	e.work.Wait()
}

// Reset implements follow.Engine. What is under way goes on: its start is stored.
func (e *Engine) Reset() {
	e.upgrades, e.runs, e.scripts, e.releases = map[string]held{}, map[string]heldRun{}, map[string]script{}, map[string]continuity.Release{}
}

// Show implements follow.Engine.
func (e *Engine) Show(kind, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	switch kind {
	case continuity.KindUpgrade:
		return show(e.upgrades, id, body, func(h *held) any { h.version = version; return &h.Upgrade })
	case continuity.KindRun:
		return show(e.runs, id, body, func(h *heldRun) any { h.version = version; return &h.Run })
	case kindScript:
		return show(e.scripts, id, body, func(s *script) any { return s })
	case continuity.KindRelease:
		return show(e.releases, id, body, func(r *continuity.Release) any { return r })
	}
	return nil
}

// show keeps an object as it is now; without a body it is gone.
func show[T any](all map[string]T, id string, body json.RawMessage, into func(*T) any) error {
	delete(all, id)
	if body == nil {
		return nil
	}
	var v T
	if err := json.Unmarshal(body, into(&v)); err != nil {
		return err
	}
	all[id] = v
	return nil
}

// Step implements follow.Engine: one upgrade is changed at a time.
func (e *Engine) Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	for _, id := range slices.Sorted(maps.Keys(e.upgrades)) {
		h := e.upgrades[id]
		if h.Over() {
			continue
		}
		spec, ok := e.o.Plans.Of(h.Service, h.Upgrade.Upgrade)
		if !ok {
			continue // looked at again soon: a plan that can't be read now may be mended
		}
		t := e.turn(h, spec, now)
		t.decide()
		if changes := follow.Free(ctx, t.batch()); changes != nil {
			return changes, time.Time{}, nil
		}
		if !t.next.IsZero() && (next.IsZero() || t.next.Before(next)) {
			next = t.next
		}
	}
	return nil, next, nil
}

// begin has an effect done beside the engine.
func (e *Engine) begin(upgrade, key string, most time.Duration, do func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(e.ctx, most)
	f := &flight{upgrade: upgrade, cancel: cancel}
	e.mu.Lock()
	e.flights[key] = f
	e.mu.Unlock()
	e.work.Go(func() {
		defer cancel()
		answer, err := do(ctx)
		e.mu.Lock()
		f.done, f.answer, f.err = true, answer, err
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

// quiet ends what is under way for an upgrade but for some keys, and reports whether
// nothing else is.
func (e *Engine) quiet(upgrade string, but ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	still := true
	for key, f := range e.flights {
		switch {
		case f.upgrade != upgrade || slices.Contains(but, key):
		case f.done:
			delete(e.flights, key)
		default:
			f.cancel()
			still = false
		}
	}
	return still
}
