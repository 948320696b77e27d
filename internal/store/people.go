package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/continuity"
)

const kindPerson = "person"

// People is the store of persons.
type People struct{ s *Store }

// People returns the store of persons.
func (s *Store) People() People { return People{s} }

// Get returns a person and their version.
func (p People) Get(ctx context.Context, id string) (continuity.Person, int64, error) {
	var person continuity.Person
	o, err := p.s.Get(ctx, kindPerson, id)
	if err == nil {
		err = read(o, &person)
	}
	return person, o.Version, err
}

// List returns a page of persons by their ids.
func (p People) List(ctx context.Context, cursor string, limit int) (page []continuity.Person, next string, err error) {
	objects, next, err := p.s.List(ctx, continuity.Query{Kind: kindPerson, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	page = make([]continuity.Person, len(objects))
	for i, o := range objects {
		if err := read(o, &page[i]); err != nil {
			return nil, "", err
		}
	}
	return page, next, nil
}

// Put writes a person down whose version is as expected, and returns the new one.
func (p People) Put(ctx context.Context, actor continuity.Actor, person continuity.Person, version int64, reason string) (int64, error) {
	change, err := personChange(person, version, reason)
	if err != nil {
		return 0, err
	}
	return p.one(ctx, actor, change)
}

// Leave notes when a person goes, or with the zero time that they stay.
func (p People) Leave(ctx context.Context, actor continuity.Actor, id string, at time.Time, reason string) (int64, error) {
	person, version, err := p.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	person.Left = at
	change, err := personChange(person, version, reason)
	if err != nil {
		return 0, err
	}
	change.Action = "person.left"
	if at.IsZero() {
		change.Action = "person.stays"
	}
	return p.one(ctx, actor, change)
}

func (p People) one(ctx context.Context, actor continuity.Actor, change continuity.Change) (int64, error) {
	objects, err := p.s.Apply(ctx, actor, []continuity.Change{change})
	if err != nil {
		return 0, err
	}
	return objects[0].Version, nil
}

// Import writes down whoever is new or differs, all or none, and returns how
// many those were. Persons who aren't in the list stay as they are.
func (p People) Import(ctx context.Context, actor continuity.Actor, people []continuity.Person, reason string) (changed int, err error) {
	var changes []continuity.Change
	seen := map[string]bool{}
	for _, person := range people {
		if seen[person.ID] {
			return 0, continuity.E(continuity.CodeInvalid, fmt.Errorf("person %q is in the list twice", person.ID))
		}
		seen[person.ID] = true
		old, version, err := p.Get(ctx, person.ID)
		if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
			return 0, err
		}
		change, err := personChange(person, version, reason)
		if err != nil {
			return 0, err
		}
		if version == 0 || len(old.Differing(person)) > 0 {
			changes = append(changes, change)
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	_, err = p.s.Apply(ctx, actor, changes)
	return len(changes), err
}

func personChange(person continuity.Person, version int64, reason string) (continuity.Change, error) {
	if person.ID == "" || len(person.Names) == 0 {
		return continuity.Change{}, continuity.E(continuity.CodeInvalid, errors.New("a person needs an id and a name"))
	}
	action := "person.changed"
	if version == continuity.VersionNew {
		action = "person.created"
	}
	return change(kindPerson, person.ID, "", version, action, reason, person)
}

// change makes a change to a value that is kept as JSON.
func change(kind, id, service string, version int64, action, reason string, v any) (continuity.Change, error) {
	body, err := json.Marshal(v)
	return continuity.Change{Kind: kind, ID: id, Service: service, Version: version, Body: body, Action: action, Reason: reason}, err
}

func read(o continuity.Object, v any) error {
	if err := json.Unmarshal(o.Body, v); err != nil {
		return fmt.Errorf("%s %s: %w", o.Kind, o.ID, err)
	}
	return nil
}
