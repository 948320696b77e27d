package runbook_test

import (
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// TestNobodySaysByAccidentThatItIsDone has a step want something typed.
func TestNobodySaysByAccidentThatItIsDone(t *testing.T) {
	drop := manual("drop")
	drop.Typed = "drop orders"
	agree := runbook.Step{ID: "agree", Do: runbook.Approve, Owner: "commander", Typed: "yes"}
	w := newWorld(t, drop, agree)
	id := w.start(wu)
	w.until(id, "drop", continuity.StepReady)
	for _, typed := range []string{"", "drop", "Drop orders"} {
		_, err := w.acts.Done(t.Context(), wu, id, "drop", continuity.VersionAny, runbook.Word{Typed: typed})
		code(t, err, continuity.CodeInvalid)
	}
	w.want(id, "running: drop=ready agree=waiting")
	if _, err := w.acts.Done(t.Context(), wu, id, "drop", continuity.VersionAny, runbook.Word{Typed: " drop orders\n"}); err != nil {
		t.Fatal(err)
	}
	w.until(id, "agree", continuity.StepAsking)
	_, err := w.acts.Approve(t.Context(), li, id, "agree", continuity.VersionAny, runbook.Word{Note: "fine"})
	code(t, err, continuity.CodeInvalid)
	if _, err = w.acts.Approve(t.Context(), li, id, "agree", continuity.VersionAny, runbook.Word{Typed: "yes"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "done: drop=done agree=done")
}

// TestStepsOfAnUpgradeWaitForEachLook has a run go on only when it was seen what its last
// step left behind, and end with its upgrade's way forward.
func TestStepsOfAnUpgradeWaitForEachLook(t *testing.T) {
	w := newWorld(t, act("stop", "plain"), act("put", "plain"), manual("look"), act("last", "plain"))
	const id = "orders-u-2026-1.run-1"
	is := func(state string, looked ...string) {
		w.put(continuity.KindUpgrade, "orders-u-2026-1", continuity.Upgrade{ID: "orders-u-2026-1", Service: "orders", State: state, Run: id, Checked: looked})
		w.step()
	}
	is(continuity.UpgradeStepping)
	begin := continuity.NewRun(id, "orders", 0, "back", "upgrade/orders-u-2026-1", nil, li.Actor, began, "")
	if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{begin}}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "running: stop=done put=waiting look=waiting last=waiting")
	is(continuity.UpgradeStepping, "stop")
	w.want(id, "running: stop=done put=done look=waiting last=waiting")
	is(continuity.UpgradeStepping, "stop", "put")
	w.want(id, "running: stop=done put=done look=ready last=waiting")
	if told := w.told(); len(told) != 1 || told[0] != "page role/technical [orders] Your turn: Do look" {
		t.Errorf("told %q", told)
	}
	is(continuity.UpgradeRolling, "stop", "put")
	if r := w.get(id); r.State != continuity.RunStopped || r.Reason != "runbook.upgrade-back" {
		t.Errorf("%s %s", r.State, r.Reason)
	}
	_, err := w.acts.Done(t.Context(), wu, id, "look", continuity.VersionAny, runbook.Word{})
	code(t, err, continuity.CodeState)
}
