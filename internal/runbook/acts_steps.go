package runbook

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Word is what a person says with what they do to a step.
type Word struct {
	Note  string
	Typed string // what the step wants typed
}

// typed refuses what was not typed as the step wants it.
func (w Word) typed(s *Step) error {
	if s.Typed != "" && strings.TrimSpace(w.Typed) != s.Typed {
		return invalid("typed", "step", s.ID, "typed", s.Typed)
	}
	return nil
}

// Done says that a person did what a step wants.
func (a *Acts) Done(ctx context.Context, by Who, id, step string, version int64, w Word) (Kept, error) {
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if err := open(t); err != nil {
			return err
		}
		switch {
		case st.State == continuity.StepReady && st.Reason.Code != reasonFirst:
			st.Attempt, st.Started = st.Attempt+1, st.Since
		case st.State == continuity.StepFailed && s.Do != Approve: // somebody did it by hand
		default:
			return wrong(st)
		}
		if err := w.typed(s); err != nil {
			return err
		}
		st.Note, st.Reason = words(w.Note), continuity.CheckReason{}
		mine(st, by)
		t.did(s, st)
		return nil
	})
}

// Tick ticks items of a step off.
func (a *Acts) Tick(ctx context.Context, by Who, id, step string, version int64, ticks []string) (Kept, error) {
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if err := open(t); err != nil {
			return err
		}
		if st.State != continuity.StepReady && st.State != continuity.StepProving {
			return wrong(st)
		}
		for _, item := range ticks {
			if !slices.ContainsFunc(items(s, st), func(i Item) bool { return i.ID == item }) {
				return invalid("item", "id", item)
			}
			if !slices.Contains(st.Ticked, item) {
				st.Ticked = append(slices.Clone(st.Ticked), item)
			}
		}
		hand(st, by)
		if st.By == nil { // who ticks its lines off does it
			st.By = &by.Actor
		}
		t.run.Step, t.action = st.ID, "run.step-ticked"
		return nil
	})
}

// Skip has a step left out, for a reason. One that was to be taken back stays as it
// is.
func (a *Acts) Skip(ctx context.Context, by Who, id, step string, version int64, why string) (Kept, error) {
	if why = words(why); why == "" {
		return Kept{}, invalid("why")
	}
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if err := open(t); err != nil {
			return err
		}
		if s.Do == Approve { // leaving an approval out is as good as giving it
			if err := a.another(t, by, s); err != nil {
				return err
			}
		}
		return t.skip(s, st, by, why)
	})
}

func (t *turn) skip(s *Step, st *continuity.StepRun, by Who, why string) error {
	switch st.State {
	case continuity.StepRunning, continuity.StepDone, continuity.StepSkipped, continuity.StepUndone:
		return wrong(st)
	}
	mine(st, by)
	told := st.Told
	if st.Back {
		t.to(st, st.Done)
		st.Back, t.action = false, "run.step-left"
	} else {
		t.to(st, continuity.StepSkipped)
	}
	st.Note, st.Reason = why, continuity.CheckReason{}
	if told {
		t.tell(s, st, tellOver)
	}
	return nil
}

// Retry has a step that failed or was interrupted begin anew, or one go on though its
// precondition is not met.
func (a *Acts) Retry(ctx context.Context, by Who, id, step string, version int64) (Kept, error) {
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if err := open(t); err != nil && t.run.State != continuity.RunStopped {
			return err
		}
		switch {
		case st.State == continuity.StepFailed, st.State == continuity.StepInterrupted:
		case st.State == continuity.StepWaiting && !st.Back && st.Reason.Code != "":
			st.Go = true
		default:
			return wrong(st)
		}
		if t.run.State == continuity.RunStopped { // it goes on
			t.run.State, t.run.Ended, t.run.Reason = continuity.RunRunning, time.Time{}, ""
			t.resume(st.ID)
		}
		t.again(st)
		return nil
	})
}

// again puts a step where its turn begins.
func (t *turn) again(st *continuity.StepRun) {
	t.to(st, continuity.StepWaiting)
	st.Reason, st.Ended, st.Late, st.Output, t.action = continuity.CheckReason{}, time.Time{}, 0, nil, "run.step-again"
	st.By, st.Hands = nil, nil
}

// What a person says of a step that was interrupted.
const (
	AnswerDone  = "done"
	AnswerAgain = "again"
	AnswerSkip  = "skip"
)

// Answer says whether a step that was interrupted was done.
func (a *Acts) Answer(ctx context.Context, by Who, id, step string, version int64, answer, note string) (Kept, error) {
	note = words(note)
	if answer == AnswerSkip && note == "" {
		return Kept{}, invalid("why")
	}
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if st.State != continuity.StepInterrupted {
			return wrong(st)
		}
		switch answer {
		case AnswerDone:
			st.Note, st.Reason = note, continuity.CheckReason{}
			mine(st, by)
			t.did(s, st)
		case AnswerAgain:
			if err := open(t); err != nil {
				return err
			}
			t.again(st)
			st.Note = note
		case AnswerSkip:
			return t.skip(s, st, by, note)
		default:
			return invalid("answer", "answer", answer)
		}
		return nil
	})
}

// Approve agrees to a step: another person than who began the run or did what the step
// comes after, and never a program.
func (a *Acts) Approve(ctx context.Context, by Who, id, step string, version int64, w Word) (Kept, error) {
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if err := a.mayApprove(t, by, s, st); err != nil {
			return err
		}
		if err := w.typed(s); err != nil {
			return err
		}
		st.Note, st.Leave = words(w.Note), &by.Actor
		if s.Do == Approve {
			st.Attempt, st.Started = st.Attempt+1, st.Since
			mine(st, by)
			t.did(s, st)
			return nil
		}
		st.Go = true // it was its turn already
		t.to(st, continuity.StepWaiting)
		t.action = "run.step-approved"
		return nil
	})
}

// Reject refuses a step, for a reason: it failed.
func (a *Acts) Reject(ctx context.Context, by Who, id, step string, version int64, why string) (Kept, error) {
	if why = words(why); why == "" {
		return Kept{}, invalid("why")
	}
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if err := a.mayApprove(t, by, s, st); err != nil {
			return err
		}
		st.Note = why
		mine(st, by)
		t.fail(s, st, continuity.CheckReason{Code: "runbook.rejected", Args: map[string]any{"by": by.ID, "why": why}})
		return nil
	})
}

func (a *Acts) mayApprove(t *turn, by Who, s *Step, st *continuity.StepRun) error {
	if err := open(t); err != nil {
		return err
	}
	if st.State != continuity.StepAsking {
		return wrong(st)
	}
	return a.another(t, by, s)
}

// another refuses who may not agree to a step: a program, who began the run or did what
// the step comes after, and who has no right to.
func (a *Acts) another(t *turn, by Who, s *Step) error {
	if !by.person() {
		return continuity.E(continuity.CodeApproval, nil, "nobody", true)
	}
	if t.part(s, by.Kind, by.ID) {
		return continuity.E(continuity.CodeApproval, nil)
	}
	rights := a.rights(by, t.script)
	if s.Do == Approve {
		if may(rights, "approve") || t.script.has(s.Owner, by.ID) {
			return nil
		}
		return continuity.E(continuity.CodeScope, nil, "scope", "approve", "name", by.ID)
	}
	if right := a.o.Actions[s.Do].Needs; !may(rights, right) {
		return continuity.E(continuity.CodeScope, nil, "scope", right, "name", by.ID)
	}
	return nil
}
