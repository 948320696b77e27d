package runbook

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// What people are told of a step. Each has a subject and a text in the catalogue.
const (
	tellReady       = "ready"
	tellApprove     = "approve"
	tellTick        = "tick"
	tellHeld        = "held"
	tellInterrupted = "interrupted"
	tellFailed      = "failed"
	tellStopped     = "stopped"
	tellPassed      = "passed"
	tellLate        = "late"
	tellOver        = "over"
	tellMoot        = "moot"
)

// commander answers where nobody else does.
const commander = "commander"

// lateEvery is how long after a step is late the next ones are told.
const lateEvery = 5 * time.Minute

// patience tells of steps that take longer than they should: the owner, then who
// deputises, then who is in command.
func (t *turn) patience(s *Step, st *continuity.StepRun) {
	switch st.State {
	case continuity.StepReady, continuity.StepAsking, continuity.StepRunning, continuity.StepProving, continuity.StepInterrupted:
	case continuity.StepWaiting:
		if !st.Told { // it is not its turn
			return
		}
	case continuity.StepFailed:
		if t.settled(s.ID) && !st.Back {
			return
		}
	default:
		return
	}
	undoing := t.run.State == continuity.RunUndoing && !st.Back && st.State != continuity.StepRunning
	if t.run.Calm || st.Due.IsZero() || st.Late >= 3 || undoing {
		return
	}
	late := *st
	late.Due = st.Due.Add(time.Duration(st.Late) * lateEvery)
	if !t.due(&late) {
		return
	}
	st.Late++
	t.run.Step, t.action = st.ID, "run.step-late"
	t.tell(s, st, tellLate)
}

// urgent says how urgent a run's steps are: by the grade of its incident.
func (t *turn) urgent() string {
	kind, id, _ := cut(t.run.About)
	if t.run.Calm {
		return continuity.UrgencyNotice
	}
	if kind == continuity.KindUpgrade { // requests are held meanwhile
		return continuity.UrgencyPage
	}
	if grade := t.e.trouble[t.e.into(id)].Grade; kind == continuity.KindIncident && (grade == "SEV-1" || grade == "SEV-2") {
		return continuity.UrgencyPage
	}
	return continuity.UrgencyNotice
}

// owner is who has to do a step; a role unless the script knows none of that name.
func (t *turn) owner(s *Step) (to, escalate []continuity.Recipient) {
	role := cmp.Or(s.Owner, commander)
	if _, known := t.script.Roles[role]; !known && s.Owner != "" {
		to = []continuity.Recipient{{Kind: continuity.ToPerson, ID: s.Owner}}
	} else {
		to, escalate = t.lead(role)
	}
	if _, known := t.script.Roles[commander]; known && role != commander {
		lead, deputies := t.lead(commander)
		escalate = more(more(escalate, lead...), deputies...)
	}
	return to, escalate
}

