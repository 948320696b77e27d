package measure

import (
	"math"
	"time"
)

// Rule is a threshold of a measure.
type Rule struct {
	ID      string
	Measure Measure
	Limit   float64
	Under   bool // the rule is broken below the limit, otherwise above it
	// Clear is the value on the good side of the limit at which the warning
	// ends; nil: a tenth of the limit away from it. Between the two a warning
	// that stands goes on standing.
	Clear *float64
	For   time.Duration // how long it must be broken, and then kept
	Level string        // blue, yellow, orange, red
}

// Status is what is known of a rule at a time.
type Status string

// The statuses.
const (
	Kept    Status = "kept"
	Pending Status = "pending" // broken, not for long enough yet
	Broken  Status = "broken"
	Unknown Status = "unknown" // no data: neither good nor bad
)

// State is where a rule stands. It is all that has to be remembered of it.
type State struct {
	Status Status    `json:"status"`
	Open   bool      `json:"open"`  // a warning stands; without data it goes on standing
	Since  time.Time `json:"since"` // of Status
	Value  float64   `json:"value"` // the worst; the last known one while there is no data
	// Turning is when the value went to the other side: broken while no warning
	// stands, good while one does. Zero while it has not.
	Turning time.Time `json:"turning,omitzero"`
}

// step takes what was measured at a time. No values means no data.
func (r *Rule) step(s State, at time.Time, values []float64) State {
	if s.Status == "" {
		s.Status, s.Since = Unknown, at
	}
	if len(values) == 0 {
		s.Turning = time.Time{}
		return s.to(Unknown, at)
	}
	s.Value = r.worst(values)
	turned := r.beyond(s.Value)
	if s.Open {
		turned = r.clear(s.Value)
	}
	switch {
	case !turned:
		s.Turning = time.Time{}
	case s.Turning.IsZero():
		s.Turning = at
	}
	if turned && at.Sub(s.Turning) >= r.For {
		s.Open, s.Turning = !s.Open, time.Time{}
	}
	switch {
	case s.Open:
		return s.to(Broken, at)
	case !s.Turning.IsZero():
		return s.to(Pending, at)
	}
	return s.to(Kept, at)
}

func (s State) to(status Status, at time.Time) State {
	if s.Status != status {
		s.Status, s.Since = status, at
	}
	return s
}

func (r *Rule) worst(values []float64) float64 {
	worst := values[0]
	for _, v := range values[1:] {
		if r.Under {
			worst = min(worst, v)
		} else {
			worst = max(worst, v)
		}
	}
	return worst
}

func (r *Rule) beyond(v float64) bool {
	if r.Under {
		return v < r.Limit
	}
	return v > r.Limit
}

func (r *Rule) clear(v float64) bool {
	away := math.Abs(r.Limit) / 10
	if r.Under {
		bound := r.Limit + away
		if r.Clear != nil {
			bound = *r.Clear
		}
		return v >= bound
	}
	bound := r.Limit - away
	if r.Clear != nil {
		bound = *r.Clear
	}
	return v <= bound
}

// Check returns an error for a rule that can't work.
func (r *Rule) Check() error {
	switch {
	case r.ID == "" || len(r.Measure.Exprs) == 0:
		return invalid("a threshold needs an id and a measure")
	case math.IsNaN(r.Limit) || math.IsInf(r.Limit, 0):
		return invalid("the limit of %s is no number", r.ID)
	case r.For < 0:
		return invalid("%s is to be broken for less than no time", r.ID)
	case r.Clear != nil && (r.Under && *r.Clear < r.Limit || !r.Under && *r.Clear > r.Limit):
		return invalid("%s would end before it began: clear is on the bad side of the limit", r.ID)
	}
	return nil
}
