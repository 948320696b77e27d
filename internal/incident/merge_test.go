package incident_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// TestMergingSaysWhatBecomesOfTheGrade has those told who carry the incident in which
// another one goes on: of a grade that rises, and of one that a person gave and that stays.
func TestMergingSaysWhatBecomesOfTheGrade(t *testing.T) {
	for name, graded := range map[string]bool{"rises": false, "stays": true} {
		t.Run(name, func(t *testing.T) {
			w, id := declared(t)
			must[incident.Kept](t)(w.acts.Take(t.Context(), li, id, latest, "commander", "", ""))
			want := "was SEV-2 and is SEV-1 now"
			if graded {
				must[incident.Kept](t)(w.acts.Grade(t.Context(), li, id, latest, incident.Grading{Grade: "SEV-3", Why: "few"}))
				want = "stays SEV-3, as a person said, though orders-2026-2 was SEV-1"
			}
			other := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "theft", Why: "a call"}))
			must[incident.Kept](t)(w.acts.Merge(t.Context(), li, other.ID, latest, id, "the same"))
			if !slices.ContainsFunc(w.told(id), func(n continuity.Notification) bool {
				return n.To[0].ID == "li.wei" && strings.Contains(n.Text.En, want)
			}) {
				t.Errorf("%+v", w.told(id))
			}
		})
	}
}

// TestMergingLeavesNoRouteAlone has what relays still do in the name of what was merged
// told when that is over in which it went on.
func TestMergingLeavesNoRouteAlone(t *testing.T) {
	w, id := declared(t)
	into := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "overrun", Why: "seen"}))
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, id, latest, into.ID, "the same disk"))
	w.step(time.Second)
	w.put(continuity.KindRoute, "orders/web", continuity.RouteSeen{ID: "orders/web", Service: "orders", Route: "web", Mode: "hold", By: []string{"operator:" + id + ":replay"}, Since: w.now})
	must[incident.Kept](t)(w.acts.State(t.Context(), li, into.ID, latest, ended))
	w.step(time.Minute)
	if !slices.ContainsFunc(w.told(into.ID), func(n continuity.Notification) bool {
		return strings.Contains(n.Text.En, "--owner operator:"+id) && !strings.Contains(n.Text.En, ":replay")
	}) {
		t.Errorf("%+v", w.told(into.ID))
	}
}

// TestSplittingTakesWhatIsHit has a part be a part, and the grade that was given stay.
func TestSplittingTakesWhatIsHit(t *testing.T) {
	w, id := declared(t)
	split := func(hits ...string) error {
		_, err := w.acts.Split(t.Context(), li, id, latest, incident.Asking{Title: continuity.Text{En: "Labels"}, Grade: "SEV-3", Hits: hits, Why: "another cause"})
		return err
	}
	must[incident.Kept](t)(w.acts.Grade(t.Context(), li, id, latest, incident.Grading{Hits: []string{"database", "dispatch"}, Why: "both"}))
	code(t, split("order-intake"), continuity.CodeInvalid)         // it is not hit
	code(t, split(), continuity.CodeInvalid)                       // which part?
	code(t, split("database", "dispatch"), continuity.CodeInvalid) // nothing would stay
	if err := split("dispatch"); err != nil {
		t.Fatal(err)
	}
	w.step(7*time.Hour + 50*time.Minute)
	if k := must[incident.Kept](t)(w.acts.Get(t.Context(), "orders-2026-2")); k.Incident.Grade != "SEV-3" {
		t.Errorf("it rose to %s", k.Incident.Grade)
	}
}

// TestNothingIsDeclaredForAnExerciseThatEnded has an exercise over.
func TestNothingIsDeclaredForAnExerciseThatEnded(t *testing.T) {
	w := newWorld(t)
	w.put(continuity.KindExercise, "spring", continuity.Exercise{ID: "spring", Real: w.now, Shown: w.now, Speed: 1, Ended: w.now})
	_, err := w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "theft", Exercise: "spring", Why: "a drill"})
	code(t, err, continuity.CodeState)
}

