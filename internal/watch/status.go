package watch

import (
	"maps"
	"slices"

	"holdfast/internal/continuity"
)

// Status is how a component or a service fares, for people.
type Status string

// The statuses, from well to worst; Unknown is none of them.
const (
	Operational   Status = "operational"
	SlowStatus    Status = "degraded_performance"
	PartialOutage Status = "partial_outage"
	MajorOutage   Status = "major_outage"
	UnknownStatus Status = "unknown"
)

var ranks = map[Status]int{Operational: 1, SlowStatus: 2, PartialOutage: 3, MajorOutage: 4}

// Part is a component as its status is found.
type Part struct {
	ID        string
	Checks    []string // ids of checks
	DependsOn []string // ids of parts
}

// Statuses finds the status of each part by its checks. One without checks of
// its own fares as the worst of those that it depends on; where there is none
// either, nothing is known. The whole is of all parts that something is looked at
// for; the checks that no part names count for it as one more.
func Statuses(parts []Part, states map[string]continuity.CheckState) (each map[string]Status, whole Status) {
	each = map[string]Status{}
	var watched []Status
	others := maps.Clone(states)
	for _, p := range parts {
		if len(p.Checks) > 0 {
			each[p.ID] = ofChecks(p.Checks, states)
			watched = append(watched, each[p.ID])
		}
		for _, id := range p.Checks {
			delete(others, id)
		}
	}
	if len(others) > 0 {
		watched = append(watched, ofChecks(slices.Collect(maps.Keys(others)), others))
	}
	whole = ofParts(watched)
	for _, p := range parts {
		if len(p.Checks) == 0 {
			each[p.ID] = inherited(p, parts, each)
		}
	}
	return each, whole
}

func inherited(p Part, parts []Part, each map[string]Status) Status {
	seen := map[string]bool{p.ID: true}
	var found []Status
	for next := slices.Clone(p.DependsOn); len(next) > 0; next = next[1:] {
		id := next[0]
		i := slices.IndexFunc(parts, func(q Part) bool { return q.ID == id })
		if i < 0 || seen[id] {
			continue
		}
		seen[id] = true
		if len(parts[i].Checks) > 0 {
			found = append(found, each[id])
			continue
		}
		next = append(next, parts[i].DependsOn...)
	}
	return worst(found)
}

// ofChecks: all down is a major outage, some a partial one. What is not known
// does not hide what is known to be bad, and is never well.
func ofChecks(checks []string, states map[string]continuity.CheckState) Status {
	count := map[continuity.CheckState]int{}
	for _, id := range checks {
		state := states[id]
		if severity(state) == 0 {
			state = continuity.CheckUnknown
		}
		count[state]++
	}
	switch {
	case len(checks) == 0:
		return UnknownStatus
	case count[continuity.CheckDown] == len(checks):
		return MajorOutage
	case count[continuity.CheckDown] > 0:
		return PartialOutage
	case count[continuity.CheckDegraded] > 0:
		return SlowStatus
	case count[continuity.CheckUnknown] > 0:
		return UnknownStatus
	}
	return Operational
}

// ofParts: a service that is down in one part is down partially.
func ofParts(parts []Status) Status {
	if slices.IndexFunc(parts, func(s Status) bool { return s != MajorOutage }) < 0 {
		return worst(parts)
	}
	if s := worst(parts); s != MajorOutage {
		return s
	}
	return PartialOutage
}

// worst is the worst that is known; well only where all is.
func worst(all []Status) Status {
	result, unknown := UnknownStatus, len(all) == 0
	for _, s := range all {
		unknown = unknown || ranks[s] == 0
		if ranks[s] > ranks[result] {
			result = s
		}
	}
	if unknown && result == Operational {
		return UnknownStatus
	}
	return result
}
