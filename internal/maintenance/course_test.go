package maintenance_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/maintenance"
	"holdfast/internal/store"
)

var (
	begins = time.Date(2026, 3, 7, 1, 0, 0, 0, time.UTC)
	chen   = continuity.Actor{Kind: "user", ID: "chen.jie", Via: "api"}
)

const window = "orders-w-2026-1"

// course is a window over a real store: whatever an engine knows it has read there.
type course struct {
	*testing.T

	store  *store.Store
	now    time.Time
	rules  *maintenance.Rules
	figure map[string]float64
	f      *follow.Follower
	acts   *maintenance.Acts
	// restarts has each step made by an engine that knows nothing but the store.
	restarts bool
}

func (c *course) Of(service string) (*maintenance.Rules, bool) { return c.rules, service == "orders" }

func (c *course) Figure(_, name string) (float64, bool) {
	v, ok := c.figure[name]
	return v, ok
}

func rulesForTests() *maintenance.Rules {
	text := func(s string) continuity.Text { return continuity.Text{En: s, Zh: s} }
	return &maintenance.Rules{
		Service: "orders", Plan: 3, Name: text("Orders"), Owner: "li.wei", Zone: time.UTC, Days: calendar.China(),
		Tell: []string{"staff", "customers"}, Overrun: "work-overruns", Runbook: "switch-over",
		Audiences: map[string]maintenance.Audience{"staff": {ID: "staff", Kind: "staff"}, "customers": {ID: "customers", Kind: "customers"}},
		Batches:   []float64{0.1, 1}, Contact: text("8826"), Meant: text("by phone"), Whom: text("sales"),
		Standby:  []maintenance.Channel{{ID: "phone", Name: text("phone")}},
		Affected: map[string]maintenance.Part{"database": {Name: text("Database")}, "app": {Name: text("App")}},
		Course: maintenance.Course{
			Modes:     []maintenance.Put{{Relay: "relay", Route: "orders", Mode: "hold"}},
			Uploads:   []maintenance.Put{{Relay: "relay", Route: "orders", Paths: []string{"/import/**"}}},
			Parts:     map[string][]string{"database": {"database"}, "app": {"place-order"}, "intake": {"database"}},
			Processes: []maintenance.Process{{ID: "intake", Name: text("Order intake"), MTD: 4 * time.Hour, How: text("by phone")}, {ID: "reports", MTD: 72 * time.Hour}},
			Complete:  maintenance.Complete{Checks: []string{"orders/database"}, For: 2 * time.Minute, Person: true},
			Verify: []maintenance.Verify{
				{ID: "check/place-order", Kind: "base", Check: "orders/place-order"}, {ID: "item/prices", Kind: "custom", Say: text("Prices are right")},
			},
			Readmit: maintenance.Readmit{
				Lines: []maintenance.Put{{Relay: "relay", Route: "orders"}}, Wait: 10 * time.Minute, CheckIns: 1, Errors: "failing", Most: 0.01,
				Groups: []maintenance.Group{{Teams: []string{"it"}, Leads: []string{"chen.jie"}}},
			},
			Vendor: &maintenance.Vendor{Name: text("Vendor"), Address: "support@vendor.example", Channel: "mail", After: 24 * time.Hour},
			Review: 5 * 24 * time.Hour, Technical: "technical", Commander: "commander",
		},
	}
}

func newCourse(t *testing.T) *course {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "control.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c := &course{T: t, store: s, now: begins.Add(-time.Hour), rules: rulesForTests(), figure: map[string]float64{}}
	c.acts = maintenance.NewActs(maintenance.ActsOptions{Store: s, Plans: c, Measured: c, Now: func() time.Time { return c.now }})
	c.restart()
	return c
}

// restart has another engine go on.
func (c *course) restart() {
	lease, ok, err := c.store.Lead(context.WithoutCancel(c.Context()), "control", "here", time.Hour)
	if err != nil || !ok {
		c.Fatal(ok, err)
	}
	c.f = follow.New(follow.Options{
		Store: c.store, Name: "maintenance", Node: "here", Kinds: maintenance.Kinds(), Now: func() time.Time { return c.now },
		Lease: func() (continuity.Lease, bool) { return lease, true },
	}, maintenance.New(maintenance.Options{Plans: c, Measured: c}))
}

func (c *course) step() {
	c.Helper()
	if c.restarts {
		c.restart()
	}
	if _, err := c.f.Step(c.Context()); err != nil {
		c.Fatal(err)
	}
}

