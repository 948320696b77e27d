package calendar

import "time"

// farthest is more than any zone's clocks have been away from UTC.
const farthest = 26 * time.Hour

// Resolve returns the first instant at which a zone's clocks show a local time or
// a later one. wall is the local time, written as UTC.
//
// A time that is skipped gives the end of the gap, a time that is shown twice its
// first showing, and where a whole day is left out (Pacific/Apia has no 30
// December 2011), every time of it gives the beginning of the next one.
func Resolve(wall time.Time, zone *time.Location) time.Time {
	// Before t no clock can show the time; from there on offset by offset.
	for t := wall.Add(-farthest); ; {
		local := t.In(zone)
		_, seconds := local.Zone()
		shown := wall.Add(-time.Duration(seconds) * time.Second) // when this offset's clocks show it
		if shown.Before(t) {
			shown = t // they show a later one already
		}
		_, end := local.ZoneBounds()
		if end.IsZero() || shown.Before(end) {
			return shown.In(zone)
		}
		t = end
	}
}

// Wall returns the local time that a zone's clocks show at an instant, written as
// UTC.
func Wall(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	y, m, d := local.Date()
	return time.Date(y, m, d, local.Hour(), local.Minute(), local.Second(), local.Nanosecond(), time.UTC)
}
