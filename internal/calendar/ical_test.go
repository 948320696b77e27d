package calendar_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/calendar"
)

func parse(t testing.TB, body string) *calendar.Feed {
	t.Helper()
	feed, err := calendar.Parse(t.Context(), []byte(wrap(body)), zone(t, "Asia/Shanghai"))
	if err != nil {
		t.Fatalf("%v (%s)", err, detail(err))
	}
	return feed
}

func wrap(body string) string {
	return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n"+body+"END:VCALENDAR\n", "\n", "\r\n")
}

func vevent(lines ...string) string {
	return "BEGIN:VEVENT\n" + strings.Join(lines, "\n") + "\nEND:VEVENT\n"
}

// shown lists what is on, in Shanghai's time.
func shown(t testing.TB, feed *calendar.Feed, from, to string) []string {
	t.Helper()
	shanghai := zone(t, "Asia/Shanghai")
	busy, err := feed.Between(t.Context(), calendar.Window{Start: day(t, from).Begin(shanghai), End: day(t, to).Begin(shanghai)})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, b := range busy {
		const form = "01-02 15:04"
		out = append(out, b.Start.In(shanghai).Format(form)+" "+b.End.In(shanghai).Format(form)+" "+b.Title)
	}
	return out
}

// oddZone is a zone of the file's own, whose name nobody else knows.
const oddZone = `BEGIN:VTIMEZONE
TZID:Head office
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
`

func TestPeaks(t *testing.T) {
	for name, c := range map[string]struct {
		body, from, to string
		want           []string
	}{
		"days, folded": {
			vevent("UID:1", "DTSTART;VALUE=DATE:20261110", "DTEND;VALUE=DATE:20261112", "SUMMARY:双十一", " 大促"),
			"2026-11-01", "2026-12-01", []string{"11-10 00:00 11-12 00:00 双十一大促"},
		},
		"every week with an exception, one that is moved and one that is cancelled": {
			vevent("UID:1", "DTSTART;TZID=Asia/Shanghai:20261102T200000", "DURATION:PT2H", "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Asia/Shanghai:20261109T200000", "SUMMARY:live") +
				vevent("UID:1", "RECURRENCE-ID:20261116T120000Z", "DTSTART:20261117T120000Z", "DTEND:20261117T150000Z", "SUMMARY:moved") +
				vevent("UID:1", "RECURRENCE-ID;TZID=Asia/Shanghai:20261123T200000", "DTSTART;TZID=Asia/Shanghai:20261123T200000", "STATUS:CANCELLED", "SUMMARY:live"),
			"2026-11-01", "2026-12-01", []string{"11-02 20:00 11-02 22:00 live", "11-17 20:00 11-17 23:00 moved", "11-30 20:00 11-30 22:00 live"},
		},
		"cancelled": {
			vevent("UID:1", "DTSTART:20261110T000000Z", "DTEND:20261110T010000Z", "STATUS:CANCELLED"), "2026-11-01", "2026-12-01", nil,
		},
		"a zone that the file defines, over a change of clocks": {
			oddZone + vevent("UID:1", "DTSTART;TZID=Head office:20261024T100000", "DTEND;TZID=Head office:20261024T110000", "RRULE:FREQ=DAILY;COUNT=2", "SUMMARY:x"),
			"2026-10-01", "2026-11-01", []string{"10-24 16:00 10-24 17:00 x", "10-25 17:00 10-25 18:00 x"},
		},
		"a name with a path before it, and Outlook's": {
			vevent("UID:1", "DTSTART;TZID=/mozilla.org/20070129_1/Europe/Berlin:20261101T100000", "DURATION:PT1H", "SUMMARY:m") +
				vevent("UID:2", "DTSTART;TZID=China Standard Time:20261101T180000", "DURATION:PT1H", "SUMMARY:o"),
			"2026-11-01", "2026-12-01", []string{"11-01 17:00 11-01 18:00 m", "11-01 18:00 11-01 19:00 o"},
		},
		"dates besides": {
			vevent("UID:1", "DTSTART:20261101T120000", "DURATION:PT1H", "RDATE:20261105T080000,20261106T080000Z", "SUMMARY:x"),
			"2026-11-01", "2026-12-01", []string{"11-01 12:00 11-01 13:00 x", "11-05 08:00 11-05 09:00 x", "11-06 16:00 11-06 17:00 x"},
		},
		"begun before": {
			vevent("UID:1", "DTSTART;VALUE=DATE:20261030", "DURATION:P1W", "SUMMARY:x"), "2026-11-01", "2026-12-01", []string{"10-30 00:00 11-06 00:00 x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			feed := parse(t, c.body)
			if d := cmp.Diff(c.want, shown(t, feed, c.from, c.to)); d != "" || len(feed.Left) > 0 {
				t.Errorf("%s%v", d, feed.Left)
			}
		})
	}
}

