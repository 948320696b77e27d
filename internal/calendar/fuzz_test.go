package calendar_test

import (
	"testing"
	"time"

	"holdfast/internal/calendar"
)

// FuzzParseCron looks for schedules that are taken, and that have no next moment, or one
// that does not come after.
func FuzzParseCron(f *testing.F) {
	for _, text := range []string{"30 2 * * *", "*/15 0-6/2 1,15 * mon-fri", "0 0 29 2 *", "0 0 31 4,6 *", "* * * * 7", "59 23 31 12 sun", "5-1 * * * *", "*/0 * * * *", "99999999999999999999 * * * *"} {
		f.Add(text, int64(1_795_000_000))
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, after int64) {
		schedule, fault := calendar.ParseCron(text)
		if fault != nil {
			return
		}
		from := time.Unix(after%4_000_000_000, 0)
		if next := schedule.Next(from, zone); !next.After(from) || next.Sub(from) > 9*366*24*time.Hour {
			t.Errorf("%q: %v comes next to %v", text, next, from)
		}
		if gap := schedule.Gap(); gap <= 0 || gap > 9*366*24*time.Hour {
			t.Errorf("%q: a gap of %v", text, gap)
		}
	})
}
