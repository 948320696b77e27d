package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Grading is what somebody says of how hard an incident hits, and whom.
type Grading struct {
	Grade string
	Scope string   // one, office, everyone
	Hits  []string // nil: as before
	Why   string
}

// Grade says how hard it hits, and whom; impact no longer changes a grade that a
// person gave.
func (a *Acts) Grade(ctx context.Context, by By, id string, version int64, g Grading) (Kept, error) {
	return a.edit(ctx, by, id, version, "graded", g.Why, func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		if err := may(e.rules, by, MayGrade); err != nil {
			return err
		}
		switch {
		case strings.TrimSpace(g.Why) == "":
			return invalid("why")
		case g.Grade == "" && g.Scope == "" && g.Hits == nil:
			return invalid("grading")
		case g.Scope != "" && !slices.Contains([]string{continuity.ScopeOne, continuity.ScopeOffice, continuity.ScopeEveryone}, g.Scope):
			return invalid("scope", "value", g.Scope)
		}
		if err := a.checkGrade(e.rules, g.Grade, g.Hits); err != nil {
			return err
		}
		from := e.Incident.Grade
		if g.Grade != "" {
			e.Incident.Grade, e.GradedBy = g.Grade, &by.Actor
		}
		if g.Scope != "" {
			e.Scope = g.Scope
		}
		if g.Hits != nil {
			e.Hits = g.Hits
		}
		if g.Scope != "" || g.Hits != nil {
			e.Scoped = e.now
		}
		e.RTO, e.MTD = e.rules.limits(e.Incident.Grade, e.Hits)
		if from != e.Incident.Grade {
			e.tell(continuity.Notification{Urgency: continuity.UrgencyNotice, To: e.leaders()}, "regraded", func(catalogue.Lang) catalogue.Args {
				return catalogue.Args{"from": from, "by": by.Actor.ID, "why": g.Why}
			})
		}
		return nil
	})
}

func (e *editing) leaders() []continuity.Recipient { return leaders(e.rules, &e.Incident) }

// States are those between which people move an incident.
var States = []string{continuity.Investigating, continuity.Identified, continuity.Monitoring, continuity.Resolved}

// Stating is how far somebody says that the work is.
type Stating struct {
	State    string
	Why      string
	Restored time.Time // since when it works again; zero: now, where it does
	Despite  string    // why it is so although what the incident came of is bad
}

// State says how far the work is. What is watched or resolved is operational again.
// Where what it came of is bad this is refused, unless somebody says why it is so all the
// same; then nobody says that it works, but who says since when.
func (a *Acts) State(ctx context.Context, by By, id string, version int64, s Stating) (Kept, error) {
	state, restored, despite := s.State, s.Restored, strings.TrimSpace(s.Despite)
	return a.edit(ctx, by, id, version, "state", cmp.Or(strings.TrimSpace(s.Why), despite), func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return err
		}
		if !slices.Contains(States, state) {
			return invalid("state", "value", state, "words", strings.Join(States, ", "))
		}
		if state == e.Incident.State {
			return refused("same", "id", id, "state", state)
		}
		if !restored.IsZero() && (restored.Before(e.DownSince()) || restored.After(e.now)) {
			return invalid("restored")
		}
		var still bad
		if state == continuity.Monitoring || state == continuity.Resolved {
			var err error
			if still, err = e.bad(); err != nil {
				return err
			}
		}
		if still.any() && despite == "" {
			return refused("bad", "id", id, "checks", strings.Join(still.checks, ", "), "warnings", strings.Join(still.warnings, ", "))
		}
		if state == continuity.Resolved {
			var err error
			if e.Holding, err = e.holding(); err != nil {
				return err
			}
		}
		e.Incident.State, e.Despite = state, ""
		if still.any() {
			e.Despite = despite
		}
		switch state {
		case continuity.Investigating, continuity.Identified:
			e.Restored, e.Again = time.Time{}, time.Time{}
			if state == continuity.Identified && e.Incident.Phase == continuity.PhaseActivation || e.Incident.Phase == continuity.PhaseReconstitution {
				e.Incident.Phase = continuity.PhaseRecovery
			}
		default:
			e.Incident.Phase = continuity.PhaseReconstitution
			if e.Despite != "" && restored.IsZero() { // nobody says that it works
				e.Restored, e.Again = time.Time{}, time.Time{}
			} else {
				e.operational(restored)
			}
		}
		if state == continuity.Resolved {
			e.resolved(still)
		}
		return nil
	})
}

