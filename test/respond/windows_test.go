package respond

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/demo/inbox"
	"holdfast/internal/maintenance"
)

// worked has windows do all that they can: a runbook with a command begins with them,
// and people come back through the route's waiting line.
func worked(w *demo.World) error {
	for _, e := range []struct{ file, from, to string }{
		{"shop.yaml", "trigger: {check: answers}", "trigger: {person: true}"},
		{"shop.yaml", "state: degraded, for: 1s", "state: degraded, for: 30m"}, // a shop that is worked on may be slow
		{"shop.yaml", "overrun: window-overruns\n", "overrun: window-overruns\n  runbook: work\n"},
		{"shop.yaml", "\nchecklists:", `  - id: work
    name: {en: Work on the shop, zh: 商城维护}
    steps:
      - {id: restart, do: command, with: {command: restart-shop}, owner: technical, within: 1m}
      - {id: exchange, say: {en: Exchange the database., zh: 更换数据库。}, owner: technical, within: 1h, after: [restart]}

checklists:`},
		{"shop.yaml", "readmit: {groups:", "readmit: {routes: [orders], groups:"},
		{"control.yaml", "lease: 1s", "lease: 3s"}, // what is shown is deaths, not how little a busy machine lets a node do in time
		{"relay.yaml", "    settle: 2s\n", "    settle: 2s\n    waiting_line: {shares: [10%, 50%, 100%], hold: 1s, spread: 1s}\n"},
	} {
		if err := w.Edit(e.file, e.from, e.to); err != nil {
			return err
		}
	}
	return nil
}

// death is how the node dies at each stage of a window.
type death struct {
	name string
	told bool                         // as somebody is told of what was done, where anybody is
	wait func() (after time.Duration) // otherwise
}

// playing is a window that goes through all of its stages, at each of which the node
// dies.
type playing struct {
	*world

	t          *testing.T
	death      death
	id, clock  string
	start, end time.Time
	stages     int
}

// detail is the window as it stands.
func (p *playing) detail(ctx context.Context) (maintenance.WindowDetail, error) {
	d, _, err := controlapi.Get[maintenance.WindowDetail](ctx, p.node(), "/windows/"+p.id, nil)
	return d, err
}

// shows sets the clock of the exercise.
func (p *playing) shows(at time.Time) {
	p.t.Helper()
	p.until(late, "the clock shows "+at.String(), func(ctx context.Context) (bool, string) {
		if p.dead() {
			return true, ""
		}
		c, err := p.As(ctx, "zhang.min")
		if err != nil {
			return false, err.Error()
		}
		version := int64(continuity.VersionNew)
		_, v, err := controlapi.Get[controlapi.ExerciseShown](ctx, c, "/exercises/"+p.clock, nil)
		if err == nil {
			version = v
		}
		_, _, err = controlapi.Put[controlapi.ExerciseShown](ctx, c, "/exercises/"+p.clock, version, controlapi.ExerciseClock{Shown: at.UTC(), Speed: 1})
		return err == nil, fmt.Sprint(err)
	})
}

// stage does something, has the node die of it, and waits until what follows from it
// is so all the same. told says that somebody is told.
func (p *playing) stage(name string, told bool, act func(), so func(d *maintenance.WindowDetail) bool) {
	p.t.Helper()
	p.stages++
	if p.id != "" {
		p.balanced(0) // so that it dies of what follows now, and each message of one death
	}
	if p.death.told && told {
		var once sync.Once
		fate := []inbox.Fate{inbox.Cut, inbox.Lost, inbox.Answered}[p.stages%3]
		p.Inbox.Taking(func(i inbox.Item) inbox.Fate {
			answer := inbox.Answered
			if strings.HasPrefix(strings.TrimPrefix(i.Key, "<"), p.id+".") {
				once.Do(func() {
					_ = p.Control.Kill()
					answer = fate
				})
			}
			return answer
		}, nil)
	}
	act()
	switch {
	case p.death.told && told:
		select {
		case <-p.Control.Done():
		case <-time.After(soon):
			p.t.Errorf("%s: nobody was told", name)
		}
		p.Inbox.Taking(nil, nil)
	case !p.death.told:
		<-time.After(p.death.wait()) // it dies at any time
	}
	p.again()
	p.until(late, name, func(ctx context.Context) (bool, string) {
		d, err := p.detail(ctx)
		return err == nil && so(&d), fmt.Sprintf("%v %+v", err, d.Window)
	})
}

