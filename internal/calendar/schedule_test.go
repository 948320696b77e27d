package calendar_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := calendar.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func day(t testing.TB, text string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func clock(t testing.TB, text string) calendar.Clock {
	t.Helper()
	c, err := calendar.ParseClock(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestALocalTimeIsTheFirstInstantThatShowsItOrLater(t *testing.T) {
	for _, c := range []struct{ zone, wall, want string }{
		{"Asia/Shanghai", "2026-11-22 09:00", "2026-11-22T09:00:00+08:00"},
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29T03:00:00+02:00"},       // skipped
		{"Europe/Berlin", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00"},       // shown twice
		{"America/New_York", "2026-11-01 01:00", "2026-11-01T01:00:00-04:00"},    // shown twice
		{"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-04T02:30:00+11:00"}, // half an hour
		{"America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04T01:00:00-02:00"},   // no midnight
		{"Pacific/Apia", "2011-12-30 12:00", "2011-12-31T00:00:00+14:00"},        // no such day
		{"Asia/Kathmandu", "2026-01-01 00:00", "2026-01-01T00:00:00+05:45"},
	} {
		wall, err := time.Parse("2006-01-02 15:04", c.wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := calendar.Resolve(wall, zone(t, c.zone)).Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.wall, c.zone, got, c.want)
		}
	}
}

func TestSchedules(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	nine := []calendar.Clock{{Hour: 9}}
	for name, c := range map[string]struct {
		spec calendar.Spec
		from string
		want []string
	}{
		"the 31st is the last of a shorter month": {
			calendar.Spec{Zone: shanghai, Monthly: []int{31}, At: nine}, "2028-01-01",
			[]string{"2028-01-31 09:00", "2028-02-29 09:00", "2028-03-31 09:00", "2028-04-30 09:00"},
		},
		"several days of which one is meant twice": {
			calendar.Spec{Zone: shanghai, Monthly: []int{30, 31, -1}, At: nine}, "2026-04-01",
			[]string{"2026-04-30 09:00", "2026-05-30 09:00", "2026-05-31 09:00", "2026-06-30 09:00"},
		},
		"times in any order": {
			calendar.Spec{Zone: shanghai, Daily: true, At: []calendar.Clock{{Hour: 22, Minute: 15}, {Hour: 6}}}, "2026-04-01",
			[]string{"2026-04-01 06:00", "2026-04-01 22:15", "2026-04-02 06:00"},
		},
		"working days alone": {
			calendar.Spec{Zone: shanghai, Daily: true, At: nine, Only: calendar.China()}, "2026-02-13",
			[]string{"2026-02-13 09:00", "2026-02-14 09:00", "2026-02-24 09:00"},
		},
		"a rule": {
			calendar.Spec{Zone: shanghai, Rule: "RRULE:FREQ=MONTHLY;BYDAY=2SU;COUNT=3", FromAt: calendar.Clock{Hour: 2}}, "2026-01-01",
			[]string{"2026-01-11 02:00", "2026-02-08 02:00", "2026-03-08 02:00"},
		},
		"a rule until an instant": {
			calendar.Spec{Zone: shanghai, Rule: "FREQ=DAILY;UNTIL=20260102T010000Z", FromAt: calendar.Clock{Hour: 9}}, "2026-01-01",
			[]string{"2026-01-01 09:00", "2026-01-02 09:00"},
		},
		"a rule until a day": {
			calendar.Spec{Zone: shanghai, Rule: "FREQ=DAILY;UNTIL=20260102", FromAt: calendar.Clock{Hour: 9}}, "2026-01-01",
			[]string{"2026-01-01 09:00", "2026-01-02 09:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.spec.From = day(t, c.from)
			s, err := calendar.New(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for o := range s.From(c.spec.From.Begin(shanghai).Add(-1)) {
				got = append(got, o.Local.Format("2006-01-02 15:04"))
				if len(got) == len(c.want) && !strings.Contains(c.spec.Rule, "UNTIL") {
					break
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWhatCannotRecurIsRefused(t *testing.T) {
	good := func() calendar.Spec {
		return calendar.Spec{Zone: time.UTC, From: day(t, "2026-01-01"), Rule: "FREQ=DAILY"}
	}
	for want, change := range map[string]func(*calendar.Spec){
		"calendar.zone-missing":     func(s *calendar.Spec) { s.Zone = nil },
		"calendar.one-kind":         func(s *calendar.Spec) { s.Daily = true },
		"calendar.date":             func(s *calendar.Spec) { s.From.Year = 1 },
		"calendar.at":               func(s *calendar.Spec) { s.Rule, s.Daily = "", true },
		"calendar.month-day":        func(s *calendar.Spec) { s.Rule, s.Monthly, s.At = "", []int{32}, []calendar.Clock{{}} },
		"calendar.rule.form":        func(s *calendar.Spec) { s.Rule = "FREQ=DAILY;BYDAY=XX" },
		"calendar.rule.long":        func(s *calendar.Spec) { s.Rule += ";BYMONTHDAY=" + strings.Repeat("1,", 300) + "1" },
		"calendar.rule.hours":       func(s *calendar.Spec) { s.Rule = "FREQ=HOURLY" },
		"calendar.rule.never":       func(s *calendar.Spec) { s.Rule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" },
		"calendar.rule.times":       func(s *calendar.Spec) { s.Rule = "FREQ=DAILY;BYMINUTE=" + list(60) + ";BYHOUR=" + list(20) },
		"calendar.rule.times-twice": func(s *calendar.Spec) { s.At = []calendar.Clock{{}} },
	} {
		s := good()
		change(&s)
		_, err := calendar.New(s)
		if id := detail(err); id != want {
			t.Errorf("%v: %s, want %s", s, id, want)
		}
	}
}

func list(n int) string {
	var out strings.Builder
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte(byte('0' + i%10))
	}
	return out.String()
}

// detail returns the message of an error of input.
func detail(err error) string {
	var e *continuity.Error
	if !errors.As(err, &e) || e.Code != continuity.CodeInvalid {
		return ""
	}
	id, _ := e.Args["detail_id"].(string)
	return id
}

func TestWindowsUntilALocalTimeMeetChangesOfClocks(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		at, until, on string
		want          time.Duration
	}{
		{"22:00", "06:00", "2026-03-28", 7 * time.Hour}, // into summer
		{"22:00", "06:00", "2026-10-24", 9 * time.Hour},
		{"02:10", "02:50", "2026-03-29", 0}, // clocks jump over all of it
		{"02:30", "03:00", "2026-10-25", 90 * time.Minute},
		{"09:00", "09:00", "2026-06-01", 24 * time.Hour},
	} {
		s, err := calendar.New(calendar.Spec{Zone: berlin, Daily: true, At: []calendar.Clock{clock(t, c.at)}, From: day(t, c.on)})
		if err != nil {
			t.Fatal(err)
		}
		w := calendar.Windows{Schedule: s, Until: clock(t, c.until)}
		for v := range w.From(day(t, c.on).Begin(berlin)) {
			if v.Length() != c.want {
				t.Errorf("%s to %s on %s lasts %v, want %v", c.at, c.until, c.on, v.Length(), c.want)
			}
			break
		}
	}
}
