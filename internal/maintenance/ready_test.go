package maintenance_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
)

// readied gives a world a checklist: a check, a channel and a person's word.
func readied(w *world) {
	w.rules.Ready = []maintenance.Item{
		{ID: "backup", Say: both("Backup"), Check: service + "/backup-fresh"},
		{ID: "standby", Say: both("Standby"), Channel: service + "/mail", Sender: "company-mail", Until: func(at time.Time) time.Time { return at.AddDate(0, 1, 0) }},
		{ID: "people", Say: both("People know")},
	}
}

func (w *world) check(state continuity.CheckState) {
	w.put(continuity.ObjectCheck, service+"/backup-fresh", continuity.JudgedCheck{State: state, Since: w.now})
}

func (w *world) tested(state string, at time.Time) {
	w.put(continuity.KindChannel, "company-mail", continuity.ChannelState{ID: "company-mail", State: "up", Test: &continuity.Trial{State: state, At: at}})
}

// is is how what must be so stands: "backup=no standby=yes".
func (w *world) is(id string) string {
	var all []string
	for _, r := range w.window(id).Ready {
		all = append(all, r.ID+"="+r.State)
	}
	return strings.Join(all, " ")
}

// TestReadiness looks at checks and channels by itself, has people tick off the rest,
// and lets nothing begin before all of it is so.
func TestReadiness(t *testing.T) {
	w := newWorld(t, "2026-12-07 10:00")
	readied(w)
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	want := func(s string) {
		t.Helper()
		w.step()
		if got := w.is(k.ID); got != s {
			t.Errorf("%s, want %s", got, s)
		}
	}
	want("backup=unknown standby=unknown people=unknown")
	w.check(continuity.CheckDown)
	w.tested("failed", w.now)
	want("backup=no standby=no people=unknown")
	w.check(continuity.CheckUp)
	w.tested("passed", w.now.AddDate(0, -1, 2)) // its month ends on the 9th
	want("backup=yes standby=yes people=unknown")
	for _, c := range []struct{ item, state, why string }{{"backup", "yes", ""}, {"people", "waived", " "}, {"people", "maybe", ""}, {"nothing", "yes", ""}} {
		if _, err := w.acts.Ready(t.Context(), li, k.ID, c.item, continuity.VersionAny, c.state, c.why); err == nil {
			t.Errorf("%v is taken", c)
		}
	}
	w.until("2026-12-10 01:30")
	want("backup=yes standby=no people=unknown") // it is older than a month by now
	w.until("2026-12-10 02:30")
	w.state(k.ID, continuity.WindowScheduled)
	if got := w.said(); !slices.Contains(got, "12-10 01:00 li.wei: Orders: not ready for the window") || !slices.Contains(got, "12-10 02:00 li.wei: Orders: the window does not begin") {
		t.Errorf("%q", got)
	}
	w.must(w.acts.Ready(t.Context(), li, k.ID, "people", continuity.VersionAny, "yes", ""))
	w.must(w.acts.Ready(t.Context(), li, k.ID, "standby", continuity.VersionAny, "waived", "tested by hand"))
	w.step()
	w.state(k.ID, continuity.WindowRunning)
}

// TestUnreadyIsCancelled has the time of a window pass before all is ready.
func TestUnreadyIsCancelled(t *testing.T) {
	w := newWorld(t, "2026-12-09 10:00")
	readied(w)
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	w.until("2026-12-10 05:00")
	if got := w.window(k.ID); got.State != continuity.WindowCancelled || got.Cancelled != "maintenance.cancelled.unready" {
		t.Errorf("%s, %s", got.State, got.Cancelled)
	}
	if got := w.said(); got[len(got)-1] != "12-10 04:00 told staff: staff/cancelled" {
		t.Errorf("%q", got)
	}
}

