package incident_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

const latest = continuity.VersionAny

// declared is a world in which the database went down, and the engine noticed.
func declared(t *testing.T) (*world, string) {
	w := newWorld(t)
	w.check("database", continuity.CheckDown)
	w.step(time.Second)
	return w, w.only().ID
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestWhoMay has the plan say who declares, grades, closes and commands; whoever the
// node trusts does all of it, and programs declare.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	ask := incident.Asking{Service: "orders", Scenario: "theft", Why: "a dump was found"}
	_, err := w.acts.Declare(t.Context(), chen, ask)
	code(t, err, continuity.CodeScope)
	i := must[incident.Kept](t)(w.acts.Declare(t.Context(), robot, ask))
	if i.Origin != (continuity.Origin{Kind: "api", ID: "t-1"}) || i.Grade != "SEV-1" {
		t.Errorf("%+v", i)
	}
	_, err = w.acts.Declare(t.Context(), li, ask)
	code(t, err, continuity.CodeState) // it stands
	for name, act := range map[string]func(by incident.By) error{
		"grade": func(by incident.By) error {
			_, err := w.acts.Grade(t.Context(), by, i.ID, latest, incident.Grading{Scope: "one", Why: "x"})
			return err
		},
		"merge": func(by incident.By) error {
			_, err := w.acts.Merge(t.Context(), by, i.ID, latest, i.ID, "x")
			if continuity.CodeOf(err) == continuity.CodeState {
				return nil // it may, and can't
			}
			return err
		},
		"close": func(by incident.By) error {
			_, err := w.acts.State(t.Context(), incident.By{Actor: by.Actor, Trusted: true}, i.ID, latest, incident.Stating{State: continuity.Resolved})
			if err == nil {
				if _, err = w.acts.Close(t.Context(), by, i.ID, latest, []string{"operator"}, "", ""); err == nil {
					_, err = w.acts.Reopen(t.Context(), li, i.ID, latest, "again")
				} else {
					must[incident.Kept](t)(w.acts.Reopen(t.Context(), li, i.ID, latest, "again"))
				}
			}
			return err
		},
	} {
		for by, want := range map[*incident.By]continuity.Code{&li: "", &chen: continuity.CodeScope, &guest: continuity.CodeScope, &robot: continuity.CodeScope, {Actor: guest.Actor, Trusted: true}: ""} {
			if err := act(*by); continuity.CodeOf(err) != want {
				t.Errorf("%s by %s: %v", name, by.Actor.ID, err)
			}
		}
	}
	_, err = w.acts.State(t.Context(), guest, i.ID, latest, incident.Stating{State: continuity.Identified})
	code(t, err, continuity.CodeScope)
	_, err = w.acts.Take(t.Context(), chen, i.ID, latest, "commander", "", "")
	code(t, err, continuity.CodeScope)
	_, err = w.acts.Take(t.Context(), li, i.ID, latest, "technical", "nobody", "")
	code(t, err, continuity.CodeInvalid)
	must[incident.Kept](t)(w.acts.Take(t.Context(), li, i.ID, latest, "technical", "guest", "nobody else is here"))
	must[incident.Kept](t)(w.acts.State(t.Context(), guest, i.ID, latest, incident.Stating{State: continuity.Identified})) // who was given a role takes part
}

