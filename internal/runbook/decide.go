package runbook

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/continuity"
)

// turn is one look at one run: it makes at most one step of it something else.
type turn struct {
	e       *Engine
	ctx     context.Context
	k       *kept
	run     continuity.Run // as it is to be
	script  *Script
	now     time.Time
	shown   time.Time // what the clock of the run's exercise shows
	next    time.Time
	action  string // of the event; empty: nothing changes
	changes []continuity.Change
}

func (e *Engine) turn(ctx context.Context, k *kept, now time.Time) *turn {
	t := &turn{e: e, ctx: ctx, k: k, run: k.run, script: k.script, now: now, shown: e.clock.At(k.run.Exercise, now)}
	t.run.Steps = slices.Clone(k.run.Steps)
	return t
}

// at has the engine asked again at a time at the latest.
func (t *turn) at(real time.Time) {
	if t.next.IsZero() || real.Before(t.next) {
		t.next = real
	}
}

func (t *turn) changed() bool { return t.action != "" }

// batch is the changed run with what becomes true with it.
func (t *turn) batch() []continuity.Change {
	if t.run.Exercise != "" {
		t.run.Shown = t.shown
	}
	body, err := json.Marshal(t.run)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return append([]continuity.Change{{
		Kind: continuity.KindRun, ID: t.run.ID, Service: t.run.Service, Version: t.k.version, Body: body, Action: t.action,
	}}, t.changes...)
}

// keyOf names an attempt of a step, and no other.
func keyOf(run *continuity.Run, s *continuity.StepRun) string {
	key := run.ID + "/" + s.ID + "#" + strconv.Itoa(s.Attempt)
	if s.Back {
		key += "-back"
	}
	return key
}

// decide makes the first change that is due.
func (t *turn) decide() error {
	if t.run.Over() {
		t.halt()
		return nil
	}
	if t.played() {
		return nil
	}
	if t.script == nil {
		return t.fill()
	}
	if len(t.run.Steps) != len(t.script.Steps) {
		t.give("runbook.damaged")
		return nil
	}
	for i := range t.run.Steps {
		if t.run.Steps[i].ID != t.script.Steps[i].ID {
			t.give("runbook.damaged")
			return nil
		}
	}
	switch state := t.incident().State; {
	case t.run.State != continuity.RunRunning:
	case !t.upgrading():
		t.end(continuity.RunStopped, "runbook.upgrade-back")
		t.quiet("")
		return nil
	case state == continuity.Merged:
		t.leave("runbook.merged", tellMerged)
		return nil
	case state == continuity.Closed:
		t.leave("runbook.closed", tellClosed)
		return nil
	case (state == continuity.Resolved) != t.run.Calm:
		t.calm(state == continuity.Resolved)
		return nil
	}
	for i := range t.run.Steps {
		s, st := &t.script.Steps[i], &t.run.Steps[i]
		switch {
		case st.State == continuity.StepRunning:
			t.running(s, st)
		case st.State == continuity.StepProving:
			t.proving(s, st)
		case st.State == continuity.StepReady && st.Reason.Code == reasonFirst:
			t.first(s, st)
		case t.run.State == continuity.RunUndoing:
			t.back(i)
		case st.State == continuity.StepWaiting:
			t.waiting(s, st)
		}
		if t.changed() {
			return nil
		}
		if t.patience(s, st); t.changed() {
			return nil
		}
	}
	t.over()
	return nil
}

// fill writes down what the run goes through.
func (t *turn) fill() error {
	script, err := t.e.o.Plans.Script(t.ctx, t.run.Service, t.run.Plan, t.run.Runbook)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		t.give("runbook.unknown")
		return nil
	}
	if err != nil {
		return err
	}
	s := *script
	s.Steps = slices.Clone(s.Steps)
	s.only(t.run.Only)
	s.Run, t.run.Plan = t.run.ID, s.Plan
	t.run.Steps = make([]continuity.StepRun, len(s.Steps))
	for i := range s.Steps {
		t.run.Steps[i] = continuity.StepRun{ID: s.Steps[i].ID, State: continuity.StepWaiting, Since: t.now}
	}
	t.action = "run.filled"
	body, err := json.Marshal(s)
	t.changes = append(t.changes, continuity.Change{
		Kind: KindScript, ID: t.run.ID, Service: t.run.Service, Version: continuity.VersionAny, Body: body, Action: "script.kept",
	})
	return err
}

// end ends the run.
func (t *turn) end(state, reason string) {
	t.run.State, t.run.Reason, t.run.Ended, t.action = state, reason, t.now, "run."+state
}

