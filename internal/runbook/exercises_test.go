package runbook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// TestWhatAnEndedExerciseLeavesRunning has a run of an exercise stop with it, tells who
// commands what still has its effect, and lets that be taken back afterwards. No other
// run of it begins.
func TestWhatAnEndedExerciseLeavesRunning(t *testing.T) {
	w := newWorld(t, act("a", "set"), act("b", ""))
	set := func(x continuity.Exercise) {
		t.Helper()
		change := continuity.Put(continuity.KindExercise, x.ID, "", "exercise.set", x)
		if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{change}}); err != nil {
			t.Fatal(err)
		}
	}
	x := continuity.Exercise{ID: "drill", Real: began, Shown: began.AddDate(0, 1, 0)}
	set(x)
	k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", Exercise: x.ID})
	if err != nil {
		t.Fatal(err)
	}
	w.until(k.ID, "b", continuity.StepReady)
	x.Ended = w.now
	set(x)
	w.step()
	if got := w.get(k.ID); got.State != continuity.RunStopped || got.Reason != "exercise.over" || !got.Shown.Equal(x.Shown) {
		t.Errorf("%+v", got)
	}
	page, _, err := w.store.List(t.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	stands := 0
	for _, o := range page {
		var n continuity.Notification
		if err := json.Unmarshal(o.Body, &n); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(n.Text.En, "still have their effect: a.") && n.Exercise == x.ID && n.Urgency == continuity.UrgencyPage {
			stands++
		}
	}
	if stands != 1 {
		t.Errorf("told %d times of what stands", stands)
	}
	if _, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", Exercise: x.ID}); continuity.CodeOf(err) != continuity.CodeState {
		t.Errorf("another one: %v", err)
	}
	if _, err := w.acts.Undo(t.Context(), li, k.ID, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	w.until(k.ID, "a", continuity.StepUndone)
}
