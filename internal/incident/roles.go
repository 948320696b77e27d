package incident

import (
	"slices"
	"strconv"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

const (
	// askAgain is how long after everybody was asked in vain they are asked anew.
	askAgain = 15 * time.Minute
	// unknownAgain is when it is asked again what was not known.
	unknownAgain = 5 * time.Second
)

// was notes that somebody was asked.
func was(h *continuity.Holder, to continuity.Recipient) {
	if to.Kind != continuity.ToPerson {
		return
	}
	h.Person = to.ID
	if !slices.Contains(h.Asked, to.ID) {
		h.Asked = append(slices.Clone(h.Asked), to.ID)
	}
}

// reached notes who was asked by a page by now, and returns the last of them: whom no
// message could be sent to was not asked. Who was handed a role has it all the same.
func reached(h *continuity.Holder, n *continuity.Notification) string {
	unasked := func(id string) bool { return slices.Contains(n.Unreached, id) }
	h.Asked = slices.DeleteFunc(slices.Clone(h.Asked), unasked)
	for _, to := range append(slices.Clone(n.To), n.Escalate[:min(n.Step, len(n.Escalate))]...) {
		if !unasked(to.ID) {
			was(h, to)
		}
	}
	return h.Person
}

func itoa(n int) string { return strconv.Itoa(n) }

// staff finds somebody for each role of the plan.
func (d *draft) staff() {
	for _, name := range d.rules.inOrder() {
		h, there := d.Roles[name]
		switch {
		case !there:
			d.ask(name, nil)
		case h.State == continuity.RoleAsked && h.Page != "":
			d.answer(name, h)
		case h.State == continuity.RoleAsked:
			d.askBack(name, h.Person)
		case h.State == continuity.RolePassed, h.State == continuity.RoleUntold:
			if at := h.Since.Add(askAgain); d.now.Before(at) {
				d.due.add(at)
			} else {
				d.ask(name, h.Asked)
			}
		}
	}
}

// ask pages who leads a role; the others come in turn where nobody answers.
func (d *draft) ask(role string, asked []string) {
	ladder, err := d.engine.o.Duty.Ladder(d.Service, role, d.Grade, d.now)
	if err != nil {
		d.due.add(d.now.Add(unknownAgain))
		return
	}
	if len(ladder) == 0 {
		d.Roles[role] = continuity.Holder{State: continuity.RoleUntold, Since: d.now, Asked: asked}
		d.mark("role-open", role)
		return
	}
	h := continuity.Holder{State: continuity.RoleAsked, Since: d.now, Asked: slices.Clone(asked)}
	was(&h, ladder[0])
	h.Page = d.page(role, ladder)
	d.Roles[role] = h
	d.mark("asked", role)
}

// askBack pages who had a role before the incident was opened again, and then the others.
func (d *draft) askBack(role, who string) {
	ladder, err := d.engine.o.Duty.Ladder(d.Service, role, d.Grade, d.now)
	if err != nil {
		d.due.add(d.now.Add(unknownAgain))
		return
	}
	others := slices.DeleteFunc(ladder, func(to continuity.Recipient) bool { return to == person(who) })
	h := continuity.Holder{State: continuity.RoleAsked, Since: d.now}
	was(&h, person(who))
	h.Page = d.page(role, append([]continuity.Recipient{person(who)}, others...))
	d.Roles[role] = h
	d.mark("asked", role)
}

// page has the first of a ladder asked to take a role, and the others after them.
func (d *draft) page(role string, ladder []continuity.Recipient) string {
	n := continuity.Notification{
		Urgency: continuity.UrgencyPage, Group: "roles", To: ladder[:1], Escalate: ladder[1:], AckWithin: d.rules.Grades[d.Grade].Escalate, Doubled: d.Grade == "SEV-1",
	}
	return d.tell(n, "role", func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{"role": roleName(d.rules, role, lang), "role_id": role, "again": d.Reopened > 0}
	})
}

func roleName(r *Rules, role string, lang catalogue.Lang) string {
	if name := inLanguage(r.Roles[role].Name, lang); name != "" {
		return name
	}
	return role
}

// answer takes over what became of a role's page.
func (d *draft) answer(role string, h continuity.Holder) {
	n := d.engine.pages[h.Page]
	for hops := 0; n != nil && hops < 10 && (n.State == continuity.NotifyGrouped || n.State == continuity.NotifyRepeated); hops++ {
		n = d.engine.pages[n.By]
	}
	if n == nil {
		return
	}
	switch n.State {
	case continuity.NotifyAcknowledged:
		if n.AckBy == nil {
			return
		}
		if program(n.AckBy) { // it is in command of nothing
			h.State, h.Since, h.Person, h.Page = continuity.RolePassed, d.now, "", ""
			d.Roles[role] = h
			d.mark("role-open", role)
			return
		}
		d.take(role, n.AckBy.ID, *n.AckBy, n.AckAt)
	case continuity.NotifyFailed, continuity.NotifyCancelled, continuity.NotifySilenced, continuity.NotifyDelivered:
		reached(&h, n)
		h.State, h.Since, h.Person, h.Page = continuity.RolePassed, d.now, "", ""
		if n.Untold() {
			h.State = continuity.RoleUntold
		}
		d.Roles[role] = h
		d.mark("role-open", role)
		if role != d.rules.InCommand() {
			d.tell(continuity.Notification{Urgency: continuity.UrgencyNotice, To: commander(d.rules, &d.Incident)}, "open",
				func(lang catalogue.Lang) catalogue.Args {
					return catalogue.Args{"role": roleName(d.rules, role, lang), "role_id": role, "untold": n.Untold()}
				})
		}
	default:
		if who := h.Person; reached(&h, n) != who {
			d.Roles[role] = h
			d.mark("deputy", role)
		}
	}
}

// program says whether who answered is nobody: a token, or the node's own token
// without the name of whoever used it.
func program(a *continuity.Actor) bool {
	return a.Kind == "token" && (a.Via != "admin-token" || a.ID == "admin")
}

// take gives a role to somebody who said that they have it.
func (d *draft) take(role, who string, by continuity.Actor, at time.Time) {
	hold(d.rules, &d.Incident, role, continuity.Holder{Person: who, State: continuity.RoleTook, Since: at}, by, "")
	d.mark("took", role+" "+who)
}

// hold puts a holder to a role. That command passes on is written down.
func hold(r *Rules, i *continuity.Incident, role string, h continuity.Holder, by continuity.Actor, why string) {
	before := i.Roles[role]
	if h.Asked == nil {
		h.Asked = before.Asked
	}
	i.Roles[role] = h
	if role != r.InCommand() || h.Person == "" {
		return
	}
	last := ""
	if n := len(i.Command); n > 0 {
		last = i.Command[n-1].To
	}
	if last != h.Person {
		i.Command = append(i.Command, continuity.Handover{From: last, To: h.Person, At: h.Since, By: by, Why: why})
	}
}
