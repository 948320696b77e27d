package keeping

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Bringer brings sets of data back. What it makes it makes under the id of the restore,
// so that each of its works can be done again.
type Bringer interface {
	// Bring restores a choice to a scratch place and compares it. Into beside or over, it
	// is then put beside the original; into a copy, it can be asked until Drop.
	Bring(ctx context.Context, set Set, r continuity.Restore, choice continuity.RestoreChoice, report backup.Report) (continuity.RestoredCopy, error)
	// Alive says whether a copy can be asked by this node.
	Alive(set Set, id string) bool
	Switch(ctx context.Context, set Set, id string) error
	Undo(ctx context.Context, set Set, id string) error
	Drop(ctx context.Context, set Set, into, id string) error
}

// Relays stand before a service.
type Relays interface {
	// Hold has a route's requests kept, in the restore's name, and returns when nothing is
	// on its way to the system behind any more.
	Hold(ctx context.Context, r continuity.Restore, route string) error
	// Redeliver has what reached the system since a moment, and is missing, delivered
	// again, before whatever else waits.
	Redeliver(ctx context.Context, r continuity.Restore, route string, since time.Time) (again, undecided int, err error)
	// Release lets a route's requests go on.
	Release(ctx context.Context, r continuity.Restore, route string) error
}

// RestorerOptions are what a Restorer needs.
type RestorerOptions struct {
	Plans   Plans
	Bringer Bringer
	Relays  Relays
	// Analyse opens the analysis of the cause, and says what it became.
	Analyse func(context.Context, continuity.Restore) (string, error)
	Wake    func()
	Now     func() time.Time
	Log     *slog.Logger
}

// Restorer leads restores through their states while its node leads. Each state's work
// can be repeated: it is stored before it begins, and done again after a crash.
type Restorer struct {
	o    RestorerOptions
	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	all  map[string]*keptRestore

	mu      sync.Mutex
	flights map[string]*bringing
}

type keptRestore struct {
	continuity.Restore

	version int64
}

// bringing is the work of a state that is under way.
type bringing struct {
	state  string
	since  time.Time
	cancel context.CancelFunc
	done   bool
	after  continuity.Restore // as the work leaves it
	err    error
	got    meter
}

// RestorerKinds are the objects that a Restorer has to see.
func RestorerKinds() []string { return []string{continuity.KindRestore} }

// NewRestorer makes one whose works end with ctx.
func NewRestorer(ctx context.Context, o RestorerOptions) *Restorer {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Restorer{o: o, flights: map[string]*bringing{}}
	e.ctx, e.stop = context.WithCancel(ctx)
	e.Reset()
	return e
}

// Close ends what is under way and waits for its end.
func (e *Restorer) Close() {
	e.stop()
	e.work.Wait()
}

// Reset implements follow.Engine.
func (e *Restorer) Reset() { e.all = map[string]*keptRestore{} }

// Show implements follow.Engine.
func (e *Restorer) Show(_, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	delete(e.all, id)
	if body == nil {
		return nil
	}
	k := &keptRestore{version: version}
	err := json.Unmarshal(body, &k.Restore)
	e.all[id] = k
	return err
}

// Step implements follow.Engine.
func (e *Restorer) Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	if err := e.ctx.Err(); err != nil {
		return nil, next, err // what ended with the term did not fail
	}
	for _, id := range slices.Sorted(maps.Keys(e.all)) {
		k := e.all[id]
		if follow.Alone(ctx, continuity.KindRestore, id) {
			continue
		}
		after, action, wait := e.decide(k, now)
		if after != nil {
			return []continuity.Change{continuity.Set(continuity.KindRestore, id, k.Service, k.version, action, after.Trying.Code, after)}, next, nil
		}
		if !wait.IsZero() && (next.IsZero() || wait.Before(next)) {
			next = wait
		}
	}
	return nil, next, nil
}

// decide is what becomes of a restore: what its work came to, or that work begun.
func (e *Restorer) decide(k *keptRestore, now time.Time) (after *continuity.Restore, action string, wait time.Time) {
	e.mu.Lock()
	f := e.flights[k.ID]
	if f != nil && (f.state != k.State || !f.since.Equal(k.Since)) { // of a state that was left
		f.cancel()
		if f.done {
			delete(e.flights, k.ID)
		}
		e.mu.Unlock()
		return nil, "", wait
	}
	done := f != nil && f.done // it may end at any moment
	if done {
		delete(e.flights, k.ID)
	}
	e.mu.Unlock()
	r := k.Restore
	switch {
	case f != nil && !done:
		return nil, "", wait
	case f != nil && f.err != nil:
		r = f.result(&k.Restore) // as far as it came
		r.Tries, r.Trying = k.Tries+1, Reason(f.err)
		r.Again = now.Add(pauseOf(&r))
		return &r, "restore.failed", wait
	case f != nil:
		r = f.result(&k.Restore)
		r.Tries, r.Trying, r.Again = 0, continuity.CheckReason{}, time.Time{}
		e.advance(&r, now)
		return &r, "restore." + r.State, wait
	case !r.Again.IsZero() && now.Before(r.Again):
		return nil, "", r.Again
	case r.State == continuity.RestoreReady && r.Into == continuity.IntoCopy && !e.alive(&r):
		r.State, r.Since = continuity.RestoreRestoring, now
		return &r, "restore." + r.State, wait // its node has gone: it is made anew
	case r.Aside() && !r.AsideUntil.IsZero():
		if now.Before(r.AsideUntil) {
			return nil, "", r.AsideUntil
		}
		r.State, r.Since = continuity.RestoreDropping, now
		return &r, "restore.aside-over", wait
	}
	if do := e.workOf(r.State); do != nil {
		e.begin(k, do)
	}
	return nil, "", wait
}

