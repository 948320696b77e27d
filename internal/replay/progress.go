package replay

import (
	"encoding/json"
	"time"

	"holdfast/internal/continuity"
)

// Pause says why a route's replay sends nothing; its text is a message id.
type Pause string

// The pauses. A route that has nothing to send is not paused.
const (
	PauseNone        Pause = ""
	PauseOff         Pause = "off"         // a switch says so
	PauseCredentials Pause = "credentials" // 401, 403 or 407; until a person resumes it
	PauseUnreachable Pause = "unreachable" // the last attempt found nobody; the next is a probe
	PauseRetryAfter  Pause = "retry-after" // the upstream asked for it
	PauseLatched     Pause = "latched"     // the journal latched
	PauseJournal     Pause = "journal"     // the journal can't be read or written just now
	PauseParked      Pause = "parked"      // all that is left stands behind parked records
)

// Seconds is a duration that JSON shows as a number of seconds.
type Seconds time.Duration

// MarshalJSON writes seconds with milliseconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(float64(time.Duration(s).Milliseconds()) / 1000)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	err := json.Unmarshal(b, &f)
	*s = Seconds(f * float64(time.Second))
	return err
}

// Progress is how far a route's replay is and how it will go on.
type Progress struct {
	Route    string  `json:"route"`
	Mode     string  `json:"mode"` // on, trial or off
	Paused   Pause   `json:"paused,omitempty"`
	Backlog  int64   `json:"backlog"` // records that replay will send
	Parked   int64   `json:"parked"`  // records that wait for a person
	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"rate"`    // records ended a second
	Allowed  float64 `json:"allowed"` // a second, by the ramp
	Gain     float64 `json:"gain"`    // records accepted a second
	LiveRate float64 `json:"live_rate"`
	Capacity float64 `json:"capacity"`
	Share    float64 `json:"share"` // of the capacity, by the ramp
	// Measured says that nobody stated the capacity.
	Measured bool       `json:"measured"`
	Started  *time.Time `json:"started,omitempty"`
	// ExpectedEnd is how long the drain will last from now on, or would if it
	// began now; without Ends it does not end at these rates.
	ExpectedEnd Seconds `json:"expected_end"`
	Ends        bool    `json:"ends"`
	OldestAge   Seconds `json:"oldest_age"`
	// ExpiresFirst warns that the oldest record would be too old before the end.
	ExpiresFirst bool      `json:"expires_first"`
	Gaining      []Gaining `json:"gaining,omitempty"` // keys that gain faster than they drain
}

// Progress tells how the route's replay stands.
func (d *Drainer) Progress() Progress {
	c := d.Ledger.Counters(d.route)
	_, mode := d.Ledger.Effective(d.route)
	backlog := drainable(c)
	o := d.outlook(backlog, mode)
	p := Progress{
		Route: d.route, Mode: mode.String(), Backlog: backlog, Parked: c.Parked,
		Allowed: o.PerSecond, Capacity: o.Capacity, Measured: d.Route.Capacity <= 0, Share: o.Share,
		OldestAge: Seconds(c.OldestAge), Gaining: d.gains.top(),
	}
	p.LiveRate, _ = d.Meter.Rates()
	d.mu.Lock()
	p.InFlight, p.Rate, p.Gain, p.Paused = d.inFlight, d.flow.drained, d.flow.gain, d.paused
	if began := d.began; !began.IsZero() && backlog > 0 {
		p.Started = &began
	}
	d.mu.Unlock()
	p.Paused = d.explain(p, mode, c.Parked)
	end, ends := o.end()
	p.ExpectedEnd, p.Ends = Seconds(end), ends
	p.ExpiresFirst = backlog > 0 && expiresFirst(d.Route.Hold.Age, c.OldestAge, end, ends)
	return p
}

// expiresFirst tells whether the oldest record would be too old before the
// drain's end. One that has just begun may not see its end yet.
func expiresFirst(limit, oldest, end time.Duration, ends bool) bool {
	if limit <= 0 {
		return false
	}
	if !ends {
		return oldest > limit/10
	}
	return oldest+end > limit
}

// warn says once a drain that it would take longer than the oldest record may
// wait.
func (d *Drainer) warn() {
	p := d.Progress()
	if p.ExpiresFirst && !d.warned {
		d.Logger.Warn("the oldest record would expire before the drain ends", "route", d.route, "backlog", p.Backlog,
			"oldest_age", time.Duration(p.OldestAge), "age_limit", d.Route.Hold.Age, "expected_end", time.Duration(p.ExpectedEnd), "ends", p.Ends)
	}
	d.warned = p.ExpiresFirst
}

// explain finds the reason that helps most.
func (d *Drainer) explain(p Progress, mode continuity.Replay, parked int64) Pause {
	switch {
	case d.Ledger.Latched() != nil:
		return PauseLatched
	case mode == continuity.ReplayOff:
		for _, s := range d.Ledger.Switches(d.route) {
			if s.Owner == Owner && s.Replay == continuity.ReplayOff {
				return Pause(s.Reason)
			}
		}
		return PauseOff
	case p.Paused == PauseOff:
		return PauseNone // it just ended
	case p.Paused == PauseNone && parked > 0 && p.Backlog > 0 && p.InFlight == 0:
		if _, due := d.Ledger.NextDue(d.route); !due && p.Rate < 0.01 {
			return PauseParked
		}
	}
	return p.Paused
}

func (d *Drainer) setPaused(p Pause, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p == d.paused {
		return
	}
	d.paused = p
	if p != PauseNone {
		d.Logger.Debug("replay pauses", "route", d.route, "reason", string(p), "wait", wait)
	}
}
