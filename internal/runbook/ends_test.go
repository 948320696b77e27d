package runbook_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// incident is one of the service, with who took command of it.
func (w *world) incident(id, state, into, commander string) {
	w.Helper()
	i := continuity.Incident{ID: id, Service: "orders", Grade: "SEV-3", State: state, Into: into, Number: 4}
	if commander != "" {
		i.Roles = map[string]continuity.Holder{"commander": {Person: commander, State: "took"}}
	}
	put := continuity.Put(continuity.KindIncident, id, "orders", "incident.changed", i)
	if _, err := w.store.Commit(w.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{put}}); err != nil {
		w.Fatal(err)
	}
}

// notes are the notifications about a run or a step of it, in turn.
func (w *world) notes(about string) (all []continuity.Notification) {
	w.Helper()
	page, _, err := w.store.List(w.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	for _, o := range page {
		var n continuity.Notification
		if err := json.Unmarshal(o.Body, &n); err != nil {
			w.Fatal(err)
		}
		if n.About == continuity.KindRun+"/"+about {
			all = append(all, n)
		}
	}
	return all
}

// TestAStoppedRunWaitsForNobody ends what people were asked for when the run ends, by a
// person, by a failure beside it and by being taken back; when it goes on they are asked
// again.
func TestAStoppedRunWaitsForNobody(t *testing.T) {
	ended := func(w *world, step string) {
		t.Helper()
		all := w.notes(step)
		if len(all) != 2 || all[0].Ends || !all[1].Ends || all[1].To[0].Kind != continuity.ToTold || !strings.Contains(all[1].Subject.En, "No longer wanted") {
			t.Errorf("%s: %+v", step, all)
		}
	}
	w := newWorld(t, manual("call"))
	id := w.start(li)
	if _, err := w.acts.Stop(t.Context(), li, id, continuity.VersionAny, "wrong one"); err != nil {
		t.Fatal(err)
	}
	ended(w, id+"/call")

	w = newWorld(t, act("set", "set"), manual("call"))
	id = w.start(li)
	w.until(id, "call", continuity.StepReady)
	if _, err := w.acts.Undo(t.Context(), li, id, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	ended(w, id+"/call")

	fails := act("fails", "fails")
	fails.IfNot, fails.After = runbook.IfNotStop, []string{"go"}
	other := manual("call")
	other.After = []string{}
	w = newWorld(t, manual("go"), fails, other)
	id = w.start(li)
	w.until(id, "call", continuity.StepReady)
	if _, err := w.acts.Done(t.Context(), wu, id, "go", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	w.until(id, "fails", continuity.StepFailed)
	w.want(id, "stopped: go=done fails=failed call=ready")
	ended(w, id+"/call")
	if all := w.notes(id + "/fails"); len(all) != 1 || all[0].Ends || len(all[0].To) != 2 || all[0].To[1].ID != "commander" {
		t.Errorf("who commands was not told of it: %+v", all)
	}
	if _, err := w.acts.Retry(t.Context(), wu, id, "fails", continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	if all := w.notes(id + "/call"); len(all) != 3 || all[2].Ends {
		t.Errorf("nobody was asked again: %+v", all)
	}
}

// TestARunThatCannotGoOnTellsWhoCommands has the runbook gone from the plan.
func TestARunThatCannotGoOnTellsWhoCommands(t *testing.T) {
	w := newWorld(t, manual("call"))
	w.incident("orders-2026-1", continuity.Investigating, "", "zhang.min")
	change := continuity.NewRun("orders-2026-1.run-1", "orders", 0, "none", "incident/orders-2026-1", []string{"x"}, continuity.Actor{Kind: continuity.ActorEngine, ID: "incident"}, began, "")
	if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{change}}); err != nil {
		t.Fatal(err)
	}
	w.step()
	if r := w.get("orders-2026-1.run-1"); r.State != continuity.RunStopped || r.Reason != "runbook.unknown" {
		t.Errorf("%+v", r)
	}
	if all := w.notes("orders-2026-1.run-1"); len(all) != 1 || all[0].Urgency != continuity.UrgencyPage || all[0].To[0].ID != "zhang.min" {
		t.Errorf("%+v", all)
	}
}

// TestAMergedIncidentsRunEnds lets what is under way come to its end, begins nothing new,
// and says so to who commands where the incident goes on.
func TestAMergedIncidentsRunEnds(t *testing.T) {
	wait := act("wait", "wait")
	wait.After = []string{}
	w := newWorld(t, manual("call"), wait, act("next", "plain"))
	w.script.Steps[2].After = []string{"wait"}
	w.incident("orders-2026-1", continuity.Investigating, "", "zhang.min")
	w.incident("orders-2026-2", continuity.Investigating, "", "he.ping")
	k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", About: "incident/orders-2026-1"})
	if err != nil {
		t.Fatal(err)
	}
	w.until(k.ID, "wait", continuity.StepRunning)
	w.step()
	w.incident("orders-2026-1", continuity.Merged, "orders-2026-2", "zhang.min")
	w.until(k.ID, "wait", continuity.StepFailed)
	w.want(k.ID, "stopped: call=ready wait=failed next=waiting")
	if r := w.get(k.ID); r.Reason != "runbook.merged" {
		t.Errorf("%+v", r)
	}
	all := w.notes(k.ID)
	if len(all) != 1 || all[0].To[0].ID != "he.ping" || all[0].Urgency != continuity.UrgencyPage || !strings.Contains(all[0].Text.Zh, "orders-2026-2") {
		t.Fatalf("%+v", all)
	}
	if calls := w.notes(k.ID + "/call"); len(calls) != 2 || !calls[1].Ends {
		t.Errorf("%+v", calls)
	}
}

// TestARunOfAnIncidentThatIsOverPagesNobody asks once what becomes of it, goes on by
// itself, and ends when the incident is closed.
func TestARunOfAnIncidentThatIsOverPagesNobody(t *testing.T) {
	call := manual("call")
	call.Within = 10 * time.Minute
	w := newWorld(t, call, manual("write"))
	w.incident("orders-2026-1", continuity.Monitoring, "", "he.ping")
	k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", About: "incident/orders-2026-1"})
	if err != nil {
		t.Fatal(err)
	}
	w.step()
	w.incident("orders-2026-1", continuity.Resolved, "", "he.ping")
	w.step()
	w.now = w.now.Add(time.Hour)
	w.step()
	if all := w.notes(k.ID); len(all) != 1 || all[0].Urgency != continuity.UrgencyNotice || all[0].To[0].ID != "he.ping" || !strings.Contains(all[0].Text.En, "call, write") {
		t.Errorf("%+v", all)
	}
	if all := w.notes(k.ID + "/call"); len(all) != 2 || !all[1].Ends {
		t.Errorf("%+v", all)
	}
	w.want(k.ID, "running: call=ready write=waiting")

	// Reopened, it asks again, and pages where it is late.
	w.incident("orders-2026-1", continuity.Investigating, "", "he.ping")
	w.step()
	if all := w.notes(k.ID + "/call"); len(all) != 3 || all[2].Ends {
		t.Errorf("%+v", all)
	}
	w.now = w.now.Add(10 * time.Minute)
	w.step()
	if all := w.notes(k.ID + "/call"); len(all) != 4 || all[3].Urgency != continuity.UrgencyPage {
		t.Errorf("%+v", all)
	}
	w.incident("orders-2026-1", continuity.Closed, "", "he.ping")
	w.step()
	w.want(k.ID, "stopped: call=ready write=waiting")
	if all := w.notes(k.ID); len(all) != 2 || all[1].Urgency != continuity.UrgencyNotice {
		t.Errorf("%+v", all)
	}
}

// TestLeavingStepsOutNeedsAReason has only some steps asked for.
func TestLeavingStepsOutNeedsAReason(t *testing.T) {
	w := newWorld(t, manual("call"), manual("write"))
	b := runbook.Begin{Service: "orders", Runbook: "back", Steps: []string{"write"}, Why: " "}
	_, err := w.acts.Start(t.Context(), li, b)
	code(t, err, continuity.CodeInvalid)
	b.Why = "they know"
	k, err := w.acts.Start(t.Context(), li, b)
	if err != nil || k.Reason != "they know" {
		t.Fatal(k, err)
	}
}

// TestWhoCommandsIsAsked asks who took a role in the incident, and not who leads it; and
// nobody alone who may not agree.
func TestWhoCommandsIsAsked(t *testing.T) {
	agree := act("agree", runbook.Approve)
	agree.Owner = "commander"
	for name, c := range map[string]struct {
		by, took string
		want     []string
	}{
		"who commands": {"wu.hao", "he.ping", []string{"person/he.ping"}},
		"nobody took":  {"wu.hao", "", []string{"role/commander"}},
		"who began it": {"he.ping", "he.ping", []string{"person/li.wei", "person/zhang.min"}},
		"who leads":    {"li.wei", "", []string{"person/zhang.min"}},
	} {
		w := newWorld(t, agree)
		w.incident("orders-2026-1", continuity.Investigating, "", c.took)
		by := runbook.Who{Actor: continuity.Actor{Kind: "user", ID: c.by}}
		k, err := w.acts.Start(t.Context(), by, runbook.Begin{Service: "orders", Runbook: "back", About: "incident/orders-2026-1"})
		if err != nil {
			t.Fatal(err)
		}
		w.step()
		var got []string
		for _, r := range w.notes(k.ID + "/agree")[0].To {
			got = append(got, r.Kind+"/"+r.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestWhoDidAStep is who did it, whoever else had to do with it; who had a part in it
// does not agree to it.
func TestWhoDidAStep(t *testing.T) {
	call, agree := manual("call"), act("agree", runbook.Approve)
	call.Items, agree.Owner = []runbook.Item{{ID: "heard"}}, "commander"
	w := newWorld(t, call, agree)
	id := w.start(wu)
	if _, err := w.acts.Done(t.Context(), zhang, id, "call", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.acts.Tick(t.Context(), li, id, "call", continuity.VersionAny, []string{"heard"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	if st := w.at(id, "call"); st.State != continuity.StepDone || st.By.ID != "zhang.min" {
		t.Errorf("%+v", st)
	}
	for _, who := range []runbook.Who{zhang, li} {
		_, err := w.acts.Approve(t.Context(), who, id, "agree", continuity.VersionAny, runbook.Word{})
		code(t, err, continuity.CodeApproval)
	}

	// Who has it begin again has not done it.
	w = newWorld(t, act("a", "fails"), manual("b"))
	id = w.start(li)
	w.until(id, "a", continuity.StepFailed)
	w.actions["fails"] = w.actions["once"]
	if _, err := w.acts.Retry(t.Context(), wu, id, "a", continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	if st := w.until(id, "a", continuity.StepDone); st.By != nil {
		t.Errorf("%+v", st)
	}
}

// TestAProgramDecidesNothing has one that may do everything on the node begin what needs
// a right, and take it back.
func TestAProgramDecidesNothing(t *testing.T) {
	w := newWorld(t, act("switch", "guarded"))
	a := w.actions["guarded"]
	a.Undo = a.Do
	w.actions["guarded"] = a
	id := w.start(robot)
	w.want(id, "running: switch=asking")
	id = w.start(li)
	w.until(id, "switch", continuity.StepDone)
	_, err := w.acts.Undo(t.Context(), robot, id, continuity.VersionAny)
	code(t, err, continuity.CodeScope)
	_, err = w.acts.UndoStep(t.Context(), robot, id, "switch", continuity.VersionAny)
	code(t, err, continuity.CodeScope)
}

// TestWhatIsUnderWayIsNotTakenBack waits for its end, which nobody knows yet.
func TestWhatIsUnderWayIsNotTakenBack(t *testing.T) {
	w := newWorld(t, act("a", "set"), act("b", "slow"))
	id := w.start(li)
	w.until(id, "b", continuity.StepRunning)
	_, err := w.acts.Undo(t.Context(), li, id, continuity.VersionAny)
	code(t, err, continuity.CodeState)
	_, err = w.acts.UndoStep(t.Context(), li, id, "b", continuity.VersionAny)
	code(t, err, continuity.CodeState)
	w.want(id, "running: a=done b=running")
}