// halt ends what is still under way of a run that is over.
func (t *turn) halt() {
	for i := range t.run.Steps {
		st := &t.run.Steps[i]
		if st.State != continuity.StepRunning {
			continue
		}
		key := keyOf(&t.run, st)
		f, there := t.e.flight(key)
		switch {
		case there && !f.done:
			t.e.cancel(key)
			continue
		case there && f.result.Failed == nil: // it was through before it could be ended
			state, ended, reason := t.run.State, t.run.Ended, t.run.Reason
			t.took(&t.script.Steps[i], st, f.result)
			t.run.State, t.run.Ended, t.run.Reason = state, ended, reason
			return
		}
		t.to(st, continuity.StepInterrupted)
		st.Reason = continuity.CheckReason{Code: "runbook.stopped"}
		return
	}
}

// to puts a step into a state.
func (t *turn) to(st *continuity.StepRun, state string) {
	st.State, st.Since = state, t.now
	switch state {
	case continuity.StepDone, continuity.StepSkipped, continuity.StepFailed, continuity.StepUndone:
		st.Ended = t.now
	}
	t.run.Step, t.action = st.ID, "run.step-"+state
}

// settled reports whether what comes after a step may begin.
func (t *turn) settled(id string) bool {
	i := t.script.step(id)
	if i < 0 {
		return true
	}
	s, st := &t.script.Steps[i], &t.run.Steps[i]
	switch st.State {
	case continuity.StepDone, continuity.StepSkipped, continuity.StepUndone:
		return true
	case continuity.StepFailed:
		if len(s.Else) > 0 {
			return !slices.ContainsFunc(s.Else, func(id string) bool { return !t.settled(id) })
		}
		return s.IfNot == IfNotGoOn
	}
	return false
}

// failedOr reports whether a step failed, and whether it may still do so.
func (t *turn) failedOr(id string) (failed, may bool) {
	i := t.script.step(id)
	if i < 0 {
		return false, false
	}
	state := t.run.Steps[i].State
	failed = state == continuity.StepFailed
	return failed, !failed && state != continuity.StepDone && state != continuity.StepSkipped && state != continuity.StepUndone
}

// waiting begins a step whose turn it is.
func (t *turn) waiting(s *Step, st *continuity.StepRun) {
	if s.Failed != "" {
		failed, may := t.failedOr(s.Failed)
		switch {
		case may:
			return
		case !failed:
			t.to(st, continuity.StepSkipped)
			st.Reason = continuity.CheckReason{Code: "runbook.not-needed"}
			return
		}
	}
	for _, id := range s.After {
		if id != s.Failed && !t.settled(id) {
			return
		}
	}
	if s.Runbook != "" {
		t.to(st, continuity.StepDone)
		return
	}
	if u, ok := t.upgrade(); ok && u.Unchecked(&t.run) != "" {
		return // first it is seen what the last step left behind
	}
	if st.Due.IsZero() && s.Within > 0 {
		st.Due = t.shown.Add(s.Within) // of which a change tells that comes sooner or later
	}
	if s.Before != nil && !st.Go {
		well, why, known := t.look(s, "before", s.Before)
		if !well {
			if known && st.Reason.Code != why.Code {
				st.Reason, st.Since, t.run.Step, t.action = why, t.now, st.ID, "run.step-held"
				if !st.Told {
					t.tell(s, st, tellHeld)
				}
			}
			return
		}
		st.Reason = continuity.CheckReason{}
	}
	st.Due = time.Time{}
	if s.Within > 0 {
		st.Due = t.shown.Add(s.Within)
	}
	t.start(s, st)
}

// start begins a step's act: a person's, or an action.
func (t *turn) start(s *Step, st *continuity.StepRun) {
	action, known := t.e.o.Actions[s.Do]
	switch {
	case s.Do == "":
		t.to(st, continuity.StepReady)
		t.tell(s, st, tellReady)
	case s.Do == Approve:
		t.to(st, continuity.StepAsking)
		t.tell(s, st, tellApprove)
	case !known || action.Hand != "":
		t.to(st, continuity.StepReady)
		st.Reason = continuity.CheckReason{Code: "runbook.by-hand"}
		if action.Hand != "" {
			st.Reason.Code = action.Hand
		}
		t.tell(s, st, tellReady)
	case st.Leave == nil && t.run.By.Kind != continuity.ActorEngine && !may(t.run.Rights, action.Needs):
		t.to(st, continuity.StepAsking)
		st.Reason = continuity.CheckReason{Code: "runbook.needs", Args: map[string]any{"right": action.Needs}}
		t.tell(s, st, tellApprove)
	default:
		t.act(s, st)
	}
}

