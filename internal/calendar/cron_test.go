package calendar_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
)

func cron(t testing.TB, text string) calendar.Cron {
	t.Helper()
	c, fault := calendar.ParseCron(text)
	if fault != nil {
		t.Fatalf("%s: %+v", text, *fault)
	}
	return c
}

func TestCronSaysWhichPartIsWrong(t *testing.T) {
	for text, want := range map[string]calendar.CronFault{
		"": {}, "30 2 * *": {}, "0 30 2 * * *": {}, "@daily": {},
		"60 2 * * *":      {Place: 1, Part: "60"},
		"0 24 * * *":      {Place: 2, Part: "24"},
		"0 0 0 * *":       {Place: 3, Part: "0"},
		"0 0 * 13 *":      {Place: 4, Part: "13"},
		"0 0 * * 8":       {Place: 5, Part: "8"},
		"0 0 * * sunday":  {Place: 5, Part: "sunday"},
		"0,x 0 * * *":     {Place: 1, Part: "x"},
		"5-1 0 * * *":     {Place: 1, Part: "5-1"},
		"5/10 0 * * *":    {Place: 1, Part: "5/10"},
		"*/0 0 * * *":     {Place: 1, Part: "*/0"},
		"-5 0 * * *":      {Place: 1, Part: "-5"},
		"0 0 30 feb *":    {Place: 3},
		"0 0 31 4,6,11 *": {Place: 3},
	} {
		if _, fault := calendar.ParseCron(text); fault == nil || *fault != want {
			t.Errorf("%q: %+v, want %+v", text, fault, want)
		}
	}
}

func TestCronGoesByTheClocksOfItsZone(t *testing.T) {
	for _, c := range []struct {
		text, zone, after string
		want              []string
	}{
		{"30 2 * * *", "Asia/Shanghai", "2026-11-23T02:30:00+08:00", []string{"2026-11-24T02:30:00+08:00"}},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00+01:00", []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}}, // skipped
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}}, // twice
		{"30 * * * *", "Europe/Berlin", "2026-10-25T01:30:00+02:00", []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
		{"30 * * * *", "Europe/Berlin", "2026-03-29T01:00:00+01:00", []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
		{"0 0 13 * fri", "UTC", "2026-11-01T00:00:00Z", []string{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}},
		{"0 0 */2 * mon", "UTC", "2026-11-01T00:00:00Z", []string{"2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z"}}, // crontab's own rule: * restricts nothing
		{"0 12 29 2 *", "UTC", "2096-03-01T00:00:00Z", []string{"2104-02-29T12:00:00Z"}},
		{"*/20 8-9 * * 1-5", "UTC", "2026-11-20T09:30:00Z", []string{"2026-11-20T09:40:00Z", "2026-11-23T08:00:00Z"}},
		{"0 1 * * 7", "UTC", "2026-11-23T00:00:00Z", []string{"2026-11-29T01:00:00Z"}},
	} {
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range c.want {
			after = cron(t, c.text).Next(after, zone(t, c.zone))
			got = append(got, after.Format(time.RFC3339))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s in %s: %s, want %s", c.text, c.zone, got, c.want)
		}
	}
}

// TestCronAgreesWithWalkingTheMinutes compares random schedules with clocks that are
// looked at minute by minute.
func TestCronAgreesWithWalkingTheMinutes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	numbers := func(low, high int) (string, map[int]bool) {
		fits, parts := map[int]bool{}, []string{}
		for range 1 + r.IntN(3) {
			n := low + r.IntN(high-low+1)
			fits[n] = true
			parts = append(parts, strconv.Itoa(n))
		}
		return strings.Join(parts, ","), fits
	}
	for range 60 {
		z := zone(t, []string{"Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Shanghai", "Asia/Kathmandu"}[r.IntN(5)])
		minute, minutes := numbers(0, 59)
		hour, hours := numbers(0, 23)
		day, days := numbers(0, 6)
		all := r.IntN(3) == 0
		if all {
			hour = "*"
		}
		c := cron(t, fmt.Sprintf("%s %s * * %s", minute, hour, day))
		begin := time.Date(2018, time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
		end := begin.AddDate(0, 0, 40)
		var want []time.Time
		seen := map[time.Time]bool{}
		add := func(at time.Time) {
			if at.After(begin) && !at.After(end) && !slices.ContainsFunc(want, at.Equal) {
				want = append(want, at)
			}
		}
		for at := begin.Truncate(time.Minute).Add(-48 * time.Hour); !at.After(end.Add(48 * time.Hour)); at = at.Add(time.Minute) {
			if all {
				if local := at.In(z); minutes[local.Minute()] && days[int(local.Weekday())] {
					add(at)
				}
				continue
			}
			wall := at // as if it were written on a clock
			if minutes[wall.Minute()] && hours[wall.Hour()] && days[int(wall.Weekday())] && !seen[wall] {
				seen[wall] = true
				add(calendar.Resolve(wall, z))
			}
		}
		var got []time.Time
		for at := c.Next(begin, z); !at.After(end); at = c.Next(at, z) {
			got = append(got, at)
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%s %s * * %s in %s after %s:\n got %v\nwant %v", minute, hour, day, z, begin, got, want)
		}
	}
}

func TestLongestGapOfACron(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30 2 * * *":     24 * time.Hour,
		"0 */6 * * *":    6 * time.Hour,
		"*/5 * * * *":    5 * time.Minute,
		"7 * * * *":      time.Hour,
		"0 3 * * sun":    7 * 24 * time.Hour,
		"0 1,13 * * 1-5": 60 * time.Hour, // from Friday 13:00 to Monday 01:00
		"0 0 1 * *":      31 * 24 * time.Hour,
		"0 0 29 2 *":     2921 * 24 * time.Hour,
		"0 8 * * *":      24 * time.Hour,
		"0,10 8,9 * * *": 22*time.Hour + 50*time.Minute,
		"15 4 31 * *":    61 * 24 * time.Hour,
	} {
		if got := cron(t, text).Gap(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestJitterIsSteadyAndSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 100 {
		name := fmt.Sprintf("orders/set-%d", i)
		d := calendar.Jitter(name, 10*time.Minute)
		if d != calendar.Jitter(name, 10*time.Minute) || d < 0 || d >= 10*time.Minute {
			t.Errorf("%s: %s", name, d)
		}
		seen[d] = true
	}
	if len(seen) < 60 {
		t.Errorf("only %d moments", len(seen))
	}
	if calendar.Jitter("a", 0) != 0 {
		t.Error("no jitter was wanted")
	}
}
