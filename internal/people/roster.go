package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Store keeps persons.
type Store interface {
	Get(ctx context.Context, id string) (continuity.Person, int64, error)
	List(ctx context.Context, cursor string, limit int) ([]continuity.Person, string, error)
	Put(ctx context.Context, actor continuity.Actor, person continuity.Person, version int64, reason string) (int64, error)
	Leave(ctx context.Context, actor continuity.Actor, id string, at time.Time, reason string) (int64, error)
	Import(ctx context.Context, actor continuity.Actor, people []continuity.Person, reason string) (changed int, err error)
}

// Roster is the people of a node.
type Roster struct {
	Store

	// Mentions are all places where plans that hold name people.
	Mentions func() []continuity.Mention
	// Wipe removes a person with all that events tell of them.
	Wipe func(ctx context.Context, actor continuity.Actor, id, reason string) error
	Now  func() time.Time
}

// Put writes a person down whose version is as expected.
func (r Roster) Put(ctx context.Context, actor continuity.Actor, person continuity.Person, version int64, reason string) (int64, error) {
	if err := check(person); err != nil {
		return 0, err
	}
	return r.Store.Put(ctx, actor, person, version, reason)
}

// Erase removes a person for good, unless a plan names them.
func (r Roster) Erase(ctx context.Context, actor continuity.Actor, id, reason string) error {
	named, err := r.Named(ctx, id)
	if err != nil {
		return err
	}
	if len(named) > 0 {
		return continuity.E(continuity.CodeState, nil, "detail_id", "people.named", "id", id, "count", len(named))
	}
	return r.Wipe(ctx, actor, id, reason)
}

// Named lists where plans that hold name people of a list.
func (r Roster) Named(_ context.Context, ids ...string) ([]continuity.Mention, error) {
	return slices.DeleteFunc(slices.Clone(r.Mentions()), func(m continuity.Mention) bool { return !slices.Contains(ids, m.Person) }), nil
}

// Compare says what Import would change.
func (r Roster) Compare(ctx context.Context, people []continuity.Person) (continuity.PeopleChange, error) {
	c := continuity.PeopleChange{Added: []string{}, Changed: []continuity.PersonChange{}, Missing: []string{}, Gone: []string{}, Named: []continuity.Mention{}}
	now := r.Now()
	listed := map[string]continuity.Person{}
	for _, p := range people {
		switch _, twice := listed[p.ID]; {
		case p.ID == "" || len(p.Names) == 0:
			return c, continuity.E(continuity.CodeInvalid, errors.New("a person without an id or a name"), "detail_id", "people.nameless")
		case twice:
			return c, continuity.E(continuity.CodeInvalid, fmt.Errorf("person %q is in the list twice", p.ID), "detail_id", "people.twice", "id", p.ID)
		}
		if err := check(p); err != nil {
			return c, err
		}
		listed[p.ID] = p
		if p.HasLeft(now) {
			c.Gone = append(c.Gone, p.ID)
		}
	}
	known := map[string]bool{}
	for cursor := ""; ; {
		page, next, err := r.List(ctx, cursor, 1000)
		if err != nil {
			return c, err
		}
		for _, old := range page {
			known[old.ID] = true
			p, ok := listed[old.ID]
			switch fields := old.Differing(p); {
			case !ok && !old.HasLeft(now):
				c.Missing = append(c.Missing, old.ID)
			case !ok:
			case len(fields) > 0:
				c.Changed = append(c.Changed, continuity.PersonChange{ID: old.ID, Fields: fields})
			default:
				c.Unchanged++
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for _, p := range people {
		if !known[p.ID] {
			c.Added = append(c.Added, p.ID)
		}
	}
	named, err := r.Named(ctx, c.Gone...)
	c.Named = append(c.Named, named...)
	return c, err
}

// Import writes down who is new or differs.
func (r Roster) Import(ctx context.Context, actor continuity.Actor, people []continuity.Person, reason string) (continuity.PeopleChange, error) {
	c, err := r.Compare(ctx, people)
	if err != nil {
		return c, err
	}
	if _, err := r.Store.Import(ctx, actor, people, reason); err != nil {
		return c, err
	}
	c.Done = true
	return c, nil
}
