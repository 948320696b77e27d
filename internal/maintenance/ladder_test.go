package maintenance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
)

// TestLadder announces a window step by step: what is due on a day off goes out on the
// working day before, when the business begins.
func TestLadder(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00") // a Sunday
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	w.step()
	w.want()
	w.until("2026-12-10 02:00")
	w.want(
		"12-04 09:00 staff: staff/notice", "12-04 09:00 customers: customers/notice", // the 5th is a Saturday
		"12-07 02:00 staff: staff/notice", "12-07 02:00 customers: customers/notice",
		"12-09 02:00 staff: staff/notice", "12-09 02:00 customers: customers/notice",
		"12-10 01:00 staff: staff/notice", "12-10 01:00 customers: customers/notice",
		"12-10 02:00 staff: staff/start", "12-10 02:00 customers: customers/start",
	)
	w.state(k.ID, continuity.WindowRunning)
	n := w.notes()[0]
	for name, want := range map[string]string{
		"start": "2026-12-10 02:00 UTC+08:00", "end": "2026-12-10 04:00 UTC+08:00", "affected@en": "Orders", "hits@zh": "sales",
		"meanwhile@en": "by phone", "contact@en": "8826", "standby@zh": "Standby mail",
	} {
		if n.Vars[name] != want {
			t.Errorf("%s is %q, want %q", name, n.Vars[name], want)
		}
	}
}

// TestLadderOverHolidays has several steps fall on one holiday: they are one message
// on the last working day before it.
func TestLadderOverHolidays(t *testing.T) {
	w := newWorld(t, "2026-09-01 10:00")
	w.plan("2026-10-08 12:00", "2026-10-08 14:00")
	w.until("2026-10-08 11:30")
	w.want(
		"09-30 12:00 staff: staff/notice", "09-30 12:00 customers: customers/notice", // 5 d, 3 d and 1 d
		"10-08 11:00 staff: staff/notice", "10-08 11:00 customers: customers/notice",
	)
}

// TestLadderOverClockChanges counts days by the calendar: the day before is the day
// before, though it has 23 or 25 hours.
func TestLadderOverClockChanges(t *testing.T) {
	for _, c := range []struct{ zone, start, want string }{
		{"Europe/Berlin", "2026-03-30 01:00", "2026-03-25 01:00 +0100, 2026-03-27 01:00 +0100, 2026-03-27 09:00 +0100, 2026-03-30 00:00 +0200"},
		{"Europe/Berlin", "2026-10-26 12:00", "2026-10-21 12:00 +0200, 2026-10-23 12:00 +0200, 2026-10-23 12:00 +0200, 2026-10-26 11:00 +0100"},
		{"America/New_York", "2026-03-09 03:30", "2026-03-04 03:30 -0500, 2026-03-06 03:30 -0500, 2026-03-06 09:00 -0500, 2026-03-09 02:30 -0400"},
		{"Asia/Shanghai", "2026-03-31 02:00", "2026-03-26 02:00 +0800, 2026-03-27 09:00 +0800, 2026-03-30 02:00 +0800, 2026-03-31 01:00 +0800"},
	} {
		w := newWorld(t, "2026-01-01 00:00")
		w.rules.Zone = zone(t, c.zone)
		var got []string
		for _, r := range w.rules.Ladder(continuity.WindowPlanned, w.at(c.start)) {
			got = append(got, r.Due.In(w.rules.Zone).Format("2006-01-02 15:04 -0700"))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s %s:\n%s, want\n%s", c.zone, c.start, s, c.want)
		}
	}
}

// TestLatePlannedIsToldAtOnce folds what is past into one message.
func TestLatePlannedIsToldAtOnce(t *testing.T) {
	w := newWorld(t, "2026-11-24 15:00")
	k := w.plan("2026-11-26 02:00", "2026-11-26 04:00")
	w.until("2026-11-25 03:00")
	w.want(
		"11-24 15:00 staff: staff/notice", "11-24 15:00 customers: customers/notice", // 5 d and 3 d
		"11-25 02:00 staff: staff/notice", "11-25 02:00 customers: customers/notice",
	)
	for _, step := range []string{"5d", "3d", "1d"} {
		if w.window(k.ID).Told[step+"/staff"].IsZero() {
			t.Errorf("%s does not stand in the ledger", step)
		}
	}
}

