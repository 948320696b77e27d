package runbook_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

func manual(id string) runbook.Step {
	return runbook.Step{ID: id, Say: continuity.Text{En: "Do " + id, Zh: "做 " + id}}
}

func act(id, do string) runbook.Step { return runbook.Step{ID: id, Do: do} }

func code(t *testing.T, err error, want continuity.Code) {
	t.Helper()
	if got := continuity.CodeOf(err); got != want {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestStepsGoInOrderAndOwnersAreTold(t *testing.T) {
	w := newWorld(t, act("hold", "set"), manual("call"), act("tell", "plain"))
	id := w.start(li)
	w.until(id, "call", continuity.StepReady)
	w.want(id, "running: hold=done call=ready tell=waiting")
	if got := w.told(); !slices.Equal(got, []string{"notice role/technical [orders] Your turn: Do call"}) {
		t.Errorf("told: %q", got)
	}
	_, err := w.acts.Done(t.Context(), wu, id, "tell", continuity.VersionAny, runbook.Word{})
	code(t, err, continuity.CodeState)
	if _, err = w.acts.Done(t.Context(), wu, id, "call", continuity.VersionAny, runbook.Word{Note: "they know"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "done: hold=done call=done tell=done")
	if st := w.at(id, "call"); st.By.ID != "wu.hao" || st.Note != "they know" {
		t.Errorf("%+v", st)
	}
	if o, err := w.store.Get(t.Context(), "mark", "tell"); err != nil || string(o.Body) != "1" {
		t.Errorf("what the step changes: %s, %v", o.Body, err)
	}
	w.done("set hold")
}

func TestSkippingNeedsAReason(t *testing.T) {
	w := newWorld(t, manual("call"), manual("look"))
	id := w.start(li)
	_, err := w.acts.Skip(t.Context(), wu, id, "call", continuity.VersionAny, " ")
	code(t, err, continuity.CodeInvalid)
	w.want(id, "running: call=ready look=waiting")
	if _, err = w.acts.Skip(t.Context(), wu, id, "call", continuity.VersionAny, "nobody there"); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "running: call=skipped look=ready")
	if st := w.at(id, "call"); st.Note != "nobody there" {
		t.Errorf("%+v", st)
	}
}

func TestAnotherPersonApproves(t *testing.T) {
	agree := act("agree", runbook.Approve)
	agree.Owner = "commander"
	w := newWorld(t, manual("count"), agree, manual("next"))
	id := w.start(li)
	if _, err := w.acts.Done(t.Context(), zhang, id, "count", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "running: count=done agree=asking next=waiting")
	for name, c := range map[string]struct {
		who  runbook.Who
		want continuity.Code
	}{
		"who began it": {li, continuity.CodeApproval}, "who did the step before": {zhang, continuity.CodeApproval},
		"a program": {robot, continuity.CodeApproval}, "without the right": {wu, continuity.CodeScope},
	} {
		if _, err := w.acts.Approve(t.Context(), c.who, id, "agree", continuity.VersionAny, runbook.Word{}); continuity.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := runbook.Who{Actor: continuity.Actor{Kind: "user", ID: "he.ping"}, All: true}
	if _, err := w.acts.Approve(t.Context(), other, id, "agree", continuity.VersionAny, runbook.Word{Note: "fine"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "running: count=done agree=done next=ready")

	w = newWorld(t, agree)
	id = w.start(zhang)
	if _, err := w.acts.Reject(t.Context(), li, id, "agree", continuity.VersionAny, "totals differ"); err != nil {
		t.Fatal(err)
	}
	w.want(id, "running: agree=failed")
}

// TestNobodyGetsRoundAnApproval has an approval left out, or what comes after it asked
// for alone, by nobody who could not give it; steps of another runbook before it count.
func TestNobodyGetsRoundAnApproval(t *testing.T) {
	agree := act("agree", runbook.Approve)
	agree.Owner = "commander"
	w := newWorld(t, manual("sub/count"), runbook.Step{ID: "sub", Runbook: "sub"}, agree, act("look", "plain"), act("drop", "plain"))
	id := w.start(li)
	if _, err := w.acts.Done(t.Context(), zhang, id, "sub/count", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	w.step()
	_, err := w.acts.Approve(t.Context(), zhang, id, "agree", continuity.VersionAny, runbook.Word{})
	code(t, err, continuity.CodeApproval)
	for name, c := range map[string]struct {
		who  runbook.Who
		want continuity.Code
	}{
		"who began it": {li, continuity.CodeApproval}, "who did the step before": {zhang, continuity.CodeApproval},
		"a program": {robot, continuity.CodeApproval}, "without the right": {wu, continuity.CodeScope},
	} {
		if _, err := w.acts.Skip(t.Context(), c.who, id, "agree", continuity.VersionAny, "no time"); continuity.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.want(id, "running: sub/count=done sub=done agree=asking look=waiting drop=waiting")

	k, err := w.acts.Start(t.Context(), wu, runbook.Begin{Service: "orders", Runbook: "back", Steps: []string{"drop"}, Why: "the rest is done"})
	if err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(k.ID, "running: agree=asking drop=waiting")
	if _, err := w.acts.Approve(t.Context(), li, k.ID, "agree", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(k.ID, "done: agree=done drop=done")
}

// TestWhatOneMayNotDecideAnotherAgreesTo has a person begin what their roles may not.
func TestWhatOneMayNotDecideAnotherAgreesTo(t *testing.T) {
	w := newWorld(t, act("switch", "guarded"))
	id := w.start(wu)
	w.want(id, "running: switch=asking")
	_, err := w.acts.Approve(t.Context(), wu, id, "switch", continuity.VersionAny, runbook.Word{})
	code(t, err, continuity.CodeApproval)
	if _, err := w.acts.Approve(t.Context(), li, id, "switch", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	w.until(id, "switch", continuity.StepDone)
	w.done("guarded")
	id = w.start(li) // a moment later it is another one
	w.until(id, "switch", continuity.StepDone)
}

func TestWhatIsDoneWhenAStepFails(t *testing.T) {
	for ifNot, want := range map[string]string{
		runbook.IfNotEscalate: "running: a=failed b=waiting", runbook.IfNotStop: "stopped: a=failed b=waiting", runbook.IfNotGoOn: "running: a=failed b=ready",
	} {
		t.Run(ifNot, func(t *testing.T) {
			a := act("a", "fails")
			a.IfNot = ifNot
			w := newWorld(t, a, manual("b"))
			id := w.start(li)
			w.until(id, "a", continuity.StepFailed)
			w.step()
			w.want(id, want)
			if len(w.told()) == 0 {
				t.Error("nobody was told")
			}
			if ifNot == runbook.IfNotGoOn {
				return
			}
			w.actions["fails"] = w.actions["once"]
			if _, err := w.acts.Retry(t.Context(), wu, id, "a", continuity.VersionAny); err != nil {
				t.Fatal(err)
			}
			w.until(id, "a", continuity.StepDone)
			w.want(id, "running: a=done b=ready")
		})
	}
}

func TestAnotherRunbookWhereAStepFails(t *testing.T) {
	for do, want := range map[string]string{
		"fails": "done: a=failed a/else/x=done b=done", "once": "done: a=done a/else/x=skipped b=done",
	} {
		a, x := act("a", do), act("a/else/x", "plain")
		a.Else, x.Failed, x.After = []string{"a/else/x"}, "a", []string{"a"}
		b := act("b", "plain")
		b.After = []string{"a"}
		w := newWorld(t, a, x, b)
		id := w.start(li)
		w.until(id, "b", continuity.StepDone)
		w.step()
		w.want(id, want)
	}
}

func TestPreconditionAndProof(t *testing.T) {
	a := act("a", "plain")
	a.Before, a.Proof, a.Items, a.Within = &runbook.Condition{Check: "db"}, &runbook.Condition{Check: "shop"}, []runbook.Item{{ID: "login"}, {ID: "pay"}}, 10*time.Minute
	w := newWorld(t, a)
	id := w.start(li)
	<-w.woken
	w.step()
	if st := w.at(id, "a"); st.State != continuity.StepWaiting || st.Reason.Code != "runbook.look.not-yet" {
		t.Fatalf("%+v", st)
	}
	w.set("db", true)
	w.now = w.now.Add(10 * time.Second)
	w.until(id, "a", continuity.StepProving)
	_, err := w.acts.Tick(t.Context(), wu, id, "a", continuity.VersionAny, []string{"nothing"})
	code(t, err, continuity.CodeInvalid)
	if _, err := w.acts.Tick(t.Context(), wu, id, "a", continuity.VersionAny, []string{"login"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	if _, err := w.acts.Tick(t.Context(), wu, id, "a", continuity.VersionAny, []string{"pay"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	<-w.woken
	w.step()
	w.want(id, "running: a=proving")
	w.set("shop", true)
	w.now = w.now.Add(10 * time.Second)
	w.until(id, "a", continuity.StepDone)

	// A proof that does not come in time is a failure.
	w.set("shop", false)
	w.now = w.now.Add(time.Second)
	id = w.start(li)
	w.until(id, "a", continuity.StepProving)
	if _, err := w.acts.Tick(t.Context(), wu, id, "a", continuity.VersionAny, []string{"login", "pay"}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	w.until(id, "a", continuity.StepFailed)
}

// TestAHeldStepBeginsAllTheSame has a person decide that the precondition does not
// matter.
func TestAHeldStepBeginsAllTheSame(t *testing.T) {
	a := act("a", "plain")
	a.Before = &runbook.Condition{Query: "up"}
	w := newWorld(t, a)
	id := w.start(li)
	<-w.woken
	w.step()
	if _, err := w.acts.Retry(t.Context(), wu, id, "a", continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	w.until(id, "a", continuity.StepDone)
}

func TestLateStepsEscalate(t *testing.T) {
	a := manual("a")
	a.Within = 10 * time.Minute
	w := newWorld(t, a)
	id := w.start(li)
	for _, d := range []time.Duration{10*time.Minute - time.Second, time.Second, 5*time.Minute - time.Second, time.Second, 5 * time.Minute, time.Hour} {
		w.now = w.now.Add(d)
		w.step()
	}
	want := []string{
		"notice role/technical [orders] Your turn: Do a", "page role/technical [orders] Late: Do a",
		"page deputies/technical [orders] Late: Do a", "page role/commander [orders] Late: Do a",
	}
	if got := w.told(); !slices.Equal(got, want) {
		t.Errorf("told: %q", got)
	}
	if st := w.at(id, "a"); st.State != continuity.StepReady || st.Late != 3 {
		t.Errorf("%+v", st)
	}
	if _, err := w.acts.Done(t.Context(), wu, id, "a", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	if got := w.told(); got[len(got)-1] != "info told/ [orders] done: Do a" {
		t.Errorf("that it is over: %q", got[len(got)-1])
	}
}

func TestGradeOfTheIncidentPages(t *testing.T) {
	w := newWorld(t, manual("a"))
	put := continuity.Put(continuity.KindIncident, "orders-2026-1", "orders", "incident.declared", continuity.Incident{ID: "orders-2026-1", Service: "orders", Grade: "SEV-1", Number: 4})
	if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{put}}); err != nil {
		t.Fatal(err)
	}
	k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", About: "incident/orders-2026-1"})
	if err != nil || k.ID != "orders-2026-1.run-5" {
		t.Fatal(k, err)
	}
	w.step()
	if got := w.told(); len(got) != 1 || !strings.HasPrefix(got[0], "page role/technical") {
		t.Errorf("told: %q", got)
	}
	_, err = w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", About: "incident/none"})
	code(t, err, continuity.CodeNotFound)
	_, err = w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "none"})
	code(t, err, continuity.CodeNotFound)
}

// TestInterruptedAsks begins another term in the middle of steps: one asks, one that
// may be repeated begins anew, and neither is done unnoticed a second time.
func TestInterruptedAsks(t *testing.T) {
	w := newWorld(t, act("a", "slow"), act("b", "once"))
	id := w.start(li)
	w.until(id, "a", continuity.StepRunning)
	w.step()
	w.restart()
	w.step()
	st := w.at(id, "a")
	if st.State != continuity.StepInterrupted || st.Attempt != 1 {
		t.Fatalf("%+v", st)
	}
	w.mu.Lock()
	if len(w.did) != 3 || w.did[2] != "lost "+id+"/a#1" {
		t.Errorf("%q", w.did)
	}
	w.mu.Unlock()
	if got := w.told(); len(got) != 1 || !strings.HasPrefix(got[0], "page role/technical [orders] Was it done?") {
		t.Errorf("told: %q", got)
	}
	_, err := w.acts.Answer(t.Context(), wu, id, "a", continuity.VersionAny, "perhaps", "")
	code(t, err, continuity.CodeInvalid)
	_, err = w.acts.Answer(t.Context(), wu, id, "a", continuity.VersionAny, runbook.AnswerSkip, "")
	code(t, err, continuity.CodeInvalid)
	w.actions["slow"] = w.actions["once"]
	if _, err := w.acts.Answer(t.Context(), wu, id, "a", continuity.VersionAny, runbook.AnswerAgain, ""); err != nil {
		t.Fatal(err)
	}
	w.until(id, "b", continuity.StepDone)
	if st := w.at(id, "a"); st.Attempt != 2 || st.State != continuity.StepDone {
		t.Errorf("%+v", st)
	}
}

// TestACommitThatFails has the start of an action stored and the answer lost, and the
// end of one not stored: the action is done once.
func TestACommitThatFails(t *testing.T) {
	for name, fail := range map[string]func(*world){"after it happened": func(w *world) { w.lose = true }, "before": func(w *world) { w.fail = true }} {
		t.Run(name, func(t *testing.T) {
			for commit := range 5 { // fill, start, keep, end, run's end
				w := newWorld(t, act("a", "set"))
				k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back"})
				if err != nil {
					t.Fatal(err)
				}
				failed, n := false, 0
				w.counted(func() {
					if n == commit {
						failed = true
						fail(w)
					}
					n++
				})
				for w.get(k.ID).State != continuity.RunDone {
					if _, err := w.follower.Step(t.Context()); err != nil {
						code(t, err, continuity.CodeDatabase)
						continue
					}
					if w.get(k.ID).State != continuity.RunDone {
						<-w.woken
					}
				}
				if !failed {
					t.Fatalf("only %d commits", n)
				}
				w.done("set a")
				if st := w.at(k.ID, "a"); st.Attempt != 1 {
					t.Errorf("commit %d: %+v", commit, st)
				}
			}
		})
	}
}

func TestTakenBackInReverseOrder(t *testing.T) {
	a, b := act("a", "set"), act("b", "set")
	a.With, b.With = map[string]string{"was": "pass"}, map[string]string{"was": "hold"}
	c := act("c", "plain")
	c.Back = []runbook.Item{{ID: "checked"}}
	w := newWorld(t, a, b, manual("d"), c)
	id := w.start(li)
	w.until(id, "d", continuity.StepReady)
	if _, err := w.acts.Done(t.Context(), wu, id, "d", continuity.VersionAny, runbook.Word{}); err != nil {
		t.Fatal(err)
	}
	w.until(id, "c", continuity.StepDone)
	if _, err := w.acts.Undo(t.Context(), li, id, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "undoing: a=waiting b=waiting d=done c=proving")
	if _, err := w.store.Get(t.Context(), "mark", "c"); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error("c was not taken back:", err)
	}
	if _, err := w.acts.Tick(t.Context(), wu, id, "c", continuity.VersionAny, []string{"checked"}); err != nil {
		t.Fatal(err)
	}
	w.until(id, "a", continuity.StepUndone)
	w.step()
	w.want(id, "undone: a=undone b=undone d=done c=undone")
	w.done("set a", "set b", `unset b {"was":"hold"}`, `unset a {"was":"pass"}`)
	_, err := w.acts.Undo(t.Context(), li, id, continuity.VersionAny)
	code(t, err, continuity.CodeState)
}

func TestOneStepIsTakenBack(t *testing.T) {
	w := newWorld(t, act("a", "set"), manual("b"))
	id := w.start(li)
	w.until(id, "b", continuity.StepReady)
	if _, err := w.acts.UndoStep(t.Context(), li, id, "a", continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	w.until(id, "a", continuity.StepUndone)
	w.step()
	w.want(id, "running: a=undone b=ready")
}

func TestStopEndsWhatIsUnderWay(t *testing.T) {
	w := newWorld(t, act("a", "slow"), manual("b"))
	id := w.start(li)
	w.until(id, "a", continuity.StepRunning)
	w.step()
	_, err := w.acts.Stop(t.Context(), li, id, continuity.VersionAny, "")
	code(t, err, continuity.CodeInvalid)
	if _, err := w.acts.Stop(t.Context(), li, id, continuity.VersionAny, "wrong one"); err != nil {
		t.Fatal(err)
	}
	w.until(id, "a", continuity.StepInterrupted)
	w.want(id, "stopped: a=interrupted b=waiting")
	w.done("slow a", "ended a")
	if r := w.get(id); r.Reason != "wrong one" {
		t.Errorf("%+v", r)
	}
}

func TestWaitingHasADeadlineByTheExercisesClock(t *testing.T) {
	a := act("a", "wait")
	a.Within = time.Hour
	w := newWorld(t, a)
	put := continuity.Put(continuity.KindExercise, "drill-1", "", "exercise.set", continuity.Exercise{ID: "drill-1", Real: began, Shown: began.AddDate(0, 1, 0), Speed: 1})
	if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{put}}); err != nil {
		t.Fatal(err)
	}
	k, err := w.acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back", Exercise: "drill-1"})
	if err != nil {
		t.Fatal(err)
	}
	w.until(k.ID, "a", continuity.StepRunning)
	if st := w.at(k.ID, "a"); !st.Due.Equal(began.AddDate(0, 1, 0).Add(time.Hour)) || !w.get(k.ID).Shown.Equal(began.AddDate(0, 1, 0)) {
		t.Errorf("%+v", st)
	}
	jump := continuity.Put(continuity.KindExercise, "drill-1", "", "exercise.set", continuity.Exercise{ID: "drill-1", Real: began, Shown: began.AddDate(0, 2, 0), Speed: 1})
	if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: li.Actor, Changes: []continuity.Change{jump}}); err != nil {
		t.Fatal(err)
	}
	if st := w.until(k.ID, "a", continuity.StepFailed); st.Reason.Code != "runbook.failed.wait" {
		t.Errorf("%+v", st)
	}
}

func TestWhatNoEngineDoesAsksAPerson(t *testing.T) {
	w := newWorld(t, act("a", "backup"), act("b", "unheard-of"))
	id := w.start(li)
	w.want(id, "running: a=ready b=waiting")
	if st := w.at(id, "a"); st.Reason.Code != "runbook.hand.outbox" {
		t.Errorf("%+v", st)
	}
	p, err := w.acts.Preview(t.Context(), wu, runbook.Begin{Service: "orders", Runbook: "back"})
	if err != nil || !p.Steps[0].Hand || p.Steps[0].Lacks == nil || p.Lacks != 1 || !p.Steps[1].Hand {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestFirstThenTheAction has lines ticked off before an action begins, and others
// after.
func TestFirstThenTheAction(t *testing.T) {
	a := act("a", "set")
	a.Items = []runbook.Item{{ID: "tested", First: true}, {ID: "mobile"}, {ID: "desktop"}}
	w := newWorld(t, a)
	id := w.start(li)
	w.want(id, "running: a=ready")
	_, err := w.acts.Done(t.Context(), wu, id, "a", continuity.VersionAny, runbook.Word{})
	code(t, err, continuity.CodeState)
	w.done()
	if _, err := w.acts.Tick(t.Context(), wu, id, "a", continuity.VersionAny, []string{"tested"}); err != nil {
		t.Fatal(err)
	}
	w.until(id, "a", continuity.StepProving)
	w.done("set a")
	if _, err := w.acts.Tick(t.Context(), wu, id, "a", continuity.VersionAny, []string{"mobile", "desktop"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want(id, "done: a=done")
}

// TestOnlySomeSteps goes through those that were asked for, by an engine's start too.
func TestOnlySomeSteps(t *testing.T) {
	w := newWorld(t, act("a", "plain"), act("b", "plain"), act("b/x", "plain"))
	engine := continuity.Actor{Kind: continuity.ActorEngine, ID: "incident"}
	change := continuity.NewRun("orders-2026-1.run-1", "orders", 0, "back", "", []string{"b"}, engine, began, "")
	if _, err := w.store.Commit(t.Context(), continuity.Batch{Actor: engine, Changes: []continuity.Change{change}}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.want("orders-2026-1.run-1", "done: b=done b/x=done")
	if r := w.get("orders-2026-1.run-1"); r.Plan != 3 {
		t.Errorf("%+v", r)
	}
}
