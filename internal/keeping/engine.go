package keeping

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Options of an Engine.
type Options struct {
	Plans Plans
	Vault Vault
	Saw   func(ctx context.Context, kind, id string, at time.Time) error // the store's
	Wake  func()                                                         // has the engine asked soon, as a work has ended
	Now   func() time.Time
	Log   *slog.Logger
}

// Engine keeps sets of data while its node leads. It is made for one term, ended by
// Close: what another term's engine began was interrupted.
type Engine struct {
	o    Options
	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	sets    map[string]*kept
	backups map[string]continuity.Backup
	stored  map[string]int64 // versions of what is in backups
	began   map[string]time.Time

	mu      sync.Mutex
	flights map[string]*flight
}

// kept is a set as it is stored.
type kept struct {
	continuity.BackupSet

	version int64
}

// flight is a work that is under way. What it says is under the engine's lock.
type flight struct {
	set    Set
	kind   string
	cancel context.CancelFunc
	began  time.Time
	before int  // how often in a row it failed before
	well   bool // it follows, and changes have been safe since it began
	done   bool
	out    outcome
	got    meter
}

// outcome is what came of a work.
type outcome struct {
	captured Captured
	verdict  Verdict
	holdings *Holdings // nil: nobody could look
	err      error
}

// Kinds are the objects that the engine has to see.
func Kinds() []string { return []string{continuity.KindBackupSet, continuity.KindBackup} }

// New makes an engine whose works end with ctx.
func New(ctx context.Context, o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	e := &Engine{o: o, flights: map[string]*flight{}, began: map[string]time.Time{}}
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
	e.sets, e.backups, e.stored = map[string]*kept{}, map[string]continuity.Backup{}, map[string]int64{}
}

// Show implements follow.Engine.
func (e *Engine) Show(kind, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	switch kind {
	case continuity.KindBackup:
		delete(e.backups, id)
		delete(e.stored, id)
		if body == nil {
			return nil
		}
		var b continuity.Backup
		err := json.Unmarshal(body, &b)
		e.backups[id], e.stored[id] = b, version
		return err
	case continuity.KindBackupSet:
		if body == nil {
			delete(e.sets, id)
			return nil
		}
		k := &kept{version: version}
		err := json.Unmarshal(body, &k.BackupSet)
		e.sets[id] = k
		e.settle(k)
		return err
	}
	return nil
}

// settle forgets works whose end is stored.
func (e *Engine) settle(k *kept) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, lane := range []string{laneWork, laneProof} {
		f := e.flights[k.ID+lane]
		if running := *k.lane(lane); f != nil && f.done && (running == nil || !running.Started.Equal(f.began)) {
			delete(e.flights, k.ID+lane)
		}
	}
}

// Lanes of a set: works of one lane come one after the other.
const (
	laneWork   = " work"
	laneProof  = " proof"
	laneFollow = " follow"
	laneLook   = " look"
)

// lane is where it is stored what runs in a lane.
func (k *kept) lane(name string) **continuity.BackupWork {
	if name == laneProof {
		return &k.Proving
	}
	return &k.Running
}

// Step implements follow.Engine: one change of one set at a time.
func (e *Engine) Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	if err := e.ctx.Err(); err != nil {
		return nil, next, err // what ended with the term did not fail
	}
	sets, unread := e.o.Plans.Sets()
	wanted := map[string]*Set{}
	for i := range sets {
		wanted[sets[i].Key()] = &sets[i]
	}
	e.dismiss(wanted, unread)
	for _, id := range slices.Sorted(maps.Keys(e.sets)) {
		if wanted[id] == nil && !unread[e.sets[id].Service] {
			if gone := follow.Free(ctx, e.gone(id)); gone != nil {
				return gone, next, nil
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if follow.Alone(ctx, continuity.KindBackupSet, id) {
			continue
		}
		t := &turn{e: e, set: wanted[id], now: now}
		t.decide()
		if t.changes != nil {
			return t.changes, next, nil
		}
		if !t.next.IsZero() && (next.IsZero() || t.next.Before(next)) {
			next = t.next
		}
	}
	return nil, next, nil
}

// dismiss ends works on sets that no plan wants any more, or wants otherwise.
func (e *Engine) dismiss(wanted map[string]*Set, unread map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, f := range e.flights {
		set := wanted[f.set.Key()]
		if set == nil && unread[f.set.Service] || set != nil && set.same(&f.set) {
			continue
		}
		if f.kind != continuity.WorkFollow && set != nil {
			continue // it ends as it began
		}
		if f.cancel(); f.done {
			delete(e.flights, key)
		}
	}
}

// gone are the changes by which a set is forgotten that no plan has any more. What lies
// on targets stays.
func (e *Engine) gone(id string) (changes []continuity.Change) {
	k := e.sets[id]
	for _, key := range slices.Sorted(maps.Keys(e.backups)) {
		if strings.HasPrefix(key, id+"/") {
			changes = append(changes, continuity.Change{Kind: continuity.KindBackup, ID: key, Service: k.Service, Version: e.stored[key], Action: "backup.forgotten"})
		}
	}
	return append(changes, continuity.Change{Kind: continuity.KindBackupSet, ID: id, Service: k.Service, Version: k.version, Action: "backup-set.removed"})
}

// begin has something done beside the engine that failed so often before.
func (e *Engine) begin(set *Set, lane, kind string, at time.Time, before int, do func(context.Context, *flight) outcome) {
	ctx, cancel := context.WithCancel(e.ctx)
	f := &flight{set: *set, kind: kind, cancel: cancel, began: at, before: before}
	e.mu.Lock()
	e.flights[set.Key()+lane] = f
	e.mu.Unlock()
	e.work.Go(func() {
		defer cancel()
		out := do(ctx, f)
		e.say(ctx, f, out)
		e.mu.Lock()
		f.done, f.out = true, out
		e.mu.Unlock()
		e.o.Wake()
	})
}

// flight is what is under way in a lane of a set, as it stands.
func (e *Engine) flight(id, lane string) (f flight, there bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p := e.flights[id+lane]; p != nil {
		return *p, true
	}
	return flight{}, false
}

func (e *Engine) forget(id, lane string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.flights, id+lane)
}

// flying counts works of one kind.
func (e *Engine) flying(kind string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.flights {
		if f.kind == kind && !f.done {
			n++
		}
	}
	return n
}

// report keeps how far a work got.
func (e *Engine) report(f *flight) backup.Report {
	return func(p backup.Progress) {
		e.mu.Lock()
		defer e.mu.Unlock()
		f.got.note(p, e.o.Now())
	}
}

// Progress is how far works on a set got that can be measured.
func (e *Engine) Progress(id string) (all []Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, lane := range []string{laneWork, laneProof} {
		if f := e.flights[id+lane]; f != nil && !f.done && f.got.got.Phase != "" {
			all = append(all, f.got.shown(f.kind, e.o.Now()))
		}
	}
	return all
}
