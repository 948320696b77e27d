package announce

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Kinds are the kinds of objects that the engine is shown.
var Kinds = []string{
	continuity.KindExercise, continuity.KindIncident, continuity.KindWindow, continuity.KindUpdate, continuity.KindSpoken, continuity.KindAutoreply,
	continuity.KindNotification,
}

// planless is how soon a plan that is not known is asked for again.
const planless = 5 * time.Second

// kept is an object with its version.
type kept[T any] struct {
	is      T
	version int64
}

// Engine says what is due by itself. It is a follow.Engine.
type Engine struct {
	plans Plans

	clocks    continuity.Clocks
	incidents map[string]kept[continuity.Incident]
	windows   map[string]kept[continuity.Window]
	updates   map[string]map[string]kept[continuity.Update] // by what they are about
	spoken    map[string]kept[continuity.Spoken]            // by incident
	replies   map[string]kept[continuity.Autoreply]
	asking    map[string]kept[continuity.Notification] // of people to write
	steps     map[string]map[string]stepWord           // by incident
}

var _ follow.Engine = (*Engine)(nil)

// New makes an engine.
func New(plans Plans) *Engine {
	e := &Engine{plans: plans}
	e.Reset()
	return e
}

// Reset implements follow.Engine.
func (e *Engine) Reset() {
	e.clocks = continuity.Clocks{}
	e.incidents, e.windows = map[string]kept[continuity.Incident]{}, map[string]kept[continuity.Window]{}
	e.updates, e.spoken = map[string]map[string]kept[continuity.Update]{}, map[string]kept[continuity.Spoken]{}
	e.replies, e.asking = map[string]kept[continuity.Autoreply]{}, map[string]kept[continuity.Notification]{}
	e.steps = map[string]map[string]stepWord{}
}

// Show implements follow.Engine.
func (e *Engine) Show(kind, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	switch kind {
	case continuity.KindExercise:
		return e.clocks.Take(id, body)
	case continuity.KindIncident:
		return take(e.incidents, id, version, body)
	case continuity.KindWindow:
		return take(e.windows, id, version, body)
	case continuity.KindAutoreply:
		return take(e.replies, id, version, body)
	case continuity.KindNotification:
		return e.notification(id, version, body)
	case continuity.KindSpoken:
		all := map[string]kept[continuity.Spoken]{}
		if err := take(all, id, version, body); err != nil {
			return err
		}
		for incident, s := range e.spoken {
			if s.is.ID == id {
				delete(e.spoken, incident)
			}
		}
		for _, s := range all {
			e.spoken[s.is.Incident] = s
		}
	case continuity.KindUpdate:
		return e.update(id, version, body)
	}
	return nil
}

func take[T any](all map[string]kept[T], id string, version int64, body json.RawMessage) error {
	delete(all, id)
	if body == nil {
		return nil
	}
	k := kept[T]{version: version}
	if err := json.Unmarshal(body, &k.is); err != nil {
		return err
	}
	all[id] = k
	return nil
}

func (e *Engine) notification(id string, version int64, body json.RawMessage) error {
	delete(e.asking, id)
	if body == nil {
		for _, of := range e.steps {
			delete(of, id)
		}
		return nil
	}
	n := kept[continuity.Notification]{version: version}
	if err := json.Unmarshal(body, &n.is); err != nil {
		return err
	}
	if asks(id) && (!n.is.Over() || n.is.State == continuity.NotifyGrouped) {
		e.asking[id] = n
	}
	e.step(&n.is)
	return nil
}

func (e *Engine) update(id string, version int64, body json.RawMessage) error {
	for _, of := range e.updates {
		delete(of, id)
	}
	if body == nil {
		return nil
	}
	var u continuity.Update
	if err := json.Unmarshal(body, &u); err != nil {
		return err
	}
	if e.updates[u.About] == nil {
		e.updates[u.About] = map[string]kept[continuity.Update]{}
	}
	e.updates[u.About][id] = kept[continuity.Update]{u, version}
	return nil
}

