package calendar

import (
	"bytes"
	"context"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

// Bounds of an iCalendar file of anybody's making.
const (
	MaxICal     = 8 << 20 // bytes
	maxDepth    = 8       // components in components
	maxEvents   = 20_000
	maxRules    = 1_000  // events that recur
	maxDates    = 1_000  // RDATE and EXDATE of one event
	maxOffset   = 18     // hours from UTC
	maxBusy     = 50_000 // occurrences of one answer
	firstYear   = 1900
	lastYear    = 2999
	zonesUntil  = 2100
	maxICalText = 2000 // characters of a text that is kept
)

// Event is what an iCalendar file says of one event, before it recurs.
type Event struct {
	UID         string
	Sequence    int
	Title       string
	Description string
	Location    string
	URL         string
	Start, End  time.Time // the first occurrence
	AllDay      bool
	Recurs      bool
	Cancelled   bool
	// Instead is the occurrence that this event takes the place of, or zero.
	Instead time.Time

	wall time.Time // the local time of Start, written as UTC
	days int       // of an event of whole days
	zone *time.Location
	rule *rrule.RRule
	more []time.Time // RDATE, local
	less []time.Time // EXDATE, local
}

// Left says which event was left out and why: ID is a message of the catalogue.
type Left struct {
	UID string `json:"uid"`
	ID  string `json:"id"`
}

// Feed is a calendar that was read.
type Feed struct {
	Events []Event
	Left   []Left
}

// Parse reads an iCalendar file. What bears no zone of its own is in the one given.
func Parse(ctx context.Context, src []byte, zone *time.Location) (feed *Feed, err error) {
	if len(src) > MaxICal {
		return nil, invalid("calendar.ical.size", "max", "8 MiB")
	}
	src = unfold(bytes.TrimSpace(bytes.TrimPrefix(src, []byte("\ufeff"))))
	if err := bounded(src); err != nil {
		return nil, err
	}
	defer func() { // the library's parser is not made for hostile input
		if recover() != nil {
			feed, err = nil, invalid("calendar.ical.form")
		}
	}()
	parsed, err := ics.ParseCalendarWithOptions(bytes.NewReader(src), ics.WithUnknownPropertyHandler(ics.AcceptUnknownPropertyHandler))
	if err != nil {
		return nil, invalid("calendar.ical.form")
	}
	r := reader{zone: zone, zones: map[string]*time.Location{}, defined: map[string]*ics.VTimezone{}}
	for _, z := range parsed.Timezones() {
		r.defined[value(&z.ComponentBase, "TZID")] = z
	}
	feed = &Feed{}
	rules := 0
	for _, component := range parsed.Events() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, why := r.event(&component.ComponentBase)
		if e.rule != nil {
			if rules++; rules > maxRules {
				return nil, invalid("calendar.ical.events", "max", maxRules)
			}
		}
		if why != "" {
			feed.Left = append(feed.Left, Left{e.UID, why})
			continue
		}
		feed.Events = append(feed.Events, e)
	}
	return feed, nil
}

// unfold joins the lines that were folded, so that no line hides from bounded.
func unfold(src []byte) []byte {
	out := make([]byte, 0, len(src))
	for _, c := range src {
		if n := len(out); (c == ' ' || c == '\t') && n > 0 && out[n-1] == '\n' {
			out = bytes.TrimSuffix(out[:n-1], []byte("\r"))
			continue
		}
		out = append(out, c)
	}
	return out
}

// bounded looks at a file's outline before it is parsed by recursion.
func bounded(src []byte) error {
	if !bytes.HasPrefix(src, []byte("BEGIN:VCALENDAR")) || !bytes.HasSuffix(src, []byte("END:VCALENDAR")) {
		return invalid("calendar.ical.form") // or cut off
	}
	depth, events := 0, 0
	for line := range bytes.SplitSeq(src, []byte("\n")) {
		switch begin, end := word(line, "BEGIN"), word(line, "END"); {
		case begin:
			depth++
			if bytes.Contains(line, []byte("VEVENT")) {
				events++
			}
		case end:
			depth--
		}
		if depth > maxDepth {
			return invalid("calendar.ical.form")
		}
		if events > maxEvents {
			return invalid("calendar.ical.events", "max", maxEvents)
		}
	}
	return nil
}

// word reports whether a line is the property of that name.
func word(line []byte, name string) bool {
	return len(line) > len(name) && string(line[:len(name)]) == name && (line[len(name)] == ':' || line[len(name)] == ';')
}