// TestCommandPassesOn has each passing on of command written down with who, when and
// why; whom it passes to is paged, and the one before is asked where they don't answer.
func TestCommandPassesOn(t *testing.T) {
	w, id := declared(t)
	page := w.page(id, "commander")
	must[incident.Kept](t)(w.acts.Take(t.Context(), li, id, latest, "commander", "", ""))
	var n continuity.Notification
	o := must[continuity.Object](t)(w.store.Get(t.Context(), continuity.KindNotification, page.ID))
	if err := json.Unmarshal(o.Body, &n); err != nil || n.State != continuity.NotifyAcknowledged || n.AckBy.ID != "li.wei" {
		t.Errorf("%+v %v", n, err) // nobody is asked any more
	}
	_, err := w.acts.HandOver(t.Context(), li, id, latest, "zhang.min", " ")
	code(t, err, continuity.CodeInvalid)
	_, err = w.acts.HandOver(t.Context(), chen, id, latest, "chen.jie", "I can")
	code(t, err, continuity.CodeScope)
	w.step(time.Minute)
	must[incident.Kept](t)(w.acts.HandOver(t.Context(), li, id, latest, "zhang.min", "end of shift"))
	w.step(time.Minute)
	page = w.page(id, "commander")
	if page.To[0].ID != "zhang.min" || page.Escalate[0].ID != "li.wei" || !strings.Contains(page.Text.En, "end of shift") {
		t.Errorf("%+v", page)
	}
	w.became(page, acknowledge("li.wei", w.now)) // who had it before, as zhang did not answer
	w.step(0)
	_, err = w.acts.Take(t.Context(), zhang, id, latest, "commander", "", "")
	code(t, err, continuity.CodeState) // somebody has it: why?
	must[incident.Kept](t)(w.acts.Take(t.Context(), zhang, id, latest, "commander", "", "I am back"))
	got := ""
	for _, h := range w.only().Command {
		got += h.From + ">" + h.To + ":" + h.By.ID + ":" + h.Why + " "
	}
	if want := ">li.wei:li.wei: li.wei>zhang.min:li.wei:end of shift zhang.min>li.wei:li.wei: li.wei>zhang.min:zhang.min:I am back "; got != want {
		t.Errorf("%s\n%s", got, want)
	}
}

// TestAPersonsGradeStands has a grade that a person gave stay, whatever time runs out.
func TestAPersonsGradeStands(t *testing.T) {
	w, id := declared(t)
	k := must[incident.Kept](t)(w.acts.Grade(t.Context(), li, id, latest, incident.Grading{Grade: "SEV-3", Scope: "office", Hits: []string{"dispatch"}, Why: "only the warehouse"}))
	if k.RTO != 2*time.Hour || k.MTD != 8*time.Hour || k.Scoped.IsZero() || w.subjects(id, "SEV-2 to SEV-3") != 1 {
		t.Errorf("%s %s %+v", k.RTO, k.MTD, k.Scoped)
	}
	w.step(7*time.Hour + 50*time.Minute)
	if k = w.only(); k.Incident.Grade != "SEV-3" || w.subjects(id, "whom does it hit") != 0 || !slices.Contains(k.Hits, "database") {
		t.Errorf("%s %v", k.Incident.Grade, k.Hits) // what is down is hit, whatever people say
	}
	for _, bad := range []incident.Grading{{Grade: "SEV-9", Why: "x"}, {Scope: "moon", Why: "x"}, {Hits: []string{"moon"}, Why: "x"}, {Why: "x"}, {Grade: "SEV-1"}} {
		_, err := w.acts.Grade(t.Context(), li, id, latest, bad)
		code(t, err, continuity.CodeInvalid)
	}
	_, err := w.acts.Grade(t.Context(), li, id, 1, incident.Grading{Grade: "SEV-1", Why: "x"})
	code(t, err, continuity.CodeVersion)
}

