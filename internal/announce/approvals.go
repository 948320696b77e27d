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

// approvals asks somebody to approve each update that waits for it, and after the time
// of the grade the next one.
func (t *turn) approvals() {
	of := t.e.updates[t.i.ID]
	for _, id := range slices.Sorted(maps.Keys(of)) {
		u := of[id].is
		if u.State != continuity.UpdateDraft || len(u.Asked) > 0 && (u.Due.IsZero() || !t.due(u.Due)) {
			continue
		}
		if a, ok := t.rules.audience(u.Audience); ok && outrun(&t.i, a, &u) {
			continue // nobody can approve it any more
		}
		line := t.line(&u)
		u.Asked, u.Due = slices.Clone(u.Asked), time.Time{}
		if len(line) == 0 { // nobody is left: those who were asked stay asked
			if len(u.Asked) == 0 {
				u.Due = t.at.Add(t.rules.grade(t.i.Grade).Escalate) // a plan may name somebody later
				t.wake(u.Due)
				continue
			}
		} else {
			u.Asked, u.Due = append(u.Asked, line[0]), t.at.Add(t.rules.grade(t.i.Grade).Escalate)
			t.add(continuity.Tell(t.ask(&u, line[0])))
		}
		u.Shown = t.shown()
		t.add(continuity.Set(continuity.KindUpdate, id, u.Service, of[id].version, "update.asked", "", &u))
	}
}

// line are those who may approve an update and have not been asked: who commands the
// incident first, if they may, and never who wrote it.
func (t *turn) line(u *continuity.Update) (line []string) {
	for _, role := range slices.Sorted(maps.Keys(t.i.Roles)) {
		if holder := t.i.Roles[role]; role == "commander" && holder.State == "took" && slices.Contains(t.rules.Approvers, holder.Person) {
			line = append(line, holder.Person)
		}
	}
	for _, id := range t.rules.Approvers {
		if !slices.Contains(line, id) {
			line = append(line, id)
		}
	}
	return slices.DeleteFunc(line, func(id string) bool { return id == u.By.ID || slices.Contains(u.Asked, id) })
}

// ask is the page that asks somebody to approve an update.
func (t *turn) ask(u *continuity.Update, person string) continuity.Notification {
	args := func(lang catalogue.Lang) catalogue.Args {
		name := u.Audience
		if a, ok := t.rules.audience(u.Audience); ok && in(a.Name, lang) != "" {
			name = in(a.Name, lang)
		}
		return catalogue.Args{"update": u.ID, "incident": t.i.ID, "grade": t.i.Grade, "audience": name, "by": u.By.ID, "text": in(u.Text, lang)}
	}
	return continuity.Notification{
		ID: askID(u.ID, len(u.Asked)), Service: u.Service, About: continuity.KindUpdate + "/" + u.ID, At: t.now, Urgency: continuity.UrgencyPage, Rank: 3,
		To: []continuity.Recipient{{Kind: continuity.ToPerson, ID: person}}, AckWithin: askFor, Exercise: u.Exercise, Shown: t.shown(),
		Subject: both("announce.ask.subject", args), Text: both("announce.ask.text", args),
	}
}
