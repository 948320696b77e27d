package respond

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/maintenance"
)

// TestKilledAsAnExerciseEnds ends an exercise in the middle of a window that overran,
// with an incident, runs and relays that keep orders, and kills the node with the
// answer. All that it left open is closed all the same, the relay is as it was before,
// and nobody is waited for.
func TestKilledAsAnExerciseEnds(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dsn string, _ func(n int) bool) {
		w := newWorld(t, demo.Options{ControlDSN: dsn, PerMinute: 1000}, worked)
		w.answering()
		p := &playing{world: w, t: t, death: death{wait: func() time.Duration { return 0 }}, clock: "drill"}
		p.schedule()
		restarts := p.Restarts()
		p.shows(p.start.AddDate(0, 0, -8))
		p.planned()
		p.stage("begun", true, func() { p.shows(p.start.Add(time.Second)) }, func(d *maintenance.WindowDetail) bool {
			return d.State == continuity.WindowRunning && both(d, maintenance.StepStart)
		})
		p.mode("hold")
		run := p.work(restarts)
		p.stage("overrun", true, func() { p.shows(p.end.Add(time.Second)) }, func(d *maintenance.WindowDetail) bool {
			return d.State == continuity.WindowOverrun && d.Incident != ""
		})
		d, err := p.detail(t.Context())
		p.did(err, "show")
		p.stage("ended", true, func() {
			c, err := p.As(t.Context(), "zhang.min")
			p.did(err, "log in")
			_, version, err := controlapi.Get[controlapi.ExerciseShown](t.Context(), c, "/exercises/drill", nil)
			p.did(err, "show the exercise")
			_, _, err = controlapi.Put[controlapi.ExerciseShown](t.Context(), c, "/exercises/drill/end", version, struct{}{})
			p.did(err, "end the exercise")
		}, func(d *maintenance.WindowDetail) bool { return d.State == continuity.WindowCancelled })
		p.mode("pass")
		p.until(late, "the incident and its runs are over", func(ctx context.Context) (bool, string) {
			i, _, err := controlapi.Get[controlapi.IncidentDetail](ctx, p.node(), "/incidents/"+d.Incident, nil)
			if err != nil || i.State != continuity.Closed {
				return false, fmt.Sprint(i.State, err)
			}
			running, err := controlapi.List[continuity.Run](ctx, p.node(), "/runs", url.Values{"service": {demo.Service}}, 0)
			return err == nil && len(running) == 0, fmt.Sprintf("%v %+v", err, running)
		})
		if n := p.Restarts() - restarts; n != 1 {
			t.Errorf("the command of %s ran %d times", run, n)
		}
		w.balanced(1)
		w.honest()
	})
}