// Step implements follow.Engine: what is due of one incident becomes true at a time.
func (e *Engine) Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	for _, id := range slices.Sorted(maps.Keys(e.incidents)) {
		t := e.turn(id, now)
		t.decide()
		if changes := follow.Free(ctx, t.changes()); len(changes) > 0 {
			return changes, time.Time{}, nil
		}
		next = sooner(next, t.next)
	}
	changes, again := e.answers(ctx, now)
	return changes, sooner(next, again), nil
}

// sooner is the earlier of two times of which either may be none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// turn is one look at an incident.
type turn struct {
	e        *Engine
	i        continuity.Incident
	version  int64
	rules    *Rules
	now, at  time.Time // really, and by the clock that its schedules go by
	next     time.Time // when to look again
	spoken   continuity.Spoken
	spokenAt int64

	told, marked bool // the incident, or what was said of it, changed
	made         []continuity.Change
}

func (e *Engine) turn(id string, now time.Time) *turn {
	of := e.incidents[id]
	t := &turn{e: e, i: of.is, version: of.version, now: now, at: e.clocks.At(of.is.Exercise, now)}
	t.i.Public = maps.Clone(of.is.Public)
	if said, ok := e.spoken[id]; ok {
		t.spoken, t.spokenAt = said.is, said.version
		t.spoken.Marks = maps.Clone(said.is.Marks)
	} else {
		t.spoken = continuity.Spoken{ID: continuity.SpokenID(id), Incident: id, Service: of.is.Service}
	}
	return t
}

// shown is what the exercise's clock shows, for what belongs to one.
func (t *turn) shown() time.Time {
	if t.i.Exercise == "" {
		return time.Time{}
	}
	return t.at
}

// wake has the engine look again when the incident's clock shows a time.
func (t *turn) wake(at time.Time) {
	if real, ok := t.e.clocks.Due(t.i.Exercise, at); ok {
		t.next = sooner(t.next, real)
	}
}

// due reports whether a time has come; else the engine looks again then.
func (t *turn) due(at time.Time) bool {
	if !t.at.Before(at) {
		return true
	}
	t.wake(at)
	return false
}

// mark notes that something was said for a time.
func (t *turn) mark(what string, at time.Time) {
	if t.spoken.Marks == nil {
		t.spoken.Marks = map[string]time.Time{}
	}
	t.spoken.Marks[what], t.marked = at, true
}

// marked reports whether something was said for a time.
func (t *turn) was(what string, at time.Time) bool {
	said, ok := t.spoken.Marks[what]
	return ok && said.Equal(at)
}

func (t *turn) add(c ...continuity.Change) { t.made = append(t.made, c...) }

// changes are what is to become true, together.
func (t *turn) changes() []continuity.Change {
	if t.told {
		t.i.Shown = t.shown()
		t.add(continuity.Set(continuity.KindIncident, t.i.ID, t.i.Service, t.version, "words.told", "", &t.i))
	}
	if t.marked {
		t.add(t.spoken.Change(t.spokenAt))
	}
	return t.made
}

// decide says what is due of an incident.
func (t *turn) decide() {
	if t.i.State == continuity.Merged {
		for _, id := range slices.Sorted(maps.Keys(t.e.updates[t.i.ID])) {
			if u := t.e.updates[t.i.ID][id]; u.is.State == continuity.UpdateDraft {
				t.withdraw(&u.is, u.version, "merged", t.i.Into)
			}
		}
		return
	}
	if t.e.clocks.Over(t.i.Exercise) {
		t.played()
		return
	}
	t.answered()
	ended := t.i.State == continuity.Resolved || t.i.State == continuity.Closed
	if ended && t.i.Personal == nil && len(t.heard()) == 0 && !t.drafts() {
		return
	}
	rules, ok := t.e.plans.Of(t.i.Service, t.now)
	if !ok {
		if !ended {
			t.next = t.now.Add(planless)
		}
		return
	}
	t.rules = rules
	t.law()
	t.approvals()
	if ended {
		t.last()
		return
	}
	t.byRunbooks()
	t.first()
	t.remind()
}
