package respond

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
)

// run starts the runbook that brings the shop back. Who starts it can't approve it.
func (w *world) run() string {
	w.t.Helper()
	c, err := w.As(w.t.Context(), "chen.jie")
	w.did(err, "log in")
	r, err := controlapi.Post[continuity.Run](w.t.Context(), c, "/runs", controlapi.RunBegin{Service: demo.Service, Runbook: "bring-back", Why: "a test"})
	w.did(err, "start a run")
	return r.ID
}

// step waits until a step of a run is in a state, and returns it.
func (w *world) step(run, step, state string) (found continuity.StepRun) {
	w.t.Helper()
	w.until(late, "step "+step+" is "+state, func(ctx context.Context) (bool, string) {
		r, _, err := controlapi.Get[continuity.Run](ctx, w.node(), "/runs/"+run, nil)
		for _, s := range r.Steps {
			if s.ID == step {
				found = s
			}
		}
		return err == nil && found.State == state, fmt.Sprintf("%v %s %+v", err, r.State, r.Steps)
	})
	return found
}

// says has a person do something with a step.
func (w *world) says(run, step, what string, body any) {
	w.t.Helper()
	w.until(late, what+" of step "+step, func(ctx context.Context) (bool, string) {
		c, err := w.As(ctx, "zhang.min")
		if err != nil {
			return false, err.Error()
		}
		_, version, err := controlapi.Get[continuity.Run](ctx, c, "/runs/"+run, nil)
		if err == nil {
			_, _, err = controlapi.Put[continuity.Run](ctx, c, "/runs/"+run+"/steps/"+url.PathEscape(step)+"/"+what, version, body)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// over waits until a run has ended well.
func (w *world) over(run string) {
	w.t.Helper()
	w.until(late, "run "+run+" is done", func(ctx context.Context) (bool, string) {
		r, _, err := controlapi.Get[continuity.Run](ctx, w.node(), "/runs/"+run, nil)
		return err == nil && r.State == continuity.RunDone, fmt.Sprintf("%v %s %+v", err, r.State, r.Steps)
	})
}

// TestKilledAtEachStageOfARun kills the node while a runbook is gone through: as it
// begins, while its command runs, while it asks, and just after it was answered. What
// runs outside is counted there: nothing is done twice that nobody asked for again.
func TestKilledAtEachStageOfARun(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dsn string, tried func(n int) bool) {
		w := newWorld(t, demo.Options{ControlDSN: dsn, PerMinute: 1000}, quiet)
		for n, s := range []struct {
			name     string
			kill     func(run string)
			answer   string // of the step that was interrupted
			restarts int
		}{
			{"asked for", func(string) { w.did(w.Control.Kill(), "kill") }, "", 1},
			{"a command runs, and was done", nil, "done", 1},
			{"a command runs, and is wanted again", nil, "again", 2},
			{"asks for an approval", func(run string) {
				w.step(run, "cents", continuity.StepAsking)
				w.did(w.Control.Kill(), "kill")
			}, "", 1},
			{"just approved", func(run string) {
				w.step(run, "cents", continuity.StepAsking)
				w.says(run, "cents", "approve", map[string]string{})
				w.did(w.Control.Kill(), "kill")
			}, "", 1},
		} {
			if !tried(n) {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				before := w.Restarts()
				if s.answer != "" {
					var once sync.Once
					w.Restarting(func() { once.Do(func() { _ = w.Control.Kill() }) })
				}
				run := w.run()
				if s.kill != nil {
					s.kill(run)
				} else {
					<-w.Control.Done()
				}
				w.Restarting(nil)
				w.again()
				if s.answer != "" {
					w.step(run, "restart", continuity.StepInterrupted)
					if n := w.Restarts() - before; n != 1 {
						t.Errorf("started again %d times before anybody was asked", n)
					}
					w.says(run, "restart", "answer", controlapi.RunAnswer{Answer: s.answer})
				}
				if s.name != "just approved" {
					w.step(run, "cents", continuity.StepAsking)
					w.says(run, "cents", "approve", map[string]string{})
				}
				w.over(run)
				if n := w.Restarts() - before; n != s.restarts {
					t.Errorf("started again %d times, not %d", n, s.restarts)
				}
			})
		}
		w.honest()
	})
}
