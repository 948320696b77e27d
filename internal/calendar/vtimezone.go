package calendar

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

// change is an instant at which a zone's offset from UTC becomes another.
type change struct {
	at     time.Time
	offset int // seconds
}

// maxChanges bounds the changes of one zone.
const maxChanges = 4000

// zoneOf makes a location of a file's own definition: from 1900 to 2100, like the
// files of the system's zones. It is nil where the definition can't be
// understood.
func zoneOf(name string, z *ics.VTimezone) *time.Location {
	var changes []change
	first, initial := time.Time{}, 0
	for _, sub := range z.SubComponents() {
		var c *ics.ComponentBase
		switch sub := sub.(type) {
		case *ics.Standard:
			c = &sub.ComponentBase
		case *ics.Daylight:
			c = &sub.ComponentBase
		default:
			continue
		}
		from, ok1 := parseOffset(value(c, "TZOFFSETFROM"))
		to, ok2 := parseOffset(value(c, "TZOFFSETTO"))
		start, err := time.Parse("20060102T150405", value(c, "DTSTART"))
		if !ok1 || !ok2 || err != nil || start.Year() > lastYear {
			return nil
		}
		if first.IsZero() || start.Before(first) {
			first, initial = start, from
		}
		walls, ok := onsets(c, start, from)
		if !ok || len(changes)+len(walls) > maxChanges {
			return nil
		}
		for _, wall := range walls {
			changes = append(changes, change{wall.Add(-time.Duration(from) * time.Second), to})
		}
	}
	if first.IsZero() {
		return nil
	}
	slices.SortStableFunc(changes, func(a, b change) int { return a.at.Compare(b.at) })
	changes = slices.CompactFunc(changes, func(a, b change) bool { return a.at.Equal(b.at) })
	zone, err := time.LoadLocationFromTZData(name, tzif(initial, changes))
	if err != nil {
		return nil
	}
	return zone
}

// onsets lists the local times at which one part of a definition takes effect.
func onsets(c *ics.ComponentBase, start time.Time, from int) ([]time.Time, bool) {
	walls := []time.Time{start}
	for _, p := range c.GetProperties("RDATE") {
		for one := range strings.SplitSeq(p.Value, ",") {
			wall, err := time.Parse("20060102T150405", one)
			if err != nil || len(walls) > maxChanges {
				return nil, false
			}
			walls = append(walls, wall)
		}
	}
	text := value(c, "RRULE")
	if text == "" {
		return walls, true
	}
	o, err := rrule.StrToROption(text)
	if err != nil || len(text) > maxRule || o.Freq != rrule.YEARLY || len(o.Byhour)+len(o.Byminute)+len(o.Bysecond) > 0 {
		return nil, false
	}
	if start.Year() < firstYear {
		start = start.AddDate(firstYear-start.Year(), 0, 0)
	}
	o.Dtstart = start
	end := time.Date(zonesUntil, 1, 1, 0, 0, 0, 0, time.UTC)
	if !o.Until.IsZero() {
		o.Until = o.Until.Add(time.Duration(from) * time.Second)
	}
	if o.Until.IsZero() || o.Until.After(end) {
		o.Until = end
	}
	rule, err := rrule.NewRRule(*o)
	if err != nil {
		return nil, false
	}
	next := rule.Iterator()
	for wall, ok := next(); ok; wall, ok = next() {
		if walls = append(walls, wall); len(walls) > maxChanges {
			return nil, false
		}
	}
	return walls, true
}

// parseOffset reads such as +0800 or -033045, in seconds.
func parseOffset(text string) (int, bool) {
	if len(text) != 5 && len(text) != 7 || text[0] != '+' && text[0] != '-' || strings.Trim(text[1:], "0123456789") != "" {
		return 0, false
	}
	n := number(text[1:3])*3600 + number(text[3:5])*60
	if len(text) == 7 {
		n += number(text[5:])
	}
	if n > maxOffset*3600 {
		return 0, false
	}
	if text[0] == '-' {
		n = -n
	}
	return n, true
}

// tzif writes changes in the format of the system's zone files (RFC 8536), version
// 2, which the standard library reads.
func tzif(initial int, changes []change) []byte {
	var b bytes.Buffer
	head := func(times, types, chars int) {
		b.WriteString("TZif2")
		b.Write(make([]byte, 15))
		for _, n := range []int{0, 0, 0, times, types, chars} {
			_ = binary.Write(&b, binary.BigEndian, uint32(n)) // #nosec G115 -- bounded; a Buffer does not fail
		}
	}
	head(0, 0, 0) // the block of 32 bits, which nobody reads
	offsets := []int{initial}
	var kinds []byte
	for _, c := range changes {
		i := slices.Index(offsets[1:], c.offset) + 1
		if i == 0 {
			i = len(offsets)
			offsets = append(offsets, c.offset)
		}
		kinds = append(kinds, byte(i)) // #nosec G115 -- see below
		if len(offsets) > 250 {
			return nil
		}
	}
	head(len(changes), len(offsets), 4)
	for _, c := range changes {
		_ = binary.Write(&b, binary.BigEndian, c.at.Unix())
	}
	b.Write(kinds)
	for _, o := range offsets {
		_ = binary.Write(&b, binary.BigEndian, int32(o)) // #nosec G115 -- at most 18 hours
		b.Write([]byte{0, 0})                            // not summer time, the first name
	}
	b.WriteString("LCL\x00\n\n")
	return b.Bytes()
}
