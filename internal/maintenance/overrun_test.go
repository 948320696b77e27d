package maintenance_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
	"holdfast/internal/runbook"
)

// begun is a window whose work goes on.
func begun(t *testing.T, change func(*continuity.Window)) *course {
	t.Helper()
	c := newCourse(t)
	c.scheduled(change)
	c.after(time.Hour)
	c.want(continuity.WindowRunning)
	c.hand()
	return c
}

func (c *course) declared() []continuity.Declaration {
	return all[continuity.Declaration](c, continuity.KindDeclaration)
}

// TestOverrunStartsTheContingencyPlan has a window pass its end: an incident is
// declared once, what the business needs first stands first, who is in charge is
// paged, and everybody is told.
func TestOverrunStartsTheContingencyPlan(t *testing.T) {
	c := begun(t, nil)
	c.restarts = true
	c.after(2*time.Hour - time.Second)
	c.want(continuity.WindowRunning)
	c.after(time.Second)
	c.want(continuity.WindowOverrun)
	all := c.declared()
	if len(all) != 1 || all[0].Scenario != "work-overruns" || all[0].Origin != (continuity.Origin{Kind: "window", ID: window}) || !slices.Equal(all[0].Hits, []string{"intake"}) {
		t.Fatal(all)
	}
	if all[0].Title != (continuity.Text{}) {
		t.Error("an overrun is called otherwise than the plan's scenario:", all[0].Title)
	}
	if n := c.told("overruns"); n != 1 {
		t.Error(n, "pages for the one in charge")
	}
	for _, n := range notes(c) {
		if strings.Contains(n.Subject.En, "overruns") && (n.Urgency != continuity.UrgencyPage || n.To[0].ID != "commander" || strings.Index(n.Text.En, "Order intake") > strings.Index(n.Text.En, "reports") || !strings.Contains(n.Text.En, "by phone")) {
			t.Error(n.To, n.Text.En)
		}
	}
	if s, _ := get[continuity.Silence](c, continuity.KindSilence, window+".silence"); s.Until.After(c.now) {
		t.Error("what is down after the end is not told:", s.Until)
	}

	// The engine of incidents writes which it became; it is not declared again.
	d := all[0]
	d.Incident = "orders-2026-1"
	c.write(continuity.KindDeclaration, d.ID, d)
	c.after(time.Hour)
	if w := c.window(); w.Incident != "orders-2026-1" || len(c.declared()) != 1 || c.declared()[0].Incident == "" {
		t.Error(w.Incident, c.declared())
	}
}

// TestOverrunIsSinceThePlannedEnd sees an overrun late, and in an exercise by a clock that
// jumped past the end: what people are told is since the end that was announced.
func TestOverrunIsSinceThePlannedEnd(t *testing.T) {
	c := begun(t, nil)
	c.after(3 * time.Hour)
	end := c.want(continuity.WindowOverrun).End
	if d := c.declared()[0]; !d.Started.Equal(end) || !d.Began.IsZero() {
		t.Errorf("since %v, by a clock %v; it was to end at %v", d.Started, d.Began, end)
	}

	c = newCourse(t)
	clock := func(shown time.Time) {
		c.write(continuity.KindExercise, "drill", continuity.Exercise{ID: "drill", Real: c.now, Shown: shown})
	}
	clock(begins)
	c.scheduled(func(w *continuity.Window) { w.Exercise = "drill" })
	c.after(time.Second)
	c.want(continuity.WindowRunning)
	c.hand()
	clock(begins.AddDate(0, 0, 6))
	c.after(time.Second)
	end = c.want(continuity.WindowOverrun).End
	if d := c.declared()[0]; !d.Began.Equal(end) || !d.Started.Equal(c.now) {
		t.Errorf("since %v, by its clock %v; it was to end at %v", d.Started, d.Began, end)
	}

	// Its clock stands, and the order in which it told people is known all the same.
	ok(c)(c.acts.Complete(t.Context(), chen, window, anyVersion, "the disk is full"))
	if got := c.window().Tellings; !slices.Equal(got[len(got)-4:], []string{"overrun/staff", "overrun/customers", "failed/customers", "failed/staff"}) {
		t.Error("told in the order", got)
	}
}