// both reports whether staff and customers are noted to be told of a step.
func both(d *maintenance.WindowDetail, step string) bool {
	return !d.Told[step+"/staff"].IsZero() && !d.Told[step+"/customers"].IsZero()
}

// TestKilledAtEachStageOfAWindow kills the node at each stage of a window: as it is
// proposed, scheduled, announced step by step, begun, overrun, put off, completed,
// verified, as people come back batch by batch, and as it ends. Each audience hears
// each step once, what was done outside is done once, there is one incident and one
// run, and the relay is as it was before.
func TestKilledAtEachStageOfAWindow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dsn string, tried func(n int) bool) {
		rnd := rand.New(rand.NewPCG(seed(t), 11)) // #nosec G404 -- chance, not secrecy
		w := newWorld(t, demo.Options{ControlDSN: dsn, PerMinute: 1000}, worked)
		w.answering()
		deaths := []death{
			{"as it tells", true, nil},
			{"soon after", false, func() time.Duration { return time.Duration(rnd.IntN(1200)) * time.Millisecond }},
		}
		for n, d := range deaths {
			if !tried(n) {
				continue
			}
			t.Run(d.name, func(t *testing.T) {
				in := *w
				in.t = t
				p := &playing{world: &in, t: t, death: d, clock: fmt.Sprintf("night-%d", n)}
				p.through()
				t.Logf("%d kills", p.stages)
			})
		}
		w.honest()
		w.balanced(1)
	})
}

// schedule has the window lie in the night of a Thursday.
func (p *playing) schedule() {
	zone := time.FixedZone("Shanghai", 8*3600)
	day := time.Now().In(zone).AddDate(0, 0, 14)
	for day.Weekday() != time.Thursday {
		day = day.AddDate(0, 0, 1)
	}
	p.start = time.Date(day.Year(), day.Month(), day.Day(), 2, 0, 0, 0, zone)
	p.end = p.start.Add(2 * time.Hour)
}

// through plays the window.
func (p *playing) through() {
	p.schedule()
	p.shows(p.start.AddDate(0, 0, -8))
	restarts := p.Restarts()

	p.planned()
	d, err := p.detail(p.t.Context())
	p.did(err, "show")
	for _, r := range d.Ladder {
		p.stage("told "+r.Step, true, func() { p.shows(r.Due.Add(time.Second)) }, func(d *maintenance.WindowDetail) bool { return both(d, r.Step) })
	}
	p.stage("begun", true, func() { p.shows(p.start.Add(time.Second)) }, func(d *maintenance.WindowDetail) bool {
		return d.State == continuity.WindowRunning && both(d, maintenance.StepStart) && d.Run != ""
	})
	p.mode("hold")
	run := p.work(restarts)
	p.did(p.Shop.Kill(), "take the shop down")
	p.stage("overrun", true, func() { p.shows(p.end.Add(time.Second)) }, func(d *maintenance.WindowDetail) bool {
		return d.State == continuity.WindowOverrun && both(d, maintenance.StepOverrun) && d.Incident != ""
	})
	p.stage("put off", true, func() {
		p.as("zhang.min", "/windows/"+p.id, "extend", map[string]any{"end": p.end.Add(time.Hour)})
	}, func(d *maintenance.WindowDetail) bool { return both(d, "extended-1") })
	p.stage("a step of its runbook is done", false, func() {
		p.as("chen.jie", "/runs/"+run, "steps/exchange/done", map[string]any{})
	}, func(*maintenance.WindowDetail) bool { return true })
	p.over(run)
	p.back()
	p.audit(restarts)
}

