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
			i.Downs = append(downBefore(&e.Incident, i.Downs, e.now), i.Downs...)
			i.Started = e.Started
			if !i.Began.IsZero() {
				i.Began = known.Add(i.Started.Sub(i.Declared))
			}
		}
		from := i.Grade
		if i.GradedBy == nil {
			i.Grade = worse(i.Grade, e.Incident.Grade)
		}
		i.RTO, i.MTD = e.rules.limits(i.Grade, i.Hits)
		i.Personal = strictest(i.Personal, e.Personal)
		if i.Heard.IsZero() || !e.Heard.IsZero() && e.Heard.Before(i.Heard) {
			i.Heard = e.Heard
		}
		i.Shown = e.shown
		tell(&i, e.now, e.shown, continuity.Notification{Urgency: continuity.UrgencyNotice, To: leaders(e.rules, &i)}, "took-in",
			func(catalogue.Lang) catalogue.Args {
				return catalogue.Args{"other": id, "other_grade": e.Incident.Grade, "from": from, "by": by.Actor.ID, "why": strings.TrimSpace(why)}
			}, &e.more)
		e.ended("merged", func(catalogue.Lang) catalogue.Args { return catalogue.Args{"into": into, "by": by.Actor.ID} })
		e.Incident.State, e.Into = continuity.Merged, into
		e.more = append(e.more, continuity.Set(continuity.KindIncident, into, i.Service, other.Version, "incident.took-in", id, i))
		return nil
	})
}

// downBefore is when an incident was down before the first of some times, by now: what
// they begin with is no longer when it started.
func downBefore(i *continuity.Incident, downs []continuity.Down, now time.Time) (all []continuity.Down) {
	if len(downs) == 0 {
		return nil // it is down since it started
	}
	times, _ := i.Times(now)
	for _, t := range times {
		if t.Until.After(downs[0].From) {
			t.Until = downs[0].From
		}
		if t.From.Before(t.Until) {
			all = append(all, t)
		}
	}
	return all
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