// result is what came of a work, with what people said meanwhile.
func (f *bringing) result(now *continuity.Restore) continuity.Restore {
	r := f.after
	r.Approved, r.Undoing, r.Dropping = now.Approved, now.Undoing, now.Dropping
	return r
}

// pauseOf is how long after it failed a restore is tried again. While requests are held
// their customers wait, and a relay that is started anew is there again soon.
func pauseOf(r *continuity.Restore) time.Duration {
	switch r.State {
	case continuity.RestoreRestoring, continuity.RestoreDropping:
		return backoff(r.Tries)
	}
	return min(firstHeldRetry<<min(r.Tries-1, 10), mostHeldRetry)
}

// alive says whether all copies can be asked.
func (e *Restorer) alive(r *continuity.Restore) bool {
	for i := range r.Sets {
		if set, ok := e.set(r.Service, r.Sets[i].Set); !ok || !e.o.Bringer.Alive(set, r.ID) {
			return false
		}
	}
	return true
}

// advance is the state after one whose work is done.
func (e *Restorer) advance(r *continuity.Restore, now time.Time) {
	switch r.State {
	case continuity.RestoreRestoring:
		r.State = continuity.RestoreReady
		if r.Readied.IsZero() {
			r.Readied = now
		}
		if r.Into != continuity.IntoOver {
			r.RTO, r.RPO = r.Readied.Sub(r.Fault), lost(r)
		}
	case continuity.RestoreHolding:
		r.State = continuity.RestoreSwitching
	case continuity.RestoreSwitching:
		r.State, r.Switched = continuity.RestoreRedelivering, now
	case continuity.RestoreRedelivering:
		r.State = continuity.RestoreDraining
	case continuity.RestoreDraining:
		r.State, r.Ended = continuity.RestoreDone, now
		r.RTO, r.RPO = now.Sub(r.Fault), lost(r)
		r.AsideUntil = AsideUntil(e.o.Plans, r, now)
	case continuity.RestoreUndoing:
		r.State, r.Ended = continuity.RestoreUndone, now
		r.Dropping, r.AsideUntil = nil, AsideUntil(e.o.Plans, r, now)
	case continuity.RestoreDropping:
		r.State, r.Ended = continuity.RestoreDropped, now
	}
	r.Since = now
}

// lost is how much of the time before the fault the copies lack, at most.
func lost(r *continuity.Restore) (most time.Duration) {
	for i := range r.Sets {
		if c := r.Sets[i].Copy; c != nil {
			most = max(most, r.Fault.Sub(c.Reached))
		}
	}
	return most
}

// since is the moment from which on something may be missing: the earliest that a copy
// reached, and somewhat before it, as clocks differ.
func since(r *continuity.Restore) time.Time {
	var at time.Time
	for i := range r.Sets {
		if c := r.Sets[i].Copy; c != nil && (at.IsZero() || c.Reached.Before(at)) {
			at = c.Reached
		}
	}
	return at.Add(-clocksDiffer)
}

// clocksDiffer is how much earlier than a copy's newest change it is looked for what is
// missing: what is there already is not sent again.
const clocksDiffer = 30 * time.Second

func (e *Restorer) set(service, id string) (Set, bool) {
	sets, _ := e.o.Plans.Sets()
	for i := range sets {
		if sets[i].Service == service && sets[i].ID == id {
			return sets[i], true
		}
	}
	return Set{}, false
}

func (e *Restorer) begin(k *keptRestore, do func(context.Context, *continuity.Restore, backup.Report) error) {
	ctx, cancel := context.WithCancel(e.ctx)
	f := &bringing{state: k.State, since: k.Since, cancel: cancel}
	var r continuity.Restore
	body, err := json.Marshal(k.Restore)
	if err == nil {
		err = json.Unmarshal(body, &r) // the work's own
	}
	e.mu.Lock()
	e.flights[k.ID] = f
	e.mu.Unlock()
	e.work.Go(func() {
		defer cancel()
		if err == nil {
			err = do(ctx, &r, func(p backup.Progress) {
				e.mu.Lock()
				defer e.mu.Unlock()
				f.got.note(p, e.o.Now())
			})
		}
		if err != nil && ctx.Err() == nil && (f.state == continuity.RestoreRestoring || seldom(r.Tries+1)) {
			e.o.Log.Warn("a restore failed, and is tried again", "restore", r.ID, "state", f.state, "tries", r.Tries+1, "reason", Reason(err).Line(), "error", err)
		}
		e.mu.Lock()
		f.done, f.after, f.err = true, r, err
		e.mu.Unlock()
		e.o.Wake()
	})
}

