package catalogue

import (
	"strings"
	"time"
)

// Moment is a time as people read it in messages and lists: in a zone, with its offset,
// as whoever reads it may sit elsewhere. nil: UTC.
func Moment(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	if zone == nil {
		zone = time.UTC
	}
	return at.In(zone).Format("2006-01-02 15:04 UTC-07:00")
}

// DayTime is a time with its day of the week, for what is said of calendars.
func DayTime(lang Lang, at time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	return Text(lang, "time.day-time", Args{"day": Day(lang, at), "time": at.Format("15:04")})
}

// Day is a day with its day of the week.
func Day(lang Lang, at time.Time) string {
	return Text(lang, "time.day", Args{"date": at.Format(time.DateOnly), "weekday": Text(lang, "time.weekday."+strings.ToLower(at.Weekday().String()[:3]), nil)})
}

// units are those of a length of time, the greatest first.
var units = []struct {
	id   string
	long time.Duration
}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}, {"seconds", time.Second}, {"milliseconds", time.Millisecond}}

// Lasts is a length of time by its two greatest units: 4 h, 1 h 30 min, 2 d 3 h. What
// is shorter than a second has milliseconds.
func Lasts(lang Lang, d time.Duration) string {
	if d < 0 {
		return "-" + Lasts(lang, -d)
	}
	switch { // what would be less than the second unit
	case d >= 24*time.Hour:
		d = d.Round(time.Hour)
	case d >= time.Hour:
		d = d.Round(time.Minute)
	case d >= time.Second:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Millisecond)
	}
	var parts []string
	for _, u := range units {
		if n := d / u.long; n > 0 {
			parts = append(parts, Text(lang, "time."+u.id, Args{"n": int(n)}))
			d %= u.long
		}
	}
	if len(parts) == 0 {
		return Text(lang, "time.seconds", Args{"n": 0})
	}
	return strings.Join(parts, " ")
}
