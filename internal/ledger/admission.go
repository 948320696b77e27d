package ledger

import (
	"math"
	"time"

	"holdfast/internal/continuity"
)

// Field numbers of a switch's share in admission.
const (
	fieldRate        = 15 // thousandths of a request a second
	fieldConcurrency = 16
	fieldLine        = 17
)

// mostRate keeps thousandths exact.
const mostRate = 1 << 50

func appendAdmission(b []byte, s *continuity.Switch) []byte {
	if s.Rate > 0 {
		b = appendUint(b, fieldRate, max(1, uint64(math.Round(s.Rate*1000))))
	}
	b = appendUint(b, fieldConcurrency, uint64(max(s.Concurrency, 0))) // #nosec G115 -- not negative
	if l := s.Line; l != nil {
		line := appendUint(nil, 1, uint64(l.Since.UnixMilli()))        // #nosec G115 -- after 1970
		line = appendUint(line, 2, uint64(l.Step))                     // #nosec G115 -- counts from 0
		line = appendUint(line, 3, uint64(l.Stepped.UnixMilli()))      // #nosec G115 -- after 1970
		line = appendUint(line, 4, uint64(l.Healthy/time.Microsecond)) // #nosec G115 -- not negative
		line = appendUint(line, 5, uint64(max(l.Most, 0)))             // #nosec G115 -- not negative
		b = appendBytes(b, fieldLine, line)
	}
	return b
}

func (d *fields) admission(s *continuity.Switch) {
	switch d.num {
	case fieldRate:
		s.Rate = float64(d.small(mostRate)) / 1000
	case fieldConcurrency:
		s.Concurrency = d.small(math.MaxInt32)
	case fieldLine:
		s.Line = &continuity.LineState{}
		d.nested(func(in *fields) { in.line(s.Line) })
	}
}

func (d *fields) line(l *continuity.LineState) {
	for d.next() {
		switch d.num {
		case 1:
			l.Since = time.UnixMilli(d.count())
		case 2:
			l.Step = d.small(math.MaxInt32)
		case 3:
			l.Stepped = time.UnixMilli(d.count())
		case 4:
			l.Healthy = time.Duration(d.small(math.MaxInt32)) * time.Microsecond
		case 5:
			l.Most = d.small(math.MaxInt32)
		}
	}
}

// Admitting is what a route's standing settings amount to for admission: of
// each kind the lowest, forced ones alone where there are any.
func (l *Ledger) Admitting(route string) continuity.Admitting {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, ok := l.state.numbers[route]
	if !ok {
		return continuity.Admitting{}
	}
	r := l.state.routes[n]
	intake, _ := r.effective()
	a := r.admitting()
	a.Holding = intake == continuity.IntakeHold
	return a
}

func (r *routeState) admitting() (a continuity.Admitting) {
	forced := false
	for i := range r.owners {
		s := &r.owners[i]
		if s.Rate <= 0 && s.Concurrency <= 0 && s.Line == nil || forced && !s.Force {
			continue
		}
		if s.Force && !forced {
			forced, a = true, continuity.Admitting{}
		}
		if s.Rate > 0 && (a.Rate == 0 || s.Rate < a.Rate) {
			a.Rate = s.Rate
		}
		if s.Concurrency > 0 && (a.Concurrency == 0 || s.Concurrency < a.Concurrency) {
			a.Concurrency = s.Concurrency
		}
		if s.Line != nil && (a.Line == nil || s.Line.Step < a.Line.Step) {
			line := *s.Line
			a.Line = &line
		}
	}
	return a
}
