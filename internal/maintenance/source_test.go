package maintenance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/exercise"
	"holdfast/internal/maintenance"
)

// TestSeriesOverClockChanges has windows recur at a local time, whatever clocks do: each
// becomes a window ahead of its first notice, once, though the engine is killed.
func TestSeriesOverClockChanges(t *testing.T) {
	w := newWorld(t, "2026-03-01 10:00")
	w.rules.Zone = zone(t, "Europe/Berlin")
	s, err := w.acts.AddSeries(t.Context(), li, continuity.WindowSeries{Service: service, Title: both("Updates"), Rule: "FREQ=WEEKLY;BYDAY=SU", From: "02:30", Minutes: 60})
	if err != nil {
		t.Fatal(err)
	}
	for day := range 30 {
		w.restart()
		w.until(fmt.Sprintf("2026-03-%02d 12:00", day+1))
	}
	var got []string
	all, _, err := w.acts.List(t.Context(), maintenance.Query{Service: service, Series: s.ID, All: true, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b maintenance.Kept) int { return a.Start.Compare(b.Start) })
	for _, k := range all {
		got = append(got, k.Start.In(w.rules.Zone).Format("01-02 15:04 -0700"))
		if k.End.Sub(k.Start) != time.Hour || k.State == continuity.WindowProposed {
			t.Errorf("%+v", k.Window)
		}
	}
	want := "03-08 02:30 +0100, 03-15 02:30 +0100, 03-22 02:30 +0100, 03-29 03:00 +0200, 04-05 02:30 +0200, 04-12 02:30 +0200"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s, want %s", s, want)
	}
	if _, err := w.acts.EndSeries(t.Context(), li, s.ID, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	w.until("2026-04-20 12:00")
	if more, _, _ := w.acts.List(t.Context(), maintenance.Query{Series: s.ID, All: true, Limit: 100}); len(more) != len(all) {
		t.Errorf("%d windows after its end, %d before", len(more), len(all))
	}
	for _, bad := range []continuity.WindowSeries{
		{Rule: "FREQ=HOURLY", From: "02:00", Minutes: 60}, {Rule: "FREQ=DAILY", From: "02:00", Minutes: 60 * 25}, {Rule: "FREQ=DAILY", From: "02:00"},
		{Rule: "FREQ=DAILY;UNTIL=20200101", From: "02:00", Minutes: 60, First: "2019-01-01"},
	} {
		bad.Service = service
		if _, err := w.acts.AddSeries(t.Context(), li, bad); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestSeriesThatFallsOnSomethingWaits leaves what falls on a peak to a person.
func TestSeriesThatFallsOnSomethingWaits(t *testing.T) {
	w := newWorld(t, "2026-11-23 10:00")
	w.busy = []maintenance.Busy{{Busy: calendar.Busy{Window: calendar.Window{Start: w.at("2026-11-29 00:00"), End: w.at("2026-11-30 00:00")}}, Kind: "freeze"}}
	if _, err := w.acts.AddSeries(t.Context(), li, continuity.WindowSeries{Service: service, Rule: "FREQ=WEEKLY;BYDAY=SU", From: "02:00", To: "04:00"}); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.state("orders-w-2026-1", continuity.WindowProposed)
	w.state("orders-w-2026-2", continuity.WindowScheduled)
	w.want("11-23 10:00 li.wei: Orders: a window was proposed")
}

type announcement struct {
	ID      string    `json:"id"`
	Service string    `json:"service"`
	Type    string    `json:"type"`
	State   string    `json:"state"`
	Agreed  *verdict  `json:"agreed,omitempty"`
	Found   time.Time `json:"found"`
}

type verdict struct {
	At    time.Time `json:"at"`
	Title string    `json:"title"`
	Kind  string    `json:"kind"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// TestWindowsOfNotices proposes a window for what a provider announced and a person
// confirmed, moves it with a confirmed change, and cancels it with the provider; the
// provider's work begins whether we are ready or not.
func TestWindowsOfNotices(t *testing.T) {
	w := newWorld(t, "2026-12-03 10:00")
	readied(w)
	n := announcement{ID: "n-1", Service: service, Type: "window", State: "proposed"}
	w.put("notice", n.ID, n)
	w.step()
	if all, _, _ := w.acts.List(t.Context(), maintenance.Query{All: true, Limit: 10}); len(all) != 0 {
		t.Fatalf("%+v", all)
	}
	n.State, n.Agreed = "confirmed", &verdict{At: w.now, Title: "Database work", Kind: "maintenance", Start: w.at("2026-12-10 02:00"), End: w.at("2026-12-10 04:00")}
	w.put("notice", n.ID, n)
	w.step()
	w.restart()
	w.step()
	id := "orders-w-2026-1"
	w.state(id, continuity.WindowProposed)
	w.want("12-03 10:00 li.wei: Orders: a window was proposed")
	w.must(w.acts.Schedule(t.Context(), li, id, continuity.VersionAny, maintenance.Plan{}))
	w.until("2026-12-05 12:00")
	n.Agreed = &verdict{At: w.now, Title: "Database work", Kind: "maintenance", Start: w.at("2026-12-11 02:00"), End: w.at("2026-12-11 04:00")}
	w.put("notice", n.ID, n)
	w.step()
	if got := w.said(); len(got) != 5 || got[4] != "12-05 12:00 told staff: staff/changed" || w.window(id).Sequence != 1 {
		t.Errorf("%q", got)
	}
	w.until("2026-12-11 02:10")
	w.state(id, continuity.WindowRunning)
	n2 := n
	n2.ID, n2.State = "n-2", "confirmed"
	n2.Agreed = &verdict{At: w.now, Title: "More", Kind: "maintenance", Start: w.at("2026-12-20 02:00"), End: w.at("2026-12-20 04:00")}
	w.put("notice", n2.ID, n2)
	w.step()
	n2.State = "over"
	w.put("notice", n2.ID, n2)
	w.step()
	w.state("orders-w-2026-2", continuity.WindowCancelled)
}

// TestExerciseClockDrivesTheLadder jumps a clock: what it passes is told once, marked
// as an exercise, and real times stay real.
func TestExerciseClockDrivesTheLadder(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	drills := exercise.NewActs(w.store, func() time.Time { return w.now })
	jump := func(to string) {
		t.Helper()
		if _, err := drills.Set(t.Context(), li, "drill", continuity.VersionAny, w.at(to), 0); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
		w.step()
	}
	jump("2027-01-04 10:00")
	d := w.draft("2027-01-20 02:00", "2027-01-20 04:00")
	d.Exercise = "drill"
	k := w.must(w.acts.Propose(t.Context(), li, d))
	k = w.must(w.acts.Schedule(t.Context(), li, k.ID, k.Version, maintenance.Plan{}))
	jump("2027-01-16 10:00")
	jump("2027-01-19 03:00")
	jump("2027-01-20 02:00")
	w.want(
		"11-22 15:00 staff: staff/notice", "11-22 15:00 customers: customers/notice", // 5 d, and 3 d of a Sunday
		"11-22 15:00 staff: staff/notice", "11-22 15:00 customers: customers/notice", // 1 d; the clock jumps over the last hour
		"11-22 15:00 staff: staff/start", "11-22 15:00 customers: customers/start",
	)
	n := w.notes()[0]
	if n.Exercise != "drill" || !n.Shown.Equal(w.at("2027-01-16 10:00")) || n.At.Year() != 2026 {
		t.Errorf("%+v", n)
	}
	if got := w.window(k.ID); !got.Shown.Equal(w.at("2027-01-20 02:00")) || got.Began.Year() != 2026 {
		t.Errorf("%+v", got)
	}
	d = w.draft("2027-02-20 02:00", "2027-02-20 04:00")
	d.Exercise = "drill"
	k = w.must(w.acts.Propose(t.Context(), li, d))
	if _, err := drills.Set(t.Context(), li, "drill", continuity.VersionAny, w.at("2027-01-01 00:00"), 0); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("it went back: %v", err)
	}
	if _, err := drills.End(t.Context(), li, "drill", continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	w.step()
	w.state(k.ID, continuity.WindowCancelled)
}

// TestKilledAtEveryCommit has the engine lose its picture after each commit: the next
// one goes on, and tells nothing twice.
func TestKilledAtEveryCommit(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	for w.now.Before(w.at("2026-12-10 03:00")) {
		w.restart()
		w.step()
		w.restart()
		w.now = w.now.Add(50 * time.Minute)
	}
	seen := map[string]bool{}
	for _, line := range w.said() {
		if seen[line] {
			t.Errorf("twice: %s", line)
		}
		seen[line] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d messages: %q", len(seen), w.said())
	}
}

// TestFeed shows windows as a calendar: one UID for a window's life, a higher sequence
// with each change, cancelled where it does not take place, and no exercise.
func TestFeed(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	read := func() calendar.Event {
		t.Helper()
		text, err := w.acts.Feed(t.Context(), "", "zh")
		if err != nil {
			t.Fatal(err)
		}
		feed, err := calendar.Parse(t.Context(), text, time.UTC)
		if err != nil || len(feed.Events) != 1 || len(feed.Left) > 0 {
			t.Fatal(feed, err)
		}
		return feed.Events[0]
	}
	first := read()
	if first.UID != k.ID+"@holdfast" || first.Sequence != 0 || first.Cancelled || !first.Start.Equal(k.Start) || first.Title != "Orders: 维护" || !strings.Contains(first.Description, "影响范围：Orders") {
		t.Errorf("%+v", first)
	}
	w.must(w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, w.draft("2026-12-11 02:00", "2026-12-11 04:00")))
	moved := read()
	if moved.UID != first.UID || moved.Sequence != 1 || !moved.Start.Equal(w.at("2026-12-11 02:00")) {
		t.Errorf("%+v", moved)
	}
	w.must(w.acts.Cancel(t.Context(), li, k.ID, continuity.VersionAny, both("no")))
	if gone := read(); gone.UID != first.UID || gone.Sequence != 2 || !gone.Cancelled {
		t.Errorf("%+v", gone)
	}
}
