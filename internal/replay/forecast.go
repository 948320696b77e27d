package replay

import (
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// forecastSteps is how finely the growing part of a ramp is followed.
const forecastSteps = 200

// outlook is what the end of a drain depends on.
type outlook struct {
	pace
	backlog float64
	gain    float64 // records a second that join it
	reach   float64 // most that was seen to go out where the ramp allowed more; 0: no such bound
}

// end follows the ramp until the backlog is gone. false says that it never is,
// at these rates.
func (o outlook) end() (time.Duration, bool) {
	if o.backlog <= 0 {
		return 0, true
	}
	net := func(t time.Duration) float64 {
		rate := allowed(o.Capacity, o.Live, share(o.Plan, o.Low, t))
		if o.reach > 0 {
			rate = min(rate, o.reach)
		}
		return rate - o.gain
	}
	left, passed := o.backlog, time.Duration(0)
	step := max(o.Plan.Window/forecastSteps, time.Millisecond)
	for t := o.Healthy; t < o.Plan.Window; t += step {
		rate := net(t)
		if done := rate * step.Seconds(); done < left {
			left -= done
			passed += step
			continue
		}
		return passed + seconds(left/rate), true
	}
	rate := net(o.Plan.Window)
	if rate <= 0 {
		return 0, false
	}
	return passed + seconds(left/rate), true
}

func seconds(s float64) time.Duration {
	return time.Duration(min(s, 1e9) * float64(time.Second))
}

// flow is what went in and out in the last seconds.
type flow struct {
	at              time.Time
	accepted, ended int64
	drainable       int64
	gain, drained   float64 // a second, smoothed
	returning       float64 // what was gained while replay was off or in trial
	bounded         int     // seconds in a row in which the ramp allowed more than went out
	hit             bool    // in this second
}

// smooth weighs the last second against those before.
const smooth = 0.3

// account closes a second of the flow.
func (d *Drainer) account(now time.Time) {
	c := d.Ledger.Counters(d.route)
	d.gains.roll(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	f := &d.flow
	ended := c.Accepted - c.Pending()
	if passed := now.Sub(f.at).Seconds(); !f.at.IsZero() && passed > 0 {
		f.gain += smooth * (float64(c.Accepted-f.accepted)/passed - f.gain)
		f.drained += smooth * (float64(ended-f.ended)/passed - f.drained)
	}
	f.at, f.accepted, f.ended, f.drainable = now, c.Accepted, ended, drainable(c)
	if f.hit {
		f.bounded++
	} else {
		f.bounded = 0
	}
	f.hit = false
}

// bound notes that something else than the ramp held replay back.
func (d *Drainer) bound() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flow.hit = true
}

// drainable is how many records replay has to send: what is parked waits for a
// person.
func drainable(c ledger.Counters) int64 { return c.Queued + c.Attempting + c.InDoubt }

// boundedFor so many seconds the drain has to go below the ramp's rate before
// the forecast believes in it.
const boundedFor = 3

// returnWithin this time the measured live rate has caught up with the clients
// that were held until the drain began.
const returnWithin = 5 * time.Second

// believeHalved so long after a halving the forecast expects no more growth.
const believeHalved = 10 * time.Second

func (d *Drainer) outlook(backlog int64, mode continuity.Replay) outlook {
	p := d.ramp.now()
	d.mu.Lock()
	f, began := d.flow, d.began
	d.mu.Unlock()
	o := outlook{pace: p, backlog: float64(backlog), gain: f.gain}
	if p.Capacity == 0 {
		o.Capacity = d.capacity() // not ticked yet
	}
	if mode != continuity.ReplayOn {
		// As if it began now. What arrives will pass beside it, mostly.
		o.Healthy, o.Low = 0, p.Plan.Start
		o.Live, o.gain = max(p.Live, f.gain), 0
		return o
	}
	if f.at.Sub(began) < returnWithin {
		o.Live = max(o.Live, f.returning)
	}
	switch {
	case f.bounded >= boundedFor && f.drained > 0:
		o.reach = f.drained
	case !p.Halved.IsZero() && f.at.Sub(p.Halved) < believeHalved:
		o.reach = max(f.drained, p.PerSecond) // what grew just now was too much
	}
	return o
}
