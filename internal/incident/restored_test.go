package incident_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// ended is said of what is over although its check is down.
var ended = incident.Stating{State: continuity.Resolved, Despite: "the check asks the old address"}

// TestWhatIsBadIsNotResolved has an incident stand while what it came of is bad, unless
// somebody says why not; then nobody says that it works, until it does.
func TestWhatIsBadIsNotResolved(t *testing.T) {
	w, id := declared(t)
	for _, state := range []string{continuity.Monitoring, continuity.Resolved} {
		_, err := w.acts.State(t.Context(), li, id, latest, incident.Stating{State: state, Restored: w.now})
		code(t, err, continuity.CodeState)
		var e *continuity.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if said := catalogue.Text(catalogue.En, "incident.state.bad", e.Args); !strings.Contains(said, "Down: orders/database. Wait") {
			t.Error(said)
		}
	}
	w.step(time.Minute)
	k := must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	if !k.Restored.IsZero() || !k.Works().IsZero() || !k.Unrestored() || w.subjects(id, "not restored") != 1 || w.subjects(id, "resolved:") != 0 {
		t.Errorf("%+v", k)
	}
	w.step(10 * time.Minute)
	w.check("database", continuity.CheckUp)
	up := w.now
	w.step(time.Minute)
	if k = w.only(); !k.Works().Equal(up) || k.Incident.State != continuity.Resolved || w.subjects(id, "works again") != 0 {
		t.Errorf("%+v", k)
	}
	must[incident.Kept](t)(w.acts.Reopen(t.Context(), li, id, latest, "again"))
	w.check("database", continuity.CheckDown)
	w.step(time.Minute)
	said := ended
	said.Restored = w.now.Add(-time.Second)
	if k = must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, said)); !k.Works().Equal(said.Restored) || k.Unrestored() || k.Despite == "" {
		t.Errorf("%+v", k)
	}
}

// TestWhatElseIsBad has the check of the scenario that people declared, a warning, and
// what was merged looked at, and what is played or dismissed not.
func TestWhatElseIsBad(t *testing.T) {
	warning := continuity.Warning{ID: "orders.slow", Service: "orders", Source: continuity.FromCheck, Rule: "orders-slow", State: continuity.WarningOpen, Level: continuity.LevelOrange, Since: start}
	gone := incident.Asking{Service: "orders", Scenario: "database-gone", Why: "nothing works"}
	for name, c := range map[string]struct {
		make func(w *world) string
		want continuity.Code
	}{
		"people's": {func(w *world) string {
			id := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, gone)).ID
			w.check("database", continuity.CheckDown)
			return id
		}, continuity.CodeState},
		"degraded alone": {func(w *world) string {
			id := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, gone)).ID
			w.check("database", continuity.CheckDegraded)
			return id
		}, ""},
		"warning": {func(w *world) string {
			w.put("warning", warning.ID, warning)
			w.step(time.Second)
			return w.only().ID
		}, continuity.CodeState},
		"a warning that was dismissed": {func(w *world) string {
			w.put("warning", warning.ID, warning)
			w.step(time.Second)
			no := warning
			no.State = continuity.WarningDismissed
			w.put("warning", no.ID, no)
			return w.only().ID
		}, ""},
		"merged": {func(w *world) string {
			into := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Title: continuity.Text{En: "Labels"}, Why: "seen"})).ID
			w.check("database", continuity.CheckDown)
			w.step(time.Second)
			must[incident.Kept](t)(w.acts.Merge(t.Context(), li, "orders-2026-2", latest, into, "the same disk"))
			return into
		}, continuity.CodeState},
		"played": {func(w *world) string {
			w.put(continuity.KindExercise, "spring", continuity.Exercise{ID: "spring", Real: w.now, Shown: w.now, Speed: 1})
			w.check("database", continuity.CheckDown)
			played := gone
			played.Exercise = "spring"
			return must[incident.Kept](t)(w.acts.Declare(t.Context(), li, played)).ID
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.acts.State(t.Context(), li, c.make(w), latest, incident.Stating{State: continuity.Resolved})
			code(t, err, c.want)
		})
	}
}