// operational notes since when the service works again.
func (e *editing) operational(since time.Time) {
	switch {
	case !since.IsZero():
		e.Restored = since.UTC()
	case e.Restored.IsZero():
		e.Restored = e.now
	default:
		return // it was said before
	}
	if !e.shown.IsZero() {
		e.Again = e.shown.Add(e.Restored.Sub(e.now))
	}
}

// resolved ends what is done while an incident stands, and says when its review is due.
func (e *editing) resolved(still bad) {
	e.Resolved = e.now
	if within := e.rules.Grades[e.Incident.Grade].Review; within > 0 {
		e.Review = e.time.Add(within)
	}
	if e.Unrestored() {
		e.ended("unrestored", func(catalogue.Lang) catalogue.Args {
			return catalogue.Args{"by": e.by.Actor.ID, "why": e.Despite, "checks": strings.Join(still.checks, ", "), "warnings": strings.Join(still.warnings, ", ")}
		})
		return
	}
	e.ended("resolved", func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{"took": lasts(lang, e.Lasted(e.now)), "again": len(e.Downs) > 0, "by": e.by.Actor.ID}
	})
}

// ended tells all who were told; what they had not been told yet, they need not be any
// more.
func (e *editing) ended(words string, args func(catalogue.Lang) catalogue.Args) {
	e.tell(continuity.Notification{
		Urgency: continuity.UrgencyNotice, Ends: true, To: []continuity.Recipient{{Kind: continuity.ToTold, ID: e.Declared.UTC().Format(time.RFC3339Nano)}},
	}, words, args)
}

// Phases are those of an incident in their order.
var Phases = []string{continuity.PhaseActivation, continuity.PhaseRecovery, continuity.PhaseReconstitution}

// Phase says in which phase an incident is.
func (a *Acts) Phase(ctx context.Context, by By, id string, version int64, phase, why string) (Kept, error) {
	return a.edit(ctx, by, id, version, "phase", why, func(e *editing) error {
		if e.Incident.State == continuity.Closed || e.Incident.State == continuity.Merged {
			return e.stands()
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return err
		}
		if !slices.Contains(Phases, phase) {
			return invalid("phase", "value", phase, "words", strings.Join(Phases, ", "))
		}
		e.Incident.Phase = phase
		return nil
	})
}

// Expect says when recovery is expected, and when people are told next; a zero time
// leaves what was said.
func (a *Acts) Expect(ctx context.Context, by By, id string, version int64, expected, next time.Time, why string) (Kept, error) {
	return a.edit(ctx, by, id, version, "expected", why, func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return err
		}
		if expected.IsZero() && next.IsZero() || !expected.IsZero() && expected.Before(e.time) || !next.IsZero() && next.Before(e.time) {
			return invalid("expected", "exercise", e.Exercise)
		}
		if !expected.IsZero() {
			e.Expected = expected.UTC()
		}
		if !next.IsZero() {
			e.Next, e.NextSaid = next.UTC(), e.time
		}
		return nil
	})
}

// Take gives a role to a person: who says it of themselves has it at once, others are
// asked.
func (a *Acts) Take(ctx context.Context, by By, id string, version int64, role, who, why string) (Kept, error) {
	if who == "" {
		who = by.Actor.ID
	}
	return a.edit(ctx, by, id, version, "role", why, func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		r, known := e.rules.Roles[role]
		if !known {
			return invalid("role", "value", role, "words", strings.Join(sortedKeys(e.rules.Roles), ", "))
		}
		self, h := who == by.Actor.ID, e.Roles[role]
		commands := e.Roles[e.rules.InCommand()].Person == by.Actor.ID || slices.Contains(e.rules.Roles[e.rules.InCommand()].People, by.Actor.ID)
		switch {
		case !by.Trusted && !commands && (!self || !slices.Contains(r.People, who)):
			return continuity.E(continuity.CodeScope, nil, "detail_id", "incident.may.take", "name", by.Actor.ID, "role", role)
		case h.State == continuity.RoleTook && h.Person == who:
			return refused("has", "person", who, "role", role)
		case h.State == continuity.RoleTook && strings.TrimSpace(why) == "":
			return refused("held", "person", h.Person, "role", role)
		}
		return e.give(role, who, self, why)
	})
}

