package announce_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
)

const (
	firstCustomers = "update-first-customers.n-1"
	firstStaff     = "update-first-staff.n-1"
)

// TestHoldingStatementsGoOutByThemselves has each audience told within the time of the
// grade where nobody told it, once, over a restart at each moment.
func TestHoldingStatementsGoOutByThemselves(t *testing.T) {
	w := newWorld(t)
	w.begin(nil)
	if next := w.step(); !next.Equal(start.Add(4 * time.Minute)) {
		t.Errorf("looks again at %s", next)
	}
	w.pass(4*time.Minute - time.Second)
	w.want("")
	w.restart()
	w.pass(time.Second)
	w.want(firstCustomers + " " + firstStaff)
	if took := w.now.Sub(start); took > 5*time.Minute {
		t.Errorf("after %s", took)
	}
	w.restart()
	w.step()
	w.want(firstCustomers + " " + firstStaff)

	u, _ := read[continuity.Update](w, continuity.KindUpdate, incident+".update-first-customers")
	const says = "Order desk is disturbed since 2026-03-02 15:59 UTC+08:00. Use help@standby.example. Again at 2026-03-02 16:24 UTC+08:00."
	if u.State != continuity.UpdateSent || u.Text.En != says || u.Template != "hold" || u.Audience != "customers" {
		t.Errorf("%+v", u)
	}
	n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+"."+firstCustomers)
	if len(n.To) != 1 || n.To[0] != (continuity.Recipient{Kind: continuity.ToAudience, ID: "customers"}) || n.Template != "hold" || n.Text.En != says || n.Vars["service@zh"] != "订单服务" {
		t.Errorf("%+v", n)
	}
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if word := i.Public["customers"]; word.Update != u.ID || word.Text.En != says || !word.Next.Equal(w.now.Add(20*time.Minute)) || len(i.Public) != 2 {
		t.Errorf("%+v", i.Public)
	}
}

// TestNobodyIsToldTwice has a person's word take the holding statement's place, and
// audiences of worse grades and of the law told nothing by themselves.
func TestNobodyIsToldTwice(t *testing.T) {
	w := newWorld(t)
	w.begin(func(i *continuity.Incident) { i.Grade = "SEV-3" })
	if _, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "staff"}); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Minute)
	w.want("update-1.n-1") // customers are told from SEV-2 on
	w.becomes(func(i *continuity.Incident) { i.Grade = "SEV-2" })
	w.want("update-1.n-1 " + firstCustomers)
}

// TestAPlanThatComesLater has what was due go out when the plan is known.
func TestAPlanThatComesLater(t *testing.T) {
	w := newWorld(t)
	w.known = false
	w.begin(nil)
	w.pass(10 * time.Minute)
	w.want("")
	w.known = true
	w.pass(5 * time.Second)
	w.want(firstCustomers + " " + firstStaff)
}

// TestRemindersOfTheNextWord has people reminded before the next word is due, and
// paged when it is, once each, until somebody says it.
func TestRemindersOfTheNextWord(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[:1]
	w.begin(nil)
	w.pass(4 * time.Minute)
	due := w.now.Add(20 * time.Minute)
	w.pass(15*time.Minute - time.Second)
	w.want(firstCustomers)
	w.pass(time.Second)
	soon := "n-soon-customers-" + stampOf(due)
	w.want(soon + " " + firstCustomers)
	w.restart()
	w.pass(5 * time.Minute)
	late := "n-late-customers-" + stampOf(due)
	w.want(late + " " + soon + " " + firstCustomers)
	n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+"."+late)
	if n.Urgency != continuity.UrgencyPage || n.To[0].ID != "commander" || n.Escalate[0] != (continuity.Recipient{Kind: continuity.ToDeputies, ID: "commander"}) || !strings.Contains(n.Text.En, "16:24") {
		t.Errorf("%+v", n)
	}
	w.pass(time.Minute)
	w.restart()
	w.step()
	w.want(late + " " + soon + " " + firstCustomers)
	w.pass(19 * time.Minute)
	again := "n-late-customers-" + stampOf(due.Add(20*time.Minute))
	w.want(late + " " + again + " " + soon + " " + firstCustomers)
	w.becomes(func(i *continuity.Incident) { i.Grade = "SEV-3" })
	if _, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers"}); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.want(late + " " + again + " " + soon + " update-1.n-1 " + firstCustomers)
}

