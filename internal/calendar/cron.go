package calendar

import (
	"hash/fnv"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Cron is a schedule as crontab(5) writes it: minute, hour, day of the month, month,
// day of the week. Where both days are restricted, either of them is enough.
//
// A library would bring its own idea of what clocks that change do to it; this one
// goes by Resolve. A schedule of every hour is one of time that passes rather than
// of clocks: it fires in each hour that is shown, also in one that is shown twice.
type Cron struct {
	minutes, hours, days, months, weekdays uint64 // a bit for each value
	anyDay, anyWeekday                     bool   // * stands there
}

// CronFault says what is wrong with a schedule.
type CronFault struct {
	Place int    // of the part that is wrong, from 1; 0: there are not five of them
	Part  string // what stands there; empty with a place: no day ever fits
}

var cronPlaces = [5]struct {
	low, high int
	names     string
}{
	{0, 59, ""}, {0, 23, ""}, {1, 31, ""},
	{1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"},
	{0, 7, "sun mon tue wed thu fri sat"},
}

const everyHour = 1<<24 - 1

// ParseCron reads a schedule; the fault is nil where it is right.
func ParseCron(text string) (Cron, *CronFault) {
	parts := strings.Fields(text)
	if len(parts) != len(cronPlaces) {
		return Cron{}, &CronFault{}
	}
	var sets [5]uint64
	for i, part := range parts {
		for _, one := range strings.Split(part, ",") {
			set, ok := cronSet(i, strings.ToLower(one))
			if !ok {
				return Cron{}, &CronFault{i + 1, brief(one)}
			}
			sets[i] |= set
		}
	}
	if sets[4]&(1<<7) != 0 { // Sunday is both
		sets[4] = sets[4]&^(1<<7) | 1
	}
	c := Cron{
		minutes: sets[0], hours: sets[1], days: sets[2], months: sets[3], weekdays: sets[4],
		anyDay: strings.HasPrefix(parts[2], "*"), anyWeekday: strings.HasPrefix(parts[4], "*"),
	}
	if _, ok := c.next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)); !ok {
		return Cron{}, &CronFault{Place: 3}
	}
	return c, nil
}

// cronSet reads *, 5, 1-5, and each of */2 and 1-5/2.
func cronSet(place int, text string) (set uint64, ok bool) {
	p := cronPlaces[place]
	span, stepText, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		n, err := strconv.Atoi(stepText)
		if err != nil || n < 1 || n > p.high {
			return 0, false
		}
		step = n
	}
	low, high := p.low, p.high
	if span != "*" {
		first, last, ranged := strings.Cut(span, "-")
		if stepped && !ranged {
			return 0, false // some read 5/2 as 5 alone, others as 5 and on
		}
		if low, ok = cronValue(place, first); !ok {
			return 0, false
		}
		high = low
		if ranged {
			if high, ok = cronValue(place, last); !ok || high < low {
				return 0, false
			}
		}
	}
	for v := low; v <= high; v += step {
		set |= 1 << v
	}
	return set, true
}

func cronValue(place int, text string) (int, bool) {
	p := cronPlaces[place]
	for i, name := range strings.Fields(p.names) {
		if text == name {
			return p.low + i, true
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	return int(n), err == nil && int(n) >= p.low && int(n) <= p.high
}

// Next is the first instant after another at which the schedule fires in a zone.
func (c Cron) Next(after time.Time, zone *time.Location) time.Time {
	if c.hours == everyHour {
		for t := after.Add(1); ; {
			local := t.In(zone)
			_, seconds := local.Zone()
			offset := time.Duration(seconds) * time.Second
			wall, _ := c.next(Wall(t, zone).Add(time.Minute - 1).Truncate(time.Minute))
			at := wall.Add(-offset)
			_, end := local.ZoneBounds()
			if end.IsZero() || at.Before(end) {
				return at.In(zone)
			}
			t = end
		}
	}
	for from := after.UTC().Truncate(time.Minute).Add(-farthest); ; {
		wall, _ := c.next(from)
		if at := Resolve(wall, zone); at.After(after) {
			return at
		}
		from = wall.Add(time.Minute)
	}
}

// mostDays is how far apart two days that fit can lie: 29 February 2096 and 2104.
const mostDays = 8*366 + 1

// next is the first local time, written as UTC, at which the schedule fires: this one
// or a later one.
func (c Cron) next(from time.Time) (time.Time, bool) {
	day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	minute := from.Hour()*60 + from.Minute()
	for range mostDays {
		if c.fits(day) {
			if m, ok := c.within(minute); ok {
				return day.Add(time.Duration(m) * time.Minute), true
			}
		}
		day, minute = day.AddDate(0, 0, 1), 0
	}
	return time.Time{}, false
}

func (c Cron) fits(day time.Time) bool {
	onDay, onWeekday := c.days&(1<<day.Day()) != 0, c.weekdays&(1<<day.Weekday()) != 0
	if c.months&(1<<day.Month()) == 0 {
		return false
	}
	if c.anyDay || c.anyWeekday {
		return onDay && onWeekday
	}
	return onDay || onWeekday
}

// within is the first minute of a day, from one on, at which it fires.
func (c Cron) within(from int) (int, bool) {
	for hour := from / 60; hour < 24; hour++ {
		if c.hours&(1<<hour) == 0 {
			continue
		}
		least := 0
		if hour == from/60 {
			least = from % 60
		}
		if rest := c.minutes >> least; rest != 0 {
			return hour*60 + least + bits.TrailingZeros64(rest), true
		}
	}
	return 0, false
}

// Gap is the longest time between two firings, as far as clocks run evenly.
func (c Cron) Gap() time.Duration {
	first, _ := c.within(0)
	last, longest := first, 0
	for m, ok := c.within(first + 1); ok; m, ok = c.within(m + 1) {
		longest = max(longest, m-last)
		last = m
	}
	overnight := 24*60 - last + first
	begin := time.Date(2096, 1, 1, 0, 0, 0, 0, time.UTC) // before the longest gap that years have
	for i, before := 0, -1; i < 2*mostDays; i++ {
		if !c.fits(begin.AddDate(0, 0, i)) {
			continue
		}
		if before >= 0 {
			longest = max(longest, (i-before-1)*24*60+overnight)
		}
		before = i
	}
	return time.Duration(longest) * time.Minute
}

// Jitter is by how much something is put off so that not all of them happen at once:
// less than most, and always the same for one name.
func Jitter(name string, most time.Duration) time.Duration {
	if most < time.Second {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	return time.Duration(h.Sum64()%uint64(most/time.Second)) * time.Second
}
