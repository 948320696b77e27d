package watch

import "holdfast/internal/continuity"

// Vote is what one node holds to be so.
type Vote struct {
	Node     string
	State    continuity.CheckState
	Isolated bool // it can't reach its own anchors
}

// Agree makes one state of the votes of all nodes that look at a check; a node
// that said nothing has a vote, too, which is unknown. As many as the quorum have
// to say the same, or more than half where it is 0; where it is so few that two
// states have it, the worse one holds. What is degraded for some and down for
// others is degraded at least.
func Agree(votes []Vote, quorum int) continuity.CheckState {
	count := map[continuity.CheckState]int{}
	for _, v := range votes {
		if !v.Isolated {
			count[v.State]++
		}
	}
	need := quorum
	if need <= 0 {
		need = len(votes)/2 + 1
	}
	switch {
	case count[continuity.CheckDown] >= need:
		return continuity.CheckDown
	case count[continuity.CheckDown]+count[continuity.CheckDegraded] >= need:
		return continuity.CheckDegraded
	case count[continuity.CheckUp] >= need:
		return continuity.CheckUp
	}
	return continuity.CheckUnknown
}

// Isolated says that a node is: it has anchors, and none of them is reached.
func Isolated(anchors []continuity.CheckState) bool {
	for _, a := range anchors {
		if a == continuity.CheckUp || a == continuity.CheckDegraded {
			return false
		}
	}
	return len(anchors) > 0
}