// TestTheIncidentSaysWhenPeopleAreToldNext has words promise the time that was said of
// the incident while it is still to come, and people reminded by it where an audience was
// promised a later one before; no promise is put off by it.
func TestTheIncidentSaysWhenPeopleAreToldNext(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences, w.rules.Audiences[0].From = w.rules.Audiences[:1], ""
	expect := func(next time.Time) {
		w.becomes(func(i *continuity.Incident) { i.Next, i.NextSaid = next, w.now })
	}
	promised := func() time.Time {
		i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
		return i.Public["customers"].Next
	}
	w.begin(func(i *continuity.Incident) { i.Grade, i.Next, i.NextSaid = "SEV-3", start.Add(14*time.Minute), start })
	w.pass(4 * time.Minute)
	u, _ := read[continuity.Update](w, continuity.KindUpdate, incident+".update-first-customers")
	if !promised().Equal(start.Add(14*time.Minute)) || !strings.Contains(u.Text.En, "Again at 2026-03-02 16:14") {
		t.Errorf("%s: %s", promised(), u.Text.En)
	}

	expect(start.Add(12 * time.Minute)) // sooner than promised
	a, _ := read[continuity.Autoreply](w, continuity.KindAutoreply, continuity.AutoreplyID("orders", "chat"))
	if said := a.Wanted[0].Text.En; !strings.Contains(said, "Again at 2026-03-02 16:12") {
		t.Error(said)
	}
	w.pass(3*time.Minute - time.Second)
	w.want(firstCustomers)
	w.pass(time.Second)
	soon := "n-soon-customers-" + stampOf(start.Add(12*time.Minute))
	w.want(soon + " " + firstCustomers)
	w.pass(5 * time.Minute)
	late := "n-late-customers-" + stampOf(start.Add(12*time.Minute))
	w.want(late + " " + soon + " " + firstCustomers)
	n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+"."+late)
	if !strings.Contains(n.Text.En, "16:12") {
		t.Error(n.Text.En)
	}

	expect(start.Add(22 * time.Minute))
	soon += " n-soon-customers-" + stampOf(start.Add(14*time.Minute)) // which was promised
	w.want(late + " " + soon + " " + firstCustomers)
	say := func(next time.Time) announce.Kept {
		k, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Next: next})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if k := say(time.Time{}); !k.Next.Equal(start.Add(22*time.Minute)) || !strings.Contains(k.Text.En, "16:22") {
		t.Errorf("%+v", k)
	}
	w.pass(time.Second)
	say(start.Add(32 * time.Minute)) // whoever writes says otherwise
	w.pass(11*time.Minute - time.Second)
	w.want(late + " " + soon + " update-1.n-1 update-2.n-1 " + firstCustomers)
	if k := say(time.Time{}); !k.Next.Equal(w.now.Add(20 * time.Minute)) { // what was said is over
		t.Errorf("%+v", k)
	}
	expect(w.now.Add(time.Hour)) // what was promised is still due
	w.pass(20 * time.Minute)
	w.want(late + " n-late-customers-" + stampOf(start.Add(43*time.Minute)) + " " + soon + " update-1.n-1 update-2.n-1 update-3.n-1 " + firstCustomers)
}

