package watch

import "holdfast/internal/continuity"

// Rule is how many looks make a state.
type Rule struct {
	Down int // so many ...
	Of   int // ... of the last so many are down
	Up   int // so many better ones in a row end it
}

// DefaultRule: two of three are down, two in a row are up.
var DefaultRule = Rule{Down: 2, Of: 3, Up: 2}

// maxDamping bounds by what Up is multiplied for what keeps changing; calm is
// after how many looks without getting worse one doubling is taken back.
const (
	maxDamping = 8
	calm       = 20
)

// Trend follows one check on one node. It is no timer: whoever schedules looks
// adds an unknown one where none came.
type Trend struct {
	rule     Rule
	held     continuity.CheckState   // what was last shown to be so; up at first, but not sure
	sure     bool                    // and it is recent enough
	last     []continuity.CheckState // looks that learnt something, as many as count
	better   int                     // of them in a row that were better than held
	blind    int                     // looks in a row that learnt nothing
	unproven int                     // looks since one that was as held says
	damping  int                     // by what Up is multiplied
	calm     int                     // looks since it got worse, or damping went back
	fallen   bool                    // it got worse before
}

// NewTrend begins with an unknown state. Numbers that make no sense are those of
// DefaultRule.
func NewTrend(rule Rule) *Trend {
	if rule.Down < 1 || rule.Of < rule.Down || rule.Up < 1 {
		rule = DefaultRule
	}
	return &Trend{rule: rule, held: continuity.CheckUp, damping: 1}
}

// State is what holds now.
func (t *Trend) State() continuity.CheckState {
	if !t.sure {
		return continuity.CheckUnknown
	}
	return t.held
}

// Add takes the next look and returns what holds then.
func (t *Trend) Add(look continuity.CheckState) continuity.CheckState {
	if t.calm++; t.calm >= calm {
		t.calm, t.damping = 0, max(1, t.damping/2)
	}
	if t.unproven++; look == t.held {
		t.unproven = 0
	}
	if t.held == continuity.CheckUp && t.unproven >= 2*t.rule.Of {
		t.sure = false
	}
	if severity(look) == 0 {
		if t.blind++; t.blind >= t.rule.Of {
			t.sure, t.better, t.last = false, 0, nil
		}
		return t.State()
	}
	t.blind = 0
	if t.last = append(t.last, look); len(t.last) > t.rule.Of {
		t.last = t.last[1:]
	}
	switch worse := t.worse(); {
	case worse != "":
		t.worsen(worse)
	case severity(look) < severity(t.held):
		if t.better++; t.better >= t.rule.Up*t.damping {
			t.held, t.sure, t.better, t.unproven, t.last = look, true, 0, 0, nil
		}
	case look == t.held:
		t.sure, t.better = true, 0
	default:
		t.better = 0
	}
	return t.State()
}

// worse is the state that enough of the last looks show, if it is worse than the
// one that holds.
func (t *Trend) worse() continuity.CheckState {
	for _, state := range []continuity.CheckState{continuity.CheckDown, continuity.CheckDegraded} {
		n := 0
		for _, look := range t.last {
			if severity(look) >= severity(state) {
				n++
			}
		}
		if n >= t.rule.Down && severity(state) > severity(t.held) {
			return state
		}
	}
	return ""
}

func (t *Trend) worsen(state continuity.CheckState) {
	if t.fallen && t.calm < calm {
		t.damping = min(maxDamping, t.damping*2)
	}
	t.held, t.sure, t.better, t.unproven, t.calm, t.fallen = state, true, 0, 0, 0, true
}

// severity orders what was learnt; 0 is nothing.
func severity(s continuity.CheckState) int {
	switch s {
	case continuity.CheckUp:
		return 1
	case continuity.CheckDegraded:
		return 2
	case continuity.CheckDown:
		return 3
	}
	return 0
}

// Blind makes the state unknown at once: nothing was heard for too long.
func (t *Trend) Blind() {
	t.sure, t.better, t.last, t.blind = false, 0, nil, t.rule.Of
}