// TestStatesAndWhatIsMeasured walks through the states; when it works again is
// noticed, said, taken back, and measured from the fault.
func TestStatesAndWhatIsMeasured(t *testing.T) {
	w, id := declared(t)
	state := func(s string) incident.Kept {
		t.Helper()
		return must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, incident.Stating{State: s}))
	}
	if k := state(continuity.Identified); k.Incident.Phase != continuity.PhaseRecovery {
		t.Error(k.Incident.Phase)
	}
	w.step(10 * time.Minute)
	w.check("database", continuity.CheckUp)
	up := w.now
	w.step(time.Minute)
	if k := w.only(); !k.Restored.Equal(up) || w.subjects(id, "works again") != 1 {
		t.Errorf("%+v", k)
	}
	state(continuity.Monitoring)
	w.check("database", continuity.CheckDown)
	w.step(time.Minute)
	if k := w.only(); !k.Restored.IsZero() || k.Incident.State != continuity.Investigating || w.subjects(id, "fails again") != 1 {
		t.Errorf("%+v", k)
	}
	w.step(10 * time.Minute)
	w.check("database", continuity.CheckUp)
	up = w.now
	w.step(5 * time.Minute)
	k := state(continuity.Resolved)
	if !k.Restored.Equal(up) || k.Incident.Phase != continuity.PhaseReconstitution || !k.Review.Equal(w.now.Add(5*24*time.Hour)) || w.subjects(id, "resolved") != 1 {
		t.Errorf("%+v", k)
	}
	f := must[incident.Figures](t)(w.acts.Figures(t.Context(), id))
	if *f.Restored != up.Sub(start).Seconds() || !*f.WithinRTO || f.Resolved == nil || f.First != nil {
		t.Errorf("%+v", f)
	}
	before := len(w.told(id))
	w.step(time.Hour)
	if n := len(w.told(id)); n != before {
		t.Errorf("%d more were told", n-before) // nothing is warned of any more
	}
	_, err := w.acts.State(t.Context(), li, id, latest, incident.Stating{State: continuity.Monitoring})
	code(t, err, continuity.CodeState)
}

// TestReviewIsRemindedOf has the review reminded of the day before and on its day,
// once, until somebody says that it was held.
func TestReviewIsRemindedOf(t *testing.T) {
	w, id := declared(t)
	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	_, err := w.acts.Close(t.Context(), li, id, latest, nil, "", "")
	code(t, err, continuity.CodeInvalid)
	_, err = w.acts.Close(t.Context(), li, id, latest, []string{"bad luck"}, "", "")
	code(t, err, continuity.CodeInvalid)
	k := must[incident.Kept](t)(w.acts.Close(t.Context(), li, id, latest, []string{"hardware"}, "a disk", ""))
	if !slices.Equal(k.Causes, []string{"hardware"}) || k.Closed.IsZero() {
		t.Errorf("%+v", k)
	}
	for _, c := range []struct {
		at        time.Duration
		soon, due int
	}{{-25 * time.Hour, 0, 0}, {-24 * time.Hour, 1, 0}, {-time.Minute, 1, 0}, {0, 1, 1}, {48 * time.Hour, 1, 1}} {
		w.now = k.Review.Add(c.at)
		w.step(0)
		w.step(0)
		if soon, due := w.subjects(id, "due tomorrow"), w.subjects(id, "is due ("); soon != c.soon || due != c.due {
			t.Errorf("%s: %d, %d", c.at, soon, due)
		}
	}
	must[incident.Kept](t)(w.acts.Review(t.Context(), li, id, latest, "in the wiki"))
	_, err = w.acts.Review(t.Context(), li, id, latest, "twice")
	code(t, err, continuity.CodeState)
}

// TestWhatIsLeftOnRelaysIsTold has a relay go on with what it was told in the name of
// an incident that is over, and with what somebody else told it.
func TestWhatIsLeftOnRelaysIsTold(t *testing.T) {
	w, id := declared(t)
	seen := func(route string, by ...string) {
		w.put(continuity.KindRoute, "orders/"+route, continuity.RouteSeen{ID: "orders/" + route, Service: "orders", Route: route, Mode: "hold", By: by, Since: w.now})
	}
	seen("web", "operator:"+id)
	seen("desk", "operator:li.wei", "operator:"+id+"0")
	w.step(time.Minute)
	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	w.step(0)
	if n := w.subjects(id, "is still"); n != 0 {
		t.Error("told at once")
	}
	w.step(time.Minute)
	w.step(time.Hour)
	if n := w.subjects(id, "route web is still"); n != 1 || w.subjects(id, "is still") != 1 {
		t.Errorf("%+v", w.told(id))
	}
	// It is not closed by oversight, later than relays need to take it back.
	if k := w.only(); !slices.Equal(k.Holding, []string{"web"}) {
		t.Errorf("%+v", k.Holding)
	}
	_, err := w.acts.Close(t.Context(), li, id, latest, []string{"hardware"}, "", "")
	code(t, err, continuity.CodeState)
	if k := must[incident.Kept](t)(w.acts.Close(t.Context(), li, id, latest, []string{"hardware"}, "", "the shop stays shut")); k.Summary != "the shop stays shut" {
		t.Errorf("%+v", k)
	}
}