// reasonFirst says that something is to be ticked off before an action begins.
const reasonFirst = "runbook.first"

// first goes on where what comes before an action was ticked off.
func (t *turn) first(s *Step, st *continuity.StepRun) {
	if ticked(s, st, true) {
		st.Reason = continuity.CheckReason{}
		t.act(s, st)
	}
}

// act begins an action, or takes it back.
func (t *turn) act(s *Step, st *continuity.StepRun) {
	action := t.e.o.Actions[s.Do]
	do := action.Do
	if st.Back {
		do = action.Undo
	}
	switch {
	case !ticked(s, st, true):
		t.to(st, continuity.StepReady)
		st.Reason = continuity.CheckReason{Code: reasonFirst}
		t.tell(s, st, tellTick)
	case action.Plain && do != nil:
		st.Attempt, st.Started = st.Attempt+1, t.now
		t.took(s, st, do(t.ctx, t.call(s, st)))
	default:
		t.launch(st)
	}
}

// launch stores that an action begins: it begins when that is stored.
func (t *turn) launch(st *continuity.StepRun) {
	st.Attempt, st.Started, st.Ended, st.Reason = st.Attempt+1, t.now, time.Time{}, continuity.CheckReason{}
	t.to(st, continuity.StepRunning)
	t.e.began[keyOf(&t.run, st)] = true
}

// call is what an action is told.
func (t *turn) call(s *Step, st *continuity.StepRun) Call {
	run, script, step := t.run, *t.script, *s
	c := Call{
		Run: &run, Script: &script, Step: &step, Key: keyOf(&t.run, st), Attempt: st.Attempt, Undo: st.Undo, Now: t.now, Shown: t.shown,
	}
	if due, ok := t.e.clock.Due(t.run.Exercise, st.Due); ok && !st.Due.IsZero() {
		c.Until = due
	}
	return c
}

// running takes over how an action ended, or begins it.
func (t *turn) running(s *Step, st *continuity.StepRun) {
	key := keyOf(&t.run, st)
	action := t.e.o.Actions[s.Do]
	f, there := t.e.flight(key)
	switch {
	case !there && t.e.began[key]:
		delete(t.e.began, key)
		do, call := action.Do, t.call(s, st)
		if st.Back {
			do = action.Undo
		}
		if do == nil {
			t.interrupt(s, st)
			return
		}
		t.e.begin(t.run.ID, key, func(ctx context.Context, f *flight) Result {
			call.Keep = t.e.keep(f)
			return do(ctx, call)
		})
	case !there && action.Again && !st.Back:
		t.launch(st)
	case !there:
		t.interrupt(s, st)
	case f.keep != nil && st.Kept != st.Attempt:
		if st.Undo == nil { // else that of an earlier attempt stands: it knows how it was before
			st.Undo = f.keep
		}
		st.Kept, t.run.Step, t.action = st.Attempt, st.ID, "run.step-kept"
	case f.done:
		t.took(s, st, f.result)
	case action.Waits && t.due(st) && !st.Back:
		t.e.cancel(key) // its result says that it was in vain
	}
}

func (t *turn) interrupt(s *Step, st *continuity.StepRun) {
	if lost := t.e.o.Actions[s.Do].Lost; lost != nil {
		lost(keyOf(&t.run, st))
	}
	t.to(st, continuity.StepInterrupted)
	st.Reason = continuity.CheckReason{Code: "runbook.interrupted"}
	t.tell(s, st, tellInterrupted)
}

// took takes over what came of an action.
func (t *turn) took(s *Step, st *continuity.StepRun, r Result) {
	st.Output = r.Output
	if r.Undo != nil && !st.Back {
		st.Undo = r.Undo
	}
	t.changes = append(t.changes, r.Changes...)
	if r.Failed != nil {
		t.fail(s, st, *r.Failed)
		return
	}
	st.Reason = continuity.CheckReason{}
	t.did(s, st)
}

// items are what is to be ticked off before a step is done, or taken back.
func items(s *Step, st *continuity.StepRun) []Item {
	if st.Back {
		return s.Back
	}
	return s.Items
}

// ticked reports whether all of them are, or those that come before its action.
func ticked(s *Step, st *continuity.StepRun, first bool) bool {
	return !slices.ContainsFunc(items(s, st), func(i Item) bool { return (i.First || !first) && !slices.Contains(st.Ticked, i.ID) })
}

