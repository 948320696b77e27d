package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/demo/customers"
)

// screen shows what happens as it happens: one line for each phase, which on a
// terminal grows while the phase lasts, and one for each event.
type screen struct {
	out   io.Writer
	live  bool // a terminal: lines may be drawn again
	color bool
	start time.Time
	rate  float64 // orders a second; a full bar
	// columns tells how wide the terminal is: a line that wraps can't be drawn again.
	columns func() int

	mu    sync.Mutex
	phase *phase
}

// phase is a stretch of time in one mode of the relay.
type phase struct {
	mode    string
	began   time.Time
	printed time.Time
	first   int       // how many steps were in the ledger when it began
	backlog int64     // most pending
	pending int64     // lately
	rates   []float64 // of the drain, one each half second
	sampled time.Time
	most    float64
	expect  float64 // the relay's first forecast, in seconds
	told    bool
}

func (s *screen) printf(format string, args ...any) {
	fmt.Fprintf(s.out, format, args...)
}

func (s *screen) since(t time.Time) float64 { return t.Sub(s.start).Seconds() }

// event ends the phase's line and puts a line of its own.
func (s *screen) event(l *customers.Ledger, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(l, time.Now())
	text := fmt.Sprintf(format, args...)
	s.printf("%5.1f s  %s\n", s.since(time.Now()), s.paint("1", "── "+text+" ──"))
}

// update shows the phase as it is now; a new mode begins a new phase.
func (s *screen) update(st relayStatus, l *customers.Ledger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.phase == nil || s.phase.mode != st.Mode {
		if s.phase != nil {
			s.phase.pending = st.Counters.Pending
		}
		s.end(l, now)
		s.phase = &phase{mode: st.Mode, began: now, printed: now, first: l.Count(), backlog: st.Counters.Pending}
	}
	p := s.phase
	steps := l.Since(p.first)
	p.pending = st.Counters.Pending
	p.backlog = max(p.backlog, st.Counters.Pending)
	p.most = max(p.most, st.Drain.Rate)
	if st.Drain.Forecast && !p.told {
		p.expect, p.told = st.Drain.Ends, true
	}
	if now.Sub(p.sampled) >= 500*time.Millisecond {
		p.rates, p.sampled = append(p.rates, st.Drain.Rate), now
	}
	switch {
	case s.live:
		s.clear()
		s.printf("%s", cut(s.line(p, steps, now, st.Counters.Pending), s.columns()))
	case now.Sub(p.printed) >= 5*time.Second: // a sign of life where lines can't be drawn again
		p.printed = now
		s.printf("%s\n", s.line(p, steps, now, st.Counters.Pending))
	}
}

// finish ends the last phase.
func (s *screen) finish(l *customers.Ledger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(l, time.Now())
}

// end prints the phase for the last time. One that was hardly there, between
// an event and the relay's next mode, is left out.
func (s *screen) end(l *customers.Ledger, now time.Time) {
	if s.phase == nil {
		return
	}
	s.clear()
	if now.Sub(s.phase.began) >= time.Second/2 {
		s.printf("%s\n", s.line(s.phase, l.Since(s.phase.first), now, s.phase.pending))
	}
	s.phase = nil
}

func (s *screen) clear() {
	if s.live {
		s.printf("\r\x1b[K")
	}
}

// line shows a phase as it is now. It is stamped with the phase's beginning
// where it grows in its place, and with now where lines only follow each other.
func (s *screen) line(p *phase, steps []customers.Step, now time.Time, pending int64) string {
	stamp := now
	if s.live {
		stamp = p.began
	}
	seconds := max(now.Sub(p.began).Seconds(), 0.1)
	rate := float64(len(steps)) / seconds
	typical := median(steps)
	var text, bar, color string
	switch p.mode {
	case "hold":
		color, bar = "33", s.bar(rate)
		text = fmt.Sprintf("%4.0f/s   accepted on disk, answered 202 in %s", rate, typical)
	case "drain":
		color, bar = "36", spark(p.rates)
		text = fmt.Sprintf("up to %.0f/s beside %.0f/s live, backlog %s -> %s in %.0f s", p.most, rate,
			thousands(p.backlog), thousands(pending), seconds)
		if p.told {
			text += fmt.Sprintf(", expected %.0f s", p.expect)
		}
	default:
		color, bar = "32", s.bar(rate)
		text = fmt.Sprintf("%4.0f/s   shop answers in %s", rate, typical)
	}
	return fmt.Sprintf("%5.1f s  %s  %s  %s", s.since(stamp), s.paint(color, fmt.Sprintf("%-6s", p.mode)), bar, text)
}

// cut leaves as much of a line as fits, counting no escape sequences.
func cut(line string, columns int) string {
	n, escape := 0, false
	for i, c := range line {
		switch {
		case c == '\x1b':
			escape = true
		case escape:
			escape = c != 'm'
		default:
			if n++; n >= columns {
				return line[:i] + "\x1b[0m"
			}
		}
	}
	return line
}

// median is how long half the steps waited at most for their answer.
func median(steps []customers.Step) time.Duration {
	var took []time.Duration
	for _, s := range steps {
		if s.Acknowledged() {
			took = append(took, s.Took())
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2].Round(100 * time.Microsecond)
}

const width = 20

func (s *screen) bar(rate float64) string {
	full := 0
	if s.rate > 0 {
		full = min(width, int(rate/s.rate*width+0.5))
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// spark draws values as columns, the highest as high as a line.
func spark(values []float64) string {
	const columns = "▁▂▃▄▅▆▇█"
	for len(values) > width { // two become one
		var half []float64
		for i := 0; i < len(values); i += 2 {
			half = append(half, max(values[i], values[min(i+1, len(values)-1)]))
		}
		values = half
	}
	highest := 0.0
	for _, v := range values {
		highest = max(highest, v)
	}
	var b strings.Builder
	for _, v := range values {
		i := 0
		if highest > 0 {
			i = int(v / highest * 7)
		}
		b.WriteString(string([]rune(columns)[i]))
	}
	return b.String() + strings.Repeat(" ", width-len(values))
}

func (s *screen) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// thousands writes a number with a comma between groups of three.
func thousands(n int64) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func money(cents int64) string {
	if cents < 0 {
		return "-" + money(-cents)
	}
	return thousands(cents/100) + fmt.Sprintf(".%02d CNY", cents%100)
}
