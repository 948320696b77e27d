package incident

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Merge has an incident go on in another one of its service. Its own account stays,
// and is read with the other's.
func (a *Acts) Merge(ctx context.Context, by By, id string, version int64, into, why string) (Kept, error) {
	return a.edit(ctx, by, id, version, "merged", why, func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		if err := may(e.rules, by, MayGrade); err != nil {
			return err
		}
		if strings.TrimSpace(why) == "" {
			return invalid("why")
		}
		other, err := a.Get(ctx, into)
		if err != nil {
			return err
		}
		switch {
		case into == id || other.Service != e.Service || other.Exercise != e.Exercise:
			return refused("other", "id", into)
		case !other.Stands():
			return refused("over", "id", into, "state", other.Incident.State)
		}
		i := clone(other.Incident)
		i.From = append(i.From, id)
		for _, hit := range e.Hits {
			if !slices.Contains(i.Hits, hit) {
				i.Hits = append(i.Hits, hit)
			}
		}
		if e.Started.Before(i.Started) {
			known := i.Known()
			i.Started = e.Started
			if !i.Began.IsZero() {
				i.Began = known.Add(i.Started.Sub(i.Declared))
			}
		}
		if i.GradedBy == nil {
			i.Grade = worse(i.Grade, e.Incident.Grade)
		}
		i.RTO, i.MTD = e.rules.limits(i.Grade, i.Hits)
		i.Personal = strictest(i.Personal, e.Personal)
		i.Shown = e.shown
		e.ended("merged", func(catalogue.Lang) catalogue.Args { return catalogue.Args{"into": into, "by": by.Actor.ID} })
		e.Incident.State, e.Into = continuity.Merged, into
		e.more = append(e.more, continuity.Set(continuity.KindIncident, into, i.Service, other.Version, "incident.took-in", id, i))
		return nil
	})
}

// strictest is what the law asks for of two incidents that go on as one: the earliest
// of times until which an audience has to be told. Who was told of one of them alone has
// still to be told of the other.
func strictest(a, b *continuity.LegalClock) *continuity.LegalClock {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	if b.Since.Before(a.Since) {
		a, b = b, a
	}
	both := *a
	both.Due, both.Done = maps.Clone(a.Due), nil
	for audience, due := range b.Due {
		if was, there := both.Due[audience]; !there || due.Before(was) {
			if both.Due == nil {
				both.Due = map[string]time.Time{}
			}
			both.Due[audience] = due
		}
	}
	for audience, done := range a.Done {
		if other, told := b.Done[audience]; told {
			if both.Done == nil {
				both.Done = map[string]time.Time{}
			}
			both.Done[audience] = later(done, other)
		}
	}
	return &both
}

// Split makes an incident of a part of another one, and returns it.
func (a *Acts) Split(ctx context.Context, by By, id string, version int64, ask Asking) (Kept, error) {
	made := ""
	_, err := a.edit(ctx, by, id, version, "split", ask.Why, func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		if err := may(e.rules, by, MayDeclare); err != nil {
			return err
		}
		switch {
		case strings.TrimSpace(ask.Why) == "":
			return invalid("why")
		case ask.Scenario == "" && ask.Title == (continuity.Text{}):
			return invalid("what")
		case ask.Scenario != "" && e.rules.Scenario(ask.Scenario) == nil:
			return invalid("scenario", "value", ask.Scenario, "words", words(e.rules.Scenarios, func(s Scenario) string { return s.ID }))
		}
		if err := a.checkGrade(e.rules, ask.Grade, ask.Hits); err != nil {
			return err
		}
		known, err := a.all(ctx, e.Service)
		if err != nil {
			return err
		}
		for i := range known {
			if k := &known[i]; k.Stands() && ask.Scenario != "" && k.Scenario == ask.Scenario && k.Exercise == e.Exercise {
				return refused("stands", "id", k.ID)
			}
		}
		d := continuity.Declaration{
			Service: e.Service, Scenario: ask.Scenario, Grade: ask.Grade, Title: ask.Title, Hits: ask.Hits, Started: e.Started,
			Exercise: e.Exercise, Why: ask.Why, Origin: continuity.Origin{Kind: continuity.KindIncident, ID: id},
		}
		i := fresh(e.rules, &d, nextID(e.Service, e.now, ids(known)), e.now, e.shown)
		i.From = []string{id}
		e.Hits = slices.DeleteFunc(e.Hits, func(hit string) bool { return slices.Contains(ask.Hits, hit) })
		e.RTO, e.MTD = e.rules.limits(e.Incident.Grade, e.Hits)
		made = i.ID
		e.more = append(e.more, continuity.Set(continuity.KindIncident, i.ID, i.Service, continuity.VersionNew, "incident.declared", ask.Why, i))
		return nil
	})
	if err != nil {
		return Kept{}, err
	}
	return a.Get(ctx, made)
}