func (c *course) after(d time.Duration) {
	c.Helper()
	c.now = c.now.Add(d)
	c.step()
}

func (c *course) write(kind, id string, v any) {
	c.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		c.Fatal(err)
	}
	_, err = c.store.Commit(c.Context(), continuity.Batch{Actor: chen, Changes: []continuity.Change{{
		Kind: kind, ID: id, Service: "orders", Version: continuity.VersionAny, Body: body, Action: kind + ".test",
	}}})
	if err != nil {
		c.Fatal(err)
	}
}

// scheduled writes a window that somebody has planned.
func (c *course) scheduled(change func(*continuity.Window)) {
	c.Helper()
	w := continuity.Window{
		ID: window, Service: "orders", Kind: continuity.WindowPlanned, Start: begins, End: begins.Add(2 * time.Hour), Affected: []string{"database"},
		State: continuity.WindowScheduled, Origin: continuity.Origin{Kind: "person", ID: "chen.jie"},
	}
	if change != nil {
		change(&w)
	}
	c.write(continuity.KindWindow, w.ID, w)
}

func (c *course) check(id string, state continuity.CheckState) {
	c.Helper()
	c.write(continuity.ObjectCheck, "orders/"+id, continuity.JudgedCheck{State: state, Since: c.now})
	c.step()
}

func get[T any](c *course, kind, id string) (v T, ok bool) {
	c.Helper()
	o, err := c.store.Get(c.Context(), kind, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return v, false
	}
	if err == nil {
		err = json.Unmarshal(o.Body, &v)
	}
	if err != nil {
		c.Fatal(err)
	}
	return v, true
}