// planned has the window proposed, scheduled and made ready.
func (p *playing) planned() {
	p.stage("proposed", false, func() {
		c, err := p.As(p.t.Context(), "zhang.min")
		p.did(err, "log in")
		w, err := controlapi.Post[continuity.Window](p.t.Context(), c, "/windows", map[string]any{
			"service": demo.Service, "kind": continuity.WindowPlanned, "exercise": p.clock, "start": p.start.UTC(), "end": p.end.UTC(),
			"title": continuity.Text{En: "A new database", Zh: "更换数据库"}, "reason": continuity.Text{En: "A new database", Zh: "更换数据库"},
			"affected": []string{"order-system"}, "contact": "4000008826", "standby": "hotline",
			"hits": continuity.Text{En: "everybody who orders", Zh: "所有下单的人"}, "meanwhile": continuity.Text{En: "orders are kept", Zh: "订单暂存"},
		})
		p.did(err, "propose")
		p.id = w.ID
	}, func(d *maintenance.WindowDetail) bool { return d.State == continuity.WindowProposed })
	p.stage("scheduled", false, func() {
		p.as("zhang.min", "/windows/"+p.id, "schedule", map[string]any{"despite": "a test"})
	}, func(d *maintenance.WindowDetail) bool { return d.State == continuity.WindowScheduled })
	p.stage("ready", false, func() {
		p.as("chen.jie", "/windows/"+p.id, "ready/backup", map[string]any{"state": "yes"})
	}, func(d *maintenance.WindowDetail) bool {
		return slices.ContainsFunc(d.Ready, func(r continuity.Readiness) bool { return r.ID == "backup" && r.State == "yes" })
	})
}

// work waits until the window's runbook has done its command, once: where nobody knows
// whether it did, somebody says what they see.
func (p *playing) work(restarts int) (run string) {
	p.t.Helper()
	p.until(late, "the window's runbook asks a person", func(ctx context.Context) (bool, string) {
		d, err := p.detail(ctx)
		if err != nil {
			return false, err.Error()
		}
		run = d.Run
		r, _, err := controlapi.Get[continuity.Run](ctx, p.node(), "/runs/"+run, nil)
		for _, s := range r.Steps {
			if s.ID == "restart" && s.State == continuity.StepInterrupted {
				answer := "again"
				if p.Restarts() > restarts {
					answer = "done"
				}
				p.says(run, "restart", "answer", controlapi.RunAnswer{Answer: answer})
			}
			if s.ID == "exchange" && s.State == continuity.StepReady {
				return true, ""
			}
		}
		return false, fmt.Sprintf("%v %s %+v", err, r.State, r.Steps)
	})
	return run
}

// back has the work end, be verified, and people come back.
func (p *playing) back() {
	p.did(p.StartShop(), "start the shop")
	p.until(late, "the check is up", func(ctx context.Context) (bool, string) {
		c, _, err := controlapi.Get[struct {
			State string `json:"state"`
		}](ctx, p.node(), "/checks/shop/answers", nil)
		return err == nil && c.State == "up", fmt.Sprint(err, c)
	})
	p.stage("completed", true, func() {
		p.as("chen.jie", "/windows/"+p.id, "complete", map[string]any{})
	}, func(d *maintenance.WindowDetail) bool {
		return d.State == continuity.WindowVerifying && !d.Told[maintenance.StepEnd+"/staff"].IsZero()
	})
	p.mode("hold")
	p.stage("an item verified", false, func() {
		p.as("chen.jie", "/windows/"+p.id, "verify/orders", map[string]any{"works": true})
	}, func(d *maintenance.WindowDetail) bool { return slices.Contains(d.Checked, "item/orders") })
	p.stage("all verified", true, func() {
		p.as("chen.jie", "/windows/"+p.id, "verify/goods", map[string]any{"works": true})
	}, func(d *maintenance.WindowDetail) bool { return d.Batch >= 1 })
	for n := 2; n <= 3; n++ {
		p.stage(fmt.Sprintf("batch %d", n), false, func() { p.batch(n) }, func(d *maintenance.WindowDetail) bool { return d.Batch >= n })
	}
	p.stage("released", false, func() {
		p.until(late, "the window is over", func(ctx context.Context) (bool, string) {
			d, err := p.detail(ctx)
			return err == nil && d.State == continuity.WindowDone, fmt.Sprintf("%v %+v", err, d.Window)
		})
	}, func(d *maintenance.WindowDetail) bool {
		return d.State == continuity.WindowDone && both(d, maintenance.StepEnd) && !d.Told[maintenance.StepRelease+"/staff"].IsZero()
	})
}

// batch waits until a batch is let in.
func (p *playing) batch(n int) {
	p.until(late, fmt.Sprintf("batch %d is in", n), func(ctx context.Context) (bool, string) {
		d, err := p.detail(ctx)
		return err == nil && d.Batch >= n, fmt.Sprintf("%v %+v", err, d.Window)
	})
}

// mode waits until the relay goes by a mode.
func (p *playing) mode(mode continuity.Mode) {
	p.t.Helper()
	p.until(late, "the relay has the mode "+string(mode), func(ctx context.Context) (bool, string) {
		r, err := p.Route(ctx)
		return err == nil && r.Mode == mode, fmt.Sprintf("%v %s %+v", err, r.Mode, r.Switches)
	})
}

