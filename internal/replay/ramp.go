package replay

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"holdfast/internal/continuity"
)

const (
	// replayShare of the capacity is left to replay, whatever live traffic does.
	replayShare = 0.1
	// rampWindow is how much of the past decides whether the upstream bears it.
	rampWindow = 5 * time.Second
	rampSlots  = 5
	// A window is bad if more than badShare of its attempts failed, and not by
	// one failure alone.
	badShare     = 0.1
	badLeast     = 2
	enoughToTell = 20 // attempts; fewer say nothing about latency
	// paceMargin keeps the rate in any second below the allowed one, however
	// coarse the timers are that wake us.
	paceMargin = 0.02
)

// Ramp decides how much is replayed in a second (rule 6). What live traffic
// leaves of the capacity, but at least a tenth of the capacity, bounds it; of
// the capacity itself a share is used that starts at the route's start, grows
// as max(start, (t/window)^(1/aggression)) while replay goes well, and is
// halved when it does not. t is the time for which it went well.
//
// All methods take the time, so that the same calls give the same rates.
type Ramp struct {
	plan continuity.Ramp

	mu       sync.Mutex
	limiter  *rate.Limiter
	capacity float64
	live     float64
	healthy  time.Duration // t
	low      float64       // no share is lower
	ticked   time.Time
	judged   time.Time
	proved   bool // something went well since the ramp began or was halved
	slots    [rampSlots]rampSlot
	slot     int
	normal   normal
	halved   time.Time // when last
	until    time.Time // the upstream asked for silence
}

// rampSlot is one second's attempts.
type rampSlot struct {
	good, bad int
	took      latencies
}

// NewRamp returns a ramp at its start.
func NewRamp(plan continuity.Ramp) *Ramp {
	if plan.Start <= 0 || plan.Start > 1 {
		plan.Start = replayShare
	}
	if plan.Aggression <= 0 {
		plan.Aggression = 1
	}
	r := &Ramp{plan: plan, limiter: rate.NewLimiter(0, 1)}
	r.low = plan.Start
	return r
}

// Reset goes back to the start, as after every time without replay.
func (r *Ramp) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.healthy, r.low, r.proved = 0, r.plan.Start, false
	r.forget()
	r.until, r.ticked, r.judged, r.halved = time.Time{}, time.Time{}, time.Time{}, time.Time{}
}

func (r *Ramp) forget() {
	clear(r.slots[:])
	r.slot = 0
}

// share of the capacity at healthy time t.
func share(plan continuity.Ramp, low float64, t time.Duration) float64 {
	grown := 1.0
	if plan.Window > 0 {
		grown = math.Pow(float64(t)/float64(plan.Window), 1/plan.Aggression)
	}
	return min(1, max(low, grown))
}

// allowed is the rate of replay that a share and live traffic leave room for.
func allowed(capacity, live, share float64) float64 {
	return min(share*capacity, max(capacity-live, replayShare*capacity))
}

// Tick sets the capacity and the observed live rate, and moves the ramp on.
// busy says that replay has something to send and may send it: a ramp does not
// grow by waiting.
func (r *Ramp) Tick(now time.Time, capacity, live float64, busy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ticked.IsZero() {
		r.ticked, r.judged = now, now
	}
	passed := now.Sub(r.ticked)
	r.ticked, r.capacity, r.live = now, capacity, live
	if busy && r.proved && now.After(r.until) {
		r.healthy = min(r.healthy+passed, max(r.plan.Window, 0))
	}
	if now.Sub(r.judged) >= rampWindow/rampSlots {
		r.judged = now
		r.judge(now)
	}
	r.pace(now)
}

func (r *Ramp) pace(now time.Time) {
	perSecond := allowed(r.capacity, r.live, share(r.plan, r.low, r.healthy))
	burst := int(perSecond * paceMargin)
	if burst > 1 {
		perSecond -= float64(burst)
	}
	r.limiter.SetLimitAt(now, rate.Limit(perSecond))
	r.limiter.SetBurstAt(now, max(1, burst))
}

// judge looks at the last second, or, if too little happened in it, at the last
// window; halves the share if it was bad, and begins the next second.
func (r *Ramp) judge(now time.Time) {
	seen := r.slots[r.slot]
	if seen.good+seen.bad < enoughToTell {
		seen = r.window()
	}
	if slow := r.normal.slow(&seen.took); slow || seen.failing() {
		r.halve(now)
		return
	}
	r.slot = (r.slot + 1) % rampSlots
	r.slots[r.slot] = rampSlot{}
}

// window sums up the slots.
func (r *Ramp) window() rampSlot {
	var all rampSlot
	for i := range r.slots {
		all.good += r.slots[i].good
		all.bad += r.slots[i].bad
		all.took.merge(&r.slots[i].took)
	}
	return all
}

func (s *rampSlot) failing() bool {
	return s.bad >= badLeast && float64(s.bad) > badShare*float64(s.good+s.bad)
}

// halve takes back half of the share, but not below a tenth, and forgets what
// led to it: the next halving needs attempts that began after this one.
func (r *Ramp) halve(now time.Time) {
	half := share(r.plan, r.low, r.healthy) / 2
	r.low = min(r.low, replayShare)
	r.healthy = time.Duration(math.Pow(max(half, r.low), r.plan.Aggression) * float64(r.plan.Window))
	r.proved, r.halved = false, now
	r.forget()
}

// Wait tells how long the rate makes the next attempt wait; 0: not at all.
func (r *Ramp) Wait(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	missing := 1 - r.limiter.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	perSecond := float64(r.limiter.Limit())
	if perSecond <= 0 {
		return time.Second
	}
	return min(time.Second, max(time.Duration(missing/perSecond*float64(time.Second)), time.Microsecond))
}

// Take counts an attempt that begins now.
func (r *Ramp) Take(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limiter.AllowN(now, 1)
}

// Ended is an attempt as the ramp sees it.
type Ended struct {
	Began time.Time
	Took  time.Duration // to the response head
	Sign  Sign
	// Again says that this record failed before. Another failure of the same
	// record says little about the upstream, so that one bad key slows no other.
	Again bool
	// Asked is how long the upstream asked to be left alone. It is, once more
	// than one record failed; one alone may be all that is meant.
	Asked time.Duration
}

// Ended takes note of an attempt.
func (r *Ramp) Ended(now time.Time, e Ended) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot := &r.slots[r.slot]
	switch {
	case e.Sign == Good:
		slot.good++
		slot.took.add(e.Took)
		r.proved = true
	case e.Sign == Denied, e.Sign == Unsent, e.Began.Before(r.halved), e.Again && e.Sign != Unreached:
		// says nothing new about the upstream
	default:
		slot.bad++
	}
	if until := now.Add(e.Asked); e.Asked > 0 && until.After(r.until) {
		if w := r.window(); !w.failing() {
			return
		}
		if !r.until.After(now) {
			r.halve(now)
		}
		r.until = until
	}
}

// Silent tells for how long the upstream has still to be left alone.
func (r *Ramp) Silent(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.until.Sub(now))
}

// pace is where a ramp stands, for the forecast and for people.
type pace struct {
	Plan             continuity.Ramp
	Low              float64
	Healthy          time.Duration
	Capacity, Live   float64
	Share, PerSecond float64
	Halved           time.Time // when last
}

func (r *Ramp) now() pace {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := share(r.plan, r.low, r.healthy)
	return pace{
		Plan: r.plan, Low: r.low, Healthy: r.healthy, Capacity: r.capacity, Live: r.live,
		Share: s, PerSecond: allowed(r.capacity, r.live, s), Halved: r.halved,
	}
}
