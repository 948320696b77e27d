package replay

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/continuity"
)

var rampBegin = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// drive runs a ramp as a Drainer with an endless backlog does, by a clock that
// only moves here.
type drive struct {
	ramp     *Ramp
	now      time.Time
	capacity float64
	live     float64
	// answer tells how the attempt that begins now ends.
	answer func() Ended
}

func newDrive(plan continuity.Ramp, capacity, live float64) *drive {
	return &drive{
		ramp: NewRamp(plan), now: rampBegin, capacity: capacity, live: live,
		answer: func() Ended { return Ended{Sign: Good, Took: 2 * time.Millisecond} },
	}
}

// run lets time pass and returns how many attempts began in each second.
func (d *drive) run(total time.Duration) []int {
	var seconds []int
	end := d.now.Add(total)
	next := d.now
	for second := d.now; d.now.Before(end); second = second.Add(time.Second) {
		n := 0
		for d.now.Before(second.Add(time.Second)) {
			if !d.now.Before(next) {
				d.ramp.Tick(d.now, d.capacity, d.live, true)
				next = next.Add(tickBusy)
			}
			wait := max(d.ramp.Wait(d.now), d.ramp.Silent(d.now))
			if wait > 0 {
				d.now = d.now.Add(min(wait, next.Sub(d.now)))
				continue
			}
			d.ramp.Take(d.now)
			e := d.answer()
			e.Began = d.now
			d.ramp.Ended(d.now, e)
			n++
		}
		seconds = append(seconds, n)
	}
	d.ramp.Tick(d.now, d.capacity, d.live, true)
	return seconds
}

func standardPlan() continuity.Ramp {
	return continuity.Ramp{Start: 0.1, Window: 20 * time.Second, Aggression: 1, InFlight: 64}
}

func near(have int, want, slack float64) bool { return math.Abs(float64(have)-want) <= slack }

func TestRule6_2_StartsAtATenthAndGrowsToCapacity(t *testing.T) {
	d := newDrive(standardPlan(), 1000, 0)
	seconds := d.run(25 * time.Second)
	for i, n := range seconds {
		want := 1000 * min(1, max(0.1, (float64(i)+0.5)/20))
		if !near(n, want, 0.04*want+12) {
			t.Errorf("second %d sent %d, want about %.0f", i, n, want)
		}
	}
}

func TestRule6_2_AggressionBendsTheCurve(t *testing.T) {
	plan := standardPlan()
	plan.Aggression = 2
	d := newDrive(plan, 1000, 0)
	d.run(5 * time.Second)
	if s := d.ramp.now().Share; math.Abs(s-math.Sqrt(5.0/20)) > 0.02 {
		t.Errorf("share is %.3f after a quarter of the window, want about a half", s)
	}
}

func TestRule6_2_HalvesOnErrorsAndGrowsAgain(t *testing.T) {
	d := newDrive(standardPlan(), 1000, 0)
	d.run(20 * time.Second)
	before := d.ramp.now().Share
	healthy, n := d.answer, 0
	d.answer = func() Ended {
		if n++; n%5 == 0 {
			return Ended{Sign: Failed, Took: time.Millisecond}
		}
		return healthy()
	}
	d.run(time.Second)
	if s := d.ramp.now().Share; math.Abs(s-before/2) > 0.06 {
		t.Errorf("share is %.2f one second into the errors, want half of %.2f", s, before)
	}
	d.run(10 * time.Second)
	if s := d.ramp.now().Share; math.Abs(s-0.1) > 0.06 {
		t.Errorf("share is %.2f while every fifth attempt fails, want about a tenth", s)
	}
	d.answer = healthy
	d.run(10 * time.Second)
	if s := d.ramp.now().Share; s < 0.45 {
		t.Errorf("share is %.2f ten healthy seconds after the errors, want it to grow again", s)
	}
}

func TestRule6_2_HalvesOnRisingLatency(t *testing.T) {
	for _, row := range []struct {
		name  string
		every int // nth answer takes so long
		took  time.Duration
	}{
		{"all are slow", 1, 20 * time.Millisecond},
		{"a tenth is very slow", 10, 200 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDrive(standardPlan(), 1000, 0)
			d.run(15 * time.Second)
			before := d.ramp.now().Share
			n := 0
			d.answer = func() Ended {
				if n++; n%row.every == 0 {
					return Ended{Sign: Good, Took: row.took}
				}
				return Ended{Sign: Good, Took: 2 * time.Millisecond}
			}
			d.run(2 * time.Second)
			if s := d.ramp.now().Share; s > 0.65*before {
				t.Errorf("share is %.2f, want half of %.2f once answers are slow", s, before)
			}
		})
	}
}

