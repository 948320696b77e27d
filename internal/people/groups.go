package people

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// TimerGroup is the kind of the timers by which groups end.
const TimerGroup = "group.end"

// Actions of groups in events.
const (
	groupMade    = "group.made"
	groupChanged = "group.changed"
	groupEnded   = "group.ended"
)

// mostMembers bounds a group.
const mostMembers = 1000

// GroupStore keeps groups; *store.Store is one.
type GroupStore interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(ctx context.Context, q continuity.Query) (page []continuity.Object, next string, err error)
	Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error)
}

// Groups are the people who are told together. A group for a time ends by itself.
type Groups struct {
	Store  GroupStore
	Person func(ctx context.Context, id string) (continuity.Person, int64, error)
	Now    func() time.Time
}

// Kept is a group with its version.
type Kept struct {
	continuity.Group

	Version int64
	Gone    []string // of its people: who have left or are not known any more
}

var groupForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

func timerOf(id string) string { return "group/" + id }

// Get returns a group that has not ended.
func (g Groups) Get(ctx context.Context, id string) (Kept, error) {
	o, err := g.Store.Get(ctx, continuity.KindGroup, id)
	if err != nil {
		return Kept{}, err
	}
	k, err := g.read(ctx, o)
	if err == nil && k.Over(g.Now()) { // its timer is late
		return Kept{}, continuity.E(continuity.CodeNotFound, nil, "kind", continuity.KindGroup, "id", id)
	}
	return k, err
}

func (g Groups) read(ctx context.Context, o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	if err := json.Unmarshal(o.Body, &k.Group); err != nil {
		return k, err
	}
	for _, id := range k.People {
		gone, err := g.gone(ctx, id)
		if err != nil {
			return k, err
		}
		if gone {
			k.Gone = append(k.Gone, id)
		}
	}
	return k, nil
}

// gone reports whether a person has left or is not known.
func (g Groups) gone(ctx context.Context, id string) (bool, error) {
	p, _, err := g.Person(ctx, id)
	switch code := continuity.CodeOf(err); {
	case code == continuity.CodeNotFound || code == continuity.CodeInvalid:
		return true, nil
	case err != nil:
		return false, err
	}
	return p.HasLeft(g.Now()), nil
}

// List returns a page of the groups by their ids.
func (g Groups) List(ctx context.Context, cursor string, limit int) (page []Kept, next string, err error) {
	objects, next, err := g.Store.List(ctx, continuity.Query{Kind: continuity.KindGroup, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	page = []Kept{}
	for _, o := range objects {
		k, err := g.read(ctx, o)
		if err != nil {
			return nil, "", err
		}
		if !k.Over(g.Now()) {
			page = append(page, k)
		}
	}
	return page, next, nil
}

// Put makes or changes a group.
func (g Groups) Put(ctx context.Context, by continuity.Actor, group continuity.Group, version int64, reason string) (Kept, error) {
	if err := g.check(ctx, &group); err != nil {
		return Kept{}, err
	}
	body, err := json.Marshal(group)
	if err != nil {
		return Kept{}, err
	}
	action := groupChanged
	if version == continuity.VersionNew {
		action = groupMade
	}
	b := continuity.Batch{Actor: by, Changes: []continuity.Change{{
		Kind: continuity.KindGroup, ID: group.ID, Version: version, Body: body, Action: action, Reason: reason,
	}}}
	if group.Until.IsZero() {
		b.Cancel = []string{timerOf(group.ID)}
	} else {
		id, _ := json.Marshal(group.ID) // a text
		b.Schedule = []continuity.Timer{{ID: timerOf(group.ID), Kind: TimerGroup, Due: group.Until, Body: id}}
	}
	objects, err := g.Store.Commit(ctx, b)
	if err != nil {
		return Kept{}, err
	}
	return Kept{Group: group, Version: objects[0].Version}, nil
}

func (g Groups) check(ctx context.Context, group *continuity.Group) error {
	switch {
	case !groupForm.MatchString(group.ID):
		return refused("group-id", "value", group.ID)
	case len(group.People) == 0 || len(group.People) > mostMembers:
		return refused("group-size", "id", group.ID, "most", mostMembers)
	case group.Over(g.Now()):
		return refused("group-past", "id", group.ID)
	}
	if group.Name == (continuity.Text{}) {
		group.Name = continuity.Text{En: group.ID, Zh: group.ID}
	}
	group.Until = group.Until.UTC()
	group.People = slices.Compact(slices.Sorted(slices.Values(group.People)))
	for _, id := range group.People {
		gone, err := g.gone(ctx, id)
		if err != nil {
			return err
		}
		if gone {
			return refused("group-person", "id", group.ID, "value", id)
		}
	}
	return nil
}

// End ends a group. What it was stays in its events.
func (g Groups) End(ctx context.Context, by continuity.Actor, id string, version int64, reason string) error {
	_, err := g.Store.Commit(ctx, continuity.Batch{Actor: by, Cancel: []string{timerOf(id)}, Changes: []continuity.Change{{
		Kind: continuity.KindGroup, ID: id, Version: version, Action: groupEnded, Reason: reason,
	}}})
	return err
}

// Expire is the handler of TimerGroup: it ends a group whose time is over.
func (g Groups) Expire(ctx context.Context, t continuity.Timer) (continuity.Batch, error) {
	b := continuity.Batch{Actor: continuity.Actor{Kind: continuity.ActorEngine, ID: "people"}}
	var id string
	if err := json.Unmarshal(t.Body, &id); err != nil {
		return b, err
	}
	o, err := g.Store.Get(ctx, continuity.KindGroup, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	var group continuity.Group
	if err := json.Unmarshal(o.Body, &group); err != nil {
		return b, err
	}
	switch {
	case group.Until.IsZero():
	case !group.Over(g.Now()):
		t.Due = group.Until
		b.Schedule = []continuity.Timer{t}
	default:
		b.Changes = []continuity.Change{{Kind: continuity.KindGroup, ID: id, Version: o.Version, Action: groupEnded, Reason: ReasonGroupOver}}
	}
	return b, nil
}

// ReasonGroupOver is why a group ended by itself; a code of the catalogue.
const ReasonGroupOver = "people.group-over"
