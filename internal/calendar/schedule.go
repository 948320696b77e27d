package calendar

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Spec says when something recurs. One of Daily, Weekly, Monthly and Rule is
// given.
type Spec struct {
	Zone    *time.Location
	At      []Clock        // local times of day; not with Rule
	Daily   bool           // every day
	Weekly  []time.Weekday // on these days of the week
	Monthly []int          // on these days of the month; the 31st is the last one of a shorter month, -1 is the last, -2 the one before
	Rule    string         // an RRULE of days, weeks, months or years
	From    Date           // the first day; a Rule counts its intervals from it
	FromAt  Clock          // the time of day of a Rule that names none
	Only    *Workdays      // nil, or: occurrences on days off are left out
}

// Clock is a local time of day; 24:00 is not one.
type Clock struct{ Hour, Minute int }

// ParseClock reads such as 09:30.
func ParseClock(text string) (Clock, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != 5 {
		return Clock{}, invalid("calendar.clock", "value", brief(text))
	}
	return Clock{t.Hour(), t.Minute()}, nil
}

func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", c.Hour, c.Minute) }

func (c Clock) on(d Date) time.Time {
	return time.Date(d.Year, d.Month, d.Day, c.Hour, c.Minute, 0, 0, time.UTC)
}

// Schedule is a recurrence in a zone. It is safe for concurrent use.
type Schedule struct {
	zone  *time.Location
	rules []*rrule.RRule
	// simple rules name their days and times and count nothing.
	simple bool
	only   *Workdays
}

// Occurrence is one firing of a schedule.
type Occurrence struct {
	At time.Time `json:"at"`
	// Local is the local time that the schedule asks for, written as UTC. It
	// differs from what clocks show where that time is skipped.
	Local time.Time `json:"local"`
	// Doubt says why the day may turn out to be a day off, or not.
	Doubt *Doubt `json:"doubt,omitempty"`
}

// New makes a schedule, or says what is wrong with its spec.
func New(s Spec) (*Schedule, error) {
	if s.Zone == nil {
		return nil, invalid("calendar.zone-missing")
	}
	if s.From.Year < 1900 || s.From.Year > 2999 {
		return nil, invalid("calendar.date", "value", s.From.String())
	}
	kinds := 0
	for _, given := range []bool{s.Daily, len(s.Weekly) > 0, len(s.Monthly) > 0, s.Rule != ""} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return nil, invalid("calendar.one-kind")
	}
	out := &Schedule{zone: s.Zone, only: s.Only}
	if s.Rule != "" {
		if len(s.At) > 0 {
			return nil, invalid("calendar.rule.times-twice")
		}
		rule, err := parseRule(s.Rule, s.FromAt.on(s.From), s.Zone)
		if err != nil {
			return nil, err
		}
		out.rules = []*rrule.RRule{rule}
		return out, nil
	}
	if len(s.At) == 0 || len(s.At) > maxTimes {
		return nil, invalid("calendar.at", "max", maxTimes)
	}
	out.simple = true
	texts, err := s.texts()
	if err != nil {
		return nil, err
	}
	for _, at := range s.At { // one rule for each time: BYHOUR and BYMINUTE would multiply
		for _, text := range texts {
			rule, err := parseRule(fmt.Sprintf("%s;BYHOUR=%d;BYMINUTE=%d;BYSECOND=0", text, at.Hour, at.Minute), Clock{}.on(s.From), s.Zone)
			if err != nil {
				return nil, err
			}
			out.rules = append(out.rules, rule)
		}
	}
	return out, nil
}

// texts returns the rules that the simple kinds stand for.
func (s Spec) texts() ([]string, error) {
	switch {
	case s.Daily:
		return []string{"FREQ=DAILY"}, nil
	case len(s.Weekly) > 0:
		var days []string
		for _, d := range s.Weekly {
			days = append(days, strings.ToUpper(d.String()[:2]))
		}
		return []string{"FREQ=WEEKLY;BYDAY=" + strings.Join(days, ",")}, nil
	}
	var texts []string
	for _, d := range s.Monthly {
		if d == 0 || d < -28 || d > 31 {
			return nil, invalid("calendar.month-day", "value", d)
		}
		var candidates []string // the last of them that the month has
		for c := min(d, 28); c <= d; c++ {
			candidates = append(candidates, fmt.Sprint(c))
		}
		texts = append(texts, "FREQ=MONTHLY;BYMONTHDAY="+strings.Join(candidates, ",")+";BYSETPOS=-1")
	}
	return texts, nil
}

// Zone returns the schedule's zone.
func (s *Schedule) Zone() *time.Location { return s.zone }

// Next returns the first occurrence after an instant; ok is false where there is
// none. Who asks again with the time of the answer gets every occurrence once.
func (s *Schedule) Next(after time.Time) (o Occurrence, ok bool) {
	for o := range s.From(after) {
		return o, true
	}
	return Occurrence{}, false
}

// Between returns the occurrences from an instant on and before another, at most
// limit of them.
func (s *Schedule) Between(from, to time.Time, limit int) (out []Occurrence, more bool) {
	for o := range s.From(from.Add(-time.Nanosecond)) {
		if !o.At.Before(to) {
			return out, false
		}
		if len(out) == limit {
			return out, true
		}
		out = append(out, o)
	}
	return out, false
}

// From walks the occurrences after an instant, in order.
func (s *Schedule) From(after time.Time) iter.Seq[Occurrence] {
	return func(yield func(Occurrence) bool) {
		// No occurrence whose local time is earlier than this can come after.
		early := after.UTC().Add(-farthest)
		heads := make([]time.Time, len(s.rules))
		nexts := make([]rrule.Next, len(s.rules))
		for i, r := range s.rules {
			nexts[i] = walk(r, s.simple, early)
			heads[i] = ahead(nexts[i], early)
		}
		last := after
		for {
			wall := earliest(heads)
			if wall.IsZero() {
				return
			}
			for i := range heads { // several rules that say the same time say it once
				if heads[i].Equal(wall) {
					heads[i] = ahead(nexts[i], wall.Add(1))
				}
			}
			o := Occurrence{At: Resolve(wall, s.zone), Local: wall}
			if !o.At.After(last) { // past, or clocks jumped over both
				continue
			}
			if s.only != nil {
				day := s.only.Day(DateOf(wall))
				if !day.Working() {
					continue
				}
				o.Doubt = day.Warning
			}
			last = o.At
			if !yield(o) {
				return
			}
		}
	}
}

// ahead returns the first time of a rule that is not before another; zero at its
// end.
func ahead(next rrule.Next, from time.Time) time.Time {
	for {
		t, ok := next()
		if !ok {
			return time.Time{}
		}
		if !t.Before(from) {
			return t
		}
	}
}

func earliest(heads []time.Time) time.Time {
	var out time.Time
	for _, t := range heads {
		if !t.IsZero() && (out.IsZero() || t.Before(out)) {
			out = t
		}
	}
	return out
}

// ParseZone returns a zone by its IANA name.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || slices.Contains([]string{"Local", "localtime", "Factory"}, name) {
		return nil, invalid("calendar.zone", "value", brief(name))
	}
	return zone, nil
}