// workOf is what is done in a state; nil: nothing, as a person decides or it is over.
func (e *Restorer) workOf(state string) func(context.Context, *continuity.Restore, backup.Report) error {
	return map[string]func(context.Context, *continuity.Restore, backup.Report) error{
		continuity.RestoreRestoring:    e.bring,
		continuity.RestoreHolding:      e.hold,
		continuity.RestoreSwitching:    e.switchOver,
		continuity.RestoreRedelivering: e.redeliver,
		continuity.RestoreDraining:     e.drain,
		continuity.RestoreUndoing:      e.undo,
		continuity.RestoreDropping:     e.drop,
	}[state]
}

// each does something with each set of a restore that plans still have.
func (e *Restorer) each(r *continuity.Restore, do func(Set, *continuity.RestoreSet) error) error {
	for i := range r.Sets {
		set, ok := e.set(r.Service, r.Sets[i].Set)
		if !ok {
			return continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.set", "set", r.Sets[i].Set, "service", r.Service)
		}
		if err := do(set, &r.Sets[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Restorer) bring(ctx context.Context, r *continuity.Restore, report backup.Report) error {
	return e.each(r, func(set Set, s *continuity.RestoreSet) error {
		if s.Copy != nil && (r.Into != continuity.IntoCopy || e.o.Bringer.Alive(set, r.ID)) {
			return nil // before it failed at another
		}
		made, err := e.o.Bringer.Bring(ctx, set, *r, s.Choice, report)
		if err != nil {
			return err
		}
		s.Copy = &made
		return nil
	})
}

func (e *Restorer) hold(ctx context.Context, r *continuity.Restore, _ backup.Report) error {
	for i := range r.Routes {
		if err := e.o.Relays.Hold(ctx, *r, r.Routes[i].Route); err != nil {
			return err
		}
		r.Routes[i].Held = true
	}
	return nil
}

func (e *Restorer) switchOver(ctx context.Context, r *continuity.Restore, _ backup.Report) error {
	return e.each(r, func(set Set, _ *continuity.RestoreSet) error { return e.o.Bringer.Switch(ctx, set, r.ID) })
}

func (e *Restorer) redeliver(ctx context.Context, r *continuity.Restore, _ backup.Report) error {
	for i := range r.Routes {
		route := &r.Routes[i]
		if route.Delivered || r.Skipped != "" {
			continue
		}
		again, undecided, err := e.o.Relays.Redeliver(ctx, *r, route.Route, since(r))
		if err != nil {
			return err
		}
		route.Again, route.Undecided, route.Delivered = again, undecided, true
	}
	return nil
}

func (e *Restorer) drain(ctx context.Context, r *continuity.Restore, _ backup.Report) error {
	for i := range r.Routes {
		if r.Routes[i].Released {
			continue
		}
		if err := e.o.Relays.Release(ctx, *r, r.Routes[i].Route); err != nil {
			return err
		}
		r.Routes[i].Released = true
	}
	if r.Analysis == "" && e.o.Analyse != nil {
		id, err := e.o.Analyse(ctx, *r)
		if err != nil {
			return err
		}
		r.Analysis = id
	}
	return nil
}

// undo puts the originals back. Requests that reached the copies meanwhile are not sent to
// the originals by themselves: a person looks.
func (e *Restorer) undo(ctx context.Context, r *continuity.Restore, _ backup.Report) error {
	for i := range r.Routes {
		if err := e.o.Relays.Hold(ctx, *r, r.Routes[i].Route); err != nil {
			return err
		}
	}
	if err := e.each(r, func(set Set, _ *continuity.RestoreSet) error { return e.o.Bringer.Undo(ctx, set, r.ID) }); err != nil {
		return err
	}
	for i := range r.Routes {
		if err := e.o.Relays.Release(ctx, *r, r.Routes[i].Route); err != nil {
			return err
		}
	}
	return nil
}

func (e *Restorer) drop(ctx context.Context, r *continuity.Restore, _ backup.Report) error {
	return e.each(r, func(set Set, _ *continuity.RestoreSet) error { return e.o.Bringer.Drop(ctx, set, r.Into, r.ID) })
}

// Progress is how far the work on a restore got that runs on this node.
func (e *Restorer) Progress(id string) []Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.flights[id]; f != nil && !f.done && f.got.got.Phase != "" {
		return []Progress{f.got.shown(f.state, e.o.Now())}
	}
	return nil
}