// HandOver passes command on. It is the other person's at once, and they are paged
// until they say that they know.
func (a *Acts) HandOver(ctx context.Context, by By, id string, version int64, to, why string) (Kept, error) {
	return a.edit(ctx, by, id, version, "command", why, func(e *editing) error {
		if err := e.stands(); err != nil {
			return err
		}
		role := e.rules.InCommand()
		h := e.Roles[role]
		switch {
		case role == "":
			return refused("no-command", "service", e.Service)
		case strings.TrimSpace(why) == "":
			return invalid("why")
		case !by.Trusted && h.Person != by.Actor.ID && !slices.Contains(e.rules.Roles[role].People, by.Actor.ID):
			return continuity.E(continuity.CodeScope, nil, "detail_id", "incident.may.hand-over", "name", by.Actor.ID, "person", h.Person)
		case h.Person == to && h.State == continuity.RoleTook:
			return refused("has", "person", to, "role", role)
		}
		return e.give(role, to, to == by.Actor.ID, why)
	})
}

// give makes somebody the holder of a role.
func (e *editing) give(role, who string, self bool, why string) error {
	if err := e.known(who); err != nil {
		return err
	}
	before := e.Roles[role]
	h := continuity.Holder{Person: who, State: continuity.RoleTook, Since: e.now, Asked: slices.Clone(before.Asked)}
	if !self {
		h.State = continuity.RoleAsked
		was(&h, person(who))
		n := continuity.Notification{Urgency: continuity.UrgencyPage, To: []continuity.Recipient{person(who)}, AckWithin: e.rules.Grades[e.Incident.Grade].Escalate}
		for _, id := range append([]string{before.Person, e.by.Actor.ID}, e.rules.Roles[role].People...) {
			if to := person(id); id != "" && id != who && !slices.Contains(n.Escalate, to) && (id != e.by.Actor.ID || e.by.Actor.Kind == "user") {
				n.Escalate = append(n.Escalate, to)
			}
		}
		h.Page = e.tell(n, "handed", func(lang catalogue.Lang) catalogue.Args {
			return catalogue.Args{"role": roleName(e.rules, role, lang), "role_id": role, "by": e.by.Actor.ID, "to": who, "why": why}
		})
	}
	hold(e.rules, &e.Incident, role, h, e.by.Actor, strings.TrimSpace(why))
	return e.answered(before.Page)
}

// known refuses a person whom nobody knows.
func (e *editing) known(who string) error {
	if who == e.by.Actor.ID || e.acts.o.Known == nil {
		return nil
	}
	ok, err := e.acts.o.Known(e.ctx, who)
	if err == nil && !ok {
		return invalid("person", "value", who)
	}
	return err
}

// answered acknowledges the page of a role that somebody took by another way. One that
// was told with others goes on for their sake.
func (e *editing) answered(page string) error {
	if page == "" {
		return nil
	}
	o, err := e.acts.store.Get(e.ctx, continuity.KindNotification, page)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil
	}
	var n continuity.Notification
	if err == nil {
		err = json.Unmarshal(o.Body, &n)
	}
	if err != nil || n.Over() || n.Grouped > 0 {
		return err
	}
	by := e.by.Actor
	n.State, n.AckBy, n.AckAt, n.Since, n.Ended, n.Shown = continuity.NotifyAcknowledged, &by, e.now, e.now, e.now, e.shown
	e.more = append(e.more, continuity.Set(continuity.KindNotification, n.ID, n.Service, o.Version, "notification.acknowledged", "", n))
	return nil
}
