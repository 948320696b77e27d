package planbook

import (
	"context"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

// roll is whom the database knows, as of one moment.
type roll struct {
	people *plan.People
	by     map[string]continuity.Person
}

// readPeople reads the roll; reading is locked.
func (b *Book) readPeople(ctx context.Context) error {
	r := &roll{people: &plan.People{}, by: map[string]continuity.Person{}}
	now := b.Now()
	for cursor := ""; ; {
		page, next, err := b.People.List(ctx, cursor, pageSize)
		if err != nil {
			return err
		}
		for _, person := range page {
			known := plan.Person{ID: person.ID, Name: plan.Text{En: person.Names["en"], Zh: person.Names["zh"]}}
			if person.HasLeft(now) {
				known.Left = person.Left.Format(time.DateOnly)
			}
			r.people.People = append(r.people.People, known)
			r.by[person.ID] = person
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.people != nil && slices.EqualFunc(b.people.people.People, r.people.People, same) {
		r.people = b.people.people // plans that were read by it need not be read again
	}
	b.people = r
	return nil
}

// same reports whether two entries of a roll say the same of a person.
func same(a, b plan.Person) bool { return a.ID == b.ID && a.Name == b.Name && a.Left == b.Left }

// named says who a person is.
func (r *roll) named(id string, now time.Time) PlanPerson {
	p, ok := r.by[id]
	return PlanPerson{ID: id, Names: maps.Clone(p.Names), Unknown: !ok, Left: p.HasLeft(now)}
}

// PlanPerson is somebody whom a plan names.
type PlanPerson struct {
	ID      string            `json:"id"`
	Names   map[string]string `json:"names,omitempty"` // by language
	Left    bool              `json:"left,omitempty"`
	Unknown bool              `json:"unknown,omitempty"`
}