// TestOnlyTheTimesInWhichItIsDownCount has an incident be opened again, while its check
// is up and by it: no old recovery is told as a new one, and what worked is not lost.
func TestOnlyTheTimesInWhichItIsDownCount(t *testing.T) {
	w, id := declared(t)
	pass := func(d time.Duration, state continuity.CheckState) {
		t.Helper()
		w.step(d)
		w.check("database", state)
		w.step(0)
	}
	pass(start.Add(10*time.Minute).Sub(w.now), continuity.CheckUp) // 10 minutes down
	w.step(2 * time.Minute)
	resolve := func() incident.Kept {
		t.Helper()
		return must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, incident.Stating{State: continuity.Resolved}))
	}
	resolve()
	w.step(20 * time.Minute)
	must[incident.Kept](t)(w.acts.Reopen(t.Context(), li, id, latest, "it is gone again"))
	w.step(5 * time.Minute)
	if k := w.only(); !k.Restored.IsZero() || w.subjects(id, "works again") != 1 {
		t.Errorf("an old recovery was told as new: %+v", k)
	}
	resolve() // 5 more
	if told := w.told(id); !strings.Contains(told[len(told)-1].Text.En, "down for 15 min") {
		t.Error(told[len(told)-1].Text.En)
	}
	pass(30*time.Minute, continuity.CheckDown)
	pass(3*time.Minute, continuity.CheckUp) // 3 more
	k := w.only()
	if got := k.Lasted(w.now.Add(time.Hour)); k.Reopened != 2 || got != 18*time.Minute {
		t.Errorf("opened %d times, down for %s: %+v", k.Reopened, got, k.Downs)
	}
	if f := must[incident.Figures](t)(w.acts.Figures(t.Context(), id)); f.Down != (18*time.Minute).Seconds() || !*f.WithinRTO {
		t.Errorf("%+v", f)
	}
	l := incident.LossOf(&k.Incident, []incident.Losing{{Process: "p", Rate: continuity.Money{Units: 10000, Currency: "CNY"}, Per: time.Minute}}, nil, w.now.Add(time.Hour))
	if l.Total[0].Amount != "18" || l.Down != 18*60 || l.Running {
		t.Errorf("%+v", l)
	}
}

// TestReopeningKeepsWhoHadRoles has whoever had a role a short time ago have it still and
// be paged, and others be asked by the plan.
func TestReopeningKeepsWhoHadRoles(t *testing.T) {
	for name, c := range map[string]struct {
		after             time.Duration
		commander, asked  string
		technical, header string
	}{
		"soon": {time.Hour, "zhang.min", "zhang.min", continuity.RoleTook, "zhang.min"},
		"late": {9 * time.Hour, "li.wei", "li.wei", continuity.RoleAsked, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, id := declared(t)
			must[incident.Kept](t)(w.acts.Take(t.Context(), zhang, id, latest, "commander", "", ""))
			must[incident.Kept](t)(w.acts.Take(t.Context(), chen, id, latest, "technical", "", ""))
			must[incident.Kept](t)(w.acts.State(t.Context(), zhang, id, latest, ended))
			w.step(c.after)
			must[incident.Kept](t)(w.acts.Reopen(t.Context(), chen, id, latest, "it is gone again"))
			w.step(time.Second)
			k := w.only()
			page := w.page(id, "commander")
			if h := k.Roles["commander"]; h.State != continuity.RoleAsked || h.Person != c.commander || page.To[0].ID != c.asked || len(page.Escalate) != 1 || page.Escalate[0].ID == c.asked {
				t.Errorf("%+v %+v", h, page)
			}
			if !strings.Contains(page.Text.En, "stands again") || k.Roles["technical"].State != c.technical || k.Commander != c.header {
				t.Errorf("%s: %+v, %q", page.Text.En, k.Roles, k.Commander)
			}
			w.became(page, acknowledge(c.asked, w.now))
			w.step(0)
			if k = w.only(); k.Commander != c.asked || len(k.Command) != map[string]int{"soon": 1, "late": 2}[name] {
				t.Errorf("%+v", k.Command)
			}
		})
	}
}