func notes(c *course) []continuity.Notification {
	return all[continuity.Notification](c, continuity.KindNotification)
}

// TestExtensionIsToldToThoseWhoWereTold gives a window a new end, before its end and
// after it.
func TestExtensionIsToldToThoseWhoWereTold(t *testing.T) {
	c := begun(t, nil)
	later := c.window().End.Add(time.Hour)
	ok(c)(c.acts.Extend(t.Context(), chen, window, anyVersion, later, continuity.Text{En: "the copy takes longer"}))
	if s, _ := get[continuity.Silence](c, continuity.KindSilence, window+".silence"); !s.Until.Equal(later) {
		t.Error("the silence ends at", s.Until)
	}
	again := func() (of []string) {
		for _, n := range notes(c) {
			if n.To[0].Kind == continuity.ToTold {
				of = append(of, n.To[0].Of)
			}
		}
		slices.Sort(of)
		return of
	}
	if got := again(); !slices.Equal(got, []string{"customers", "staff"}) {
		t.Error("it was told again to", got)
	}
	c.after(2*time.Hour + time.Minute)
	c.want(continuity.WindowRunning)
	c.after(time.Hour)
	c.want(continuity.WindowOverrun)
	if _, err := c.acts.Extend(t.Context(), chen, window, anyVersion, c.now, continuity.Text{}); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Error("an end that is past was taken:", err)
	}
	expected := c.now.Add(30 * time.Minute)
	ok(c)(c.acts.Extend(t.Context(), chen, window, anyVersion, expected, continuity.Text{}))
	w := c.want(continuity.WindowOverrun)
	if !w.Course.Expected.Equal(expected.Truncate(time.Second)) || !w.End.Equal(later) || len(again()) != 4 {
		t.Error(w.Course, w.End, again())
	}
	c.after(time.Hour)
	if n := c.told("still not done"); n != 1 {
		t.Error("nobody is asked about the new end, which is past, too:", n)
	}
}

// TestWhatFailsBecomesAnIncident ends windows as failed: what stands with relays stays
// until a person says so, warnings are told again.
func TestWhatFailsBecomesAnIncident(t *testing.T) {
	for name, fail := range map[string]func(*course){
		"a person": func(c *course) { ok(c)(c.acts.Complete(c.Context(), chen, window, anyVersion, "the disk is full")) },
		"a verification": func(c *course) {
			c.check("database", continuity.CheckDown)
			c.check("database", continuity.CheckUp)
			ok(c)(c.acts.Complete(c.Context(), chen, window, anyVersion, ""))
			c.after(2 * time.Minute)
			c.want(continuity.WindowVerifying)
			ok(c)(c.acts.Verify(c.Context(), chen, window, anyVersion, "prices", false, "the disk is full"))
		},
		"the runbook": func(c *course) {
			run, _ := get[continuity.Run](c, continuity.KindRun, c.window().Run)
			run.State, run.Steps = continuity.RunStopped, []continuity.StepRun{{ID: "copy", State: continuity.StepFailed}}
			c.write(continuity.KindRun, run.ID, run)
			c.step()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := begun(t, nil)
			fail(c)
			w := c.want(continuity.WindowFailed)
			if len(c.declared()) != 1 || c.told("failed") != 1 || w.Course.Failed == "" {
				t.Error(c.declared(), c.told("failed"), w.Course)
			}
			if title := c.declared()[0].Title; title.En != "Maintenance failed" || title.Zh != "维护失败" {
				t.Error("the incident is called", title)
			}
			var heard []string
			for _, n := range notes(c) {
				if n.To[0].Kind == continuity.ToTold && strings.Contains(n.Subject.En, "did not succeed") && n.Instead {
					heard = append(heard, n.To[0].Of)
				}
			}
			if slices.Sort(heard); !slices.Equal(heard, []string{"customers", "staff"}) {
				t.Error("who was told of the window hears nothing of its failure:", heard)
			}
			if d := c.during("mode-orders"); d.State != continuity.DuringPut {
				t.Error("people are let in to what does not work:", d.State)
			}
			if s, _ := get[continuity.Silence](c, continuity.KindSilence, window+".silence"); s.Until.After(c.now) {
				t.Error("silence until", s.Until)
			}
			c.restart()
			c.after(time.Hour)
			ok(c)(c.acts.Release(t.Context(), chen, window, anyVersion, "it was mended"))
			c.hand()
			if d := c.during("mode-orders"); d.State != continuity.DuringEnded {
				t.Error(d.State)
			}
			c.want(continuity.WindowFailed)
		})
	}
}