// TestEmergency is another workflow: approved, begun at once, told at once, and held
// only by what Holdfast sees itself.
func TestEmergency(t *testing.T) {
	w := newWorld(t, "2026-12-05 23:10") // a Saturday's night
	readied(w)
	w.busy = []maintenance.Busy{{Busy: calendar.Busy{Window: calendar.Window{Start: w.now, End: w.now.Add(time.Hour)}}, Kind: "freeze"}}
	end, reason := w.now.Add(30*time.Minute), both("stolen certificate")
	k := w.must(w.acts.Propose(t.Context(), li, maintenance.Draft{Service: service, Kind: continuity.WindowEmergency, End: &end, Reason: &reason}))
	w.until("2026-12-05 23:20")
	w.want()
	refused := continuity.E(continuity.CodeScope, nil)
	acts := maintenance.NewActs(maintenance.ActsOptions{Store: w.store, Plans: w, World: w, Now: func() time.Time { return w.now },
		May: func(_ context.Context, by continuity.Actor, _, word string) error {
			if by.ID != "zhang.min" || word != "approve" {
				return refused
			}
			return nil
		}})
	if _, err := acts.Schedule(t.Context(), li, k.ID, continuity.VersionAny, maintenance.Plan{}); continuity.CodeOf(err) != continuity.CodeScope {
		t.Fatal(err)
	}
	zhang := continuity.Actor{Kind: "user", ID: "zhang.min"}
	w.check(continuity.CheckUp)
	k = w.must(acts.Schedule(t.Context(), zhang, k.ID, continuity.VersionAny, maintenance.Plan{Waive: map[string]string{"standby": "no time"}}))
	if k.Approved == nil || k.Approved.ID != "zhang.min" || !k.Start.Equal(w.now) || k.End.Sub(k.Start) != 30*time.Minute {
		t.Errorf("%+v", k.Window)
	}
	w.step()
	w.state(k.ID, continuity.WindowRunning)
	w.want("12-05 23:20 staff: staff/notice", "12-05 23:20 customers: customers/notice") // the notice says all, and that it begins
	if got := w.is(k.ID); got != "backup=yes standby=waived" {
		t.Error(got)
	}
}

// TestPlacement refuses what falls on something with no reason given, and proposes
// times of low traffic that are free.
func TestPlacement(t *testing.T) {
	w := newWorld(t, "2026-11-23 10:00") // a Monday
	w.rules.Longest = 4 * time.Hour
	w.rules.Low = []maintenance.Low{{Days: map[time.Weekday]bool{time.Saturday: true, time.Sunday: true}, From: 0, To: 6 * time.Hour}}
	w.traffic = &maintenance.Traffic{Weeks: 4}
	for h := range w.traffic.Hours {
		w.traffic.Known[h], w.traffic.Hours[h] = true, 100
	}
	sunday := maintenance.HourOfWeek(w.at("2026-12-06 03:00").In(w.rules.Zone))
	for h := range 3 {
		w.traffic.Hours[sunday+h] = 2
	}
	sale := calendar.Window{Start: w.at("2026-12-06 00:00"), End: w.at("2026-12-07 00:00")}
	w.busy = []maintenance.Busy{{Busy: calendar.Busy{Window: sale, Title: "Sale"}, Calendar: "promotions", Kind: "peaks"}}
	found, err := w.acts.Proposals(t.Context(), service, maintenance.Wish{Length: 3 * time.Hour, Count: 3})
	if err != nil || len(found) != 3 {
		t.Fatal(found, err)
	}
	if got := found[0].Start.In(w.rules.Zone).Format("2006-01-02 15:04"); got != "2026-11-29 03:00" || !found[0].Placed.Low || found[0].Placed.Share > 0.03 {
		t.Errorf("%s, %+v", got, found[0].Placed)
	}
	if got := found[1].Start.In(w.rules.Zone).Format("2006-01-02 15:04"); got != "2026-12-13 03:00" { // on the 6th is the sale
		t.Error(got)
	}
	for _, p := range found {
		if p.Start.Before(w.at("2026-11-28 10:00")) || p.Start.Before(sale.End) && p.End.After(sale.Start) {
			t.Errorf("%v", p)
		}
	}
	k := w.must(w.acts.Propose(t.Context(), li, w.draft("2026-12-06 03:00", "2026-12-06 06:00")))
	_, err = w.acts.Schedule(t.Context(), li, k.ID, k.Version, maintenance.Plan{})
	if continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Fatal(err)
	}
	k = w.must(w.acts.Schedule(t.Context(), li, k.ID, k.Version, maintenance.Plan{Despite: "the sale is off"}))
	if k.Despite == "" || len(k.Placed.Falls) != 1 || k.Placed.Falls[0].Kind != "peaks" {
		t.Errorf("%+v", k.Window)
	}
	other := w.must(w.acts.Propose(t.Context(), li, w.draft("2026-12-06 05:00", "2026-12-06 07:00")))
	if len(other.Placed.Falls) != 2 || other.Placed.Falls[1].ID != k.ID {
		t.Errorf("%+v", other.Placed)
	}
	if _, err := w.acts.Proposals(t.Context(), service, maintenance.Wish{Length: 5 * time.Hour}); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Error(err)
	}
}
