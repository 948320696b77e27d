package calendar

import (
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds of a recurrence rule of anybody's making.
const (
	maxRule  = 512 // characters
	maxTimes = 288 // times of one day
	maxEvery = 1000
)

// parseRule reads an RRULE whose times are local. The library computes with
// floating times, for which no zone's changes exist; Resolve makes instants of
// them. until gives the local time of an UNTIL that is written as an instant.
func parseRule(text string, start time.Time, zone *time.Location) (rule *rrule.RRule, err error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "RRULE:")
	bad := func(why string) error { return invalid("calendar.rule."+why, "value", brief(text)) }
	if len(text) > maxRule {
		return nil, invalid("calendar.rule.long", "max", maxRule)
	}
	if strings.ContainsAny(text, "\r\n") || !strings.Contains(text, "FREQ=") {
		return nil, bad("form")
	}
	o, err := rrule.StrToROption(text)
	switch {
	case err != nil:
		return nil, bad("form")
	case o.Freq > rrule.DAILY: // its "every hour" would not be an hour when clocks change
		return nil, bad("hours")
	case o.Count < 0 || o.Interval < 0 || o.Interval > maxEvery || o.Count > 0 && !o.Until.IsZero():
		return nil, bad("form")
	case max(1, len(o.Byhour))*max(1, len(o.Byminute))*max(1, len(o.Bysecond)) > maxTimes:
		return nil, bad("times")
	}
	if !o.Until.IsZero() {
		switch until := part(text, "UNTIL"); {
		case len(until) == len("20060102"): // the whole day
			o.Until = o.Until.AddDate(0, 0, 1).Add(-time.Second)
		case strings.HasSuffix(until, "Z"):
			o.Until = Wall(o.Until, zone)
		}
	}
	o.Dtstart = start
	rule, err = rrule.NewRRule(*o)
	if err != nil {
		return nil, bad("form")
	}
	if !possible(rule) {
		return nil, bad("never")
	}
	return rule, nil
}

// part returns the value of one part of a rule.
func part(rule, name string) string {
	for p := range strings.SplitSeq(rule, ";") {
		if value, ok := strings.CutPrefix(p, name+"="); ok {
			return value
		}
	}
	return ""
}

// possible reports whether a rule has an occurrence at all. The library looks for
// the first one to the end of the ninth millennium.
func possible(rule *rrule.RRule) bool {
	_, ok := rule.Iterator()()
	return ok
}

// walk iterates a rule's local times, from near the time asked for where the rule
// knows no beginning: it counts nothing and names its days itself.
func walk(rule *rrule.RRule, simple bool, early time.Time) rrule.Next {
	o := rule.OrigOptions
	if !simple || !early.After(o.Dtstart) {
		return rule.Iterator()
	}
	o.Dtstart = DateOf(early).wall()
	near, err := rrule.NewRRule(o)
	if err != nil { // cannot happen: the same options made the rule
		return rule.Iterator()
	}
	return near.Iterator()
}
