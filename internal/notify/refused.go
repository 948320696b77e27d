package notify

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

const (
	// strikes is how often in a row the store refuses a notification before it is left
	// alone: a person may have been faster once.
	strikes = 2
	// leave is how long that is first, twice as long each time, up to mostLeave.
	leave     = 5 * time.Second
	mostLeave = 5 * time.Minute
)

// errRefused says that some of what was decided was not committed: everything is
// read anew.
var errRefused = errors.New("notify: the store refused a change")

// refusal is a notification whose changes the store refuses.
type refusal struct {
	continuity.Refusal

	strikes int
	until   time.Time // until then it is left alone
	pause   time.Duration
}

// unit is what becomes true at once, or not at all.
type unit struct {
	of      string // the notification; empty: of none
	changes []continuity.Change
	set     []func(version int64)
}

func (u *unit) add(c continuity.Change, set func(int64)) {
	u.changes, u.set = append(u.changes, c), append(u.set, set)
}

// commit makes units true together, or, where the store refuses that, each by
// itself: one that it does not take holds up no other.
func (e *Engine) commit(ctx context.Context, lease continuity.Lease, units []*unit) error {
	var all []continuity.Change
	var set []func(int64)
	for _, u := range units {
		all, set = append(all, u.changes...), append(set, u.set...)
	}
	if len(all) == 0 {
		return nil
	}
	objects, err := e.o.Store.Commit(ctx, continuity.Batch{
		Actor: continuity.Actor{Kind: continuity.ActorEngine, ID: "notify", Via: e.o.Node}, Changes: all, Leader: &lease,
	})
	switch {
	case err == nil:
		for i := range set {
			set[i](objects[i].Version)
		}
		for _, u := range units {
			if r := e.refused[u.of]; r != nil {
				e.unsaid = e.unsaid || r.pause > 0
				delete(e.refused, u.of)
			}
		}
		return nil
	case continuity.OfStore(err):
		return err
	case len(units) == 1:
		e.refuse(units[0], err)
		return errRefused
	}
	var refused error
	for i := range units {
		if err := e.commit(ctx, lease, units[i:i+1]); err != nil {
			if refused = err; !errors.Is(err, errRefused) {
				return err
			}
		}
	}
	return refused
}

func (e *Engine) refuse(u *unit, err error) {
	c, now := &u.changes[0], e.o.Now().UTC()
	r := e.refused[u.of]
	if r == nil {
		r = &refusal{Refusal: continuity.Refusal{Kind: continuity.KindNotification, ID: u.of, Service: c.Service, Since: now}}
		if u.of == "" {
			r.Kind, r.ID = c.Kind, c.ID
		}
		e.refused[u.of] = r
	}
	r.Code = continuity.CodeOf(err)
	if r.strikes++; r.strikes < strikes {
		return
	}
	if r.pause == 0 {
		e.unsaid = true
		e.o.Log.Error("a notification can't be brought on", "kind", r.Kind, "id", r.ID, "code", r.Code, "err", err)
	}
	r.pause = min(max(2*r.pause, leave), mostLeave)
	r.until = now.Add(r.pause)
}

// alone reports whether a notification is left alone for now.
func (e *Engine) alone(id string) bool {
	r := e.refused[id]
	return r != nil && !r.until.IsZero()
}

// retry takes up again what was left alone long enough. What is known of it is not
// what is stored.
func (e *Engine) retry(now time.Time) {
	for _, r := range e.refused {
		if !r.until.IsZero() && !now.Before(r.until) {
			r.until, e.loaded = time.Time{}, false
		}
	}
}

// learn takes an object. What can't be read is left out, and holds up nothing else.
func (e *Engine) learn(kind, id, service string, version int64, body []byte) {
	err := e.take(kind, id, version, body)
	key := [2]string{kind, id}
	_, before := e.blind[key]
	switch {
	case err == nil && before:
		delete(e.blind, key)
		e.unsaid = true
	case err != nil && !before:
		e.blind[key] = continuity.Refusal{Kind: kind, ID: id, Service: service, Code: continuity.CodeOf(err), Unread: true, Since: e.o.Now().UTC()}
		e.unsaid = true
		e.o.Log.Error("an object can't be read", "kind", kind, "id", id, "err", err)
	}
}

// say tells of what can't be brought on, whenever that has changed.
func (e *Engine) say(ctx context.Context) {
	if !e.unsaid || e.o.Refused == nil || ctx.Err() != nil {
		return
	}
	all := slices.Collect(maps.Values(e.blind))
	for _, r := range e.refused {
		if r.pause > 0 {
			all = append(all, r.Refusal)
		}
	}
	slices.SortFunc(all, func(a, b continuity.Refusal) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	if err := e.o.Refused(ctx, all); err != nil {
		e.o.Log.Warn("what can't be told was not written down", "err", err)
		return
	}
	e.unsaid = false
}