func TestRule6_2_LatencyNoiseDoesNotHalve(t *testing.T) {
	d := newDrive(standardPlan(), 1000, 0)
	n := 0
	d.answer = func() Ended { // a fast upstream that stutters by milliseconds
		if n++; n%10 == 0 {
			return Ended{Sign: Good, Took: 15 * time.Millisecond}
		}
		return Ended{Sign: Good, Took: 200 * time.Microsecond}
	}
	d.run(10 * time.Second)
	quiet := d.answer
	for range 8 { // and a machine that stalls now and then
		d.answer = func() Ended {
			if n++; n%10 == 0 {
				return Ended{Sign: Good, Took: 300 * time.Millisecond}
			}
			return Ended{Sign: Good, Took: 200 * time.Microsecond}
		}
		d.run(time.Second)
		d.answer = quiet
		d.run(time.Second)
	}
	if s := d.ramp.now().Share; s < 1 {
		t.Errorf("share is %.2f, want 1: neither is a sign of too much load", s)
	}
}

func TestRule6_2_HonoursRetryAfter(t *testing.T) {
	d := newDrive(standardPlan(), 1000, 0)
	d.run(10 * time.Second)
	before := d.ramp.now().Share
	d.answer = func() Ended { return Ended{Sign: Throttled, Took: time.Millisecond, Asked: 5 * time.Second} }
	d.run(2 * time.Second) // until it is believed
	at, sent := d.now, 0
	healthy := func() Ended { sent++; return Ended{Sign: Good, Took: 2 * time.Millisecond} }
	d.answer = healthy
	silent := d.ramp.Silent(at)
	if silent < 2*time.Second {
		t.Fatalf("silent for %v, want the upstream's wish of 5 s honoured", silent)
	}
	d.run(silent.Truncate(time.Second))
	if sent > 0 {
		t.Errorf("%d attempts while the upstream asked for silence", sent)
	}
	if s := d.ramp.now().Share; s > 0.6*before {
		t.Errorf("share is %.2f after it, want at most half of %.2f", s, before)
	}
}

func TestRule3_6_OneBadKeyNeitherHalvesNorSilences(t *testing.T) {
	d := newDrive(standardPlan(), 1000, 0)
	n := 0
	d.answer = func() Ended {
		if n++; n%3 == 0 { // the same record, again and again
			return Ended{Sign: Failed, Again: n > 3, Took: time.Millisecond, Asked: time.Hour}
		}
		return Ended{Sign: Good, Took: 2 * time.Millisecond}
	}
	d.run(25 * time.Second)
	if s := d.ramp.now().Share; s < 1 {
		t.Errorf("share is %.2f, want 1: only one record fails", s)
	}
}

func TestRule6_1_LiveComesFirstAndATenthIsLeft(t *testing.T) {
	for _, row := range []struct{ live, want float64 }{
		{0, 1000}, {500, 500}, {900, 100}, {990, 100}, {5000, 100},
	} {
		d := newDrive(standardPlan(), 1000, row.live)
		d.run(30 * time.Second)
		if n := d.run(time.Second)[0]; !near(n, row.want, 0.02*row.want+1) {
			t.Errorf("beside %v live requests a second %d are replayed, want %v", row.live, n, row.want)
		}
	}
}

func TestRule6_1_GrowingLiveTrafficIsGivenWayWithinATick(t *testing.T) {
	d := newDrive(standardPlan(), 1000, 0)
	d.run(30 * time.Second)
	d.live = 700
	d.ramp.Tick(d.now, d.capacity, d.live, true)
	if n := d.run(time.Second)[0]; n > 310 {
		t.Errorf("%d replayed beside 700 live requests, want at most 300", n)
	}
}