// Reopen has an incident that was resolved or closed stand again.
func (a *Acts) Reopen(ctx context.Context, by By, id string, version int64, why string) (Kept, error) {
	return a.edit(ctx, by, id, version, "reopened", why, func(e *editing) error {
		if e.Incident.State != continuity.Resolved && e.Incident.State != continuity.Closed {
			return refused("not-over", "id", id, "state", e.Incident.State)
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return err
		}
		if strings.TrimSpace(why) == "" {
			return invalid("why")
		}
		if x, err := a.exercise(ctx, e.Exercise); e.Exercise != "" && err == nil && x.Over() {
			return continuity.E(continuity.CodeState, nil, "detail_id", "exercise.ended", "id", x.ID)
		}
		reopen(&e.Incident, e.rules)
		return nil
	})
}

// Close ends the account of an incident that was resolved, with the kinds of cause
// that it had.
func (a *Acts) Close(ctx context.Context, by By, id string, version int64, causes []string, summary string) (Kept, error) {
	return a.edit(ctx, by, id, version, "closed", summary, func(e *editing) error {
		if e.Incident.State != continuity.Resolved {
			return refused("unresolved", "id", id, "state", e.Incident.State)
		}
		if err := may(e.rules, by, MayClose); err != nil {
			return err
		}
		if len(causes) == 0 {
			return invalid("cause", "value", "", "words", strings.Join(e.rules.Causes, ", "))
		}
		for _, cause := range causes {
			if len(e.rules.Causes) > 0 && !slices.Contains(e.rules.Causes, cause) {
				return invalid("cause", "value", cause, "words", strings.Join(e.rules.Causes, ", "))
			}
		}
		e.Incident.State, e.Closed, e.Causes, e.Summary = continuity.Closed, e.now, causes, strings.TrimSpace(summary)
		return nil
	})
}

// Review notes that the review was held.
func (a *Acts) Review(ctx context.Context, by By, id string, version int64, note string) (Kept, error) {
	return a.edit(ctx, by, id, version, "reviewed", note, func(e *editing) error {
		if e.Review.IsZero() || !e.Reviewed.IsZero() {
			return refused("no-review", "id", id)
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return err
		}
		e.Reviewed = e.now
		return nil
	})
}

// Personal says that personal data is at stake, since it was known. From then on the
// times run within which the law wants audiences told.
func (a *Acts) Personal(ctx context.Context, by By, id string, version int64, since time.Time, why string) (Kept, error) {
	return a.edit(ctx, by, id, version, "personal-data", why, func(e *editing) error {
		if e.Incident.State == continuity.Merged {
			return e.stands()
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return err
		}
		switch {
		case strings.TrimSpace(why) == "":
			return invalid("why")
		case e.Personal != nil:
			return refused("personal", "id", id)
		case since.After(e.time):
			return invalid("started")
		}
		if since.IsZero() {
			since = e.time
		}
		clock := &continuity.LegalClock{Since: since.UTC(), Due: map[string]time.Time{}, By: by.Actor, Why: strings.TrimSpace(why)}
		for audience, within := range e.rules.Legal {
			clock.Due[audience] = clock.Since.Add(within)
		}
		e.Personal = clock
		return nil
	})
}