// TestClosedWhileRelaysTakeItBack closes at once after the end, when what is known of a
// relay may be a moment old: what it still did is named, and told if it stays.
func TestClosedWhileRelaysTakeItBack(t *testing.T) {
	w, id := declared(t)
	w.put(continuity.KindRoute, "orders/web", continuity.RouteSeen{ID: "orders/web", Service: "orders", Route: "web", Mode: "hold", By: []string{"operator:" + id}, Since: w.now})
	w.step(time.Minute)
	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	k := must[incident.Kept](t)(w.acts.Close(t.Context(), li, id, latest, []string{"hardware"}, "a disk", ""))
	if k.Closed.IsZero() || !slices.Equal(k.Holding, []string{"web"}) {
		t.Errorf("%+v", k)
	}
	w.step(time.Minute)
	if n := w.subjects(id, "route web is still"); n != 1 {
		t.Errorf("%+v", w.told(id))
	}
}

// TestAProgramTakesNoRole has a program acknowledge the page of a role.
func TestAProgramTakesNoRole(t *testing.T) {
	w, id := declared(t)
	by := continuity.Actor{Kind: "token", ID: "t-1", Via: "api"}
	w.became(w.page(id, "commander"), func(n *continuity.Notification) {
		n.State, n.AckBy, n.AckAt, n.Ended = continuity.NotifyAcknowledged, &by, w.now, w.now
	})
	w.step(time.Second)
	if h := must[incident.Kept](t)(w.acts.Get(t.Context(), id)).Roles["commander"]; h.Person != "" || h.State != continuity.RolePassed {
		t.Errorf("%+v", h)
	}
	w.step(16 * time.Minute)
	if h := must[incident.Kept](t)(w.acts.Get(t.Context(), id)).Roles["commander"]; h.State != continuity.RoleAsked {
		t.Errorf("nobody was asked again: %+v", h)
	}
}

// TestEachIncidentIsPagedByItself has two incidents page the same people within
// minutes: neither waits for the other.
func TestEachIncidentIsPagedByItself(t *testing.T) {
	w, id := declared(t)
	other := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "theft", Why: "a call"}))
	w.step(time.Second)
	if a, b := w.page(id, "commander"), w.page(other.ID, "commander"); a.Group == b.Group || a.ID == b.ID {
		t.Errorf("%s, %s", a.Group, b.Group)
	}
}

// TestTasks has an owner told of a task, and what is late escalated once.
func TestTasks(t *testing.T) {
	w, id := declared(t)
	must[incident.Kept](t)(w.acts.Take(t.Context(), li, id, latest, "commander", "", ""))
	must[incident.Kept](t)(w.acts.Take(t.Context(), chen, id, latest, "technical", "", ""))
	late := must[continuity.Task](t)(w.acts.Assign(t.Context(), li, id, "Call the carrier", "technical", w.now.Add(20*time.Minute)))
	done := must[continuity.Task](t)(w.acts.Assign(t.Context(), li, id, "Count the stock", "wu.hao", w.now.Add(20*time.Minute)))
	mine := must[continuity.Task](t)(w.acts.Assign(t.Context(), li, id, "Think", "", time.Time{}))
	told := w.told(id)
	if n := w.subjects(id, "a task for you"); n != 2 || mine.Owner != "li.wei" || !slices.ContainsFunc(told, func(n continuity.Notification) bool {
		return n.To[0].ID == "chen.jie" && n.Urgency == continuity.UrgencyPage && n.Escalate[0].ID == "li.wei"
	}) {
		t.Errorf("%d %+v", n, told)
	}
	_, err := w.acts.Assign(t.Context(), li, id, "x", "nobody", time.Time{})
	code(t, err, continuity.CodeInvalid)
	must[continuity.Task](t)(w.acts.Finish(t.Context(), robot, done.ID, false, ""))
	_, err = w.acts.Finish(t.Context(), li, done.ID, true, "not needed")
	code(t, err, continuity.CodeState)
	_, err = w.acts.Finish(t.Context(), li, late.ID, true, "")
	code(t, err, continuity.CodeInvalid)
	w.step(19 * time.Minute)
	if n := w.subjects(id, "overdue"); n != 0 {
		t.Errorf("%d before their time", n)
	}
	w.step(time.Minute)
	w.step(time.Hour)
	if n := w.subjects(id, "overdue"); n != 1 {
		t.Errorf("%d were overdue", n)
	}
}

