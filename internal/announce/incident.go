package announce

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// firstShare is the part of the time for a first word that people have to write one of
// their own; then the holding statement goes out, and still within the time.
const firstShare = 0.8

// first sends the holding statement to each audience that nobody has told anything.
func (t *turn) first() {
	g := t.rules.grade(t.i.Grade)
	due := t.began().Add(time.Duration(firstShare * float64(g.First)))
	for n := range t.rules.Audiences {
		a := &t.rules.Audiences[n]
		if a.Clock > 0 || !a.hears(t.i.Grade) { // what the law asks for is no template's
			continue
		}
		if word, told := t.i.Public[a.ID]; told && word.Phase != PhaseAllClear || t.toldByWindow(a) || !t.due(due) {
			continue
		}
		id := t.i.ID + ".update-first-" + a.ID
		if t.i.Reopened > 0 {
			id += "-" + strconv.Itoa(t.i.Reopened)
		}
		t.byItself(a, PhaseFirst, id, following(&t.i, g, t.at))
	}
}

// began is when the incident was declared, or reopened.
func (t *turn) began() time.Time {
	if t.i.Reopened == 0 {
		return t.i.Known()
	}
	what := "reopened." + strconv.Itoa(t.i.Reopened)
	if _, seen := t.spoken.Marks[what]; !seen {
		t.mark(what, t.at)
	}
	return t.spoken.Marks[what]
}

// byItself sends a template that was approved with the plan. Where it can't be filled,
// people are asked to write instead.
func (t *turn) byItself(a *Audience, phase, id string, next time.Time) {
	if _, there := t.e.updates[t.i.ID][id]; there {
		return
	}
	template, ok := t.rules.Find(a.Kind + "/" + phase)
	v := ofIncident(t.rules, &t.i, a, saying{expected: t.i.Expected, next: next})
	subject, text, missing := compose(&template, v)
	if !ok || len(missing) > 0 {
		t.helpless(a, phase, "helpless")
		return
	}
	u := continuity.Update{
		ID: id, About: t.i.ID, Service: t.i.Service, Audience: a.ID, Phase: phase, Template: template.ID, Vars: v, Subject: subject, Text: text,
		Expected: t.i.Expected, Next: next, By: continuity.Actor{Kind: continuity.ActorEngine, ID: "announce"}, At: t.now, Exercise: t.i.Exercise, Shown: t.shown(),
	}
	t.add(send(&t.i, a, &u, continuity.VersionNew, t.now, t.at, "update.sent")...)
	t.told = true
}

// send is what becomes true as an update is sent; the incident, which is to be
// written with it, says so.
func send(i *continuity.Incident, a *Audience, u *continuity.Update, version int64, now, at time.Time, action string) []continuity.Change {
	u.State, u.Sent, u.Due = continuity.UpdateSent, now, time.Time{}
	heard(i, a, continuity.Word{Update: u.ID, Phase: u.Phase, Text: u.Text, At: at, Expected: u.Expected, Next: u.Next}, now)
	critical := i.Grade == "SEV-1" && u.Phase == PhaseFirst && (a.Kind == "staff" || a.Kind == "executives")
	return []continuity.Change{
		continuity.Set(continuity.KindUpdate, u.ID, u.Service, version, action, "", u),
		continuity.Tell(continuity.Notification{
			ID: u.ID + ".n-1", Service: u.Service, About: continuity.KindIncident + "/" + u.About, Urgency: continuity.UrgencyNotice, At: now,
			To: []continuity.Recipient{{Kind: continuity.ToAudience, ID: a.ID}}, Doubled: critical,
			Template: u.Template, Vars: u.Vars, Subject: u.Subject, Text: u.Text, Exercise: u.Exercise, Shown: u.Shown,
		}),
	}
}

// heard notes what an audience was told, and that it really was at a time.
func heard(i *continuity.Incident, a *Audience, word continuity.Word, now time.Time) {
	if i.Public == nil {
		i.Public = map[string]continuity.Word{}
	}
	if i.Heard.IsZero() || i.Heard.After(now) {
		i.Heard = now
	}
	i.Public[a.ID] = word
	if p := i.Personal; p != nil && (a.Clock > 0 || !p.Due[a.ID].IsZero()) && p.Done[a.ID].IsZero() {
		clock := *p
		clock.Done = maps.Clone(p.Done)
		if clock.Done == nil {
			clock.Done = map[string]time.Time{}
		}
		clock.Done[a.ID] = word.At
		i.Personal = &clock
	}
}

// remindBefore is how long ahead of a word people are reminded of it: never more than
// a quarter of the time between two words.
const remindBefore = 5 * time.Minute

// remind reminds of the next word before it is due, and when it is; then again as
// often as a word is due.
func (t *turn) remind() {
	g := t.rules.grade(t.i.Grade)
	for _, id := range slices.Sorted(maps.Keys(t.i.Public)) {
		word, a := t.i.Public[id], (*Audience)(nil)
		if a, _ = t.rules.audience(id); a == nil || word.Next.IsZero() {
			continue
		}
		next := nextTo(&t.i, word)
		ahead := next.Add(-min(remindBefore, g.Every/4))
		if soon := "soon." + id; t.due(ahead) && t.at.Before(next) && !t.was(soon, next) && word.At.Before(ahead) {
			t.mark(soon, next)
			t.notice("soon-"+id+"-"+stamp(next), "announce.soon.", a, map[string]time.Time{"next": next})
		}
		if !t.due(next) {
			continue
		}
		// The last time at which it was due.
		last := next.Add(t.at.Sub(next).Truncate(g.Every))
		if late := "late." + id; !t.was(late, last) {
			t.mark(late, last)
			t.page("late-"+id+"-"+stamp(last), "announce.late.", a, map[string]time.Time{"next": next})
		}
		t.wake(last.Add(g.Every))
	}
}

func stamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 36) }

// heard are the audiences that were told of an incident, or of one that was merged
// into it, and not of its end.
func (t *turn) heard() (ids []string) {
	all := maps.Clone(t.i.Public)
	for _, from := range t.i.From {
		if other, ok := t.e.incidents[from]; ok && other.is.State == continuity.Merged {
			for id, word := range other.is.Public {
				if _, own := all[id]; !own {
					if all == nil {
						all = map[string]continuity.Word{}
					}
					all[id] = word
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if all[id].Phase != PhaseAllClear {
			ids = append(ids, id)
		}
	}
	return ids
}

// last sends the final word to whoever was told before.
func (t *turn) last() {
	for _, id := range t.heard() {
		a, ok := t.rules.audience(id)
		if !ok {
			continue
		}
		if t.endedByWindow(id) {
			continue
		}
		if a.Clock > 0 {
			t.helpless(a, PhaseAllClear, "legal")
			continue
		}
		if t.i.Unrestored() { // it goes out when it works
			t.helpless(a, PhaseAllClear, "withheld")
			continue
		}
		t.byItself(a, PhaseAllClear, t.i.ID+".update-all-clear-"+id+"-"+strconv.Itoa(t.i.Reopened), time.Time{})
	}
}

// law warns when half, three quarters and all of the time has gone by within which the
// law wants an audience told.
func (t *turn) law() {
	p := t.i.Personal
	if p == nil || p.Since.IsZero() {
		return
	}
	for n := range t.rules.Audiences {
		a := &t.rules.Audiences[n]
		due, set := p.Due[a.ID]
		if !set {
			if a.Clock <= 0 {
				continue
			}
			due = p.Since.Add(a.Clock)
		}
		if !p.Done[a.ID].IsZero() || !due.After(p.Since) {
			continue
		}
		whole, last := due.Sub(p.Since), 0
		for _, percent := range []int{50, 75, 100} {
			if t.due(p.Since.Add(whole / 100 * time.Duration(percent))) {
				last = percent
			}
		}
		// Of several that are over, as after a standstill, the last one speaks.
		said := t.spoken.Marks["law."+a.ID]
		at := p.Since.Add(whole / 100 * time.Duration(last))
		if last == 0 || !said.Before(at) {
			continue
		}
		t.mark("law."+a.ID, at)
		id, times := "law-"+a.ID+"-"+strconv.Itoa(last)+"-"+stamp(p.Since), map[string]time.Time{"due": due, "since": p.Since}
		if last == 50 {
			t.notice(id, "announce.law.", a, times)
		} else {
			t.page(id, "announce.law.", a, times)
		}
	}
}

// staff is a message to those who speak for the service, in both languages.
func (t *turn) staff(id, text string, a *Audience, times map[string]time.Time) continuity.Notification {
	args := func(lang catalogue.Lang) catalogue.Args {
		name := in(a.Name, lang)
		if name == "" {
			name = a.ID
		}
		title := in(t.i.Title, lang)
		if title == "" {
			title = t.i.ID
		}
		all := catalogue.Args{"incident": t.i.ID, "title": title, "grade": t.i.Grade, "audience": name, "id": a.ID}
		for name, at := range times {
			all[name] = catalogue.Moment(at, t.rules.Zone)
		}
		return all
	}
	note := continuity.Notification{
		ID: t.i.ID + ".n-" + id, Service: t.i.Service, About: continuity.KindIncident + "/" + t.i.ID, At: t.now, Urgency: continuity.UrgencyNotice,
		Group: t.i.ID + "/words", Exercise: t.i.Exercise, Shown: t.shown(), Subject: both(text+"subject", args), Text: both(text+"text", args),
	}
	for n, role := range t.rules.Roles {
		to := continuity.Recipient{Kind: continuity.ToRole, ID: role}
		if h := t.i.Roles[role]; h.State == continuity.RoleTook && h.Person != "" { // who has it in this incident, whoever is on call
			to = continuity.Recipient{Kind: continuity.ToPerson, ID: h.Person}
		}
		if n == 0 {
			note.To = append(note.To, to)
		} else {
			note.Escalate = append(note.Escalate, to)
		}
		note.Escalate = append(note.Escalate, continuity.Recipient{Kind: continuity.ToDeputies, ID: role})
	}
	return note
}

func (t *turn) notice(id, text string, a *Audience, times map[string]time.Time) {
	note := t.staff(id, text, a, times)
	note.Escalate = nil
	t.add(continuity.Tell(note))
}

func (t *turn) page(id, text string, a *Audience, times map[string]time.Time) {
	note := t.staff(id, text, a, times)
	note.Urgency, note.Rank, note.AckWithin = continuity.UrgencyPage, 3, t.rules.grade(t.i.Grade).Escalate
	t.add(continuity.Tell(note))
}

// both makes a text of the catalogue in both languages.
func both(id string, args func(catalogue.Lang) catalogue.Args) continuity.Text {
	return continuity.Text{En: catalogue.Text(catalogue.En, id, args(catalogue.En)), Zh: catalogue.Text(catalogue.Zh, id, args(catalogue.Zh))}
}
