package warning

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// judge writes down what is held of a check, as the engine of checks does.
func (w *world) judge(state continuity.CheckState) {
	w.Helper()
	body, err := json.Marshal(continuity.JudgedCheck{State: state, Since: w.store.now})
	if err != nil {
		w.Fatal(err)
	}
	_, err = w.store.Commit(w.Context(), continuity.Batch{Changes: []continuity.Change{{
		Kind: continuity.ObjectCheck, ID: "orders/database", Version: continuity.VersionAny, Body: body, Action: "check." + string(state),
	}}})
	if err != nil {
		w.Fatal(err)
	}
	w.step()
}

func (w *world) restart() {
	rules := w.e.o.Rules
	w.e = w.store.engine(w.sees, 1)
	w.e.o.Rules = rules
	w.step()
}

func (w *world) pass(d time.Duration) {
	w.store.now = w.store.now.Add(d)
	w.step()
}

func TestChecks(t *testing.T) {
	w := newWorld(t)
	w.store.fence = 1
	w.e.o.Rules = func() Rules {
		return Rules{Checks: []CheckRule{{Service: "orders", Rule: "orders-slow", Check: "orders/database", State: "degraded", For: 2 * time.Minute, Level: "orange"}}}
	}
	w.step()
	w.judge(continuity.CheckUnknown)
	w.judge(continuity.CheckUp)
	began := w.store.now
	w.judge(continuity.CheckDegraded)
	w.pass(time.Minute)
	w.judge(continuity.CheckDown) // which is worse: its time goes on
	w.restart()
	w.pass(time.Minute - time.Second)
	w.want("", "", "")
	w.pass(time.Second)
	w.want("open", "orange", "opened")
	if got := w.store.of(slow); got.Since != began || got.Evidence[0].Text != "down" {
		t.Errorf("%+v", got)
	}
	w.judge(continuity.CheckUnknown)
	w.pass(time.Hour)
	w.want("open", "orange", "opened blind")
	w.restart()
	w.judge(continuity.CheckUp)
	w.want("cleared", "orange", "opened blind cleared")
	if _, there := w.store.objects[KindMemory+"/"+slow]; there {
		t.Error("it still remembers since when")
	}
	w.judge(continuity.CheckDegraded)
	w.pass(time.Minute)
	w.judge(continuity.CheckUp)
	w.judge(continuity.CheckDegraded)
	w.pass(time.Minute)
	w.want("cleared", "orange", "opened blind cleared")
	w.pass(time.Minute)
	w.want("open", "orange", "opened blind cleared returned")
}

// TestChecksUnknown: that nothing is known may itself be warned of.
func TestChecksUnknown(t *testing.T) {
	w := newWorld(t)
	w.e.o.Rules = func() Rules {
		return Rules{Checks: []CheckRule{{Service: "orders", Rule: "orders-slow", Check: "orders/database", State: "unknown", Level: "blue"}}}
	}
	w.judge(continuity.CheckUp)
	w.want("", "", "")
	w.judge(continuity.CheckUnknown)
	w.want("open", "blue", "opened")
	w.judge(continuity.CheckDown)
	w.want("cleared", "blue", "opened cleared")
}