// TestWhoCommandsIsWhoTheRoleSays has the header be what the role says as command is
// handed over to somebody who does not answer; the page is true for each who reads it.
func TestWhoCommandsIsWhoTheRoleSays(t *testing.T) {
	w, id := declared(t)
	header := func(want string) {
		t.Helper()
		w.step(0)
		if k := w.only(); k.Commander != want {
			t.Errorf("%q, want %q: %+v", k.Commander, want, k.Roles["commander"])
		}
	}
	header("")
	must[incident.Kept](t)(w.acts.Take(t.Context(), li, id, latest, "commander", "", ""))
	must[incident.Kept](t)(w.acts.Take(t.Context(), chen, id, latest, "technical", "", ""))
	header("li.wei")
	must[incident.Kept](t)(w.acts.HandOver(t.Context(), li, id, latest, "zhang.min", "end of shift"))
	header("zhang.min")
	page := w.page(id, "commander")
	if said := page.Text.En; strings.Contains(said, "you Incident commander") || !strings.Contains(said, "Whoever else reads this: zhang.min has not answered.") {
		t.Error(said)
	}
	must[incident.Kept](t)(w.acts.Grade(t.Context(), li, id, latest, incident.Grading{Grade: "SEV-1", Why: "worse"}))
	told := w.told(id)
	i := slices.IndexFunc(told, func(n continuity.Notification) bool { return strings.Contains(n.Subject.En, "to SEV-1") })
	if to := told[i].To; len(to) != 2 || to[0].ID != "zhang.min" || to[1].ID != "chen.jie" {
		t.Errorf("%+v", to)
	}
	w.became(page, func(n *continuity.Notification) { n.State, n.Step = continuity.NotifyWaiting, 1 })
	header("") // li.wei is asked
	o := must[continuity.Object](t)(w.store.Get(t.Context(), continuity.KindNotification, page.ID))
	if err := json.Unmarshal(o.Body, &page); err != nil {
		t.Fatal(err)
	}
	w.became(page, acknowledge("li.wei", w.now))
	header("li.wei")
}

// TestNothingIsDownLessThanNoTime has people say that it works since before it fell
// again: that is refused, as it would take from what it was down.
func TestNothingIsDownLessThanNoTime(t *testing.T) {
	w, id := declared(t)
	pass := func(d time.Duration, state continuity.CheckState) {
		t.Helper()
		w.step(d)
		w.check("database", state)
		w.step(0)
	}
	pass(10*time.Minute, continuity.CheckUp)
	pass(10*time.Minute, continuity.CheckDown)
	before := w.now.Add(-5 * time.Minute)
	w.step(time.Minute)
	said := incident.Stating{State: continuity.Monitoring, Restored: before, Despite: "the check asks the old address"}
	_, err := w.acts.State(t.Context(), li, id, latest, said)
	code(t, err, continuity.CodeInvalid)
	pass(10*time.Minute, continuity.CheckUp)
	pass(10*time.Minute, continuity.CheckDown)
	for _, down := range w.only().Downs {
		if down.Until.Before(down.From) {
			t.Errorf("%+v", down)
		}
	}
}

// TestMergingLosesNoTime has an incident go on in a later one that had worked in between:
// what it was down before that counts.
func TestMergingLosesNoTime(t *testing.T) {
	w := newWorld(t)
	older := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Title: continuity.Text{En: "Labels"}, Why: "seen"})).ID
	pass := func(d time.Duration, state continuity.CheckState) {
		t.Helper()
		w.step(d)
		w.check("database", state)
		w.step(0)
	}
	pass(20*time.Minute, continuity.CheckDown)
	pass(10*time.Minute, continuity.CheckUp)
	pass(10*time.Minute, continuity.CheckDown)
	w.step(5 * time.Minute)
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, older, latest, "orders-2026-2", "the same disk"))
	k := must[incident.Kept](t)(w.acts.Get(t.Context(), "orders-2026-2"))
	if got := k.Lasted(w.now); got != 35*time.Minute {
		t.Errorf("down for %s: %+v", got, k.Downs)
	}
}
