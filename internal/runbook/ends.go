package runbook

import (
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// What people are told of a whole run.
const (
	tellGaveUp   = "gave-up"
	tellMerged   = "merged"
	tellClosed   = "closed"
	tellResolved = "resolved"
)

// give ends a run that can't go on, and tells who is in command.
func (t *turn) give(why string) {
	t.end(continuity.RunStopped, why)
	t.quiet("")
	if kind, _, _ := cut(t.run.About); kind == continuity.KindWindow {
		return // which tells who leads it by itself
	}
	to, escalate := t.lead(commander)
	t.tellRun(tellGaveUp, continuity.UrgencyPage, to, escalate)
}

// incident is what the run is for, where that is an incident.
func (t *turn) incident() trouble {
	if kind, id, _ := cut(t.run.About); kind == continuity.KindIncident {
		return t.e.trouble[id]
	}
	return trouble{}
}

// upgrade is what the run is for, where that is an upgrade.
func (t *turn) upgrade() (u continuity.Upgrade, ok bool) {
	if kind, id, _ := cut(t.run.About); kind == continuity.KindUpgrade {
		u, ok = t.e.upgrade[id]
	}
	return u, ok
}

// upgrading reports whether the upgrade goes on that the run is for, where it is for one:
// nothing of it begins once that goes back.
func (t *turn) upgrading() bool {
	kind, _, _ := cut(t.run.About)
	u, _ := t.upgrade()
	return kind != continuity.KindUpgrade || u.State == continuity.UpgradeStepping && u.Run == t.run.ID
}

// calm has nobody paged any more when the run's incident is over, which is said once where
// somebody was waited for; and takes that back when it is not over after all.
func (t *turn) calm(over bool) {
	t.run.Calm, t.action = over, "run.goes-on"
	if !over {
		t.resume("")
		return
	}
	t.action = "run.calmed"
	if !slices.ContainsFunc(t.run.Steps, func(st continuity.StepRun) bool { return st.Told && !t.settled(st.ID) }) {
		return
	}
	t.quiet("")
	to, _ := t.lead(commander)
	t.tellRun(tellResolved, continuity.UrgencyNotice, to, nil)
}

// into is the incident that another one goes on in.
func (e *Engine) into(id string) string {
	for range len(e.trouble) {
		i, known := e.trouble[id]
		if !known || i.State != continuity.Merged || i.Into == "" {
			break
		}
		id = i.Into
	}
	return id
}

// leave ends a run whose incident was merged, as two runbooks would work against each
// other there, or is closed. An action that is under way comes to its end, and nothing new begins.
func (t *turn) leave(why, what string) {
	under := false
	for i := range t.run.Steps {
		s, st := &t.script.Steps[i], &t.run.Steps[i]
		if st.State != continuity.StepRunning {
			continue
		}
		if t.running(s, st); t.changed() {
			return
		}
		if t.e.o.Actions[s.Do].Waits {
			t.e.cancel(keyOf(&t.run, st))
		}
		under = true
	}
	if under {
		return
	}
	t.end(continuity.RunStopped, why)
	t.quiet("")
	_, id, _ := cut(t.run.About)
	into, urgency := continuity.KindIncident+"/"+t.e.into(id), continuity.UrgencyPage
	if what == tellClosed {
		urgency = continuity.UrgencyNotice
	}
	for _, other := range t.e.runs {
		if other.run.About == into && !other.run.Over() {
			urgency = continuity.UrgencyNotice // somebody goes on there
		}
	}
	to, escalate := t.lead(commander)
	t.tellRun(what, urgency, to, escalate)
}

// quiet ends what waits for an answer of somebody: the run is over. A step that has just
// been told of is left out.
func (t *turn) quiet(but string) {
	for i := range t.run.Steps {
		st := &t.run.Steps[i]
		if !st.Told || st.ID == but {
			continue
		}
		switch st.State {
		case continuity.StepDone, continuity.StepSkipped, continuity.StepUndone: // told already
		default:
			s := &Step{ID: st.ID}
			if at := t.script.step(st.ID); at >= 0 {
				s = &t.script.Steps[at]
			}
			t.tell(s, st, tellMoot)
		}
		st.Told = false
	}
}

// resume tells those of their steps again whom quiet told that nothing is wanted.
func (t *turn) resume(but string) {
	for i := range t.run.Steps {
		s, st := &t.script.Steps[i], &t.run.Steps[i]
		if st.Told || st.ID == but {
			continue
		}
		if !st.Due.IsZero() && !t.settled(st.ID) { // it was not late while nobody was waited for
			st.Due, st.Late = t.shown.Add(s.Within), 0
		}
		switch {
		case st.State == continuity.StepReady && st.Reason.Code == reasonFirst, st.State == continuity.StepProving && !ticked(s, st, false):
			t.tell(s, st, tellTick)
		case st.State == continuity.StepReady:
			t.tell(s, st, tellReady)
		case st.State == continuity.StepAsking:
			t.tell(s, st, tellApprove)
		case st.State == continuity.StepInterrupted:
			t.tell(s, st, tellInterrupted)
		}
	}
}

// lead is who answers for a role: who took it in the run's incident, or who leads it.
func (t *turn) lead(role string) (to, escalate []continuity.Recipient) {
	kind, id, _ := cut(t.run.About)
	leads, deputies := continuity.Recipient{Kind: continuity.ToRole, ID: role}, continuity.Recipient{Kind: continuity.ToDeputies, ID: role}
	if kind == continuity.KindIncident {
		if h := t.e.trouble[t.e.into(id)].Roles[role]; h.State == "took" && h.Person != "" {
			return []continuity.Recipient{{Kind: continuity.ToPerson, ID: h.Person}}, []continuity.Recipient{leads, deputies}
		}
	}
	return []continuity.Recipient{leads}, []continuity.Recipient{deputies}
}

// more adds recipients that are not there yet.
func more(all []continuity.Recipient, others ...continuity.Recipient) []continuity.Recipient {
	for _, r := range others {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// part reports whether somebody began the run, or had a part in what a step comes after.
func (t *turn) part(s *Step, kind, person string) bool {
	if t.run.By.Kind == kind && t.run.By.ID == person {
		return true
	}
	for i := range t.script.Steps {
		before := t.script.Steps[i].ID
		if !slices.ContainsFunc(s.After, func(id string) bool { return before == id || strings.HasPrefix(before, id+"/") }) {
			continue
		}
		did := t.run.Steps[i].By
		if slices.Contains(t.run.Steps[i].Hands, kind+"/"+person) || did != nil && did.Kind == kind && did.ID == person {
			return true
		}
	}
	return false
}

// others are the people who may agree to a step, where one of those whom it is up to had
// a part in it: a page to them alone would reach somebody who may not answer it.
func (t *turn) others(s *Step, to []continuity.Recipient) (others []continuity.Recipient, nobody bool) {
	of := []string{}
	for _, r := range to {
		if r.Kind == continuity.ToPerson {
			of = append(of, r.ID)
		}
	}
	role := t.script.Roles[s.Owner].People
	of = append(of, role...)
	if !slices.ContainsFunc(of, func(id string) bool { return t.part(s, personKind, id) }) {
		return to, false
	}
	for _, id := range of {
		if !t.part(s, personKind, id) {
			others = more(others, continuity.Recipient{Kind: continuity.ToPerson, ID: id})
		}
	}
	if len(others) == 0 {
		return to, true
	}
	return others, false
}

// tellRun has people told of the whole run.
func (t *turn) tellRun(what, urgency string, to, escalate []continuity.Recipient) {
	n := t.note("")
	n.Urgency, n.To, n.Escalate = urgency, to, escalate
	_, id, _ := cut(t.run.About)
	args := func(lang catalogue.Lang) catalogue.Args {
		name := t.run.Runbook
		if t.script != nil {
			name = in(lang, t.script.Name, name)
		}
		return catalogue.Args{
			"service": t.run.Service, "run": t.run.ID, "runbook": name, "id": t.run.Runbook, "about": id, "into": t.e.into(id),
			"why": catalogue.Text(lang, t.run.Reason, nil), "left": t.left(lang),
		}
	}
	n.Subject, n.Text = both("runbook.tell."+what+".subject", args), both("runbook.tell."+what+".text", args)
	t.changes = append(t.changes, continuity.Tell(n))
}

// note is a notification of a step, or of the run itself.
func (t *turn) note(step string) continuity.Notification {
	t.run.Number++
	n := continuity.Notification{
		ID: t.run.ID + ".n-" + strconv.Itoa(t.run.Number), Service: t.run.Service, About: continuity.KindRun + "/" + t.run.ID, At: t.now, Exercise: t.run.Exercise,
	}
	if step != "" {
		n.About += "/" + step
	}
	if t.run.Exercise != "" {
		n.Shown = t.shown
	}
	return n
}

// left names the steps that were not come to.
func (t *turn) left(lang catalogue.Lang) string {
	var ids []string
	for i := range t.run.Steps {
		if t.script == nil || len(t.script.Steps) != len(t.run.Steps) {
			break // it does not fit
		}
		if id := t.run.Steps[i].ID; !t.settled(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "-"
	}
	if lang == catalogue.Zh {
		return strings.Join(ids, "、")
	}
	return strings.Join(ids, ", ")
}