// TestTheTimelineSaysWhoAndWhy has reasons, roles and people on the timeline, in an
// order that pages can be cut from.
func TestTheTimelineSaysWhoAndWhy(t *testing.T) {
	w, id := declared(t)
	must[incident.Kept](t)(w.acts.Take(t.Context(), li, id, latest, "commander", "", ""))
	must[incident.Kept](t)(w.acts.HandOver(t.Context(), li, id, latest, "zhang.min", "end of shift"))
	must[continuity.Task](t)(w.acts.Assign(t.Context(), li, id, "Call", "wu.hao", time.Time{}))
	must[continuity.Decision](t)(w.acts.Decide(t.Context(), li, id, "Restore", "no other way"))
	w.put(continuity.KindRun, id+".run-9", continuity.Run{
		ID: id + ".run-9", Service: "orders", State: continuity.RunRunning, Step: "b",
		Steps: []continuity.StepRun{{ID: "a"}, {ID: "b", State: continuity.StepSkipped, Note: "no time", By: &zhang.Actor}},
	})
	all := must[[]incident.TimelineEntry](t)(w.acts.Timeline(t.Context(), id))
	has := func(what string, is func(e *incident.TimelineEntry) bool) {
		t.Helper()
		if !slices.ContainsFunc(all, func(e incident.TimelineEntry) bool { return is(&e) }) {
			t.Errorf("%s is not there: %+v", what, all)
		}
	}
	has("roles that are asked for", func(e *incident.TimelineEntry) bool {
		return len(e.Roles) == 2 && e.Roles[0].Name.En == "Incident commander" && e.Roles[0].Person == "li.wei" && e.Roles[0].State == continuity.RoleAsked && !strings.Contains(e.Reason, "commander")
	})
	has("the new commander", func(e *incident.TimelineEntry) bool {
		return e.Action == "incident.command" && e.Reason == "end of shift" && len(e.Roles) == 1 && e.Roles[0].Person == "zhang.min"
	})
	has("a task's owner", func(e *incident.TimelineEntry) bool {
		return e.Action == "task.assigned" && slices.Contains(e.People, "wu.hao")
	})
	has("why it was decided", func(e *incident.TimelineEntry) bool {
		return e.Action == "decision.taken" && e.Reason == "no other way"
	})
	if !slices.IsSortedFunc(all, func(a, b incident.TimelineEntry) int { return strings.Compare(a.Cursor(), b.Cursor()) }) {
		t.Error("cursors are not in order")
	}
	for _, e := range all {
		for _, id := range e.Named() {
			if id == "" {
				t.Errorf("%+v names nobody", e)
			}
		}
	}
}

// TestWhatHappenedBesideIsEvidence has what belongs to an incident hold what was merged
// into it, and what happened to its service meanwhile and not before or elsewhere.
func TestWhatHappenedBesideIsEvidence(t *testing.T) {
	w := newWorld(t)
	seen := func(id string) {
		w.put(continuity.KindRoute, "orders/"+id, continuity.RouteSeen{ID: "orders/" + id, Service: "orders", Route: id, Mode: "hold", Since: w.now})
	}
	seen("before")
	w.step(time.Hour)
	w.check("database", continuity.CheckDown)
	w.step(time.Second)
	id := w.only().ID
	other := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "theft", Why: "a call"}))
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, other.ID, latest, id, "the same"))
	seen("during")
	w.put("warning", "orders.slow", continuity.Warning{ID: "orders.slow", Service: "orders", State: "standing"})
	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, ended))
	w.step(time.Minute)
	seen("after")
	var all []string
	must[any](t)(nil, w.acts.Events(t.Context(), id, []string{continuity.KindIncident}, func(e *continuity.AuditEvent) bool {
		all = append(all, e.Kind+"/"+e.ID)
		return true
	}))
	for _, want := range []string{"incident/" + id, "incident/" + other.ID, "check/orders/database", "warning/orders.slow", "route/orders/during"} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is not there: %v", want, all)
		}
	}
	if slices.Contains(all, "route/orders/before") || slices.Contains(all, "route/orders/after") {
		t.Errorf("%v", all)
	}
}