func TestOneBadEventLeavesTheOthers(t *testing.T) {
	for line, want := range map[string]string{
		"DTSTART:20261399T000000":                           "calendar.ical.time",
		"DTSTART;TZID=Nowhere/Town:20261101T000000":         "calendar.ical.time",
		"DTSTART:00010101T000000Z":                          "calendar.ical.time",
		"DTSTART:20261101T000000Z\nDTEND:20261031T000000Z":  "calendar.ical.time",
		"DTSTART:20261101T000000Z\nRRULE:FREQ=SECONDLY":     "calendar.ical.rule",
		"DTSTART:20261101T000000Z\nDURATION:PT99999999999H": "calendar.ical.time",
		"SUMMARY:x": "calendar.ical.start",
	} {
		feed := parse(t, vevent("UID:bad", line)+vevent("UID:good", "DTSTART:20261101T000000Z"))
		if len(feed.Events) != 1 || feed.Events[0].UID != "good" || len(feed.Left) != 1 || feed.Left[0].ID != want {
			t.Errorf("%s: %+v, %+v", line, feed.Events, feed.Left)
		}
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	deep := strings.Repeat("BEG\n IN:VEVENT\n", 100_000)
	folded := "BEG" + strings.Repeat("\n", 1000) + strings.Repeat(" ", 1000) + "IN:VEVENT\n"
	var rules strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&rules, "BEGIN:VEVENT\nUID:%d\nDTSTART:20260101T000000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n", i)
	}
	for name, c := range map[string]struct{ src, want string }{
		"nothing":  {"", "calendar.ical.form"},
		"cut off":  {strings.TrimSuffix(wrap(vevent("UID:1", "DTSTART:20260101T000000Z")), "END:VCALENDAR\r\n"), "calendar.ical.form"},
		"a page":   {"<html></html>", "calendar.ical.form"},
		"deep":     {wrap(deep), "calendar.ical.form"},
		"hidden":   {wrap(strings.Repeat(folded, 20)), "calendar.ical.form"},
		"too many": {wrap(strings.Repeat(vevent("UID:1"), 20_001)), "calendar.ical.events"},
		"rules":    {wrap(rules.String()), "calendar.ical.events"},
		"too big":  {strings.Repeat("x", calendar.MaxICal+1), "calendar.ical.size"},
	} {
		if _, err := calendar.Parse(t.Context(), []byte(c.src), time.UTC); detail(err) != c.want {
			t.Errorf("%s: %v (%s), want %s", name, err, detail(err), c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := calendar.Parse(ctx, []byte(wrap(vevent("UID:1", "DTSTART:20260101T000000Z"))), time.UTC); err == nil {
		t.Error("nobody waits for the answer any more")
	}
}

func TestWhereAWindowFalls(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	p := calendar.Placement{
		Zone: shanghai, Days: calendar.China(), Hours: []calendar.Hours{{From: calendar.Clock{Hour: 9}, To: calendar.Clock{Hour: 18}}, {From: calendar.Clock{Hour: 22}, To: calendar.Clock{Hour: 1}}},
		Peaks: []*calendar.Feed{parse(t, vevent("UID:1", "DTSTART;VALUE=DATE:20261110", "DTEND;VALUE=DATE:20261112", "SUMMARY:双十一"))},
	}
	for _, c := range []struct {
		start   string
		length  time.Duration
		peaks   int
		working time.Duration
		off     int
	}{
		{"2026-11-10 02:00", 2 * time.Hour, 1, 0, 0},
		{"2026-11-12 02:00", 2 * time.Hour, 0, 0, 0},
		{"2026-11-12 17:00", 4 * time.Hour, 0, time.Hour, 0},
		{"2026-11-13 00:30", 2 * time.Hour, 0, 30 * time.Minute, 0}, // the evening before reaches into it
		{"2026-10-10 10:00", time.Hour, 0, time.Hour, 0},            // a Saturday that is worked on
		{"2026-10-07 10:00", time.Hour, 0, 0, 1},
		{"2026-10-03 00:00", 48 * time.Hour, 0, 0, 2},
	} {
		start, err := time.ParseInLocation("2006-01-02 15:04", c.start, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Judge(t.Context(), calendar.Window{Start: start, End: start.Add(c.length)})
		if err != nil || len(v.Peaks) != c.peaks || v.Working != c.working || len(v.Off) != c.off || v.Quiet() != (c.peaks == 0 && c.working == 0) {
			t.Errorf("%s: %+v, %v; want %+v", c.start, v, err, c)
		}
	}
}

// FuzzParse looks for a file that takes the program down or gives times out of
// bounds.
func FuzzParse(f *testing.F) {
	f.Add(wrap(oddZone + vevent("UID:1", "DTSTART;TZID=Head office:20261024T100000", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1;INTERVAL=2")))
	f.Add(wrap(vevent("UID:1", "DTSTART;VALUE=DATE:20261110", "DTEND;VALUE=DATE:20261112", "EXDATE:20261110", "RDATE;VALUE=PERIOD:20261110T000000Z/PT1H")))
	f.Add(wrap(vevent("UID:1", "RECURRENCE-ID;RANGE=THISANDFUTURE:20261110T000000Z", "DTSTART:20261110T000000Z")))
	f.Fuzz(func(t *testing.T, src string) {
		feed, err := calendar.Parse(t.Context(), []byte(src), time.UTC)
		if err != nil {
			return
		}
		w := calendar.Window{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
		busy, err := feed.Between(t.Context(), w)
		if err != nil {
			return
		}
		for _, b := range busy {
			if b.End.Before(b.Start) || b.Start.After(w.End) || b.End.Before(w.Start) {
				t.Errorf("%+v", b)
			}
		}
	})
}
