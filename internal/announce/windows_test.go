package announce_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
)

// TestWhomTheWindowToldHearsNoHoldingStatement has a window overrun and become an
// incident: who was told that it takes longer is told nothing again by itself, neither
// while the work goes on nor after it; the next word is asked for, and the window's end
// is the incident's.
func TestWhomTheWindowToldHearsNoHoldingStatement(t *testing.T) {
	w := newWorld(t)
	window := continuity.Window{
		ID: "orders-w-1", Service: "orders", State: continuity.WindowOverrun, Start: w.now.Add(-time.Hour), End: w.now, Began: w.now.Add(-time.Hour),
		Told: map[string]time.Time{"overrun/customers": w.now},
	}
	w.put(continuity.KindWindow, window.ID, window)
	w.begin(func(i *continuity.Incident) { i.Origin = continuity.Origin{Kind: continuity.KindWindow, ID: window.ID} })
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if word := i.Public["customers"]; !word.Next.Equal(start.Add(20*time.Minute)) || word.Text.En == "" {
		t.Errorf("%+v", i.Public)
	}
	w.pass(2 * time.Minute)
	window.State, window.Course.Agreed = continuity.WindowVerifying, w.now
	w.put(continuity.KindWindow, window.ID, window)
	w.restart()
	w.pass(5 * time.Minute)
	w.want("")
	window.State, window.Told["end/customers"] = continuity.WindowDone, w.now
	w.put(continuity.KindWindow, window.ID, window)
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved = continuity.Resolved, w.now })
	w.pass(time.Minute)
	w.want("")
}

// TestTheFirstWordWasTheWindows has it kept when the window told an audience first, in
// real time also in an exercise.
func TestTheFirstWordWasTheWindows(t *testing.T) {
	for _, exercise := range []string{"", "drill"} {
		w := newWorld(t)
		at, want := w.now.Add(-10*time.Second), w.now.Add(-10*time.Second)
		if exercise != "" {
			at, want = w.now.AddDate(0, 9, 0), w.now
			w.put(continuity.KindExercise, exercise, continuity.Exercise{ID: exercise, Real: w.now, Shown: at})
		}
		w.put(continuity.KindWindow, "orders-w-1", continuity.Window{
			ID: "orders-w-1", Service: "orders", State: continuity.WindowOverrun, Start: at.Add(-time.Hour), End: at, Exercise: exercise,
			Told: map[string]time.Time{"overrun/customers": at},
		})
		w.begin(func(i *continuity.Incident) {
			i.Origin, i.Exercise = continuity.Origin{Kind: continuity.KindWindow, ID: "orders-w-1"}, exercise
		})
		if i, _ := read[continuity.Incident](w, continuity.KindIncident, incident); !i.Heard.Equal(want) {
			t.Errorf("%q: %s, want %s", exercise, i.Heard, want)
		}
	}
}

// TestAFailedWindowIsTold tells audiences of work that failed and that nobody told.
func TestAFailedWindowIsTold(t *testing.T) {
	w := newWorld(t)
	w.put(continuity.KindWindow, "orders-w-1", continuity.Window{
		ID: "orders-w-1", Service: "orders", State: continuity.WindowFailed, Start: w.now.Add(-time.Hour), End: w.now.Add(time.Hour),
		Course: continuity.Course{Agreed: w.now.Add(-time.Minute)},
	})
	w.begin(func(i *continuity.Incident) {
		i.Origin = continuity.Origin{Kind: continuity.KindWindow, ID: "orders-w-1"}
	})
	w.pass(4 * time.Minute)
	w.want(firstCustomers + " " + firstStaff)
}

// TestWhoHeardOfTheFailureHearsTheAllClear has a window tell that it failed: that is the
// incident's first word, and who heard it is told when all works again.
func TestWhoHeardOfTheFailureHearsTheAllClear(t *testing.T) {
	w := newWorld(t)
	w.put(continuity.KindWindow, "orders-w-1", continuity.Window{
		ID: "orders-w-1", Service: "orders", State: continuity.WindowFailed, Start: w.now.Add(-time.Hour), End: w.now.Add(time.Hour),
		Told: map[string]time.Time{"start/customers": w.now.Add(-time.Hour), "failed/customers": w.now, "failed/staff": w.now},
	})
	w.begin(func(i *continuity.Incident) {
		i.Origin = continuity.Origin{Kind: continuity.KindWindow, ID: "orders-w-1"}
	})
	w.pass(10 * time.Second)
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if word := i.Public["customers"]; word.Phase != announce.PhaseFirst || !strings.Contains(word.Text.En, "did not succeed") || !i.Heard.Equal(start) {
		t.Errorf("%+v %v", i.Public, i.Heard)
	}
	w.pass(4 * time.Minute)
	w.want("")
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved = continuity.Resolved, w.now })
	w.pass(time.Minute)
	w.want("n-helpless-all-clear-staff-0 update-all-clear-customers-0.n-1") // the plan has no such words for staff
}

// TestWindowIsAnsweredWithoutWordsOfThePlan answers for a window in our own words where
// the plan has none, and no longer than it stands.
func TestWindowIsAnsweredWithoutWordsOfThePlan(t *testing.T) {
	w := newWorld(t)
	w.rules.Find = func(string) (announce.Template, bool) { return announce.Template{}, false }
	window := continuity.Window{ID: "orders-w-1", Service: "orders", State: continuity.WindowRunning, Start: w.now, End: w.now.Add(time.Hour), Began: w.now}
	w.put(continuity.KindWindow, window.ID, window)
	w.step()
	if a := w.reply("orders.route.shop"); a.Text.En != "Maintenance of Order desk has begun; expected end: 2026-03-02 17:00 UTC+08:00. Please use help@standby.example." || a.Text.Zh == "" {
		t.Errorf("%+v", a)
	}
	window.State, window.Course.Expected = continuity.WindowOverrun, w.now.Add(2*time.Hour)
	w.put(continuity.KindWindow, window.ID, window)
	w.pass(time.Hour)
	if a := w.reply("orders.chat"); a.Text.En != "Maintenance of Order desk takes longer; now expected: 2026-03-02 18:00 UTC+08:00. Please go on over help@standby.example." {
		t.Errorf("%+v", a)
	}
	window.State = continuity.WindowDone
	w.put(continuity.KindWindow, window.ID, window)
	w.pass(time.Minute)
	if a := w.reply("orders.chat"); a.On {
		t.Errorf("%+v", a)
	}
}
