package admission

import (
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// Move says what a line has to do.
type Move uint8

// The moves.
const (
	Stay    Move = iota
	Forward      // open one more batch
	Back         // close the batch that opened last to those who are not in
	Done         // everybody is in, and that went well
)

// Why says why a line moves, or stays; its text is a message id.
type Why string

// The reasons.
const (
	WhyHold   Why = "hold"   // the batch has to do well for longer
	WhyQuiet  Why = "quiet"  // too few requests to tell
	WhyWell   Why = "well"   // it did well
	WhyErrors Why = "errors" // too many requests failed
	WhySlow   Why = "slow"   // answers take too long
	WhyDown   Why = "down"   // the upstream is down: requests are held
	WhyTold   Why = "told"   // whoever put the line lets no more in yet
)

const (
	keeperLook  = 5 * time.Second
	keeperTell  = 20 // requests; fewer say nothing
	keeperNoise = 10 * time.Millisecond
)

// keeper judges how a line's batches do.
type keeper struct {
	mu      sync.Mutex
	looked  time.Time
	stepped time.Time // of the step that told is about
	told    bool      // something was seen of this step
	healthy time.Duration
	why     Why
}

// Judge is called about once a second, whether or not a line stands. It tells
// what the line has to do, and why; the caller makes that durable. Without a
// line it learns what healthy latency is.
func (l *Line) Judge(now time.Time, s *continuity.LineState, holding bool) (Move, Why) {
	k := &l.keep
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.looked.IsZero() {
		k.looked = now
	}
	var seen sample
	looks := now.Sub(k.looked) >= keeperLook
	if looks {
		if seen = l.seen.look(false); seen.n >= keeperTell || seen.bad > keeperTell/4 {
			l.seen.look(true)
			k.looked = now
		} else {
			looks = false
		}
	}
	switch {
	case holding: // what fails now is the outage's, not the batch's
		l.forget(now)
		if k.why = ""; s != nil {
			k.why = WhyDown
		}
		return Stay, k.why
	case s == nil:
		k.why = ""
		if looks && seen.failed() <= l.conf.Errors && seen.median > 0 {
			if k.healthy == 0 {
				k.healthy = seen.median
			}
			k.healthy += (seen.median - k.healthy) / 8
		}
		return Stay, ""
	}
	if !k.stepped.Equal(s.Stepped) {
		k.stepped, k.told, looks = s.Stepped, false, false
		l.forget(now)
	}
	move, why := l.weigh(now, s, seen, looks)
	k.why = why
	return move, why
}

// forget begins to look anew; k.mu is held.
func (l *Line) forget(now time.Time) {
	l.seen.look(true)
	l.keep.looked = now
}

// weigh decides; k.mu is held.
func (l *Line) weigh(now time.Time, s *continuity.LineState, seen sample, looks bool) (Move, Why) {
	k := &l.keep
	healthy := s.Healthy
	if healthy == 0 {
		healthy = k.healthy
	}
	if looks {
		k.told = true
		why := Why("")
		switch {
		case seen.bad > 1 && seen.failed() > l.conf.Errors:
			why = WhyErrors
		case healthy > 0 && seen.median > max(time.Duration(l.conf.Slow*float64(healthy)), healthy+keeperNoise):
			why = WhySlow
		case healthy == 0:
			k.healthy = seen.median // the best that is known
		}
		if why != "" {
			if s.Step == 0 {
				return Stay, why
			}
			return Back, why
		}
	}
	passed := now.Sub(s.Stepped)
	switch {
	case passed < l.conf.Hold:
		return Stay, WhyHold
	case !k.told && passed < 2*l.conf.Hold:
		return Stay, WhyQuiet
	case s.Step >= len(l.batches):
		return Done, WhyWell
	case s.Most > 0 && s.Step >= s.Most:
		return Stay, WhyTold
	default:
		return Forward, WhyWell
	}
}

// Healthy is what latency is while all is well; 0: not known yet.
func (l *Line) Healthy() time.Duration {
	l.keep.mu.Lock()
	defer l.keep.mu.Unlock()
	return l.keep.healthy
}

// Batch is what people see of a batch.
type Batch struct {
	Name    string  // of its group
	Share   float64 // of users, up to which it goes; 0: a group
	Open    bool
	Tickets uint64 // numbers given out
	Served  uint64 // whose turn has come
}

// LineInfo is what people see of a line.
type LineInfo struct {
	continuity.LineState
	Batches []Batch
	Waiting int64         // who asked lately, reckoned
	Next    time.Duration // until the next batch, at the earliest
	Why     Why           // the next batch is not open yet
}

// Info describes a standing line.
func (l *Line) Info(now time.Time, s *continuity.LineState) LineInfo {
	l.turn(s)
	info := LineInfo{LineState: *s, Waiting: l.present.count(now), Next: max(0, l.conf.Hold-now.Sub(s.Stepped))}
	for i := range l.batches {
		b := Batch{Open: i < s.Step, Tickets: l.batches[i].issued.Load()}
		if served, all := l.served(i, s, now); all {
			b.Served = b.Tickets
		} else {
			b.Served = served
		}
		if i < len(l.conf.Groups) {
			b.Name = l.conf.Groups[i].Name
		} else {
			b.Share = l.conf.Shares[i-len(l.conf.Groups)]
		}
		info.Batches = append(info.Batches, b)
	}
	l.keep.mu.Lock()
	info.Why = l.keep.why
	l.keep.mu.Unlock()
	return info
}
