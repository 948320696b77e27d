package incident_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// drill begins an exercise whose clock stands, and an incident of it.
func (w *world) drill(shown time.Time) (x continuity.Exercise, i incident.Kept) {
	w.Helper()
	x = continuity.Exercise{ID: "spring", Real: w.now, Shown: shown}
	w.put(continuity.KindExercise, x.ID, x)
	i = must[incident.Kept](w.T)(w.acts.Declare(w.Context(), li, incident.Asking{Service: "orders", Scenario: "database-gone", Exercise: x.ID, Why: "a drill"}))
	return x, i
}

// TestExerciseSaysItsClocksTimes has what people are told of an incident of an exercise
// bear the times that its clock showed, whatever the real ones are.
func TestExerciseSaysItsClocksTimes(t *testing.T) {
	w := newWorld(t)
	shown := start.AddDate(1, 0, 0)
	x, i := w.drill(shown)
	w.step(time.Second)
	x.Shown, x.Real = shown.Add(3*time.Hour), w.now
	w.put(continuity.KindExercise, x.ID, x)
	w.step(time.Second)
	must[continuity.Task](t)(w.acts.Assign(t.Context(), li, i.ID, "call the carrier", "technical", x.Shown.Add(time.Hour)))
	k := must[incident.Kept](t)(w.acts.State(t.Context(), li, i.ID, latest, incident.Stating{State: continuity.Resolved}))
	if !k.Works().Equal(x.Shown) || !k.Restored.Equal(w.now) {
		t.Errorf("works since %v, restored %v", k.Works(), k.Restored)
	}
	told := w.told(i.ID)
	for _, n := range told {
		if strings.Contains(n.Text.En, "2026-03-02") || strings.Contains(n.Subject.En, "2026-03-02") {
			t.Errorf("the real date: %s: %s", n.Subject.En, n.Text.En)
		}
	}
	if len(told) < 4 {
		t.Errorf("%d were told", len(told))
	}
	k = must[incident.Kept](t)(w.acts.Reopen(t.Context(), li, i.ID, latest, "again"))
	if !k.Works().IsZero() {
		t.Error("it works although it was reopened")
	}
}

// TestDeclaredSinceWhatItsClockStoodFor has an incident that was declared after its clock
// jumped be since the time that the declaration says.
func TestDeclaredSinceWhatItsClockStoodFor(t *testing.T) {
	w := newWorld(t)
	shown := start.AddDate(1, 0, 0)
	w.put(continuity.KindExercise, "spring", continuity.Exercise{ID: "spring", Real: w.now, Shown: shown})
	began := shown.AddDate(0, 0, -6)
	d := continuity.Declaration{ID: "orders.declared.window.w-1", Service: "orders", Exercise: "spring", Origin: continuity.Origin{Kind: "window", ID: "w-1"}, Started: w.now, Began: began}
	w.put(continuity.KindDeclaration, d.ID, d)
	w.step(time.Second)
	if i := w.only(); !i.Since().Equal(began) || !i.Known().Equal(shown) {
		t.Errorf("since %v, known %v", i.Since(), i.Known())
	}
}

// TestWhatAnEndedExerciseLeavesOpen has an incident of an exercise that has ended be
// closed, its tasks be dropped and nobody be told; a relay that still does what it was
// told in its name is told of, and nothing of it begins anew.
func TestWhatAnEndedExerciseLeavesOpen(t *testing.T) {
	w := newWorld(t)
	shown := start.AddDate(1, 0, 0)
	x, i := w.drill(shown)
	task := must[continuity.Task](t)(w.acts.Assign(t.Context(), li, i.ID, "call the carrier", "li.wei", shown.Add(time.Hour)))
	w.step(time.Second)
	w.put(continuity.KindRoute, "relay-1/orders", continuity.RouteSeen{Service: "orders", Route: "orders", Mode: "hold", By: []string{"run:" + i.ID + ":step"}})
	before := len(w.told(i.ID))
	x.Real, x.Ended = w.now, w.now
	w.put(continuity.KindExercise, x.ID, x)
	w.put(continuity.KindDeclaration, "orders.declared.window.w-1", continuity.Declaration{
		ID: "orders.declared.window.w-1", Service: "orders", Scenario: "overrun", Exercise: x.ID, Origin: continuity.Origin{Kind: "window", ID: "w-1"},
	})
	w.put(continuity.KindWindow, "w-2", continuity.Window{ID: "w-2", Service: "orders", State: continuity.WindowOverrun, Exercise: x.ID, End: shown})
	w.step(time.Second)
	k := w.only()
	if k.Incident.State != continuity.Closed || k.Closed.IsZero() || !k.Shown.Equal(shown) {
		t.Errorf("%+v", k.Incident)
	}
	if got := must[[]continuity.Task](t)(incident.Below[continuity.Task](t.Context(), w.acts, i.ID, continuity.KindTask))[0]; got.State != continuity.TaskDropped || got.ID != task.ID || !got.Shown.Equal(shown) {
		t.Errorf("%+v", got)
	}
	if n := len(w.told(i.ID)); n != before {
		t.Errorf("%d were told of the end: %+v", n-before, w.told(i.ID)[before:])
	}
	w.step(time.Minute)
	if w.subjects(i.ID, "hold") != 1 {
		t.Errorf("nobody was told that the relay still holds: %+v", w.told(i.ID)[before:])
	}
	for name, err := range map[string]error{
		"declared": second(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "theft", Exercise: x.ID, Why: "late"})),
		"reopened": second(w.acts.Reopen(t.Context(), li, i.ID, latest, "again")),
	} {
		if continuity.CodeOf(err) != continuity.CodeState {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.step(10 * time.Minute)
	if got := w.only(); got.Version == 0 || got.Incident.State != continuity.Closed {
		t.Errorf("%+v", got)
	}
}

func second[T any](_ T, err error) error { return err }
