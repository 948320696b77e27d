package extract

import (
	"regexp"
	"strings"
	"time"

	"holdfast/internal/calendar"
)

// moment is a date, a time of day or both, as a text names them together.
type moment struct {
	date    *dateWords
	weekday *dateWords
	part    dayPart
	clock   *clockWords
	zone    *zoneAt
	from    int
	to      int
	role    role
}

// role is what the words before a moment make of it.
type role int

const (
	noRole role = iota
	published
	former // the time that held before
	start
	end
)

// span is two moments, or one.
type span struct {
	first, last *moment
	broken      bool // more than two: nobody knows which
}

var (
	within    = regexp.MustCompile(`(?i)^[\s,;()\[\]"'|]*(?:at|on|of|the|T|于|在|的)?[\s,;()\[\]"'|]*$`)
	beforeTo  = regexp.MustCompile(`(?i)^[\s,()]*(?:起|开始|左右|许|整|each day|every day|local time)?[\s,()]*$`)
	behindTo  = regexp.MustCompile(`(?i)^[\s,()]*(?:预计|大约|约|about|approximately|around|on)?[\s,()]*$`)
	roleWords = []struct {
		role  role
		words *regexp.Regexp
	}{
		{former, regexp.MustCompile(`(?i)(?:原定于?|原定时间|原计划(?:于|时间)?|原维护时间|原公告时间|由原?|originally (?:scheduled|planned)(?: for| from| on)?|previously (?:scheduled|planned|announced)(?: for| from| on)?|(?:rescheduled|moved|postponed|changed) from|instead of)\s*:?\s*$`)},
		{published, regexp.MustCompile(`(?i)(?:发布时间|发布日期|发布于|公告时间|公告日期|更新时间|更新日期|更新于|创建时间|发送时间|posted|published|last updated?|updated|created|sent|issued|\bdate|next update|下次更新(?:时间)?|下一次更新(?:时间)?)\s*(?:on|at|by)?\s*:?\s*$`)},
		{end, regexp.MustCompile(`(?i)(?:(?:预计|计划|实际)?(?:结束|截止|完成|恢复)(?:时间|日期)?|(?:scheduled |estimated |expected |planned )?(?:end|finish|completion|resolution)s?(?:ing)?(?: time| date| at| on| by)?|until|eta|(?:completed|restored|resolved|back) (?:by|at))\s*(?:为|是|在|于|at|is)?\s*:?\s*$`)},
		{start, regexp.MustCompile(`(?i)(?:(?:预计|计划|实际)?(?:开始|起始)(?:时间|日期|于)?|自|从|(?:scheduled |expected |planned )?(?:start|begin)(?:s|ing|ning)?(?: time| date| at| on| from)?|from|since|between)\s*(?:为|是|在|于|at|is)?\s*:?\s*$`)},
	}
)

// roleOf reads the words before a place.
func roleOf(s string, at int) role {
	begin := max(0, at-48)
	before := strings.ToValidUTF8(s[begin:at], "")
	if i := strings.LastIndexByte(strings.TrimRight(before, " \n"), '\n'); i >= 0 {
		before = before[i+1:]
	}
	before = strings.TrimRight(before, " \n(\"'|[,")
	for _, r := range roleWords {
		if r.words.MatchString(before) {
			return r.role
		}
	}
	return noRole
}

// parser groups tokens.
type parser struct {
	s    string
	toks []token
}

func (p *parser) joins(a, b int, gap *regexp.Regexp) bool {
	if b >= len(p.toks) {
		return false
	}
	text := p.s[p.toks[a].to:p.toks[b].from]
	return len(text) <= 24 && strings.Count(text, "\n") <= 2 && gap.MatchString(text)
}

