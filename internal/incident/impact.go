package incident

import (
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// impact goes by what is hit and for how long: what is down is hit, and the less time
// is left until no more can be borne, the harder the grade.
func (d *draft) impact() {
	if d.first() {
		for _, id := range d.engine.downNow(d.rules) {
			if !slices.Contains(d.Hits, id) {
				d.Hits = append(d.Hits, id)
				d.mark("hits", id)
			}
		}
	}
	if !slices.Equal(d.Hits, d.was.Hits) {
		d.RTO, d.MTD = d.rules.limits(d.Grade, d.Hits)
	}
	d.operational()
	if d.GradedBy != nil || d.Partial || d.MTD <= 0 || !d.Restored.IsZero() || len(d.rules.Grades) == 0 {
		return
	}
	for {
		promise := d.rules.Grades[d.Grade].Recover
		if !d.by(d.Since().Add(d.MTD - promise + time.Nanosecond)) {
			return
		}
		left := d.MTD - d.engine.clocks.At(d.Exercise, d.now).Sub(d.Since())
		to := worse(d.Grade, d.rules.fitting(left))
		if to == d.Grade {
			return
		}
		from := d.Grade
		d.Grade = to
		d.RTO, d.MTD = d.rules.limits(d.Grade, d.Hits)
		d.mark("graded", "impact")
		d.tell(continuity.Notification{Urgency: continuity.UrgencyNotice, To: d.leaders()}, "graded", func(lang catalogue.Lang) catalogue.Args {
			return catalogue.Args{"from": from, "left": lasts(lang, max(left, 0))}
		})
	}
}

// first reports whether it is the oldest of the incidents of its service that stand:
// what goes down meanwhile is put down to it.
func (d *draft) first() bool {
	if d.Exercise != "" || d.Partial {
		return false
	}
	for _, k := range d.engine.incidents {
		if k.Service == d.Service && k.Stands() && k.Exercise == "" && !k.Partial && k.Declared.Before(d.Declared) {
			return false
		}
	}
	return true
}

// operational notes that what it came of is well again, or is not any more.
func (d *draft) operational() {
	var well, ill bool
	var since time.Time
	switch d.Origin.Kind {
	case "check":
		c := d.engine.checks[d.Origin.ID]
		well, ill, since = c.State == continuity.CheckUp, c.State == continuity.CheckDown, c.Since
	case kindWarning:
		w := d.engine.warnings[d.Origin.ID]
		well, ill, since = w == nil, w != nil, d.engine.cleared[d.Origin.ID]
		switch {
		case ill:
			since = w.Since
		case since.IsZero() && d.Fell.IsZero(): // nobody knows when; after a fall it may have been over before that
			since = d.now
		}
	default:
		return
	}
	switch {
	case well && d.Restored.IsZero() && since.After(d.DownSince()):
		d.Restored = since
		if shown := d.engine.shown(d.Exercise, d.now); !shown.IsZero() {
			d.Again = shown.Add(since.Sub(d.now))
		}
		d.mark("restored", d.Origin.Kind+"/"+d.Origin.ID)
		if !d.Stands() { // it was ended before it worked
			return
		}
		d.tell(continuity.Notification{Urgency: continuity.UrgencyNotice, To: d.leaders()}, "restored", func(lang catalogue.Lang) catalogue.Args {
			args := catalogue.Args{"took": lasts(lang, d.Restored.Sub(d.DownSince())), "again": !d.Fell.IsZero()}
			if d.RTO > 0 {
				args["rto"] = lasts(lang, d.RTO)
			}
			return args
		})
	case ill && !d.Restored.IsZero() && since.After(d.Restored):
		d.Falls(since)
		d.Restored, d.Again = time.Time{}, time.Time{}
		d.mark("relapsed", d.Origin.Kind+"/"+d.Origin.ID)
		if d.State == continuity.Monitoring {
			d.State, d.Phase = continuity.Investigating, continuity.PhaseRecovery
		}
		d.tell(continuity.Notification{Urgency: continuity.UrgencyPage, To: d.leaders(), Escalate: d.deputies()}, "relapsed", nil)
	}
}

// leaders are those who took a role, and who was handed command, the one in command
// first; where nobody has, who leads the role in command.
func (d *draft) leaders() (to []continuity.Recipient) { return leaders(d.rules, &d.Incident) }

func leaders(r *Rules, i *continuity.Incident) (to []continuity.Recipient) {
	for _, name := range r.inOrder() {
		h := i.Roles[name]
		one := person(h.Person)
		has := h.State == continuity.RoleTook || name == r.InCommand() && inCommand(r, i) != ""
		if has && h.Person != "" && !slices.Contains(to, one) {
			to = append(to, one)
		}
	}
	if len(to) == 0 {
		to = commander(r, i)
	}
	return to
}

// inCommand is who is in command; empty: nobody is. Who was handed command has it at
// once, and who is only asked to take it does not.
func inCommand(r *Rules, i *continuity.Incident) string {
	h := i.Roles[r.InCommand()]
	handed := len(i.Command) > 0 && i.Command[len(i.Command)-1].To == h.Person
	if h.State == continuity.RoleTook || h.State == continuity.RoleAsked && handed {
		return h.Person
	}
	return ""
}

// commander is who is in command, or who is to be.
func commander(r *Rules, i *continuity.Incident) []continuity.Recipient {
	role := r.InCommand()
	switch h := i.Roles[role]; {
	case h.Person != "" && h.State != continuity.RolePassed && h.State != continuity.RoleUntold:
		return []continuity.Recipient{person(h.Person)}
	case role != "":
		return []continuity.Recipient{{Kind: continuity.ToRole, ID: role}}
	}
	return []continuity.Recipient{person(r.Owner)}
}

// deputies are who is told where the one in command does not answer.
func (d *draft) deputies() []continuity.Recipient { return deputies(d.rules) }

func deputies(r *Rules) []continuity.Recipient {
	if role := r.InCommand(); role != "" {
		return []continuity.Recipient{{Kind: continuity.ToDeputies, ID: role}}
	}
	return nil
}

func person(id string) continuity.Recipient {
	return continuity.Recipient{Kind: continuity.ToPerson, ID: id}
}

// whoever is somebody whom a task or a plan names: a role or a person.
func whoever(r *Rules, i *continuity.Incident, id string) continuity.Recipient {
	if _, role := r.Roles[id]; !role {
		return person(id)
	}
	if h := i.Roles[id]; h.State == continuity.RoleTook && h.Person != "" {
		return person(h.Person)
	}
	return continuity.Recipient{Kind: continuity.ToRole, ID: id}
}

// clocks warns of what passes: the times to recovery and to what can't be borne, and
// the time until which somebody has to say whom it hits.
func (d *draft) clocks() {
	if d.Restored.IsZero() {
		d.clock("rto", d.RTO)
		d.clock("mtd", d.MTD)
	}
	scope := d.rules.Grades[d.Grade].Scope
	if _, done := d.Warned["scope"]; done || scope <= 0 || !d.Scoped.IsZero() {
		return
	}
	if d.by(d.Known().Add(scope)) {
		d.Warned["scope"] = d.now
		d.mark("scope-due", "")
		d.tell(continuity.Notification{Urgency: continuity.UrgencyPage, Group: "clock", To: commander(d.rules, &d.Incident), Escalate: d.deputies()}, "scope", nil)
	}
}

// parts of a time at which it is warned of.
var parts = []struct {
	percent int
	key     string
}{{50, "/50"}, {75, "/75"}, {100, "/100"}}

// clock warns of a half, three quarters and all of a time; of several that passed at
// once the last one only.
func (d *draft) clock(which string, whole time.Duration) {
	if whole <= 0 {
		return
	}
	passed := 0
	for _, part := range parts {
		if _, done := d.Warned[which+part.key]; done {
			continue
		}
		if !d.by(d.Since().Add(whole * time.Duration(part.percent) / 100)) {
			break
		}
		d.Warned[which+part.key] = d.now
		passed = part.percent
	}
	if passed == 0 {
		return
	}
	d.mark("clock", which+" "+itoa(passed)+" %")
	n := continuity.Notification{Urgency: continuity.UrgencyPage, Group: "clock", To: commander(d.rules, &d.Incident), Escalate: d.deputies()}
	if passed == 50 {
		n.Urgency, n.Escalate = continuity.UrgencyNotice, nil
	}
	if passed == 100 {
		n.Escalate = append(n.Escalate, person(d.rules.Owner))
	}
	d.tell(n, "clock", func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{"what": catalogue.Text(lang, "incident.clock."+which, nil), "percent": passed, "whole": lasts(lang, whole)}
	})
}