// TestWhatIsLackingIsNotScheduled names what the messages would not say, before and
// after the plan changes under a window.
func TestWhatIsLackingIsNotScheduled(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	contact := w.rules.Contact
	w.rules.Contact, w.rules.Whom = continuity.Text{}, continuity.Text{}
	k := w.must(w.acts.Propose(t.Context(), li, w.draft("2026-12-10 02:00", "2026-12-10 04:00")))
	if !slices.Equal(k.Lacks, []string{"hits", "contact"}) {
		t.Errorf("it lacks %v", k.Lacks)
	}
	_, err := w.acts.Schedule(t.Context(), li, k.ID, k.Version, maintenance.Plan{})
	if continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(fmt.Sprint(err.(*continuity.Error).Args), "maintenance.lacks.hits maintenance.lacks.contact") {
		t.Fatalf("%v", err)
	}
	w.rules.Contact = contact
	hits := both("warehouse")
	k = w.must(w.acts.Change(t.Context(), li, k.ID, k.Version, maintenance.Draft{Hits: &hits}))
	w.must(w.acts.Schedule(t.Context(), li, k.ID, k.Version, maintenance.Plan{}))
	notice := w.rules.Audiences["staff"].Words["notice"]
	w.rules.Audiences["staff"].Words["notice"] = []string{"start"} // a plan that says less
	w.until("2026-12-04 10:00")
	w.want("11-22 15:00 li.wei: Orders: nobody is told of a window")
	w.rules.Audiences["staff"].Words["notice"] = notice
	w.until("2026-12-04 11:00")
	w.want("11-22 15:00 li.wei: Orders: nobody is told of a window", "12-04 10:00 staff: staff/notice", "12-04 10:00 customers: customers/notice")
}

// TestChangeTellsThoseWhoWereTold tells those who know of a window that it changed,
// and nobody else; then its notices begin anew for the new time.
func TestChangeTellsThoseWhoWereTold(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	reason := both("new disks")
	w.must(w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, maintenance.Draft{Reason: &reason}))
	w.until("2026-12-01 10:00")
	w.want() // nobody knew of it
	w.rules.Tell = []string{"staff"}
	w.until("2026-12-04 10:00")
	w.rules.Tell = []string{"staff", "customers"}
	start, end := w.at("2026-12-16 02:00"), w.at("2026-12-16 05:00")
	k = w.must(w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, maintenance.Draft{Start: &start, End: &end}))
	if k.Sequence != 2 {
		t.Errorf("sequence %d", k.Sequence)
	}
	w.until("2026-12-14 10:00")
	w.want(
		"12-04 09:00 staff: staff/notice",
		"12-04 10:00 told staff: staff/changed",
		"12-11 02:00 staff: staff/notice", "12-11 02:00 customers: customers/notice",
		"12-11 09:00 staff: staff/notice", "12-11 09:00 customers: customers/notice", // the 13th is a Sunday
	)
	w.must(w.acts.Cancel(t.Context(), li, k.ID, continuity.VersionAny, both("no disks")))
	w.until("2026-12-17 00:00")
	if got := w.said()[6:]; !slices.Equal(got, []string{"12-14 10:00 told customers: customers/cancelled", "12-14 10:00 told staff: staff/cancelled"}) {
		t.Errorf("%q", got)
	}
	if n := w.notes()[6]; !n.Ends || n.Vars["reason@en"] != "no disks" || n.Vars["start"] != "2026-12-16 02:00 UTC+08:00" {
		t.Errorf("%+v", n)
	}
	w.state(k.ID, continuity.WindowCancelled)
	if _, err := w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, maintenance.Draft{Reason: &reason}); continuity.CodeOf(err) != continuity.CodeState {
		t.Error(err)
	}
}

// TestMovedNearTellsTheChangeOnly has the new time be so near that notices of it would
// be past: those who were told the change are not told them as well.
func TestMovedNearTellsTheChangeOnly(t *testing.T) {
	w := newWorld(t, "2026-12-04 10:00")
	k := w.plan("2026-12-09 02:00", "2026-12-09 04:00")
	w.step()
	w.must(w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, w.draft("2026-12-05 09:00", "2026-12-05 11:00")))
	w.until("2026-12-05 08:30")
	w.want(
		"12-04 10:00 staff: staff/notice", "12-04 10:00 customers: customers/notice",
		"12-04 10:00 told customers: customers/changed", "12-04 10:00 told staff: staff/changed",
		"12-05 08:00 staff: staff/notice", "12-05 08:00 customers: customers/notice",
	)
}

// TestNobodyHearsOfWhatNobodyKnew cancels before the first notice.
func TestNobodyHearsOfWhatNobodyKnew(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	w.step()
	w.must(w.acts.Cancel(t.Context(), li, k.ID, continuity.VersionAny, both("no disks")))
	w.until("2026-12-11 00:00")
	w.want()
}