// TestTheFirstWordStaysTheFirst has it kept when an audience was told something for the
// first time, whatever is said afterwards.
func TestTheFirstWordStaysTheFirst(t *testing.T) {
	w := newWorld(t)
	heard := func() time.Time {
		i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
		return i.Heard
	}
	w.begin(func(i *continuity.Incident) { i.Grade = "SEV-3" })
	if !heard().IsZero() {
		t.Error("nobody was told anything")
	}
	w.pass(4 * time.Minute)
	first := w.now
	if !heard().Equal(first) {
		t.Error(heard())
	}
	w.pass(time.Minute)
	if _, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "staff", Template: "hold-staff"}); err != nil {
		t.Fatal(err)
	}
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved, i.Restored = continuity.Resolved, w.now, w.now })
	if !heard().Equal(first) {
		t.Errorf("%s, want %s", heard(), first)
	}
}

func stampOf(at time.Time) string { return announce.Stamp(at) }

// TestTheLastWord has those who were told learn that it is over, once; a reopened
// incident is told anew, and its end again.
func TestTheLastWord(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[:1]
	w.begin(nil)
	w.pass(4 * time.Minute)
	w.pass(time.Minute)
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved, i.Restored = continuity.Resolved, w.now, w.now })
	const clear = "update-all-clear-customers-0.n-1"
	w.want(clear + " " + firstCustomers)
	u, _ := read[continuity.Update](w, continuity.KindUpdate, incident+".update-all-clear-customers-0")
	if u.Text.En != "Order desk works since 2026-03-02 16:05 UTC+08:00." {
		t.Errorf("%+v", u)
	}
	w.restart()
	w.pass(time.Hour)
	w.want(clear + " " + firstCustomers)
	w.becomes(func(i *continuity.Incident) {
		i.State, i.Reopened, i.Resolved, i.Restored = continuity.Investigating, 1, time.Time{}, time.Time{}
	})
	w.pass(4 * time.Minute)
	w.want(clear + " update-first-customers-1.n-1 " + firstCustomers)
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved, i.Restored = continuity.Resolved, w.now, w.now })
	w.want(clear + " update-all-clear-customers-1.n-1 update-first-customers-1.n-1 " + firstCustomers)
}

// TestNobodyIsToldThatItWorksWhileItDoesNot has people write what is said of an incident
// that was ended although it does not work, and the final word go out when it does.
func TestNobodyIsToldThatItWorksWhileItDoesNot(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[:1]
	w.begin(nil)
	w.pass(4 * time.Minute)
	w.becomes(func(i *continuity.Incident) {
		i.State, i.Grade, i.Resolved, i.Despite = continuity.Resolved, "SEV-3", w.now, "we live with it"
	})
	const page = "n-withheld-all-clear-customers-0"
	w.want(page + " " + firstCustomers)
	say := func(d announce.Draft) (announce.Kept, error) {
		d.Audience = "customers"
		return w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, d)
	}
	_, err := say(announce.Draft{})
	w.code(err, continuity.CodeInvalid)
	_, err = say(announce.Draft{Text: continuity.Text{En: "{service} works since {end}."}, Lone: true})
	w.code(err, continuity.CodeInvalid)
	if k, err := say(announce.Draft{Phase: announce.PhaseUpdate, Template: "more", Next: w.now.Add(time.Hour), Lone: true}); err != nil || !strings.Contains(k.Text.En, "does not work again yet") {
		t.Errorf("%+v %v", k, err)
	}
	if k, err := say(announce.Draft{Text: continuity.Text{En: "{service} stays away until Monday."}, Lone: true, Preview: true}); err != nil || k.Phase != announce.PhaseAllClear {
		t.Errorf("%+v %v", k, err)
	}
	n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+"."+page)
	if !strings.Contains(n.Text.En, "does not work again yet") || strings.Contains(n.Text.En, "no template") {
		t.Error(n.Text.En)
	}
	w.becomes(func(i *continuity.Incident) { i.Restored = w.now })
	w.want(page + " update-1.n-1 update-all-clear-customers-0.n-1 " + firstCustomers)
}

