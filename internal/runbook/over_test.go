package runbook_test

import (
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

func (w *world) put(kind, id string, v any) {
	w.Helper()
	change := continuity.Put(kind, id, "orders", kind+".put", v)
	if _, err := w.store.Commit(w.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{change}}); err != nil {
		w.Fatal(err)
	}
}

// TestClosingEndsWhatIsGoneThrough has a run go on after its incident was resolved, and
// end with the incident's account.
func TestClosingEndsWhatIsGoneThrough(t *testing.T) {
	w := newWorld(t, runbook.Step{ID: "look", Say: continuity.Text{En: "Look"}})
	is := func(state string) {
		w.put(continuity.KindIncident, "orders-1", continuity.Incident{ID: "orders-1", Service: "orders", Grade: "SEV-2", State: state, Number: 1})
	}
	is(continuity.Investigating)
	k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", About: "incident/orders-1"})
	if err != nil {
		t.Fatal(err)
	}
	w.step()
	for _, c := range []struct{ incident, run, reason string }{
		{continuity.Resolved, continuity.RunRunning, ""}, {continuity.Closed, continuity.RunStopped, "runbook.closed"},
	} {
		is(c.incident)
		w.step()
		if k, _, _ := w.acts.Get(t.Context(), k.ID); k.State != c.run || k.Reason != c.reason {
			t.Errorf("%s: %s %s", c.incident, k.State, k.Reason)
		}
	}
}

// TestNothingIsBegunForWhatIsOver has a run wanted for what is over: an incident that
// was closed or goes on elsewhere, a window that was called off, an exercise that ended.
func TestNothingIsBegunForWhatIsOver(t *testing.T) {
	w := newWorld(t, runbook.Step{ID: "look", Say: continuity.Text{En: "Look"}})
	w.put(continuity.KindExercise, "spring", continuity.Exercise{ID: "spring", Real: began, Shown: began, Speed: 1, Ended: began})
	w.put(continuity.KindWindow, "w-1", continuity.Window{ID: "w-1", Service: "orders", State: continuity.WindowCancelled})
	for id, i := range map[string]continuity.Incident{
		"closed": {State: continuity.Closed}, "merged": {State: continuity.Merged}, "played": {State: continuity.Investigating, Exercise: "spring"},
	} {
		i.ID, i.Service = id, "orders"
		w.put(continuity.KindIncident, id, i)
	}
	for _, b := range []runbook.Begin{{About: "incident/closed"}, {About: "incident/merged"}, {About: "incident/played"}, {About: "window/w-1"}, {Exercise: "spring"}} {
		b.Service, b.Runbook = "orders", "back"
		if _, err := w.acts.Start(t.Context(), li, b); continuity.CodeOf(err) != continuity.CodeState {
			t.Errorf("%+v: %v", b, err)
		}
	}
	if _, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", Exercise: "nope"}); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error(err)
	}
}