// did goes on to what shows that a step did what it should.
func (t *turn) did(s *Step, st *continuity.StepRun) {
	switch {
	case !ticked(s, st, false):
		t.to(st, continuity.StepProving)
		t.tell(s, st, tellTick)
	case !st.Back && s.Proof != nil:
		t.to(st, continuity.StepProving)
	default:
		t.finish(s, st)
	}
}

func (t *turn) finish(s *Step, st *continuity.StepRun) {
	if st.Back {
		t.to(st, continuity.StepUndone)
		st.Undo, st.Ticked, st.Kept = nil, nil, 0
	} else {
		t.to(st, continuity.StepDone)
	}
	if st.Told {
		t.tell(s, st, tellOver)
	}
}

// proving ends a step when its proof is there.
func (t *turn) proving(s *Step, st *continuity.StepRun) {
	if !ticked(s, st, false) {
		return
	}
	if st.Back || s.Proof == nil {
		t.finish(s, st)
		return
	}
	well, why, known := t.look(s, "proof", s.Proof)
	switch {
	case well:
		st.Reason = continuity.CheckReason{}
		t.finish(s, st)
	case !known:
	case t.proofDue(st):
		t.fail(s, st, why)
	case st.Reason.Code != why.Code:
		st.Reason, t.run.Step, t.action = why, st.ID, "run.step-unproven"
	}
}

// proofTime is how long a proof is waited for where the step has no time of its own.
const proofTime = 5 * time.Minute

func (t *turn) proofDue(st *continuity.StepRun) bool {
	if !st.Due.IsZero() {
		return t.due(st)
	}
	return t.now.Sub(st.Since) >= proofTime
}

// due reports whether a step has taken longer than it should.
func (t *turn) due(st *continuity.StepRun) bool {
	if st.Due.IsZero() {
		return false
	}
	if !t.shown.Before(st.Due) {
		return true
	}
	if real, ok := t.e.clock.Due(t.run.Exercise, st.Due); ok {
		t.at(real)
	}
	return false
}

// fail notes why a step failed, and does what is to be done then.
func (t *turn) fail(s *Step, st *continuity.StepRun, why continuity.CheckReason) {
	t.to(st, continuity.StepFailed)
	st.Reason, st.Late = why, 0
	switch {
	case st.Back:
		t.tell(s, st, tellFailed)
	case len(s.Else) > 0, s.IfNot == IfNotGoOn:
		t.tell(s, st, tellPassed)
	case s.IfNot == IfNotStop:
		t.tell(s, st, tellStopped)
		t.run.State, t.run.Ended, t.run.Reason = continuity.RunStopped, t.now, "runbook.step-failed"
		t.quiet(st.ID)
	default:
		t.tell(s, st, tellFailed)
	}
}

// over ends a run of whose steps nothing is left to do.
func (t *turn) over() {
	if t.run.State == continuity.RunUndoing {
		whole := t.run.Whole
		for i := range t.run.Steps {
			if st := &t.run.Steps[i]; st.State == continuity.StepRunning || st.Back && st.State != continuity.StepUndone {
				return
			}
		}
		t.run.State, t.run.Whole = t.run.Was, false
		t.action = "run.back"
		if whole {
			t.end(continuity.RunUndone, t.run.Reason)
		}
		return
	}
	for i := range t.run.Steps {
		if !t.settled(t.run.Steps[i].ID) {
			return
		}
	}
	t.end(continuity.RunDone, "")
}

// reversible reports whether a step was begun, and can be taken back.
func reversible(actions Actions, s *Step, st *continuity.StepRun) bool {
	if st.Back || actions[s.Do].Undo == nil || st.Attempt == 0 {
		return false
	}
	switch st.State {
	case continuity.StepDone, continuity.StepFailed, continuity.StepInterrupted, continuity.StepProving, continuity.StepSkipped:
		return true
	}
	return false
}

// back takes the last step back that is to be.
func (t *turn) back(i int) {
	s, st := &t.script.Steps[i], &t.run.Steps[i]
	if !st.Back || st.State != continuity.StepWaiting {
		return
	}
	for j := range t.run.Steps {
		other := &t.run.Steps[j]
		if j > i && other.Back && other.State != continuity.StepUndone || j != i && other.State == continuity.StepRunning {
			return // what came later is taken back first
		}
	}
	st.Due = time.Time{}
	if s.Within > 0 {
		st.Due = t.shown.Add(s.Within)
	}
	t.act(s, st)
}

// takeBack has a step wait for being taken back.
func takeBack(st *continuity.StepRun, at time.Time) {
	st.Done, st.Back, st.State, st.Since, st.Ticked, st.Late, st.Told = st.State, true, continuity.StepWaiting, at, nil, 0, false
}