// TestNobodyIsAskedForWordsThatWentOut has the page that asks people to write end as the
// final word goes out after all: nobody further is told of it.
func TestNobodyIsAskedForWordsThatWentOut(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[:1]
	w.begin(nil)
	w.pass(4 * time.Minute)
	w.becomes(func(i *continuity.Incident) {
		i.State, i.Resolved, i.Despite = continuity.Resolved, w.now, "it looks wrong"
	})
	page := func() continuity.Notification {
		n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+".n-withheld-all-clear-customers-0")
		return n
	}
	n := page()
	n.State, n.Told, n.Deliver = continuity.NotifyWaiting, w.now, 1
	w.put(continuity.KindNotification, n.ID, n)
	w.pass(30 * time.Second)
	if n = page(); n.Over() {
		t.Errorf("%+v", n)
	}
	w.restart()
	w.becomes(func(i *continuity.Incident) { i.Restored = w.now })
	w.step()
	if n = page(); n.State != continuity.NotifyDelivered || n.By != incident+".update-all-clear-customers-0.n-1" {
		t.Errorf("%+v", n)
	}
}

// TestWhoWasToldOfAMergedIncident has those learn the end who were told of an incident
// that was merged into this one.
func TestWhoWasToldOfAMergedIncident(t *testing.T) {
	w := newWorld(t)
	w.begin(func(i *continuity.Incident) { i.Grade, i.From = "SEV-3", []string{"orders-2026-2"} })
	w.put(continuity.KindIncident, "orders-2026-2", continuity.Incident{
		ID: "orders-2026-2", Service: "orders", Grade: "SEV-1", State: continuity.Merged, Into: incident, Declared: w.now,
		Public: map[string]continuity.Word{"customers": {Update: "u", Phase: announce.PhaseFirst, At: w.now}},
	})
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved = continuity.Resolved, w.now })
	w.want("update-all-clear-customers-0.n-1")
}

// TestWhatCantGoOutByItselfIsAskedOfPeople has people paged, once, where no template
// fits.
func TestWhatCantGoOutByItselfIsAskedOfPeople(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = []announce.Audience{{ID: "partners", Kind: "partners"}}
	w.begin(nil)
	w.pass(4 * time.Minute)
	w.restart()
	w.pass(time.Minute)
	w.want("n-helpless-first-partners-0")
}

// TestTheLawsClock warns at half, three quarters and all of the time, and no more once
// the audience was told.
func TestTheLawsClock(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[1:2]
	w.rules.Find = func(name string) (announce.Template, bool) {
		return announce.Template{ID: "report", Kind: "regulator", Phase: "first", Text: continuity.Text{En: "{incident}, {reason}"}}, name == "regulator/first"
	}
	w.begin(func(i *continuity.Incident) {
		i.Grade, i.Personal = "SEV-3", &continuity.LegalClock{Since: w.now, Due: map[string]time.Time{"regulator": w.now.Add(72 * time.Hour)}, By: li}
	})
	since := stampOf(w.now)
	w.pass(36*time.Hour - time.Second)
	w.want("")
	w.pass(time.Second)
	half := "n-law-regulator-50-" + since
	w.want(half)
	w.restart()
	w.pass(18 * time.Hour)
	most := "n-law-regulator-75-" + since
	w.want(half + " " + most)
	w.pass(18 * time.Hour)
	all := "n-law-regulator-100-" + since
	w.want(all + " " + half + " " + most)
	if n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+"."+most); n.Urgency != continuity.UrgencyPage {
		t.Errorf("%+v", n)
	}
	k, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "regulator"})
	if err != nil || k.State != continuity.UpdateSent {
		t.Fatal(k, err)
	}
	if i, _ := read[continuity.Incident](w, continuity.KindIncident, incident); !i.Personal.Done["regulator"].Equal(w.now) {
		t.Errorf("%+v", i.Personal)
	}
	w.pass(100 * time.Hour)
	if strings.Count(w.told(), "law-") != 3 {
		t.Error(w.told())
	}
}

