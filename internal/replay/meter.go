package replay

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// leastCapacity is what an upstream is taken to bear while nothing better is
	// known: neither a stated capacity nor a busier minute. The ramp starts at a
	// tenth of it and halves when it was too much.
	leastCapacity = 20.0
	// measuredMargin is how much more than its busiest healthy minute an
	// upstream is taken to bear.
	measuredMargin = 1.1
	meterDays      = 7
	// demandLeast is how long requests are counted before their rate means
	// anything.
	demandLeast = 5 * time.Second
	meterMinute = time.Minute
	// healthyShare is how many of a minute's requests may fail at most.
	healthyShare = 0.01
)

// Meter counts what reaches one upstream, live and replayed, and remembers its
// busiest healthy minute of the last seven days of running. Counting is cheap
// enough for every request; the rest happens in Sample, which the route's
// Drainer calls.
type Meter struct {
	live, replayed, bad, asked atomic.Int64

	mu      sync.Mutex
	samples [16]sample
	next    int // where the next sample goes; the one before is the newest
	minute  minute
	days    [meterDays]float64 // busiest minute of each day, requests a second
	ran     time.Duration
	demand  float64    // requests a second that clients made in their busiest minute
	recent  [2]float64 // the same, in the minute before this one and in this one
}

type sample struct {
	at             time.Time
	live, replayed int64
}

type minute struct {
	began             time.Time
	total, bad, asked int64 // as they stood then
}

// Estimate is what a Meter has learned, to be kept over a restart.
type Estimate struct {
	Ran  time.Duration      `json:"ran_ns"`
	Days [meterDays]float64 `json:"days"`
}

// NewMeter returns a meter that knows nothing, or what an earlier one learned.
func NewMeter(known Estimate) *Meter {
	return &Meter{days: known.Days, ran: known.Ran}
}

// Live counts a client's request that reached the upstream or tried to. bad
// says that the upstream failed: no answer, or a server error.
func (m *Meter) Live(bad bool) { m.count(&m.live, bad) }

// Asked counts a client's request that was to reach the upstream, now or later:
// what it would bear if it were healthy.
func (m *Meter) Asked() { m.asked.Add(1) }

// Replayed counts an attempt of a record.
func (m *Meter) Replayed(bad bool) { m.count(&m.replayed, bad) }

func (m *Meter) count(what *atomic.Int64, bad bool) {
	what.Add(1)
	if bad {
		m.bad.Add(1)
	}
}

// Sample takes note of the counts at a time. It is called at least once a
// second, and ten times as often while there is something to replay.
func (m *Meter) Sample(now time.Time) {
	s := sample{at: now, live: m.live.Load(), replayed: m.replayed.Load()}
	bad := m.bad.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples[m.next] = s
	m.next = (m.next + 1) % len(m.samples)
	m.closeMinute(now, s.live+s.replayed, bad)
}

func (m *Meter) closeMinute(now time.Time, total, bad int64) {
	if m.minute.began.IsZero() {
		m.minute = minute{now, total, bad, m.asked.Load()}
		return
	}
	took, asked := now.Sub(m.minute.began), m.asked.Load()
	if took >= demandLeast {
		m.recent[1] = float64(asked-m.minute.asked) / took.Seconds()
		m.demand = max(m.demand, m.recent[1])
	}
	if took < meterMinute {
		return
	}
	m.recent = [2]float64{m.recent[1], 0}
	sent, failed := float64(total-m.minute.total), float64(bad-m.minute.bad)
	m.minute = minute{now, total, bad, asked}
	today := int(m.ran/(24*time.Hour)) % meterDays
	m.ran += took
	if day := int(m.ran/(24*time.Hour)) % meterDays; day != today {
		m.days[day] = 0
		today = day
	}
	if failed <= sent*healthyShare {
		m.days[today] = max(m.days[today], sent/took.Seconds())
	}
}

// Rates returns live and replayed requests a second, over the last second or,
// if samples came seldom, over the time since the one before the last.
func (m *Meter) Rates() (live, replayed float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := func(back int) sample { return m.samples[(m.next-1-back+2*len(m.samples))%len(m.samples)] }
	newest := at(0)
	var older sample
	for back := 1; back < len(m.samples); back++ {
		s := at(back)
		if s.at.IsZero() {
			break
		}
		older = s
		if newest.at.Sub(s.at) >= time.Second {
			break
		}
	}
	seconds := newest.at.Sub(older.at).Seconds()
	if older.at.IsZero() || seconds <= 0 {
		return 0, 0
	}
	return float64(newest.live-older.live) / seconds, float64(newest.replayed-older.replayed) / seconds
}

// Capacity returns 110 % of the busiest healthy minute, but at least what every
// upstream is taken to bear. Before there was one, what clients ask for stands
// in: a drain that is slower than that would never end, and the ramp halves
// where it is too much.
func (m *Meter) Capacity() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	highest := 0.0
	for _, rate := range m.days {
		highest = max(highest, rate)
	}
	if highest == 0 {
		highest = m.demand
	}
	return max(leastCapacity, measuredMargin*highest)
}

// Demand returns the requests a second that clients have made lately, as they
// did or do in the busier of this minute and the one before.
func (m *Meter) Demand() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.recent[0], m.recent[1])
}

// Estimate returns what is worth keeping over a restart.
func (m *Meter) Estimate() Estimate {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Estimate{Ran: m.ran, Days: m.days}
}
