package maintenance

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Store is where windows are kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
}

// ActsOptions are what acts need.
type ActsOptions struct {
	Store Store
	Plans Plans
	World World // nil: nothing is known besides plans
	// May says whether somebody may decide something of a service: a word of the
	// plan's roles. nil: whoever comes this far may.
	May func(ctx context.Context, by continuity.Actor, service, word string) error
	Now func() time.Time // nil: time.Now

	Measured Measured // nil: no figures are known
}

// Acts are what people do with windows, on any node.
type Acts struct{ o ActsOptions }

// NewActs makes them.
func NewActs(o ActsOptions) *Acts {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Acts{o}
}

// Kept is a window with its version.
type Kept struct {
	continuity.Window

	Version int64
}

// WindowDetail is a window with its ladder.
type WindowDetail struct {
	continuity.Window

	Ladder []Rung `json:"ladder" nullable:"false"` // of the notices before it
}

// Query selects windows.
type Query struct {
	Service string
	State   string
	Series  string
	All     bool // those that are over, too
	Cursor  string
	Limit   int
}

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "maintenance.invalid." + what}, pairs...)...)
}

// wrongState says that something is not possible any more, or not yet.
func wrongState(w *window) error {
	return continuity.E(continuity.CodeState, nil, "detail_id", "maintenance.state", "id", w.ID, "state", w.State, "state_text", "maintenance.states."+w.State)
}