// TestAStandstillWarnsOnce has only the last of the law's warnings go out after a time
// in which no node ran.
func TestAStandstillWarnsOnce(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[1:2]
	w.begin(func(i *continuity.Incident) {
		i.Grade, i.Personal = "SEV-3", &continuity.LegalClock{Since: w.now, By: li}
	})
	since := stampOf(w.now)
	w.pass(80 * time.Hour)
	w.want("n-law-regulator-100-" + since)
}

// TestAnExercisesClockDrivesItsWords has the words of a drill go by its clock.
func TestAnExercisesClockDrivesItsWords(t *testing.T) {
	w := newWorld(t)
	w.put(continuity.KindExercise, "drill", continuity.Exercise{ID: "drill", Real: w.now, Shown: w.now, Speed: 10})
	w.begin(func(i *continuity.Incident) { i.Exercise = "drill" })
	w.pass(23 * time.Second)
	w.want("")
	w.pass(time.Second)
	w.want(firstCustomers + " " + firstStaff)
	n, _ := read[continuity.Notification](w, continuity.KindNotification, incident+"."+firstCustomers)
	if n.Exercise != "drill" || !n.Shown.Equal(start.Add(4*time.Minute)) || !n.At.Equal(w.now) {
		t.Errorf("%+v", n)
	}
}

// TestAWordOfARunbookIsTheFirstWord has an audience that a runbook's step told hear no
// holding statement, and be told of the end.
func TestAWordOfARunbookIsTheFirstWord(t *testing.T) {
	w := newWorld(t)
	w.begin(nil)
	w.pass(time.Minute)
	w.put(continuity.KindNotification, incident+".run-1.n-tell-1", continuity.Notification{
		ID: incident + ".run-1.n-tell-1", Service: "orders", About: "incident/" + incident, At: w.now, State: continuity.NotifyNew,
		To: []continuity.Recipient{{Kind: continuity.ToAudience, ID: "customers"}}, Template: "hold",
		Vars: map[string]string{"service": "Orders", "start": "8:00", "standby": "mail", "next_update": "8:21"},
	})
	w.step()
	said := w.now
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if word := i.Public["customers"]; word.Phase != announce.PhaseFirst || word.Text.En != "Orders is disturbed since 8:00. Use mail. Again at 8:21." ||
		!word.Next.Equal(said.Add(20*time.Minute)) || !i.Heard.Equal(said) {
		t.Errorf("%+v, heard %s", word, i.Heard)
	}
	w.restart()
	w.pass(3 * time.Minute)
	w.want("run-1.n-tell-1 " + firstStaff)
	if again, _ := read[continuity.Incident](w, continuity.KindIncident, incident); !again.Heard.Equal(said) || !again.Public["customers"].At.Equal(said) {
		t.Errorf("%+v", again.Public)
	}
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved = continuity.Resolved, w.now })
	if !strings.Contains(w.told(), "update-all-clear-customers-0.n-1") {
		t.Error(w.told())
	}
}

// TestAFirstWordIsNotRepeated has runbooks not tell an audience again what it was told.
func TestAFirstWordIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	i := continuity.Incident{ID: incident, Grade: "SEV-1", State: continuity.Investigating, Public: map[string]continuity.Word{"staff": {Update: "u", Phase: announce.PhaseFirst, At: w.now}}}
	window := &continuity.Window{ID: "orders-w-1", Told: map[string]time.Time{"overrun/partners": w.now}}
	for _, c := range []struct{ audience, template, by string }{
		{"staff", "hold-staff", "u"}, {"staff", "broken", ""}, {"customers", "hold", ""}, {"partners", "hold", "orders-w-1"},
	} {
		if by, yes := w.rules.Repeats(&i, window, c.audience, c.template); by != c.by || yes != (c.by != "") {
			t.Errorf("%+v: %q", c, by)
		}
	}
	// A first word names when the next one comes, as one that goes out by itself does.
	if c, ok := w.rules.OfIncident(&i, "customers", "hold", w.now); !ok || c.Vars["next_update"] != "2026-03-02 16:20 UTC+08:00" {
		t.Errorf("%+v", c)
	}
}