// TestAudienceWithoutWordsIsToldOurs tells a regulator, for whom plans have no words.
func TestAudienceWithoutWordsIsToldOurs(t *testing.T) {
	w := newWorld(t, "2026-12-09 15:00")
	w.rules.Tell = []string{"office"}
	w.rules.Audiences["office"] = maintenance.Audience{ID: "office", Kind: "regulator"}
	w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	w.step()
	n := w.notes()[0]
	if n.Template != "" || n.Subject.Zh != "Orders 维护通知：2026-12-10 02:00 UTC+08:00 开始" ||
		n.Text.En != "Orders will be maintained from 2026-12-10 02:00 UTC+08:00 to 2026-12-10 04:00 UTC+08:00. Affected: Orders. Meanwhile please use Standby mail. Urgent: 8826." {
		t.Errorf("%+v", n)
	}
}

// TestLadderProperties plans, changes, cancels and restarts at random: no audience is
// told a step of one time twice, none hears of a change or an end of a window of which
// it was not told, and after all of it every step that was due is told.
func TestLadderProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, "2026-11-20 10:00")
		k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
		changes := map[string]int{} // by when: at one instant there may be several, and each is told
		change := func(d maintenance.Draft) {
			before := w.window(k.ID).Sequence
			if after, err := w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, d); err == nil {
				changes[w.now.UTC().String()] += after.Sequence - before
			}
		}
		for range rapid.IntRange(1, 8).Draw(r, "acts") {
			switch rapid.SampledFrom([]string{"pass", "pass", "restart", "move", "reason", "tell", "cancel"}).Draw(r, "act") {
			case "pass":
				w.pass(w.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(r, "hours")) * time.Hour))
			case "restart":
				w.restart()
			case "move":
				start := w.now.Add(time.Duration(rapid.IntRange(1, 300).Draw(r, "ahead")) * time.Hour)
				end := start.Add(2 * time.Hour)
				change(maintenance.Draft{Start: &start, End: &end})
			case "reason":
				why := both(rapid.StringMatching("[a-z]{3}").Draw(r, "why"))
				change(maintenance.Draft{Reason: &why})
			case "tell":
				w.rules.Tell = rapid.SampledFrom([][]string{{"staff"}, {"customers"}, {"staff", "customers"}}).Draw(r, "tell")
			case "cancel":
				if rapid.IntRange(0, 3).Draw(r, "really") == 0 {
					_, _ = w.acts.Cancel(t.Context(), li, k.ID, continuity.VersionAny, both("no"))
				}
			}
		}
		w.step()
		told := map[string]bool{}
		seen := map[string]int{}
		for _, n := range w.notes() {
			to := n.To[0]
			switch to.Kind {
			case continuity.ToAudience:
				if told["ended"] {
					r.Fatalf("%s is told of what is cancelled", to.ID)
				}
				told[to.ID] = true
			case continuity.ToTold:
				if !told[to.Of] {
					r.Fatalf("%s hears a %s and was told nothing", to.Of, n.Template)
				}
				told["ended"] = told["ended"] || strings.HasSuffix(n.Template, "/cancelled")
			}
			at := n.At.UTC().String()
			key, most := to.Kind+to.ID+to.Of+n.Template+at, 1
			if strings.HasSuffix(n.Template, "/changed") {
				most = changes[at]
			} else {
				key += n.Vars["start"]
			}
			if seen[key]++; seen[key] > most {
				r.Fatalf("%d times at once, at most %d: %s", seen[key], most, key)
			}
		}
		now := w.window(k.ID)
		if now.State != continuity.WindowScheduled {
			return
		}
		for _, rung := range w.rules.Ladder(now.Kind, now.Start) {
			for _, audience := range w.rules.Tell {
				if at, is := now.Told[rung.Step+"/"+audience]; is == rung.Due.After(w.now) {
					r.Fatalf("%s is due %v for %s, told %v, now %v", rung.Step, rung.Due, audience, at, w.now)
				}
			}
		}
		count := map[string]int{} // of one time, each step at most once
		for _, n := range w.notes() {
			if n.To[0].Kind == continuity.ToAudience && n.Vars["start"] == w.window(k.ID).Start.In(w.rules.Zone).Format("2006-01-02 15:04 UTC-07:00") {
				count[n.To[0].ID]++
			}
		}
		for audience, n := range count {
			if n > len(w.rules.Notices)+1 {
				r.Fatalf("%s was told %d notices of one time", audience, n)
			}
		}
	})
}
