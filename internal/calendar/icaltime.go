package calendar

import (
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// moment is a date or time as a file gives it.
type moment struct {
	at   time.Time
	wall time.Time
	zone *time.Location
	date bool
}

// moment reads a DATE or DATE-TIME in the zone that its property names.
func (r *reader) moment(p *ics.BaseProperty, text string) (m moment, ok bool) {
	text = strings.TrimSpace(text)
	m.zone = r.zone
	if names := p.ICalParameters["TZID"]; len(names) > 0 {
		if m.zone = r.named(names[0]); m.zone == nil {
			return m, false
		}
	}
	form := "20060102T150405"
	switch {
	case strings.HasSuffix(text, "Z"):
		m.zone, text = time.UTC, strings.TrimSuffix(text, "Z")
	case len(text) == len("20060102"):
		m.date, form = true, "20060102"
	}
	wall, err := time.Parse(form, text)
	if err != nil || wall.Year() < firstYear || wall.Year() > lastYear {
		return m, false
	}
	m.wall, m.at = wall, Resolve(wall, m.zone)
	return m, true
}

// named finds the zone that a file means: by its IANA name, or as the file itself
// defines it.
func (r *reader) named(name string) *time.Location {
	if zone, ok := r.zones[name]; ok {
		return zone
	}
	zone := r.find(name)
	r.zones[name] = zone
	return zone
}

func (r *reader) find(name string) *time.Location {
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for i := range parts { // "/mozilla.org/20070129_1/Europe/Berlin" is Europe/Berlin
		if zone, err := ParseZone(strings.Join(parts[i:], "/")); err == nil && i < 4 {
			return zone
		}
	}
	if defined, ok := r.defined[name]; ok {
		return zoneOf(name, defined)
	}
	if iana, ok := windows[name]; ok {
		zone, err := ParseZone(iana)
		if err == nil {
			return zone
		}
	}
	return nil
}

// windows are the names of zones that Outlook writes where it defines none, for
// the places that Holdfast's users write from.
var windows = map[string]string{
	"China Standard Time":     "Asia/Shanghai",
	"Taipei Standard Time":    "Asia/Taipei",
	"Singapore Standard Time": "Asia/Singapore",
	"Tokyo Standard Time":     "Asia/Tokyo",
	"Korea Standard Time":     "Asia/Seoul",
	"India Standard Time":     "Asia/Kolkata",
	"W. Europe Standard Time": "Europe/Berlin",
	"Romance Standard Time":   "Europe/Paris",
	"GMT Standard Time":       "Europe/London",
	"Eastern Standard Time":   "America/New_York",
	"Central Standard Time":   "America/Chicago",
	"Mountain Standard Time":  "America/Denver",
	"Pacific Standard Time":   "America/Los_Angeles",
}

// parseICalDuration reads such as P1DT2H30M or P2W; not a negative one.
func parseICalDuration(text string) (time.Duration, bool) {
	text, ok := strings.CutPrefix(strings.TrimPrefix(text, "+"), "P")
	if !ok || text == "" {
		return 0, false
	}
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour}
	var out time.Duration
	for text != "" {
		if text[0] == 'T' {
			units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
			text = text[1:]
			continue
		}
		i := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 || i > 6 {
			return 0, false
		}
		unit, ok := units[text[i]]
		if !ok {
			return 0, false
		}
		out += time.Duration(number(text[:i])) * unit
		text = text[i+1:]
	}
	return out, out <= 1000*24*time.Hour
}

// number reads a small number that is not negative; anything else is 0.
func number(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