// tell has people told with the change.
func (t *turn) tell(s *Step, st *continuity.StepRun, what string) {
	to, escalate := t.owner(s)
	n, why := t.note(s.ID), st.Reason
	n.Urgency, n.To, n.Escalate = t.urgent(), to, escalate
	switch what {
	case tellOver, tellMoot:
		n.Urgency, n.Ends, n.Escalate = continuity.UrgencyInfo, true, nil
		n.To = []continuity.Recipient{{Kind: continuity.ToTold}}
	case tellPassed:
		n.Urgency, n.Escalate = continuity.UrgencyNotice, nil
	case tellFailed, tellInterrupted:
		n.Urgency = continuity.UrgencyPage
	case tellStopped:
		n.Urgency = continuity.UrgencyPage
		if kind, _, _ := cut(t.run.About); kind != continuity.KindWindow { // which tells who leads it by itself
			lead, _ := t.lead(commander)
			n.To = more(n.To, lead...)
		}
	case tellLate:
		n.Urgency = continuity.UrgencyPage
		if later := min(st.Late-1, len(n.Escalate)); later > 0 {
			n.To, n.Escalate = []continuity.Recipient{n.Escalate[later-1]}, n.Escalate[later:]
		}
	}
	if what == tellApprove && s.Do == Approve {
		var nobody bool
		if n.To, nobody = t.others(s, n.To); nobody {
			why = continuity.CheckReason{Code: "runbook.nobody"}
		}
	}
	if what == tellApprove && st.Reason.Code != "" { // a right is needed, which the owner may not have
		for _, name := range sorted(t.script.Roles) {
			right, _ := st.Reason.Args["right"].(string)
			if r := (continuity.Recipient{Kind: continuity.ToRole, ID: name}); slices.Contains(t.script.Roles[name].May, right) && !slices.Contains(n.To, r) {
				n.To = append(n.To, r)
			}
		}
	}
	args := func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{
			"service": t.run.Service, "run": t.run.ID, "step": s.ID, "say": Say(lang, s), "about": t.run.About,
			"runbook": in(lang, t.script.Name, t.run.Runbook), "due": t.moment(st.Due), "by": by(st), "state": catalogue.Text(lang, "runbook.state."+st.State, nil),
			"why": Why(lang, why), "way": way(lang, st),
		}
	}
	n.Subject, n.Text = both("runbook.tell."+what+".subject", args), both("runbook.tell."+what+".text", args)
	st.Told = true
	t.changes = append(t.changes, continuity.Tell(n))
}

func both(id string, args func(catalogue.Lang) catalogue.Args) continuity.Text {
	return continuity.Text{En: catalogue.Text(catalogue.En, id, args(catalogue.En)), Zh: catalogue.Text(catalogue.Zh, id, args(catalogue.Zh))}
}

func in(lang catalogue.Lang, t continuity.Text, or string) string {
	if lang == catalogue.Zh {
		return cmp.Or(t.Zh, t.En, or)
	}
	return cmp.Or(t.En, t.Zh, or)
}

// Say is what a step wants, in a language.
func Say(lang catalogue.Lang, s *Step) string {
	if text := in(lang, s.Say, ""); text != "" {
		return text
	}
	if s.Do == "" {
		return s.ID
	}
	args := catalogue.Args{"with": told(lang, s.With)}
	return catalogue.Text(lang, "runbook.do."+s.Do, args)
}

// told is what an action is told, as text.
func told(lang catalogue.Lang, with map[string]string) string {
	text := ""
	for _, name := range sorted(with) {
		one := catalogue.Text(lang, "runbook.with."+name, catalogue.Args{"value": with[name]})
		if one == "runbook.with."+name { // only the node knows it
			one = name + ": " + with[name]
		}
		if text != "" {
			text += ", "
		}
		text += one
	}
	return text
}

// Why says in a language why a step is as it is.
func Why(lang catalogue.Lang, why continuity.CheckReason) string {
	if why.Code == "" {
		return ""
	}
	return catalogue.Text(lang, why.Code, catalogue.Args(why.Args))
}

func way(lang catalogue.Lang, st *continuity.StepRun) string {
	if st.Back {
		return catalogue.Text(lang, "runbook.way.back", nil)
	}
	return catalogue.Text(lang, "runbook.way.there", nil)
}

func by(st *continuity.StepRun) string {
	if st.By == nil {
		return "holdfast"
	}
	return st.By.ID
}

// moment is a time as people of the service read it.
func (t *turn) moment(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	zone, err := time.LoadLocation(t.script.Zone)
	if err != nil {
		zone = time.UTC
	}
	return at.In(zone).Format("2006-01-02 15:04 UTC-07:00")
}

// cut parts KIND/ID.
func cut(about string) (kind, id string, ok bool) {
	for i := range len(about) {
		if about[i] == '/' {
			return about[:i], about[i+1:], true
		}
	}
	return "", about, false
}