// TestARunThatPeopleBeganBefore has people go through a runbook for a window before it
// begins: its own run gets a number of its own, and the window begins.
func TestARunThatPeopleBeganBefore(t *testing.T) {
	c := newCourse(t)
	c.scheduled(nil)
	people := runbook.NewActs(runbook.ActsOptions{Store: c.store, Plans: preparing{}, Now: func() time.Time { return c.now }})
	run, err := people.Start(t.Context(), runbook.Who{Actor: chen}, runbook.Begin{Service: "orders", Runbook: "prepare", About: continuity.KindWindow + "/" + window})
	if err != nil {
		t.Fatal(err)
	}
	c.after(time.Hour)
	if w := c.want(continuity.WindowRunning); w.Run == "" || w.Run == run.ID {
		t.Errorf("the window's run is %q, the people's %q", w.Run, run.ID)
	}
}

// preparing is a plan of one runbook.
type preparing struct{}

func (preparing) Script(context.Context, string, int64, string) (*runbook.Script, error) {
	return &runbook.Script{Service: "orders", Runbook: "prepare", Steps: []runbook.Step{{ID: "look"}}}, nil
}

// TestWhatAnEndedExerciseLeftRunning ends an exercise while a window of it goes on, or
// has failed: its clock stands, and nothing that was put for it does.
func TestWhatAnEndedExerciseLeftRunning(t *testing.T) {
	for state, fail := range map[string]bool{continuity.WindowCancelled: false, continuity.WindowFailed: true} {
		c := newCourse(t)
		drill := continuity.Exercise{ID: "drill", Real: c.now, Shown: begins}
		c.write(continuity.KindExercise, "drill", drill)
		c.scheduled(func(w *continuity.Window) { w.Exercise = "drill" })
		c.step()
		c.hand()
		c.want(continuity.WindowRunning)
		if fail {
			ok(c)(c.acts.Complete(t.Context(), chen, window, anyVersion, "the disk is full"))
		}
		notes := len(all[continuity.Notification](c, continuity.KindNotification))
		drill.Ended = c.now
		c.write(continuity.KindExercise, "drill", drill)
		c.after(time.Minute)
		c.hand()
		c.want(state)
		if d := c.during("mode-orders"); d.State != continuity.DuringEnded {
			t.Errorf("%s: the relay's mode is %s", state, d.State)
		}
		if s, _ := get[continuity.Silence](c, continuity.KindSilence, window+".silence"); s.Until.After(c.now) {
			t.Errorf("%s: real warnings are silenced until %v", state, s.Until)
		}
		c.after(40 * 24 * time.Hour)
		if n := len(all[continuity.Notification](c, continuity.KindNotification)); n != notes {
			t.Errorf("%s: %d were told", state, n-notes)
		}
	}
}

// TestStoppedRunbookAsksAPerson has a person stop the runbook: the window goes on, and
// whoever is in charge is asked.
func TestStoppedRunbookAsksAPerson(t *testing.T) {
	c := begun(t, nil)
	run, _ := get[continuity.Run](c, continuity.KindRun, c.window().Run)
	run.State = continuity.RunStopped
	c.write(continuity.KindRun, run.ID, run)
	c.after(time.Second)
	c.after(time.Second)
	c.want(continuity.WindowRunning)
	if n := c.told("was stopped"); n != 1 {
		t.Error(n)
	}
}