// TestMergeSplitReopen has two incidents become one and a part become its own; what
// fires again opens what was resolved, and begins a new one where it was closed.
func TestMergeSplitReopen(t *testing.T) {
	w, id := declared(t)
	other := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Title: continuity.Text{En: "Labels"}, Hits: []string{"dispatch"}, Grade: "SEV-1", Started: start.Add(-time.Hour), Why: "seen"}))
	w.step(time.Second)
	if w.subjects(other.ID, "100 %") != 1 {
		t.Error("an hour was not warned of that went by unnoticed")
	}
	_, err := w.acts.Merge(t.Context(), li, other.ID, latest, other.ID, "x")
	code(t, err, continuity.CodeState)
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, other.ID, latest, id, "the same disk"))
	k := must[incident.Kept](t)(w.acts.Get(t.Context(), id))
	if k.Incident.Grade != "SEV-1" || !k.Started.Equal(start.Add(-time.Hour)) || !slices.Equal(k.From, []string{other.ID}) || !slices.Contains(k.Hits, "dispatch") {
		t.Errorf("%+v", k)
	}
	if w.subjects(other.ID, "goes on in "+id) != 1 {
		t.Error("nobody knows")
	}
	_, err = w.acts.Note(t.Context(), li, other.ID, "late")
	code(t, err, continuity.CodeState)

	part := must[incident.Kept](t)(w.acts.Split(t.Context(), li, id, latest, incident.Asking{Title: continuity.Text{En: "Labels after all"}, Hits: []string{"dispatch"}, Why: "another cause"}))
	k = must[incident.Kept](t)(w.acts.Get(t.Context(), id))
	if part.ID != "orders-2026-3" || !slices.Equal(part.From, []string{id}) || slices.Contains(k.Hits, "dispatch") {
		t.Errorf("%+v %+v", part, k.Hits)
	}
	w.put("warning", "orders.slow", continuity.Warning{ID: "orders.slow", Service: "orders", State: "standing", Level: continuity.LevelOrange})
	w.put(continuity.KindRoute, "relay-1/web", continuity.RouteSeen{ID: "relay-1/web", Service: "orders", Route: "web", Mode: "hold", Since: w.now})
	w.now = w.now.Add(time.Second)
	lines := must[[]incident.TimelineEntry](t)(w.acts.Timeline(t.Context(), id))
	has := func(action, of string) bool {
		return slices.ContainsFunc(lines, func(e incident.TimelineEntry) bool { return e.Action == action && e.ID == of })
	}
	if !has("incident.merged", other.ID) || !has("incident.split", id) || has("incident.declared", part.ID) || !has("check.changed", "orders/database") || !has("incident.run", id) {
		t.Errorf("%+v", lines)
	}
	for action, e := range map[string]struct{ of, state string }{
		"warning.changed": {"orders.slow", string(continuity.LevelOrange)}, "route.changed": {"relay-1/web", "hold"},
		"notification.asked": {w.page(id, "commander").ID, continuity.NotifyNew},
	} {
		if !slices.ContainsFunc(lines, func(l incident.TimelineEntry) bool { return l.Action == action && l.ID == e.of && l.State == e.state }) {
			t.Errorf("%s of %s is not there: %+v", action, e.of, lines)
		}
	}
	if !slices.IsSortedFunc(lines, func(a, b incident.TimelineEntry) int { return a.At.Compare(b.At) }) {
		t.Error("not in order")
	}

	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	w.step(time.Minute)
	if k = must[incident.Kept](t)(w.acts.Get(t.Context(), id)); k.Incident.State != continuity.Resolved {
		t.Error("what was so before opened it")
	}
	again := func(want string, reopened int, all int) {
		t.Helper()
		w.check("database", continuity.CheckUp)
		w.step(time.Minute)
		w.check("database", continuity.CheckDown)
		w.step(time.Minute)
		k = must[incident.Kept](t)(w.acts.Get(t.Context(), id))
		if k.Incident.State != want || k.Reopened != reopened || len(w.incidents()) != all {
			t.Errorf("%s, opened %d times, %d incidents", k.Incident.State, k.Reopened, len(w.incidents()))
		}
	}
	again(continuity.Investigating, 1, 3)
	if k.Roles["commander"].State != continuity.RoleAsked || !k.Review.IsZero() {
		t.Errorf("%+v", k)
	}
	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	must[incident.Kept](t)(w.acts.Close(t.Context(), li, id, latest, []string{"hardware"}, "", ""))
	again(continuity.Closed, 1, 4)
	_, err = w.acts.Reopen(t.Context(), li, other.ID, latest, "x")
	code(t, err, continuity.CodeState)
	if k = must[incident.Kept](t)(w.acts.Reopen(t.Context(), li, id, latest, "orders fail again")); k.Incident.State != continuity.Investigating || k.Reopened != 2 || k.Causes != nil {
		t.Errorf("%+v", k)
	}
}