func all[T any](c *course, kind string) (out []T) {
	c.Helper()
	objects, _, err := c.store.List(c.Context(), continuity.Query{Kind: kind, Limit: 1000})
	if err != nil {
		c.Fatal(err)
	}
	for _, o := range objects {
		var v T
		if err := json.Unmarshal(o.Body, &v); err != nil {
			c.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func (c *course) window() continuity.Window {
	c.Helper()
	w, _ := get[continuity.Window](c, continuity.KindWindow, window)
	return w
}

func (c *course) want(state string) continuity.Window {
	c.Helper()
	w := c.window()
	if w.State != state {
		c.Fatalf("the window is %s, want %s", w.State, state)
	}
	return w
}

// told counts the notifications whose subject or template has some words.
func (c *course) told(words string) (n int) {
	c.Helper()
	for _, note := range all[continuity.Notification](c, continuity.KindNotification) {
		if strings.Contains(note.Subject.En+" "+note.Template, words) {
			n++
		}
	}
	return n
}

func (c *course) during(id string) continuity.During {
	c.Helper()
	d, _ := get[continuity.During](c, continuity.KindDuring, window+"."+id)
	return d
}

// hand does with all that is wanted what a relay would: it puts, and takes away.
func (c *course) hand() {
	c.Helper()
	for _, d := range all[continuity.During](c, continuity.KindDuring) {
		switch d.State {
		case continuity.DuringWanted:
			d.State = continuity.DuringPut
		case continuity.DuringEnding:
			d.State = continuity.DuringEnded
		default:
			continue
		}
		c.write(continuity.KindDuring, d.ID, d)
	}
	c.step()
}

// ok is for acts that must go well.
func ok(c *course) func(maintenance.Kept, error) {
	return func(_ maintenance.Kept, err error) {
		c.Helper()
		if err != nil {
			c.Fatal(err)
		}
		c.step()
	}
}

const anyVersion = continuity.VersionAny

// TestWindowFromStartToReview goes through a window that goes well, once with one
// engine and once with another one at each step: nothing is told or put twice.
func TestWindowFromStartToReview(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		t.Run(map[bool]string{false: "one engine", true: "another engine each step"}[restarts], func(t *testing.T) {
			c := newCourse(t)
			c.restarts = restarts
			c.scheduled(nil)
			c.step()
			c.want(continuity.WindowScheduled)
			c.after(time.Hour)
			w := c.want(continuity.WindowRunning)
			if d := c.during("mode-orders"); d.State != continuity.DuringWanted || d.Mode != "hold" || d.Relay != "relay" {
				t.Error(d)
			}
			if d := c.during("uploads-orders"); d.State != continuity.DuringWanted || !slices.Equal(d.Paths, []string{"/import/**"}) {
				t.Error(d)
			}
			if run, ok := get[continuity.Run](c, continuity.KindRun, w.Run); !ok || run.Runbook != "switch-over" || run.Plan != 3 || run.About != "window/"+window {
				t.Error(run)
			}
			if s, _ := get[continuity.Silence](c, continuity.KindSilence, window+".silence"); !slices.Equal(s.Match, []string{"database"}) || !s.Until.Equal(w.End) || s.Window != window {
				t.Error("what is worked on is silenced, and nothing else, until the end: ", s)
			}
			c.hand()

			c.check("database", continuity.CheckDown)
			c.after(20 * time.Minute)
			c.check("database", continuity.CheckUp)
			ok(c)(c.acts.Complete(t.Context(), chen, window, anyVersion, ""))
			c.want(continuity.WindowRunning) // the check has not been up for long enough
			c.after(2 * time.Minute)
			c.want(continuity.WindowVerifying)
			if n := c.told("verify it"); n != 1 {
				t.Error(n, "were asked to verify")
			}
			ok(c)(c.acts.Verify(t.Context(), chen, window, anyVersion, "prices", true, ""))
			c.want(continuity.WindowVerifying)
			if d := c.during("mode-orders"); d.State != continuity.DuringPut {
				t.Error("the route is let go before all was seen to work:", d.State)
			}
			c.check("place-order", continuity.CheckUp)
			if w = c.want(continuity.WindowReadmitting); w.Batch != 1 {
				t.Error(w.Batch)
			}
			if line, mode := c.during("line-orders"), c.during("mode-orders"); line.Open != 1 || line.Of != 2 || line.State != continuity.DuringWanted || mode.State != continuity.DuringEnding {
				t.Error(line, mode)
			}
			c.hand()
			if c.told("you may come back") != 1 || c.told("does it work for your team") != 1 {
				t.Error("who comes back is not told, or not asked")
			}

			// The next batch waits for time, a word, and few errors.
			c.after(10 * time.Minute)
			c.figure["failing"] = 0.05
			_, err := c.acts.CheckIn(t.Context(), chen, window, "", true, "")
			if err != nil {
				t.Fatal(err)
			}
			c.step()
			if w = c.want(continuity.WindowReadmitting); w.Batch != 1 {
				t.Error("the next batch came in spite of errors")
			}
			c.figure["failing"] = 0.001
			c.after(time.Second)
			if w = c.window(); w.Batch != 2 {
				t.Fatal("the next batch does not come")
			}
			c.hand()
			_, err = c.acts.CheckIn(t.Context(), continuity.Actor{Kind: "user", ID: "sun.lan"}, window, "", true, "")
			if err != nil {
				t.Fatal(err)
			}
			c.after(10 * time.Minute)
			w = c.want(continuity.WindowDone)
			if w.Review.Sub(w.Ended) != 5*24*time.Hour {
				t.Error("the review is due", w.Review)
			}
			if s, _ := get[continuity.Silence](c, continuity.KindSilence, window+".silence"); s.Until.After(c.now) {
				t.Error("silence goes on until", s.Until)
			}
			c.hand()
			for _, d := range all[continuity.During](c, continuity.KindDuring) {
				if d.State != continuity.DuringEnded {
					t.Error(d.ID, "still stands:", d.State)
				}
			}
			if n := c.told("works again"); n != 1 {
				t.Error("staff are told", n, "times that they may come back")
			}

			ok(c)(c.acts.Feedback(t.Context(), chen, window, 4, "went well"))
			c.after(24 * time.Hour)
			c.after(4 * 24 * time.Hour)
			for _, want := range []string{"What our people say", "the review of maintenance", "is over"} {
				if n := c.told(want); n != 1 {
					t.Errorf("%q was told %d times", want, n)
				}
			}
			for _, note := range all[continuity.Notification](c, continuity.KindNotification) {
				if to := note.To[0]; to.Kind == continuity.ToAddress && (to.Address != "support@vendor.example" || !strings.Contains(note.Text.En, "went well") || strings.Contains(note.Text.En, "chen.jie")) {
					t.Error("the vendor gets", note)
				}
			}
			before := len(all[continuity.Notification](c, continuity.KindNotification))
			c.restart()
			c.after(30 * 24 * time.Hour)
			if n := len(all[continuity.Notification](c, continuity.KindNotification)); n != before {
				t.Error(n-before, "were told when all was over")
			}
		})
	}
}