// audit holds what is left of the window against what was to become of it.
func (p *playing) audit(restarts int) {
	t := p.t
	p.mode("pass")
	var course maintenance.WindowCourse
	p.until(late, "what was put is taken away", func(ctx context.Context) (bool, string) {
		var err error
		course, _, err = controlapi.Get[maintenance.WindowCourse](ctx, p.node(), "/windows/"+p.id+"/course", nil)
		open := slices.ContainsFunc(course.During, func(d continuity.During) bool { return !d.Over() })
		return err == nil && !open, fmt.Sprintf("%v %+v", err, course.During)
	})
	if r, err := p.Route(t.Context()); err != nil || len(r.Switches) > 0 {
		t.Errorf("%v, the relay still has %+v", err, r.Switches)
	}
	if len(course.During) != 2 || len(course.CheckIns) != 3 {
		t.Errorf("%d things stood with relays, %d people said that it works: %+v", len(course.During), len(course.CheckIns), course)
	}
	if n := p.Restarts() - restarts; n != 1 {
		t.Errorf("the command ran %d times", n)
	}
	runs, err := controlapi.List[continuity.Run](t.Context(), p.node(), "/runs", url.Values{"about": {continuity.KindWindow + "/" + p.id}, "past": {"true"}}, 0)
	p.did(err, "list runs")
	if len(runs) != 1 {
		t.Errorf("%d runs of the window", len(runs))
	}
	incidents, err := controlapi.List[continuity.Incident](t.Context(), p.node(), "/incidents", url.Values{"service": {demo.Service}, "all": {"true"}}, 0)
	p.did(err, "list incidents")
	incidents = slices.DeleteFunc(incidents, func(i continuity.Incident) bool { return i.Origin.ID != p.id })
	if len(incidents) != 1 {
		t.Fatalf("%d incidents of the window", len(incidents))
	}
	if incidents[0].State != continuity.Resolved {
		p.as("zhang.min", "/incidents/"+incidents[0].ID, "state", map[string]any{"state": continuity.Resolved, "why": "it works"})
	}
	p.as("zhang.min", "/incidents/"+incidents[0].ID, "close", map[string]any{"causes": []string{"maintenance"}, "summary": "a test"})
	p.heardOnce()
}

// heardOnce requires that each audience was told each step, in a message of its own,
// and that everybody of it has it.
func (p *playing) heardOnce() {
	t := p.t
	p.balanced(1)
	all, err := controlapi.List[continuity.Notification](t.Context(), p.node(), "/notifications",
		url.Values{"about": {continuity.KindWindow + "/" + p.id}, "all": {"true"}}, 0)
	p.did(err, "list notifications")
	steps := []string{"maintenance from", "maintenance from", "maintenance from", "maintenance from", "/start", "/overrun", "/overrun", "/end"}
	people := map[string]int{"staff": 5, "customers": 1}
	left := map[string][]string{"staff": slices.Clone(steps), "customers": slices.Clone(steps)}
	left["staff"] = append(left["staff"], "/all-clear")
	for i := range all {
		n := &all[i]
		if n.State == continuity.NotifyFailed {
			t.Errorf("%s failed: %s", n.ID, n.Failure)
		}
		audience := n.To[0].ID + n.To[0].Of
		if people[audience] == 0 {
			continue
		}
		said := n.Subject.En + n.Template // these are words of the plan, or of Holdfast where it has none
		at := slices.IndexFunc(left[audience], func(step string) bool { return strings.Contains(said, step) })
		if at < 0 {
			t.Errorf("%s are told again: %s %q", audience, n.ID, said)
			continue
		}
		left[audience] = slices.Delete(left[audience], at, at+1)
		got := map[string]bool{}
		for _, i := range p.Inbox.Items(0) {
			if strings.HasPrefix(strings.TrimPrefix(i.Key, "<"), n.ID+".") {
				got[i.To] = true
			}
		}
		if len(got) != people[audience] {
			d, err := p.notification(n.ID)
			t.Errorf("%s %q came to %v: %v %+v", n.ID, said, got, err, d)
		}
	}
	for audience, steps := range left {
		if len(steps) > 0 {
			t.Errorf("%s were never told %q", audience, steps)
		}
	}
}