// tasks escalates what was not done in time.
func (d *draft) tasks() {
	for _, k := range d.engine.tasks {
		if k.Incident != d.ID || k.Due.IsZero() || !k.Overdue.IsZero() || !d.by(k.Due) {
			continue
		}
		t := k.Task
		t.Overdue, t.Shown = d.now, d.engine.shown(d.Exercise, d.now)
		d.more = append(d.more, continuity.Set(continuity.KindTask, t.ID, t.Service, k.version, "task.overdue", "", t))
		d.mark("task-overdue", t.ID)
		owner := whoever(d.rules, &d.Incident, t.Owner)
		escalate := slices.DeleteFunc(append(commander(d.rules, &d.Incident), d.deputies()...), func(to continuity.Recipient) bool { return to == owner })
		d.tell(continuity.Notification{Urgency: continuity.UrgencyPage, Group: "tasks", To: []continuity.Recipient{owner}, Escalate: escalate}, "overdue",
			func(catalogue.Lang) catalogue.Args { return catalogue.Args{"task": t.ID, "text": t.Text} })
	}
}

// soon is how long before its day a review is reminded of.
const soon = 24 * time.Hour

// review reminds of the review, the day before and on its day.
func (d *draft) review() {
	if d.Review.IsZero() || !d.Reviewed.IsZero() {
		return
	}
	for _, one := range []struct {
		key string
		at  time.Time
	}{{"review/soon", d.Review.Add(-soon)}, {"review/due", d.Review}} {
		if _, done := d.Warned[one.key]; done || !d.by(one.at) {
			continue
		}
		d.Warned[one.key] = d.now
		word := strings.ReplaceAll(one.key, "/", "-")
		d.mark(word, "")
		to := commander(d.rules, &d.Incident)
		if owner := person(d.rules.Owner); d.rules.Owner != "" && !slices.Contains(to, owner) {
			to = append(to, owner)
		}
		d.tell(continuity.Notification{Urgency: continuity.UrgencyNotice, To: to}, word, func(catalogue.Lang) catalogue.Args {
			return catalogue.Args{"due": d.Review.UTC().Format("2006-01-02 15:04 UTC")}
		})
	}
}