// TestCompletionNeedsTheConfiguredSources goes through sources and how many of them
// must agree.
func TestCompletionNeedsTheConfiguredSources(t *testing.T) {
	person := func(c *course) { ok(c)(c.acts.Complete(c.Context(), chen, window, anyVersion, "")) }
	check := func(c *course) {
		c.check("database", continuity.CheckDown)
		c.check("database", continuity.CheckUp)
		c.after(2 * time.Minute)
	}
	notice := func(c *course) {
		c.write("notice", "orders.n1", map[string]any{"id": "orders.n1", "service": "orders", "type": "window", "state": "over", "provider": "vendor", "changed": c.now.Add(time.Second)})
		c.after(time.Second)
	}
	for _, x := range []struct {
		name     string
		complete maintenance.Complete
		says     []func(*course)
		done     bool
	}{
		{"a person where the plan says nothing", maintenance.Complete{}, []func(*course){person}, true},
		{"all", maintenance.Complete{Checks: []string{"orders/database"}, For: 2 * time.Minute, Notice: "vendor", Person: true}, []func(*course){person, check, notice}, true},
		{"one is missing", maintenance.Complete{Checks: []string{"orders/database"}, For: 2 * time.Minute, Notice: "vendor", Person: true}, []func(*course){person, check}, false},
		{"two of three", maintenance.Complete{Checks: []string{"orders/database"}, For: 2 * time.Minute, Notice: "vendor", Person: true, Agree: 2}, []func(*course){notice, check}, true},
		{"one of three where two must", maintenance.Complete{Checks: []string{"orders/database"}, Notice: "vendor", Person: true, Agree: 2}, []func(*course){person}, false},
		{"a check that was up all the time", maintenance.Complete{Checks: []string{"orders/database"}, For: time.Minute}, nil, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := newCourse(t)
			c.rules.Course.Complete = x.complete
			c.check("database", continuity.CheckUp)
			c.scheduled(nil)
			c.after(time.Hour)
			for _, say := range x.says {
				say(c)
			}
			c.after(10 * time.Minute)
			if done := c.window().State == continuity.WindowVerifying; done != x.done {
				t.Error(c.window().State, c.window().Complete)
			}
		})
	}
}

// TestNextBatchWaits goes through what keeps a batch out.
func TestNextBatchWaits(t *testing.T) {
	in := func(t *testing.T) *course {
		c := begun(t, nil)
		c.rules.Course.Verify, c.rules.Course.Complete = nil, maintenance.Complete{}
		ok(c)(c.acts.Complete(t.Context(), chen, window, anyVersion, ""))
		c.want(continuity.WindowReadmitting)
		c.hand()
		return c
	}
	checkIn := func(c *course, works bool) {
		c.Helper()
		if _, err := c.acts.CheckIn(c.Context(), chen, window, "", works, "the printer"); err != nil {
			c.Fatal(err)
		}
	}
	wants := func(c *course, batch int) {
		c.Helper()
		if w := c.window(); w.Batch != batch {
			c.Errorf("batch %d is in, want %d", w.Batch, batch)
		}
	}
	t.Run("for time", func(t *testing.T) {
		c := in(t)
		c.figure["failing"] = 0
		checkIn(c, true)
		c.after(10*time.Minute - time.Second)
		wants(c, 1)
		c.after(time.Second)
		wants(c, 2)
	})
	t.Run("for a word, which may be an acknowledgement", func(t *testing.T) {
		c := in(t)
		c.figure["failing"] = 0
		c.after(10 * time.Minute)
		wants(c, 1)
		for _, n := range notes(c) {
			if strings.Contains(n.Subject.En, "does it work") {
				n.State, n.AckBy = continuity.NotifyAcknowledged, &continuity.Actor{Kind: "person", ID: "chen.jie", Via: "link"}
				c.write(continuity.KindNotification, n.ID, n)
			}
		}
		c.after(time.Second)
		wants(c, 2)
	})
	t.Run("while it does not work for somebody", func(t *testing.T) {
		c := in(t)
		c.figure["failing"] = 0
		checkIn(c, false)
		c.after(30 * time.Minute)
		wants(c, 1)
		if c.told("does not work for chen.jie") != 1 || c.told("nobody more is let in") != 1 {
			t.Error("nobody is told")
		}
		checkIn(c, true)
		c.after(time.Second)
		wants(c, 2)
	})
	t.Run("while nothing is known of errors", func(t *testing.T) {
		c := in(t)
		checkIn(c, true)
		c.after(20 * time.Minute)
		wants(c, 1)
		ok(c)(c.acts.Readmit(t.Context(), chen, window, anyVersion, "seen in the log"))
		wants(c, 2)
	})
}
