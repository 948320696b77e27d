package flow

import (
	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
)

// conclude makes of the steps what is known of the service: down where a step
// failed that all depends on, degraded where a part does not work, is late or
// could not be cleaned up after.
func (r *run) conclude() {
	o := probe.Outcome{Values: map[string]float64{}, CertExpires: r.expires}
	partial := map[string]bool{}
	for _, s := range r.flow.steps {
		partial[s.ID] = s.Partial
	}
	left := 0
	for _, s := range r.report.Steps {
		if s.State == Skipped {
			continue
		}
		if s.Cleanup {
			if s.State == Failed {
				left++
			}
			o = worse(o, s, continuity.CheckDegraded)
			continue
		}
		o.Values[s.ID+".seconds"] = s.Took.Seconds()
		o.Values[s.ID+".up"] = 0
		if s.State != Failed {
			o.Values[s.ID+".up"] = 1
		}
		switch {
		case s.unknown:
			o = worse(o, s, continuity.CheckUnknown)
		case s.State == Failed && !partial[s.ID]:
			o = worse(o, s, continuity.CheckDown)
		default:
			o = worse(o, s, continuity.CheckDegraded)
		}
	}
	if r.flow.Cleans {
		o.Values["left_behind"] = float64(left)
	}
	r.report.Outcome = o
}

// weight orders what steps say. What could not be learnt about one step says
// less than that another one failed.
var weight = map[continuity.CheckState]int{"": 0, continuity.CheckDegraded: 1, continuity.CheckUnknown: 2, continuity.CheckDown: 3}

// worse takes a step's word if it is worse than what is known; of two that weigh
// the same the first counts.
func worse(o probe.Outcome, s StepResult, state continuity.CheckState) probe.Outcome {
	if s.Reason.Code == "" || weight[state] <= weight[o.State] {
		return o
	}
	o.State, o.Reason = state, s.Reason
	if s.Cleanup && s.State == Failed {
		o.Reason = continuity.CheckReason{Code: "watch.flow-left", Step: s.ID}
	}
	return o
}
