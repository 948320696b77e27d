package oncall_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/oncall"
	"holdfast/internal/store"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := calendar.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func rota(t *testing.T, id string, z *time.Location, people string, hours ...oncall.Hours) *oncall.Rota {
	t.Helper()
	r, err := oncall.New(oncall.Spec{
		ID: "shop/" + id, Zone: z, People: strings.Fields(people), Days: 7, Starts: calendar.Date{Year: 2026, Month: 1, Day: 5}, Handover: 9 * time.Hour, Hours: hours,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func at(t *testing.T, z *time.Location, text string) time.Time {
	t.Helper()
	moment, err := time.ParseInLocation("2006-01-02 15:04", text, z)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func TestWhoIsOnCall(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	workdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	always := rota(t, "always", berlin, "a b c")
	office := rota(t, "office", berlin, "a b", oncall.Hours{Days: workdays, From: 9 * time.Hour, To: 18 * time.Hour})
	nights := rota(t, "nights", berlin, "c d", oncall.Hours{Days: workdays, From: 18 * time.Hour, To: 9 * time.Hour})
	for _, c := range []struct {
		rota       *oncall.Rota
		when, want string
	}{
		{always, "2026-01-05 08:59", ""}, // it has not begun
		{always, "2026-01-05 09:00", "a"},
		{always, "2026-01-12 08:59", "a"},
		{always, "2026-01-12 09:00", "b"},
		{always, "2026-03-30 08:59", "c"}, // clocks went ahead the day before
		{always, "2026-03-30 09:00", "a"},
		{always, "2026-10-26 08:59", "c"}, // and back
		{always, "2026-10-26 09:00", "a"},
		{office, "2026-01-07 08:59", ""},
		{office, "2026-01-07 09:00", "a"},
		{office, "2026-01-07 17:59", "a"},
		{office, "2026-01-07 18:00", ""},
		{office, "2026-01-10 12:00", ""}, // a Saturday
		{nights, "2026-01-08 03:00", "c"},
		{nights, "2026-01-10 03:00", "c"}, // the night that began on Friday
		{nights, "2026-01-11 03:00", ""},
	} {
		on, ok := c.rota.At(nil, everybody(nil), at(t, berlin, c.when))
		if on.Person != c.want || ok != (c.want != "") {
			t.Errorf("%s at %s: %+v, want %q", c.rota.ID(), c.when, on, c.want)
		}
	}
	// By hours there is a shift for each day.
	shifts := office.Shifts(nil, everybody(nil), at(t, berlin, "2026-01-07 12:00"), at(t, berlin, "2026-01-13 12:00"))
	var got []string
	for _, s := range shifts {
		got = append(got, s.Person+" "+s.Start.Format("02 15:04")+"-"+s.End.Format("02 15:04"))
	}
	want := []string{"a 07 12:00-07 18:00", "a 08 09:00-08 18:00", "a 09 09:00-09 18:00", "b 12 09:00-12 18:00", "b 13 09:00-13 12:00"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	// An override holds outside the hours, too.
	over := []continuity.Override{{ID: "o", Rota: "shop/office", Person: "z", From: at(t, berlin, "2026-01-10 00:00"), Until: at(t, berlin, "2026-01-11 00:00")}}
	if on, ok := office.At(over, everybody(nil), at(t, berlin, "2026-01-10 12:00")); !ok || on.Person != "z" || on.Instead != "" {
		t.Errorf("%+v", on)
	}
	if _, ok := always.At(nil, func(string) (continuity.Person, bool) { return continuity.Person{}, false }, at(t, berlin, "2026-02-01 12:00")); ok {
		t.Error("somebody is on call where nobody is known")
	}
	now, next := always.Current(nil, everybody(nil), at(t, berlin, "2026-03-28 12:00"))
	if now == nil || next == nil || now.Person != "c" || next.Person != "a" || !now.End.Equal(at(t, berlin, "2026-03-30 09:00")) {
		t.Errorf("%+v, then %+v", now, next)
	}
}

func TestLadder(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	moment := at(t, z, "2026-01-14 03:00") // the second week: b's turn
	all := rota(t, "all", z, "a b c")
	left := everybody(map[string]time.Time{"b": moment, "d": moment})
	over := []continuity.Override{{ID: "o", Rota: "shop/all", Person: "x", From: moment, Until: moment.Add(time.Hour)}}
	for name, c := range map[string]struct {
		role      oncall.Role
		overrides []continuity.Override
		people    oncall.Roster
		want      string
	}{
		"by order":        {oncall.Role{People: []string{"a", "b"}, Team: []string{"b", "t"}}, nil, everybody(nil), "a 5m0s|b 5m0s|a b t 0s"},
		"by rota":         {oncall.Role{People: []string{"a", "b", "c"}, Rotas: []*oncall.Rota{all}, Wait: 10 * time.Minute}, nil, everybody(nil), "b 10m0s|a 10m0s|c 10m0s|b a c 0s"},
		"by override":     {oncall.Role{People: []string{"a", "b"}, Rotas: []*oncall.Rota{all}}, over, everybody(nil), "x 5m0s|a 5m0s|b 5m0s|x a b 0s"},
		"who has left":    {oncall.Role{People: []string{"d", "b", "a"}, Rotas: []*oncall.Rota{all}, Team: []string{"d"}}, nil, left, "c 5m0s|a 5m0s|c a 0s"},
		"one person":      {oncall.Role{People: []string{"a"}}, nil, everybody(nil), "a 0s"},
		"one, and a team": {oncall.Role{People: []string{"a"}, Team: []string{"t"}}, nil, everybody(nil), "a 5m0s|a t 0s"},
		"nobody":          {oncall.Role{People: []string{"stranger", "d"}}, nil, left, ""},
		"nobody but team": {oncall.Role{People: []string{"d"}, Team: []string{"s", "t"}}, nil, left, "s t 0s"},
	} {
		var got []string
		for _, step := range oncall.Ladder(&c.role, c.overrides, c.people, moment) {
			var to []string
			for _, r := range step.To {
				if r.Kind != continuity.ToPerson {
					t.Errorf("%s: %+v", name, r)
				}
				to = append(to, r.ID)
			}
			got = append(got, strings.Join(to, " ")+" "+step.Wait.String())
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, "|"), c.want)
		}
	}
}

func TestQuiet(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	night := continuity.QuietHours{From: "22:00", To: "07:00"}
	weekend := continuity.QuietHours{Days: []string{"sat", "sun"}, From: "00:00", To: "24:00"}
	for _, c := range []struct {
		person     continuity.Person
		when, want string // in Shanghai
	}{
		{continuity.Person{}, "2026-01-07 03:00", ""},
		{continuity.Person{Quiet: []continuity.QuietHours{night}}, "2026-01-07 21:59", ""},
		{continuity.Person{Quiet: []continuity.QuietHours{night}}, "2026-01-07 22:00", "2026-01-08 07:00"},
		{continuity.Person{Quiet: []continuity.QuietHours{night}}, "2026-01-07 03:00", "2026-01-07 07:00"},
		{continuity.Person{Quiet: []continuity.QuietHours{night}}, "2026-01-07 07:00", ""},
		{continuity.Person{Quiet: []continuity.QuietHours{night, weekend}}, "2026-01-09 23:00", "2026-01-12 07:00"}, // Friday night to Monday
		{continuity.Person{Zone: "Europe/London", Quiet: []continuity.QuietHours{night}}, "2026-01-07 12:00", "2026-01-07 15:00"},
		{continuity.Person{Quiet: []continuity.QuietHours{{From: "25:00", To: "x"}}}, "2026-01-07 03:00", ""},
	} {
		until, quiet := oncall.Quiet(c.person, shanghai, at(t, shanghai, c.when))
		if quiet != (c.want != "") || quiet && !until.Equal(at(t, shanghai, c.want)) {
			t.Errorf("%+v at %s: %v %v, want %q", c.person.Quiet, c.when, until.In(shanghai), quiet, c.want)
		}
	}
	always := continuity.Person{Quiet: []continuity.QuietHours{{From: "00:00", To: "24:00"}}}
	if until, quiet := oncall.Quiet(always, shanghai, at(t, shanghai, "2026-01-07 03:00")); !quiet || until.After(at(t, shanghai, "2026-02-01 00:00")) {
		t.Error("somebody is never told:", until)
	}
}

func TestOverridesAreKept(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	o := oncall.Overrides{
		Store: s, Now: func() time.Time { return now }, Known: func(id string) bool { return id == "shop/all" },
		Roster: everybody(map[string]time.Time{"leaver": now.Add(time.Hour)}),
	}
	ann := continuity.Actor{Kind: "user", ID: "ann"}
	add := func(rota, person string, from, until time.Time) (continuity.Override, error) {
		now = now.Add(time.Second)
		return o.Add(t.Context(), ann, continuity.Override{Rota: rota, Person: person, From: from, Until: until, Why: "ill"})
	}
	day := 24 * time.Hour
	for why, c := range map[string]struct {
		rota, person string
		from, until  time.Time
	}{
		"no such rota":   {"shop/none", "b", now, now.Add(day)},
		"backwards":      {"shop/all", "b", now.Add(day), now},
		"past":           {"shop/all", "b", now.Add(-2 * day), now.Add(-day)},
		"long":           {"shop/all", "b", now, now.Add(401 * day)},
		"nobody":         {"shop/all", "stranger", now, now.Add(day)},
		"left till then": {"shop/all", "leaver", now.Add(2 * time.Hour), now.Add(day)},
	} {
		if _, err := add(c.rota, c.person, c.from, c.until); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(why, err)
		}
	}
	first, err := add("shop/all", "b", time.Time{}, now.Add(2*day))
	if err != nil || !first.From.Equal(now) || first.By != ann || !strings.HasPrefix(first.ID, "shop.all.o-") {
		t.Fatal(first, err)
	}
	second, err := add("shop/all", "c", now.Add(day), now.Add(3*day))
	if err != nil {
		t.Fatal(err)
	}
	all, err := o.All(t.Context(), "shop")
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if over, under := oncall.Covered(all, &first), oncall.Covered(all, &second); !slices.Equal(over, []string{second.ID}) || under != nil {
		t.Error(over, under)
	}
	if ended, err := o.End(t.Context(), ann, second.ID, "well again"); err != nil || !ended.Until.Equal(ended.From) {
		t.Fatal(ended, err)
	}
	if ended, err := o.End(t.Context(), ann, first.ID, ""); err != nil || !ended.Until.Equal(now) {
		t.Fatal(ended, err)
	}
	if _, err := o.End(t.Context(), ann, first.ID, ""); continuity.CodeOf(err) != continuity.CodeState {
		t.Error(err)
	}
	events, _, err := s.Events(context.Background(), continuity.EventQuery{Kind: continuity.KindOverride, ID: second.ID})
	if err != nil || len(events) != 2 || events[0].Action != "override.ended" || events[0].Reason != "well again" {
		t.Error(events, err)
	}
}

func TestCalendarOfShifts(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	r := rota(t, "all", z, "a b")
	shifts := r.Shifts(nil, everybody(nil), at(t, z, "2026-01-05 09:00"), at(t, z, "2026-01-26 09:00"))
	file := oncall.ICal(shifts, at(t, z, "2026-01-01 00:00"), func(s continuity.Shift) string { return "On call; " + s.Person + ", all" })
	feed, err := calendar.Parse(t.Context(), file, time.UTC)
	if err != nil || len(feed.Left) > 0 || len(feed.Events) != 3 {
		t.Fatalf("%v %+v\n%s", err, feed, file)
	}
	uids := map[string]bool{}
	for i, e := range feed.Events {
		if !e.Start.Equal(shifts[i].Start) || !e.End.Equal(shifts[i].End) || !strings.Contains(e.Title, shifts[i].Person) || uids[e.UID] {
			t.Errorf("%+v", e)
		}
		uids[e.UID] = true
	}
}