// reader reads the events of one file.
type reader struct {
	zone    *time.Location
	zones   map[string]*time.Location
	defined map[string]*ics.VTimezone
}

func value(c *ics.ComponentBase, name string) string {
	if p := c.GetProperty(ics.ComponentProperty(name)); p != nil {
		return p.Value
	}
	return ""
}

// text returns a text of an event, cut to what is kept.
func text(c *ics.ComponentBase, name string) string {
	runes := []rune(strings.TrimSpace(strings.ToValidUTF8(value(c, name), "�")))
	return string(runes[:min(len(runes), maxICalText)])
}

// event reads one event, or says why it is left out.
func (r *reader) event(c *ics.ComponentBase) (e Event, why string) {
	e = Event{
		UID: text(c, "UID"), Title: text(c, "SUMMARY"), Description: text(c, "DESCRIPTION"),
		Location: text(c, "LOCATION"), URL: text(c, "URL"), Sequence: number(value(c, "SEQUENCE")),
		Cancelled: strings.EqualFold(value(c, "STATUS"), "CANCELLED"),
	}
	start := c.GetProperty("DTSTART")
	if start == nil {
		return e, "calendar.ical.start"
	}
	from, ok := r.moment(&start.BaseProperty, start.Value)
	if !ok {
		return e, "calendar.ical.time"
	}
	e.Start, e.AllDay, e.wall, e.zone = from.at, from.date, from.wall, from.zone
	if why := r.end(&e, c); why != "" {
		return e, why
	}
	if p := c.GetProperty("RECURRENCE-ID"); p != nil {
		instead, ok := r.moment(&p.BaseProperty, p.Value)
		if !ok || p.ICalParameters["RANGE"] != nil {
			return e, "calendar.ical.instead"
		}
		e.Instead = instead.at
		return e, ""
	}
	rules := c.GetProperties("RRULE")
	switch {
	case len(rules) > 1 || c.GetProperty("EXRULE") != nil:
		return e, "calendar.ical.rules"
	case len(rules) == 1:
		rule, err := parseRule(rules[0].Value, e.wall, e.zone)
		if err != nil {
			return e, "calendar.ical.rule"
		}
		e.rule, e.Recurs = rule, true
	}
	var ok1, ok2 bool
	e.more, ok1 = r.dates(c, "RDATE", e)
	e.less, ok2 = r.dates(c, "EXDATE", e)
	if !ok1 || !ok2 {
		return e, "calendar.ical.time"
	}
	e.Recurs = e.Recurs || len(e.more) > 0
	return e, ""
}

// end finds how long an event lasts.
func (r *reader) end(e *Event, c *ics.ComponentBase) string {
	if e.AllDay {
		e.days = 1
	}
	e.End = e.Start
	if p := c.GetProperty("DTEND"); p != nil {
		to, ok := r.moment(&p.BaseProperty, p.Value)
		if !ok || to.date != e.AllDay {
			return "calendar.ical.time"
		}
		e.End = to.at
		if e.AllDay {
			e.days = max(1, int(to.wall.Sub(e.wall)/(24*time.Hour)))
		}
	} else if text := value(c, "DURATION"); text != "" {
		length, ok := parseICalDuration(text)
		if !ok {
			return "calendar.ical.time"
		}
		e.End = e.Start.Add(length)
		if e.AllDay {
			e.days = max(1, int(length/(24*time.Hour)))
		}
	}
	if e.AllDay {
		e.End = DateOf(e.wall).Plus(e.days).Begin(e.zone)
	}
	if e.End.Before(e.Start) {
		return "calendar.ical.time"
	}
	return ""
}

// dates reads the RDATE or EXDATE of an event, as local times of its zone.
func (r *reader) dates(c *ics.ComponentBase, name string, e Event) ([]time.Time, bool) {
	var out []time.Time
	for _, p := range c.GetProperties(ics.ComponentProperty(name)) {
		for one := range strings.SplitSeq(p.Value, ",") {
			one, _, _ = strings.Cut(one, "/") // of a period its beginning
			m, ok := r.moment(&p.BaseProperty, one)
			if !ok || len(out) >= maxDates {
				return nil, false
			}
			wall := m.wall
			if m.zone != e.zone {
				wall = Wall(m.at, e.zone)
			}
			if m.date && !e.AllDay { // "not on that day", as some programs write it
				wall = m.wall.Add(e.wall.Sub(DateOf(e.wall).wall()))
			}
			out = append(out, wall)
		}
	}
	return out, true
}
