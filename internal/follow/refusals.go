package follow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

const (
	// strikes is how often in a row a batch is refused before its objects are left
	// alone: somebody else may have been faster once or twice.
	strikes = 3
	// leave is how long they are left alone first, twice as long each time, up to mostLeave.
	leave     = 5 * time.Second
	mostLeave = 5 * time.Minute
	// calm is how long after that nothing has to be refused for it to be forgotten.
	calm = 30 * time.Second
)

// Refusal is an object that an engine can't bring on.
type Refusal = continuity.Refusal

type ref struct{ kind, id string }

// refusal is what is known of an object whose changes are refused.
type refusal struct {
	Refusal

	strikes int
	last    time.Time     // when it was refused
	until   time.Time     // until then it is left alone; zero: it is not
	pause   time.Duration // how long that is; 0: it was not left alone yet
}

// leftAlone are the objects whose changes are not tried now.
type leftAlone map[ref]time.Time

type leftAloneKey struct{}

// Free returns what an engine wants, and nothing where that changes an object that
// is left alone: the engine goes on with others then. Each engine asks it of each of
// its batches.
func Free(ctx context.Context, changes []continuity.Change) []continuity.Change {
	all, _ := ctx.Value(leftAloneKey{}).(leftAlone)
	if all.touch(changes) {
		return nil
	}
	return changes
}

// Alone reports whether an object is left alone now.
func Alone(ctx context.Context, kind, id string) bool {
	all, _ := ctx.Value(leftAloneKey{}).(leftAlone)
	_, there := all[ref{kind, id}]
	return there
}

func (l leftAlone) touch(changes []continuity.Change) bool {
	return len(l) > 0 && slices.ContainsFunc(changes, func(c continuity.Change) bool {
		_, there := l[ref{c.Kind, c.ID}]
		return there
	})
}

// alone are the objects that are left alone now.
func (f *Follower) alone(now time.Time) leftAlone {
	all := leftAlone{}
	for r, what := range f.refused {
		if now.Before(what.until) {
			all[r] = what.until
		}
	}
	return all
}

// subjects are the objects that a batch is of: those that it makes anew may have
// other names each time.
func subjects(changes []continuity.Change) []continuity.Change {
	known := slices.DeleteFunc(slices.Clone(changes), func(c continuity.Change) bool { return c.Version == continuity.VersionNew })
	if len(known) == 0 {
		return changes
	}
	return known
}

// refuse notes that the store did not take a batch. What the store could not do for
// its own sake says nothing of the batch.
func (f *Follower) refuse(changes []continuity.Change, err error, now time.Time) {
	if continuity.OfStore(err) {
		return
	}
	for _, c := range subjects(changes) {
		r := f.refused[ref{c.Kind, c.ID}]
		if r == nil {
			r = &refusal{Refusal: Refusal{Kind: c.Kind, ID: c.ID, Service: c.Service, Since: now}}
			f.refused[ref{c.Kind, c.ID}] = r
		}
		r.Code, r.last = continuity.CodeOf(err), now
		if r.strikes++; r.strikes < strikes && !errors.Is(err, errRestless) {
			continue
		}
		if r.pause == 0 {
			f.changed = true
			f.o.Log.Error("an object can't be brought on", "engine", f.o.Name, "kind", r.Kind, "id", r.ID, "code", r.Code, "err", err)
		}
		r.pause = min(max(2*r.pause, leave), mostLeave)
		r.until = now.Add(r.pause)
	}
}

// settle forgets what has not been refused any more, though it was not left alone:
// nothing is wanted of it.
func (f *Follower) settle(now time.Time) {
	for r, what := range f.refused {
		if now.Sub(what.last) > what.pause+calm {
			f.changed = f.changed || what.pause > 0
			delete(f.refused, r)
		}
	}
}

// accept notes that the store took a batch.
func (f *Follower) accept(changes []continuity.Change) {
	for _, c := range changes {
		if r := f.refused[ref{c.Kind, c.ID}]; r != nil {
			f.changed = f.changed || r.pause > 0
			delete(f.refused, ref{c.Kind, c.ID})
		}
	}
}

// unread notes whether an object can be read. Where it can't, it stays as it was
// shown last, and the others are shown all the same.
func (f *Follower) unread(r ref, service string, err error) {
	before := f.blind[r]
	delete(f.unseen, r)
	switch {
	case err == nil && before != nil:
		delete(f.blind, r)
		f.changed = true
	case err != nil && before == nil:
		f.blind[r] = &Refusal{Kind: r.kind, ID: r.id, Service: service, Code: continuity.CodeOf(err), Unread: true, Since: f.o.Now().UTC()}
		f.changed = true
		f.o.Log.Error("an object can't be read", "engine", f.o.Name, "kind", r.kind, "id", r.id, "err", err)
	}
}

// refusals are all objects that can't be brought on.
func (f *Follower) refusals() []Refusal {
	all := []Refusal{}
	for _, r := range f.refused {
		if r.pause > 0 {
			all = append(all, r.Refusal)
		}
	}
	for _, r := range f.blind {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Refusal) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return all
}

// tell says which objects can't be brought on, whenever that has changed.
func (f *Follower) tell(ctx context.Context) {
	if !f.changed || f.o.Refused == nil || ctx.Err() != nil {
		return
	}
	if err := f.o.Refused(ctx, f.refusals()); err != nil {
		f.o.Log.Warn("what an engine can't bring on was not written down", "engine", f.o.Name, "err", err)
		return
	}
	f.changed = false
}
