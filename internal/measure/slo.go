package measure

import (
	"strconv"
	"time"
)

// SLO is a promise about requests: how many of them, at least, are good.
type SLO struct {
	Name   string
	Target float64 // 0.999
	Good   string  // the counter of good requests
	Total  string  // the counter of all
	Up     string  // a gauge that is 1 while it is kept and 0 while not; in place of counters
	// Window is the time that the budget is for; 30 days. In a shorter one the
	// same burning is less fast: what wakes somebody is the share that is gone.
	Window time.Duration
	// Fast is the level of what empties the budget within days and is to wake
	// somebody, Slow of what can wait for working hours.
	Fast, Slow string
}

// Check returns an error for an SLO that was put together and can't work.
func (s *SLO) Check() error {
	if !(s.Target > 0 && s.Target < 1) {
		return invalid("%g is no target between 0 and 1", s.Target)
	}
	for _, series := range []string{s.Total, s.Good, s.Up} {
		if series != "" {
			if err := selects(series); err != nil {
				return err
			}
		}
	}
	return nil
}

// burning are the rates of burning an SLO's budget that are worth a warning,
// each over a long time, so that it is significant, and a short one, so that it
// ends soon after its cause. At 14.4 a budget of 30 days is gone in two days.
var burning = []struct {
	id          string
	factor      float64
	long, short string
	fast        bool
}{
	{"fast", 14.4, "1h", "5m", true},
	{"slow", 6, "6h", "30m", true},
	{"ticket", 1, "3d", "6h", false},
}

// usual is the window that the rates of burning are for.
const usual = 30 * 24 * time.Hour

// Rules returns the thresholds of the SLO's budget: NAME.fast and NAME.slow are of
// the level Fast, NAME.ticket is of Slow. What they measure is how
// many times faster than allowed the budget is spent, over both times.
func (s SLO) Rules() []Rule {
	var rules []Rule
	for _, b := range burning {
		m := Measure{Name: s.Name + ".burn." + b.id, Exprs: []string{s.burn(b.long), s.burn(b.short)}}
		limit := b.factor
		if s.Window > 0 {
			limit = max(1, limit*float64(s.Window)/float64(usual))
		}
		level := s.Slow
		if b.fast {
			level = s.Fast
		}
		// The two times are hysteresis enough.
		rules = append(rules, Rule{ID: s.Name + "." + b.id, Measure: m, Limit: limit, Clear: &limit, Level: level})
	}
	return rules
}

func (s SLO) burn(over string) string {
	budget := strconv.FormatFloat(1-s.Target, 'g', 12, 64)
	if s.Up != "" {
		return "(1 - avg(avg_over_time(" + s.Up + "[" + over + "]))) / " + budget
	}
	return "(1 - " + share(s.Good, s.Total, over) + ") / " + budget
}