// List returns a page of windows by their ids; it may have fewer than asked for.
func (a *Acts) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	for next = q.Cursor; ; {
		objects, after, err := a.o.Store.List(ctx, continuity.Query{Kind: continuity.KindWindow, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := keptOf(o)
			if err != nil {
				return nil, "", err
			}
			if (q.All || q.State != "" || !over(&k.Window)) && (q.State == "" || q.State == k.State) && (q.Series == "" || q.Series == k.Series) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

func keptOf(o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Window)
}

// Get returns one window with its ladder, and its version.
func (a *Acts) Get(ctx context.Context, id string) (WindowDetail, int64, error) {
	o, err := a.o.Store.Get(ctx, continuity.KindWindow, id)
	if err != nil {
		return WindowDetail{}, 0, err
	}
	k, err := keptOf(o)
	d := WindowDetail{Window: k.Window, Ladder: []Rung{}}
	if rules, ok := a.o.Plans.Of(k.Service); ok {
		start := k.Start
		if !k.Foreseen.IsZero() { // its notices were due by that
			start = k.Foreseen
		}
		d.Ladder = rules.Ladder(k.Kind, start)
	}
	return d, k.Version, err
}

// rules are those of a service, or an error that says that there is no such plan.
func (a *Acts) rules(service string) (*Rules, error) {
	r, ok := a.o.Plans.Of(service)
	if !ok {
		return nil, continuity.E(continuity.CodeNotFound, nil, "kind", "plan", "id", service)
	}
	return r, nil
}

// each hands on all objects of a kind.
func (a *Acts) each(ctx context.Context, kind, service string, take func(continuity.Object) error) error {
	for cursor := ""; ; {
		page, next, err := a.o.Store.List(ctx, continuity.Query{Kind: kind, Service: service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			if err := take(o); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// knows reads the objects by which windows of a service are decided on.
func (a *Acts) knows(ctx context.Context, service string) (facts, error) {
	f := newFacts()
	take := func(o continuity.Object) error { return f.take(o.Kind, o.ID, o.Version, o.Body) }
	for _, kind := range []string{continuity.KindExercise, continuity.KindChannel} {
		if err := a.each(ctx, kind, "", take); err != nil {
			return f, err
		}
	}
	return f, a.each(ctx, continuity.ObjectCheck, service, take)
}

// windows are all of a service.
func (a *Acts) windows(ctx context.Context, service string) (all []continuity.Window, err error) {
	err = a.each(ctx, continuity.KindWindow, service, func(o continuity.Object) error {
		k, err := keptOf(o)
		all = append(all, k.Window)
		return err
	})
	return all, err
}

// mostTries bounds how often an act is done anew because something else changed the
// window meanwhile.
const mostTries = 10

// act reads a window, has it changed, and commits that. version is the one that was
// seen, or continuity.VersionAny.
func (a *Acts) act(ctx context.Context, by continuity.Actor, id string, version int64, do func(*window) error) (Kept, error) {
	for range mostTries {
		o, err := a.o.Store.Get(ctx, continuity.KindWindow, id)
		if err != nil {
			return Kept{}, err
		}
		k, err := keptOf(o)
		if err != nil {
			return Kept{}, err
		}
		if version != continuity.VersionAny && version != k.Version {
			return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindWindow, "id", id, "version", k.Version)
		}
		w, err := a.open(ctx, k)
		if err != nil {
			return k, err
		}
		if err := do(w); err != nil {
			return k, err
		}
		changes := w.changes()
		if changes == nil {
			return k, nil // it is so already
		}
		objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: changes})
		if continuity.CodeOf(err) == continuity.CodeVersion && version == continuity.VersionAny {
			continue
		}
		if err != nil {
			return k, err
		}
		return keptOf(objects[0])
	}
	return Kept{}, continuity.E(continuity.CodeBusy, nil)
}

// open makes a window ready to be decided on.
func (a *Acts) open(ctx context.Context, k Kept) (*window, error) {
	rules, err := a.rules(k.Service)
	if err != nil {
		return nil, err
	}
	known, err := a.knows(ctx, k.Service)
	if err != nil {
		return nil, err
	}
	now := a.o.Now().UTC()
	return &window{Window: k.Window, version: k.Version, rules: rules, facts: known, now: now, shown: known.clocks.At(k.Exercise, now).UTC(), measured: a.o.Measured}, nil
}

// may asks whether somebody may decide something.
func (a *Acts) may(ctx context.Context, by continuity.Actor, service, word string) error {
	if a.o.May == nil {
		return nil
	}
	return a.o.May(ctx, by, service, word)
}

// scene is what windows of a service are placed by in a time.
func (a *Acts) scene(ctx context.Context, rules *Rules, in calendar.Window) (*scene, error) {
	others, err := a.windows(ctx, rules.Service)
	if err != nil {
		return nil, err
	}
	return sceneOf(ctx, a.o.World, rules, in, others)
}

// place says what a window falls on, and keeps it. Work at short notice lies where it
// has to: it falls on nothing but more of its kind, which may be the same twice.
func (a *Acts) place(ctx context.Context, w *window) error {
	if w.Kind == continuity.WindowEmergency {
		all, err := a.windows(ctx, w.Service)
		if err != nil {
			return err
		}
		others := slices.DeleteFunc(all, func(o continuity.Window) bool {
			return o.Kind != continuity.WindowEmergency || o.Exercise != w.Exercise
		})
		w.Placed = nil
		if falls := (&scene{rules: w.rules, others: others}).overlaps(w.span(), w.ID); len(falls) > 0 {
			w.Placed = &continuity.Placed{Share: -1, Falls: falls}
		}
		return nil
	}
	s, err := a.scene(ctx, w.rules, w.span())
	if err != nil {
		return err
	}
	w.Placed, err = s.place(ctx, w.span(), w.ID)
	return err
}

// lackError names what a window lacks.
func lackError(lacks []string) error {
	return invalid("lacks", "words", lackWords(lacks))
}

// fallsError names what a window falls on.
func fallsError(w *window) error {
	var kinds, all []string
	for _, f := range w.Placed.Falls {
		name := strings.TrimSpace(f.ID + " " + f.Title)
		if f.Kind != "longest" {
			name += " " + w.clock(f.Start)
		}
		all = append(all, name)
		if kind := "maintenance.falls." + f.Kind; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return invalid("falls", "kinds", kinds, "words", strings.Join(slices.Compact(all), "; "))
}