// moment reads the one that begins at a token, and returns where it ends. dated
// says that its date was named before it.
func (p *parser) moment(i int, dated bool) (m *moment, next int) {
	m = &moment{from: p.toks[i].from}
	for n := i; n < len(p.toks); n++ {
		t := &p.toks[n]
		if n > i && !p.joins(n-1, n, within) {
			return m, n
		}
		switch {
		case t.kind == isDate && m.date == nil && (m.clock == nil || !dated && p.behind(n)):
			m.date = &t.date
			if t.part != noPart {
				m.part = t.part
			}
		case t.kind == isWeekday && m.weekday == nil:
			m.weekday = &t.date
		case t.kind == isPart && m.clock == nil:
			m.part = t.part
		case t.kind == isClock && m.clock == nil && p.strong(n, m):
			m.clock = &t.clock
		case t.kind == isZone && m.zone == nil && !(t.zone.bare && m.clock == nil):
			m.zone = &t.zone
		case t.kind == isLink && strings.HasPrefix(t.link, "-") && m.date != nil && m.clock == nil && n+1 < len(p.toks) &&
			p.toks[n+1].kind == isClock && p.joins(n, n+1, within): // "Nov 22, 2026 - 08:25"
		default:
			return m, n
		}
		m.to = t.to
	}
	return m, len(p.toks)
}

// behind reports whether a date belongs to the time of day before it, and not to
// one behind it.
func (p *parser) behind(n int) bool {
	if strings.ContainsRune(p.s[p.toks[n-1].to:p.toks[n].from], '(') {
		return false
	}
	return !p.joins(n, n+1, within) || p.toks[n+1].kind != isClock && p.toks[n+1].kind != isPart
}

// strong reports whether a number is a time of day here.
func (p *parser) strong(n int, m *moment) bool {
	t := p.toks[n]
	if !t.clock.weak {
		return true
	}
	linked := func(a, b, c int) bool {
		return a >= 0 && c < len(p.toks) && p.toks[b].kind == isLink && p.joins(a, b, beforeTo) && p.joins(b, c, behindTo)
	}
	switch {
	case m.part != noPart, m.date != nil && m.date.day > 0, m.date != nil && (m.date.today || m.date.next || m.date.same), m.weekday != nil && m.date == nil, m.zone != nil:
		return true
	case n+1 < len(p.toks) && p.toks[n+1].kind == isZone && p.joins(n, n+1, within):
		return true
	case n+2 < len(p.toks) && linked(n, n+1, n+2):
		k := p.toks[n+2].kind
		return k == isClock || k == isPart || k == isDate
	case n >= 2 && linked(n-2, n-1, n):
		return p.toks[n-2].kind == isClock || p.toks[n-2].kind == isZone
	}
	return false
}

func (m *moment) empty() bool { return m.date == nil && m.weekday == nil && m.clock == nil }

// spans reads a text's moments and which of them belong together.
func (p *parser) spans() (out []span) {
	for i := 0; i < len(p.toks); {
		m, next := p.moment(i, false)
		if m.empty() {
			i = max(next, i+1)
			continue
		}
		m.role = roleOf(p.s, m.from)
		sp := span{first: m}
		i = next
		for i < len(p.toks) && p.toks[i].kind == isLink && i > 0 && p.joins(i-1, i, beforeTo) && i+1 < len(p.toks) && p.joins(i, i+1, behindTo) {
			if p.toks[i].link == "and" && m.role != start && m.role != former {
				break
			}
			second, after := p.moment(i+1, m.date != nil || m.weekday != nil)
			if second.empty() {
				break
			}
			if sp.last != nil {
				sp.broken = true
			}
			sp.last = second
			i = after
		}
		out = append(out, sp)
	}
	return out
}

// frame is what moments are resolved by.
type frame struct {
	home  *time.Location
	base  time.Time // of "tomorrow", and of years that are not said
	sure  bool      // base is when the text was written
	one   *zoneAt   // the only zone that the text names
	doubt func(string)
	last  *calendar.Date // named before
	text  string
}