// TestMergingKeepsTheLawsClock has the times go on that the law wants kept: the
// earliest of both, and only what was told of both counts as told.
func TestMergingKeepsTheLawsClock(t *testing.T) {
	w, id := declared(t)
	other := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Title: continuity.Text{En: "Labels"}, Started: start, Why: "seen"}))
	must[incident.Kept](t)(w.acts.Personal(t.Context(), li, other.ID, latest, time.Time{}, "addresses were read"))
	before := must[incident.Kept](t)(w.acts.Get(t.Context(), other.ID))
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, other.ID, latest, id, "the same disk"))
	k := must[incident.Kept](t)(w.acts.Get(t.Context(), id))
	if k.Personal == nil || !k.Personal.Since.Equal(before.Personal.Since) || len(k.Personal.Due) != len(before.Personal.Due) || len(k.Personal.Due) == 0 {
		t.Fatalf("%+v, want %+v", k.Personal, before.Personal)
	}
	w.step(time.Hour)
	third := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Title: continuity.Text{En: "Prices"}, Started: start, Why: "seen"}))
	must[incident.Kept](t)(w.acts.Personal(t.Context(), li, third.ID, latest, start.Add(-time.Hour), "names, too"))
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, third.ID, latest, id, "the same disk"))
	both := must[incident.Kept](t)(w.acts.Get(t.Context(), id)).Personal
	for audience, due := range k.Personal.Due {
		if !both.Since.Equal(start.Add(-time.Hour)) || !both.Due[audience].Before(due) {
			t.Errorf("%+v, before %+v", both, k.Personal)
		}
	}
}