// scenario is a random life of a ramp.
func scenario(t *rapid.T, healthy bool) (*drive, func()) {
	plan := continuity.Ramp{
		Start:      rapid.Float64Range(0.1, 1).Draw(t, "start"),
		Window:     time.Duration(rapid.IntRange(0, 60).Draw(t, "window")) * time.Second,
		Aggression: rapid.Float64Range(0.5, 4).Draw(t, "aggression"),
	}
	d := newDrive(plan, float64(rapid.IntRange(10, 5000).Draw(t, "capacity")), 0)
	return d, func() {
		d.live = d.capacity * rapid.Float64Range(0, 1.5).Draw(t, "live")
		bad := 0
		if !healthy {
			bad = rapid.IntRange(0, 100).Draw(t, "bad")
		}
		asked := time.Duration(rapid.IntRange(0, 3).Draw(t, "asked")) * time.Second
		n := 0
		d.answer = func() Ended {
			n++
			if n%100 < bad {
				return Ended{Sign: Sign(2 + n%5), Took: time.Millisecond, Asked: asked, Again: n%7 == 0} // #nosec G115 -- small
			}
			return Ended{Sign: Good, Took: time.Duration(1+n%3) * time.Millisecond}
		}
	}
}

func TestRule6_1_NeverAboveCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, change := scenario(t, false)
		for range 6 {
			change()
			// The tick after the change knows of it; what burst it leaves is a hundredth.
			d.ramp.Tick(d.now, d.capacity, d.live, true)
			room := max(d.capacity-d.live, replayShare*d.capacity)
			for i, n := range d.run(3 * time.Second) {
				if float64(n) > math.Ceil(room)+1 {
					t.Fatalf("%d in second %d beside %.1f live, capacity %.0f", n, i, d.live, d.capacity)
				}
			}
		}
	})
}

func TestRule6_1_NeverBelowATenthUnlessAskedForSilence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, change := scenario(t, false)
		for range 12 {
			change()
			d.run(time.Second)
			if p := d.ramp.now(); p.PerSecond < replayShare*d.capacity*0.999 {
				t.Fatalf("allows %.2f a second of a capacity of %.0f", p.PerSecond, d.capacity)
			}
		}
	})
}

func TestRule6_2_GrowsMonotonouslyWhenHealthy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, change := scenario(t, true)
		last := 0.0
		for range 12 {
			change()
			d.run(time.Second)
			s := d.ramp.now().Share
			if s < last {
				t.Fatalf("share fell from %v to %v though all went well", last, s)
			}
			last = s
		}
	})
}

func TestRampDoesNotGrowByWaiting(t *testing.T) {
	r := NewRamp(standardPlan())
	r.Ended(rampBegin, Ended{Began: rampBegin, Sign: Good})
	for i := range 600 {
		r.Tick(rampBegin.Add(time.Duration(i)*tickBusy), 100, 0, false)
	}
	if s := r.now().Share; s != 0.1 {
		t.Errorf("share is %v after a minute without a record, want the start", s)
	}
}

func TestRampNeedsSuccessToGrow(t *testing.T) {
	r := NewRamp(standardPlan())
	for i := range 600 {
		now := rampBegin.Add(time.Duration(i) * tickBusy)
		r.Tick(now, 100, 0, true)
		r.Ended(now, Ended{Began: now, Sign: Failed, Again: true})
	}
	if s := r.now().Share; s != 0.1 {
		t.Errorf("share is %v without one success, want the start", s)
	}
}

func TestLatencyQuantilesAreWithinAnEighth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := time.Duration(rapid.Int64Range(1, int64(10*time.Minute)).Draw(t, "took"))
		var l latencies
		l.add(took)
		if q := l.quantile(0.95); q < took || float64(q) > 1.126*float64(took)+float64(2*time.Microsecond) {
			t.Fatalf("the quantile of %v alone is %v", took, q)
		}
	})
}

func TestRule3_6_TheFirstAnswerAloneDoesNotSilence(t *testing.T) {
	r := NewRamp(standardPlan())
	r.Tick(rampBegin, 1000, 0, true)
	asks := Ended{Began: rampBegin, Sign: Throttled, Asked: time.Minute}
	r.Ended(rampBegin, asks)
	if silent := r.Silent(rampBegin); silent != 0 {
		t.Errorf("silent for %v because of one record", silent)
	}
	r.Ended(rampBegin, asks)
	if silent := r.Silent(rampBegin); silent != time.Minute {
		t.Errorf("silent for %v after a second record was told the same, want a minute", silent)
	}
}