func (f *frame) zoneOf(moments ...*moment) *time.Location {
	for _, m := range moments {
		if m != nil && m.zone != nil {
			if m.zone.doubt != "" {
				f.doubt(m.zone.doubt)
			}
			return m.zone.zone
		}
	}
	if f.one != nil {
		if f.one.doubt != "" {
			f.doubt(f.one.doubt)
		}
		return f.one.zone
	}
	f.doubt(DoubtZone)
	return f.home
}

// day resolves a moment's date; near is the date of the moment before it.
func (f *frame) day(m *moment, near *calendar.Date, zone *time.Location) (calendar.Date, bool) {
	today := calendar.DateOf(f.base.In(zone))
	w := m.date
	if w == nil {
		if m.weekday == nil {
			return calendar.Date{}, false
		}
		f.relative()
		return f.weekday(m.weekday, today), true
	}
	switch {
	case w.today:
		f.relative()
		return today.Plus(w.relative), true
	case w.next && near != nil:
		return near.Plus(1), true
	case w.same && near != nil:
		return *near, true
	case w.next || w.same || w.ambiguous:
		if w.ambiguous {
			f.doubt(DoubtAmbiguousDate)
		}
		return calendar.Date{}, false
	case w.month == 0:
		if near == nil {
			return calendar.Date{}, false
		}
		d := calendar.Date{Year: near.Year, Month: near.Month, Day: w.day}
		if d.Before(*near) { // "31日22:00至1日02:00"
			d.Month++
			if d.Month > 12 {
				d.Year, d.Month = d.Year+1, 1
			}
		}
		return d, real(d)
	}
	d := calendar.Date{Year: w.year, Month: time.Month(w.month), Day: w.day}
	if w.year == 0 {
		f.doubt(DoubtYear)
		d.Year = today.Year
		if near != nil {
			d.Year = near.Year
		}
		switch { // the one that lies nearest, rather ahead
		case near != nil && d.Before(near.Plus(-1)):
			d.Year++
		case near == nil && d.Before(today.Plus(-60)):
			d.Year++
		case near == nil && today.Plus(300).Before(d):
			d.Year--
		}
	}
	if m.weekday != nil && real(d) && int(d.Weekday()+6)%7+1 != m.weekday.weekday {
		f.doubt(DoubtWeekday)
	}
	return d, real(d)
}

func (f *frame) relative() {
	if !f.sure {
		f.doubt(DoubtRelative)
	}
}

func (f *frame) weekday(w *dateWords, today calendar.Date) calendar.Date {
	now := int(today.Weekday()+6)%7 + 1
	ahead := w.weekday - now
	switch {
	case w.english:
		f.doubt(DoubtNextWeekday)
		ahead += 7
	case w.week == 2:
		ahead += 7
	case w.week == 1: // of this week, past or not
	case ahead < 0:
		ahead += 7
	}
	return today.Plus(ahead)
}

// real reports whether there is such a date.
func real(d calendar.Date) bool {
	return calendar.DateOf(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)) == d
}

// hour resolves a time of day to the time since its date's beginning, which is
// more than a day for "晚上1点".
func (m *moment) hour() time.Duration {
	c := m.clock
	h := c.hour
	switch {
	case c.half == "am":
		h %= 12
	case c.half == "pm":
		h = h%12 + 12
	case m.part == night && h == 12:
		h = 0
	case m.part == noon && h < 6:
		h += 12
	case m.part == afternoon && h < 12:
		h += 12
	case m.part == evening && h == 12, m.part == evening && h < 5:
		if h == 12 {
			h = 24
		} else {
			h += 24
		}
	case m.part == evening && h < 12:
		h += 12
	}
	return time.Duration(h)*time.Hour + time.Duration(c.minute)*time.Minute + time.Duration(c.second)*time.Second
}

func at(d calendar.Date, since time.Duration, zone *time.Location) time.Time {
	wall := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Add(since)
	return calendar.Resolve(wall, zone)
}
