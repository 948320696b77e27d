package maintenance

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Options of an Engine.
type Options struct {
	Plans Plans
	World World // nil: nothing is known besides plans

	Measured Measured // nil: no figures are known
}

// Engine leads windows; it is a follow.Engine.
type Engine struct {
	o       Options
	windows map[string]held
	facts   facts
}

// held is a window as it is stored.
type held struct {
	continuity.Window

	version int64
}

// facts are the objects besides windows by which they are decided on: by kind and
// id. Each file that needs a kind names it in Kinds.
type facts struct {
	clocks  continuity.Clocks
	objects map[string]map[string]fact
}

type fact struct {
	version int64
	body    json.RawMessage
}

func newFacts() facts {
	return facts{clocks: continuity.Clocks{}, objects: map[string]map[string]fact{}}
}

// get reads an object; ok is false where there is none.
func (f facts) get(kind, id string, v any) (version int64, ok bool) {
	x, ok := f.objects[kind][id]
	if !ok || json.Unmarshal(x.body, v) != nil {
		return 0, false
	}
	return x.version, true
}

// ids are those of a kind, in order.
func (f facts) ids(kind string) []string { return slices.Sorted(maps.Keys(f.objects[kind])) }

func (f facts) take(kind, id string, version int64, body json.RawMessage) error {
	if kind == continuity.KindExercise {
		return f.clocks.Take(id, body)
	}
	if body == nil {
		delete(f.objects[kind], id)
		return nil
	}
	if f.objects[kind] == nil {
		f.objects[kind] = map[string]fact{}
	}
	f.objects[kind][id] = fact{version, body}
	return nil
}

// phases are what is done in each state of a window.
var phases = map[string]func(*window){
	continuity.WindowProposed:  (*window).proposed,
	continuity.WindowScheduled: (*window).announced,

	continuity.WindowRunning:     (*window).running,
	continuity.WindowOverrun:     (*window).late,
	continuity.WindowVerifying:   (*window).verifying,
	continuity.WindowReadmitting: (*window).readmitting,
	continuity.WindowDone:        (*window).after,
	continuity.WindowCancelled:   (*window).after,
	continuity.WindowFailed:      (*window).after,
}

// Kinds are the kinds of objects that the engine wants to be shown.
func Kinds() []string {
	return []string{
		continuity.KindWindow, continuity.KindWindowSeries, continuity.KindExercise,
		continuity.ObjectCheck, continuity.KindChannel, kindNotice,
		continuity.KindDuring, continuity.KindSilence, continuity.KindRun, continuity.KindDeclaration,
		continuity.KindCheckIn, continuity.KindFeedback, continuity.KindNotification,
	}
}

// New makes an engine.
func New(o Options) *Engine {
	e := &Engine{o: o}
	e.Reset()
	return e
}

// Reset implements follow.Engine.
func (e *Engine) Reset() { e.windows, e.facts = map[string]held{}, newFacts() }

// Show implements follow.Engine.
func (e *Engine) Show(kind, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	if kind != continuity.KindWindow {
		if kind == continuity.KindNotification && !e.asks(id, body) {
			return nil
		}
		return e.facts.take(kind, id, version, body)
	}
	delete(e.windows, id)
	if body == nil {
		return nil
	}
	h := held{version: version}
	if err := json.Unmarshal(body, &h.Window); err != nil {
		return err
	}
	e.windows[id] = h
	return nil
}

// Step implements follow.Engine: one window is changed at a time.
func (e *Engine) Step(ctx context.Context, now time.Time) ([]continuity.Change, time.Time, error) {
	if changes := e.fromNotices(ctx, now); changes != nil {
		return changes, time.Time{}, nil
	}
	changes, next, err := e.fromSeries(ctx, now)
	if err != nil || changes != nil {
		return changes, next, err
	}
	sooner := func(due time.Time) {
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.windows)) {
		h := e.windows[id]
		if settled(&h.Window) {
			continue
		}
		w := e.open(h, now)
		if phase := phases[w.State]; phase != nil && w.rules != nil && !w.exercised() {
			phase(w)
		}
		if changes := follow.Free(ctx, w.changes()); changes != nil {
			return changes, time.Time{}, nil
		}
		sooner(w.real)
		if due, ok := e.facts.clocks.Due(w.Exercise, w.next); ok && !w.next.IsZero() {
			sooner(due)
		}
	}
	return nil, next, nil
}

func (e *Engine) open(h held, now time.Time) *window {
	w := &window{version: h.version, facts: e.facts, now: now, shown: e.facts.clocks.At(h.Exercise, now)}
	body, err := json.Marshal(h.Window) // a copy, maps and all
	if err == nil {
		err = json.Unmarshal(body, &w.Window)
	}
	if err != nil {
		panic(err) // it was read from the store
	}
	w.rules, _ = e.o.Plans.Of(w.Service)
	w.measured = e.o.Measured
	return w
}

// asks reports whether a notification is one of a window that somebody may answer, or
// was: of all others nothing has to be known.
func (e *Engine) asks(id string, body json.RawMessage) bool {
	window, _, below := strings.Cut(id, ".")
	_, ours := e.windows[window]
	if !below || !ours {
		return false
	}
	var n continuity.Notification
	return body == nil || json.Unmarshal(body, &n) == nil && n.Vars[varBatch] != ""
}
