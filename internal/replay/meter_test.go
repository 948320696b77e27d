package replay

import (
	"math"
	"testing"
	"time"
)

// feed counts requests evenly, a sample each 100 ms.
func feed(m *Meter, from time.Time, total time.Duration, live, replayed, bad int) time.Time {
	for end := from.Add(total); from.Before(end); {
		from = from.Add(100 * time.Millisecond)
		for range live / 10 {
			m.Live(false)
		}
		for i := range replayed / 10 {
			m.Replayed(i < bad/10)
		}
		m.Sample(from)
	}
	return from
}

func TestRule6_1_MeterSeesTheLastSecond(t *testing.T) {
	m := NewMeter(Estimate{})
	now := feed(m, rampBegin, 5*time.Second, 200, 50, 0)
	if live, replayed := m.Rates(); math.Abs(live-200) > 1 || math.Abs(replayed-50) > 1 {
		t.Errorf("rates are %v and %v, want 200 and 50", live, replayed)
	}
	feed(m, now, 1100*time.Millisecond, 800, 0, 0)
	if live, replayed := m.Rates(); math.Abs(live-800) > 1 || replayed > 1 {
		t.Errorf("rates are %v and %v, want 800 and 0", live, replayed)
	}
}

// A relay that has only seen an outage takes what clients ask for as what the
// upstream bears, or the drain of a busy route would never end.
func TestRule6_1_DemandStandsInForAMinuteNobodyHasSeen(t *testing.T) {
	m := NewMeter(Estimate{})
	now := rampBegin
	for range 20 {
		m.Sample(now)
		for range 700 {
			m.Asked()
		}
		now = now.Add(time.Second)
	}
	if c := m.Capacity(); math.Abs(c-770) > 50 {
		t.Errorf("capacity is %v, want 110 %% of the 700 requests a second that clients make", c)
	}
	feed(m, now, 3*time.Minute, 300, 100, 0)
	if c := m.Capacity(); math.Abs(c-440) > 2 {
		t.Errorf("capacity is %v, want a healthy minute to count more than demand", c)
	}
}

func TestRule6_1_MeasuredCapacity(t *testing.T) {
	m := NewMeter(Estimate{})
	if c := m.Capacity(); c != leastCapacity {
		t.Errorf("capacity is %v when nothing is known, want %v", c, leastCapacity)
	}
	now := feed(m, rampBegin, 2*time.Minute, 300, 100, 0)
	if c := m.Capacity(); math.Abs(c-440) > 2 {
		t.Errorf("capacity is %v, want 110 %% of the 400 requests of the best minute", c)
	}
	now = feed(m, now, 2*time.Minute, 700, 100, 50) // busier, and failing
	if c := m.Capacity(); math.Abs(c-440) > 2 {
		t.Errorf("capacity is %v, want the failing minutes left out", c)
	}
	again := NewMeter(m.Estimate())
	if c := again.Capacity(); math.Abs(c-440) > 2 {
		t.Errorf("capacity is %v after a restart, want it remembered", c)
	}
	for day := range 7 { // quiet running
		for range 24 * 60 {
			now = now.Add(time.Minute)
			m.Sample(now)
		}
		if c := m.Capacity(); day < 5 && math.Abs(c-440) > 2 {
			t.Errorf("capacity is %v after %d days, want the best of seven", c, day+1)
		}
	}
	if c := m.Capacity(); c != leastCapacity {
		t.Errorf("capacity is %v after seven quiet days, want %v", c, leastCapacity)
	}
}
