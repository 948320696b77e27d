package announce

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// drafts reports whether an update waits for an approval.
func (t *turn) drafts() bool {
	for _, u := range t.e.updates[t.i.ID] {
		if u.is.State == continuity.UpdateDraft {
			return true
		}
	}
	return false
}

// askID is the id of the page that asks the n-th approver, from 1 on.
func askID(update string, n int) string { return update + ".n-ask-" + strconv.Itoa(n) }

// askFor is how long a page that asks for an approval stands: the next approver is
// asked by the engine and not as that one did not answer, for who answers has not
// approved yet.
const askFor = 24 * time.Hour

// stuckID is the id of the page that says that nobody is left who could approve.
func stuckID(update string) string { return update + ".n-stuck" }

// approvals asks somebody to approve each update that waits for it, and after the time
// of the grade the next one. Where nobody is left, who commands is told. What can't be
// sent any more whatever they say is taken back.
func (t *turn) approvals() {
	of := t.e.updates[t.i.ID]
	for _, id := range slices.Sorted(maps.Keys(of)) {
		u := of[id].is
		if u.State != continuity.UpdateDraft {
			continue
		}
		if why := t.pointless(&u); why != "" {
			t.withdraw(&u, of[id].version, why, t.i.ID)
			continue
		}
		if len(u.Asked) > 0 && !u.Due.IsZero() && !t.due(u.Due) {
			continue
		}
		u.Asked = slices.Clone(u.Asked)
		action, patience := "update.asked", t.at.Add(t.rules.grade(t.i.Grade).Escalate)
		if line := t.line(&u); len(line) > 0 {
			u.Asked, u.Due = append(u.Asked, line[0]), patience
			t.add(continuity.Tell(t.ask(&u, line[0])))
		} else {
			t.wake(patience) // a plan may name somebody later
			if !u.Stuck.IsZero() {
				continue
			}
			u.Due, u.Stuck, action = time.Time{}, t.at, "update.stuck"
			t.add(continuity.Tell(t.stuck(&u)))
		}
		u.Shown = t.shown()
		t.add(continuity.Set(continuity.KindUpdate, id, u.Service, of[id].version, action, "", &u))
	}
}

// pointless says why an update that waits can't be sent any more; empty: it can.
func (t *turn) pointless(u *continuity.Update) string {
	if a, ok := t.rules.audience(u.Audience); ok && outrun(&t.i, a, u) {
		return "over"
	}
	switch {
	case u.Phase == PhaseAllClear && !ended(&t.i):
		return "reopened"
	case !u.Next.IsZero() && t.due(u.Next):
		return "stale"
	}
	return ""
}

// withdraw takes an update back that waits, ends what asks for its approval, and tells
// who wrote it.
func (t *turn) withdraw(u *continuity.Update, version int64, why, at string) {
	u.State, u.Reason, u.Due, u.Shown = continuity.UpdateRejected, "announce.withdrawn."+why, time.Time{}, t.shown()
	args := func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{
			"update": u.ID, "incident": at, "audience": u.Audience, "text": in(u.Text, lang), "why": catalogue.Text(lang, u.Reason, nil),
		}
	}
	t.add(continuity.Set(continuity.KindUpdate, u.ID, u.Service, version, "update.withdrawn", u.Reason, u))
	if u.By.Kind != person {
		return
	}
	t.add(continuity.Tell(continuity.Notification{
		ID: u.ID + ".n-withdrawn", Service: u.Service, About: continuity.KindUpdate + "/" + u.ID, At: t.now, Urgency: continuity.UrgencyNotice, Ends: true,
		To: []continuity.Recipient{{Kind: continuity.ToPerson, ID: u.By.ID}}, Exercise: u.Exercise, Shown: t.shown(),
		Subject: both("announce.withdrawn.subject", args), Text: both("announce.withdrawn.text", args),
	}))
}

// line are those who may approve an update and have not been asked, but for who wrote
// it.
func (t *turn) line(u *continuity.Update) (line []string) {
	return slices.DeleteFunc(t.rules.publishers(&t.i), func(id string) bool { return id == u.By.ID || slices.Contains(u.Asked, id) })
}

// stuck is the page that says that nobody is left who could approve an update: to who
// commands, those who deputise, the plan's owner, and whom the node lets decide.
func (t *turn) stuck(u *continuity.Update) continuity.Notification {
	var line []continuity.Recipient
	add := func(kind, id string) {
		if to := (continuity.Recipient{Kind: kind, ID: id}); id != "" && !slices.Contains(line, to) {
			line = append(line, to)
		}
	}
	add(continuity.ToPerson, t.rules.commander(&t.i))
	if len(line) == 0 {
		add(continuity.ToRole, t.rules.Command)
	}
	add(continuity.ToDeputies, t.rules.Command)
	add(continuity.ToPerson, t.rules.Owner)
	for _, id := range t.rules.Chiefs {
		add(continuity.ToPerson, id)
	}
	add(continuity.ToPerson, u.By.ID)
	n := t.ask(u, "")
	n.ID, n.To, n.Escalate, n.AckWithin = stuckID(u.ID), line[:1], line[1:], t.rules.grade(t.i.Grade).Escalate
	args := t.asking(u)
	n.Subject, n.Text = both("announce.stuck.subject", args), both("announce.stuck.text", args)
	return n
}

// asking is what the texts may use that ask for an approval.
func (t *turn) asking(u *continuity.Update) func(catalogue.Lang) catalogue.Args {
	return func(lang catalogue.Lang) catalogue.Args {
		name := u.Audience
		if a, ok := t.rules.audience(u.Audience); ok && in(a.Name, lang) != "" {
			name = in(a.Name, lang)
		}
		return catalogue.Args{"update": u.ID, "incident": t.i.ID, "grade": t.i.Grade, "audience": name, "by": u.By.ID, "text": in(u.Text, lang)}
	}
}

// ask is the page that asks somebody to approve an update.
func (t *turn) ask(u *continuity.Update, person string) continuity.Notification {
	args := t.asking(u)
	return continuity.Notification{
		ID: askID(u.ID, len(u.Asked)), Service: u.Service, About: continuity.KindUpdate + "/" + u.ID, At: t.now, Urgency: continuity.UrgencyPage, Rank: 3,
		To: []continuity.Recipient{{Kind: continuity.ToPerson, ID: person}}, AckWithin: askFor, Exercise: u.Exercise, Shown: t.shown(),
		Subject: both("announce.ask.subject", args), Text: both("announce.ask.text", args),
	}
}
