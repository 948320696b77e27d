package warning

import (
	"encoding/json"
	"time"

	"holdfast/internal/continuity"
)

// CheckRule makes a warning of a check's state.
type CheckRule struct {
	Service string
	Rule    string
	Check   string // service/check
	State   continuity.CheckState
	For     time.Duration
	Level   continuity.Level
	Text    continuity.Text
	Owner   string
	Partial bool
	Sign    string
}

// broken is since when a check has been as a rule says, where that is longer
// than it has had its state: what is down was degraded before.
type broken struct {
	Since time.Time `json:"since"`
}

// lookChecks sees how the checks stand that rules are about.
func (e *Engine) lookChecks(rules []CheckRule, now time.Time) (seen []Sighting) {
	for i := range rules {
		seen = append(seen, e.lookCheck(&rules[i], now))
	}
	return seen
}

func (e *Engine) lookCheck(r *CheckRule, now time.Time) Sighting {
	s := Sighting{
		ID: RuleID(r.Service, r.Rule), Service: r.Service, Source: continuity.FromCheck, Rule: r.Rule, Owner: r.Owner,
		Text: r.Text, Partial: r.Partial, Sign: r.Sign,
	}
	c, there := e.checks[r.Check]
	if !there {
		c.State = continuity.CheckUnknown
	}
	if !r.broken(c.State) {
		s.Known = c.State != continuity.CheckUnknown
		if !s.Known { // what was broken before may be so still
			s.Memory = e.memories[s.ID].body
		}
		return s
	}
	var was broken
	if m := e.memories[s.ID].body; m != nil && json.Unmarshal(m, &was) == nil && was.Since.Before(c.Since) {
		s.Since = was.Since
	} else {
		s.Since, was.Since = c.Since, c.Since
	}
	if s.Since.IsZero() { // nobody ever looked
		return s
	}
	if r.For > 0 {
		s.Memory, _ = json.Marshal(was) // a time can be written
	}
	s.Evidence = []continuity.Evidence{{Kind: "check", ID: r.Check, Text: string(c.State), At: c.Since, Reason: c.Reason}}
	if w := e.warnings[s.ID]; now.Sub(s.Since) < r.For && (w == nil || !w.Stands()) {
		return s // not so for long enough; but neither is it well
	}
	s.Known, s.Level = true, r.Level
	return s
}

// broken reports whether a state is what the rule warns of. What is down is
// degraded, too.
func (r *CheckRule) broken(state continuity.CheckState) bool {
	return state == r.State || r.State == continuity.CheckDegraded && state == continuity.CheckDown
}
