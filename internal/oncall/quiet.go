package oncall

import (
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Quiet reports whether an instant is in a person's hours of quiet, and when they
// end. zone is where the person has none of their own. It is for everything but
// pages.
func Quiet(p continuity.Person, zone *time.Location, at time.Time) (until time.Time, quiet bool) {
	if own, err := calendar.ParseZone(p.Zone); err == nil {
		zone = own
	}
	var all []calendar.Windows
	for _, q := range p.Quiet {
		if w, err := quietWindows(q, zone); err == nil { // hours that can't be read hold nothing up
			all = append(all, w)
		}
	}
	for range most { // hours that follow on each other are one
		moved := false
		for _, w := range all {
			if v, in := w.At(latest(at, until)); in && v.End.After(until) {
				until, moved = v.End, true
			}
		}
		if !moved {
			break
		}
	}
	return until, !until.IsZero()
}

// most bounds how many hours of quiet are joined: somebody who is never to be told
// is told after two weeks.
const most = 14

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func quietWindows(q continuity.QuietHours, zone *time.Location) (calendar.Windows, error) {
	from, err := calendar.ParseClock(q.From)
	if err != nil {
		return calendar.Windows{}, err
	}
	to := calendar.Clock{}
	if q.To != "24:00" {
		if to, err = calendar.ParseClock(q.To); err != nil {
			return calendar.Windows{}, err
		}
	}
	h := Hours{From: sinceMidnight(from), To: sinceMidnight(to)}
	for _, name := range q.Days {
		if d, ok := continuity.Weekday(name); ok {
			h.Days = append(h.Days, d)
		}
	}
	return h.windows(zone)
}

func sinceMidnight(c calendar.Clock) time.Duration {
	return time.Duration(c.Hour)*time.Hour + time.Duration(c.Minute)*time.Minute
}
