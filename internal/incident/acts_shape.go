package incident

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

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
		hits, err := e.part(ask.Scenario, ask.Hits)
		if err != nil {
			return err
		}
		d := continuity.Declaration{
			Service: e.Service, Scenario: ask.Scenario, Grade: ask.Grade, Title: ask.Title, Hits: hits, Started: e.Started,
			Exercise: e.Exercise, Why: ask.Why, Origin: continuity.Origin{Kind: continuity.KindIncident, ID: id},
		}
		i := fresh(e.rules, &d, nextID(e.Service, e.now, ids(known)), e.now, e.shown)
		i.From, i.Fell, i.Downs = []string{id}, e.Fell, slices.Clone(e.Downs)
		given(&i, by, ask.Grade)
		e.Hits = slices.DeleteFunc(e.Hits, func(hit string) bool { return slices.Contains(hits, hit) })
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

// part is what of an incident's hits goes to another one: what is named, or else what
// the scenario hits. Something has to go and something to stay, unless nobody said what
// is hit.
func (e *editing) part(scenario string, named []string) ([]string, error) {
	if len(e.Hits) == 0 && len(named) == 0 {
		return nil, nil
	}
	part := slices.Clone(named)
	for _, hit := range named {
		if !slices.Contains(e.Hits, hit) {
			return nil, invalid("part", "value", hit, "id", e.ID, "words", strings.Join(e.Hits, ", "))
		}
	}
	if s := e.rules.Scenario(scenario); len(named) == 0 && s != nil {
		part = slices.DeleteFunc(slices.Clone(s.Hits), func(hit string) bool { return !slices.Contains(e.Hits, hit) })
	}
	if stays := slices.ContainsFunc(e.Hits, func(hit string) bool { return !slices.Contains(part, hit) }); len(part) == 0 || !stays {
		return nil, invalid("parts", "id", e.ID, "words", strings.Join(e.Hits, ", "))
	}
	return part, nil
}

// given notes that a person gave a grade: impact no longer changes it.
func given(i *continuity.Incident, by By, grade string) {
	if grade != "" && (by.Actor.Kind == "user" || by.Trusted) {
		i.GradedBy = &by.Actor
	}
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
		since, err := e.downSince()
		if err != nil {
			return err
		}
		reopen(&e.Incident, e.rules, since, e.now, by.Actor)
		return nil
	})
}

// Close ends the account of an incident that was resolved, with the kinds of cause
// that it had. Where relays still do what they were told in its name this is refused,
// unless somebody says why it is closed all the same.
func (a *Acts) Close(ctx context.Context, by By, id string, version int64, causes []string, summary, despite string) (Kept, error) {
	summary, despite = strings.TrimSpace(summary), strings.TrimSpace(despite)
	return a.edit(ctx, by, id, version, "closed", cmp.Or(summary, despite), func(e *editing) error {
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
		var err error
		if e.Holding, err = e.holding(); err != nil {
			return err
		}
		// Relays may still be taking it back just after; of what stays people are told then.
		if len(e.Holding) > 0 && despite == "" && !e.now.Before(e.Resolved.Add(settled)) {
			return refused("holding", "id", id, "routes", strings.Join(e.Holding, ", "))
		}
		e.Incident.State, e.Closed, e.Causes, e.Summary = continuity.Closed, e.now, causes, cmp.Or(summary, despite)
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