// TestTheRestIsWrittenDown has decisions, reports, resources and notes stand below the
// incident, and the times run that the law wants.
func TestTheRestIsWrittenDown(t *testing.T) {
	w, id := declared(t)
	must[continuity.Decision](t)(w.acts.Decide(t.Context(), chen, id, "Restore", "no other way"))
	must[continuity.Situation](t)(w.acts.Report(t.Context(), guest, id, continuity.Situation{Conditions: "1200 wait", Needs: "a second person"}))
	if n := w.told(id); !slices.ContainsFunc(n, func(n continuity.Notification) bool {
		return n.To[0].ID == "li.wei" && strings.Contains(n.Subject.En, "a second person")
	}) {
		t.Errorf("%+v", n)
	}
	must[continuity.Used](t)(w.acts.Use(t.Context(), li, id, "spare-server", 2, "restoring"))
	must[continuity.Note](t)(w.acts.Note(t.Context(), robot, id, "deploys are stopped"))
	_, err := w.acts.Decide(t.Context(), chen, id, "Restore", "")
	code(t, err, continuity.CodeInvalid)
	_, err = w.acts.Note(t.Context(), li, id, strings.Repeat("x", 5000))
	code(t, err, continuity.CodeInvalid)
	must[incident.Kept](t)(w.acts.Expect(t.Context(), li, id, latest, w.now.Add(time.Hour), time.Time{}, ""))
	k := must[incident.Kept](t)(w.acts.Personal(t.Context(), chen, id, latest, start.Add(-time.Hour), "a copy is gone"))
	if due := k.Personal.Due["regulator"]; !due.Equal(start.Add(71*time.Hour)) || k.Expected.IsZero() {
		t.Errorf("%+v", k)
	}
	_, err = w.acts.Personal(t.Context(), li, id, latest, time.Time{}, "again")
	code(t, err, continuity.CodeState)
	said := ""
	for _, e := range must[[]incident.TimelineEntry](t)(w.acts.Timeline(t.Context(), id)) {
		switch e.Kind {
		case continuity.KindDecision, continuity.KindSituation, continuity.KindResource, continuity.KindNote:
			said += e.Action + ":" + e.Text.En + "|"
		}
	}
	if want := "decision.taken:Restore|situation.reported:1200 wait / a second person|resource.used:spare-server|note.written:deploys are stopped|"; said != want {
		t.Errorf("%s\n%s", said, want)
	}
}

// TestExercise has an incident of an exercise go by its clock: a jump makes due what
// it jumps over, and figures stay real.
func TestExercise(t *testing.T) {
	w := newWorld(t)
	clock := func(shown time.Time) {
		w.put(continuity.KindExercise, "spring", continuity.Exercise{ID: "spring", Real: w.now, Shown: shown, Speed: 1})
	}
	shown := start.AddDate(1, 0, 0)
	clock(shown)
	i := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "database-gone", Exercise: "spring", Started: start.Add(-time.Minute), Why: "a drill"}))
	if !i.Shown.Equal(shown) || !i.Began.Equal(shown.Add(-time.Minute)) || i.ID != "orders-2026-1" {
		t.Errorf("%+v", i)
	}
	w.step(time.Minute)
	if w.subjects(i.ID, "50 %") != 0 {
		t.Error("too early")
	}
	clock(shown.Add(25 * time.Minute))
	w.step(time.Second)
	w.step(time.Second)
	told := w.told(i.ID)
	last := told[slices.IndexFunc(told, func(n continuity.Notification) bool { return strings.Contains(n.Subject.En, "50 %") })]
	if w.subjects(i.ID, "50 %") != 1 || last.Exercise != "spring" || !last.Shown.Equal(shown.Add(25*time.Minute)) || !last.At.Equal(start.Add(time.Minute)) {
		t.Errorf("%+v", last)
	}
	w.check("database", continuity.CheckDown) // the real thing meanwhile
	w.step(time.Second)
	if all := w.incidents(); len(all) != 2 || all[1].Exercise != "" {
		t.Errorf("%+v", all)
	}
	must[incident.Kept](t)(w.acts.State(t.Context(), li, i.ID, latest, incident.Stating{State: continuity.Resolved}))
	if f := must[incident.Figures](t)(w.acts.Figures(t.Context(), i.ID)); *f.Restored > 200 {
		t.Errorf("%v", *f.Restored)
	}
	if k := must[incident.Kept](t)(w.acts.Get(t.Context(), i.ID)); k.Review.Before(shown) {
		t.Error(k.Review)
	}
}
