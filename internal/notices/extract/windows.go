package extract

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/calendar"
)

// Window is a stretch of time that a text names; End may be missing.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
}

// found is what a text says of times.
type found struct {
	windows []Window    // with both ends
	starts  []time.Time // alone
	ends    []time.Time // said to be ends
	former  []Window    // that held before
	unclear bool        // there is a time that can't be read
}

// ahead are the words behind a time at which something will be over.
var ahead = regexp.MustCompile(`^\s*(?:之?前|左右)?\s*(?:全部|完全)?(?:恢复|完成|结束|修复)`)

const longest = 31 * 24 * time.Hour

// resolve makes instants of spans.
func (f *frame) resolve(spans []span) (out found) {
	for _, sp := range spans {
		if sp.broken {
			out.unclear = true
			continue
		}
		if sp.first.role == published {
			continue
		}
		doubts := f.doubt
		if sp.first.role == former { // what is assumed of it concerns nobody
			f.doubt = func(string) {}
		}
		w, ok := f.window(sp)
		f.doubt = doubts
		switch {
		case sp.first.role == former:
			if ok && sp.last != nil {
				out.former = append(out.former, w)
			}
		case !ok:
			out.unclear = out.unclear || sp.first.clock != nil || sp.last != nil
		case sp.last != nil:
			out.windows = append(out.windows, w)
		case sp.first.role == end || ahead.MatchString(f.text[sp.first.to:]):
			out.ends = append(out.ends, w.Start)
		default:
			out.starts = append(out.starts, w.Start)
		}
	}
	out.windows = unique(out.windows)
	out.starts = slices.CompactFunc(out.starts, time.Time.Equal)
	out.ends = slices.CompactFunc(out.ends, time.Time.Equal)
	return out
}

func unique(windows []Window) (out []Window) {
	for _, w := range windows {
		if !slices.ContainsFunc(out, func(o Window) bool { return o.Start.Equal(w.Start) && o.End.Equal(w.End) }) {
			out = append(out, w)
		}
	}
	return out
}

// window resolves one span; a moment alone has a start only.
func (f *frame) window(sp span) (w Window, ok bool) {
	a, b := sp.first, sp.last
	zone := f.zoneOf(a, b)
	day, ok := f.day(a, f.last, zone)
	if !ok && a.date == nil && a.weekday == nil && b != nil && (b.date != nil || b.weekday != nil) {
		// "02:00 to 06:00 on December 1"
		if day, ok = f.day(b, f.last, zone); ok && b.clock != nil && a.clock != nil {
			inherit(a, b)
			if b.hour() <= a.hour() && b.date != nil && !b.date.next {
				day = day.Plus(-1) // "22:00 - 02:00 on December 2" ends on that day
				f.doubt(DoubtOvernight)
			}
			return f.close(day, a, b, zone, zone)
		}
	}
	if !ok && a.date == nil && a.weekday == nil && f.last != nil {
		day, ok = *f.last, true // named a line above
	}
	if !ok {
		return w, false
	}
	keep := day
	f.last = &keep
	if b == nil {
		if a.clock == nil {
			return w, false
		}
		w.Start = at(day, a.hour(), zone)
		f.season(w.Start, zone)
		return w, true
	}
	other := zone
	if b.zone != nil {
		other = f.zoneOf(b)
	}
	switch {
	case a.clock == nil && b.clock == nil: // from day to day
		to, ok := f.day(b, &day, zone)
		if !ok {
			return w, false
		}
		f.doubt(DoubtWholeDays)
		w = Window{at(day, 0, zone), at(to.Plus(1), 0, zone)}
		return w, w.End.After(w.Start) && w.End.Sub(w.Start) <= longest
	case a.clock == nil || b.clock == nil:
		return w, false
	}
	inherit(a, b)
	return f.close(day, a, b, zone, other)
}

// inherit gives a time of day the half of the day that only the other bears.
func inherit(a, b *moment) {
	switch {
	case a.clock.half == "" && a.part == noPart && b.clock.half != "" && a.clock.hour <= 12 && a.clock.hour > 0:
		a.clock.half = b.clock.half
		if a.hour() >= b.hour() { // "10-2pm" begins in the morning
			a.clock.half = map[string]string{"am": "pm", "pm": "am"}[b.clock.half]
		}
	case b.clock.half == "" && b.part == noPart && a.part != noPart && b.date == nil:
		b.part = a.part
		if b.clock.hour > 12 || b.clock.hour == 12 && a.part != evening || a.part == night && b.clock.hour >= 6 {
			b.part = noPart
		}
		if b.part == morning && b.hour() <= a.hour() {
			b.part = afternoon // "上午10点至2点"
		}
	}
}

// close resolves the end of a window whose first day is known.
func (f *frame) close(day calendar.Date, a, b *moment, zone, other *time.Location) (w Window, ok bool) {
	last := day
	if b.date != nil || b.weekday != nil && a.weekday == nil {
		d, ok := f.day(b, &day, other)
		if !ok {
			return w, false
		}
		if a.date != nil || a.weekday != nil || !d.Before(day) {
			last = d
		}
	}
	w.Start, w.End = at(day, a.hour(), zone), at(last, b.hour(), other)
	if !w.End.After(w.Start) && b.date == nil {
		w.End = at(last.Plus(1), b.hour(), other)
	}
	f.season(w.Start, zone)
	f.last = &last
	return w, w.End.After(w.Start) && w.End.Sub(w.Start) <= longest
}

func (f *frame) season(t time.Time, zone *time.Location) {
	if offSeason(t, zone) {
		f.doubt(DoubtSeason)
	}
}

var duration = regexp.MustCompile(`(?i)(?:持续|历时|耗时|为时|时长|为期|预计需要?|预计|影响|约|大约|approximately|about|\bfor|\blasts?|\blasting|\btakes?|\bduration(?: of)?|\bup to|\bexpected)[^0-9\n.]{0,16}?(\d{1,3}(?:\.\d)?|[一二两三四五六七八九十半]{1,2})\s*(?:(?:-|to|至|到)\s*(\d{1,3})\s*)?(个小时|小时|分钟|天|hours?|hrs?|minutes?|mins?|days?)`)

// lasting is how long a text says that it takes; zero where it does not, or not
// clearly.
func (f *frame) lasting(s string) time.Duration {
	matches := duration.FindAllStringSubmatch(s, 2)
	if len(matches) != 1 {
		return 0
	}
	m := matches[0]
	var unit time.Duration
	switch m[3] {
	case "个小时", "小时":
		unit = time.Hour
	case "分钟":
		unit = time.Minute
	case "天":
		unit = 24 * time.Hour
	default:
		unit = map[byte]time.Duration{'h': time.Hour, 'm': time.Minute, 'd': 24 * time.Hour}[m[3][0]|0x20]
	}
	if m[1] == "半" {
		return unit / 2
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		n = float64(digits(m[1]))
	}
	if m[2] != "" {
		n = float64(digits(m[2]))
		f.doubt(DoubtLonger)
	}
	out := time.Duration(n * float64(unit))
	if out > longest {
		return 0
	}
	return out
}
