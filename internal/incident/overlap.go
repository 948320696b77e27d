package incident

import (
	"cmp"
	"time"

	"holdfast/internal/continuity"
)

// Hitting is an incident with the processes that it hits.
type Hitting struct {
	continuity.Incident

	Processes []string
}

// before reports whether what both hit counts for it, and not for another incident: one
// that fails whole goes before one of which a part fails, then what was split off before
// what stayed, then the one that was declared first.
func (h *Hitting) before(i *continuity.Incident) bool {
	split := func(i *continuity.Incident) bool { return i.Origin.Kind == continuity.KindIncident }
	declared := h.Declared.Compare(i.Declared)
	if split(i) { // of a part of a part, the last one
		declared = -declared
	}
	return cmp.Or(cmp.Compare(b2i(h.Partial), b2i(i.Partial)), cmp.Compare(b2i(split(i)), b2i(split(&h.Incident))), declared, cmp.Compare(h.ID, i.ID)) < 0
}

// without are times as far as others don't cover them.
func without(times, others []continuity.Down) []continuity.Down {
	for _, o := range others {
		var left []continuity.Down
		for _, t := range times {
			if !o.From.Before(t.Until) || !o.Until.After(t.From) {
				left = append(left, t)
				continue
			}
			if o.From.After(t.From) {
				left = append(left, continuity.Down{From: t.From, Until: o.From})
			}
			if o.Until.Before(t.Until) {
				left = append(left, continuity.Down{From: o.Until, Until: t.Until})
			}
		}
		times = left
	}
	return times
}

// counted is how much of some times lies in the hours of the service.
func (p *Losing) counted(times []continuity.Down) (d time.Duration) {
	for _, t := range times {
		if p.Open != nil {
			d += p.Open(t.From, t.Until)
		} else {
			d += t.Until.Sub(t.From)
		}
	}
	return d
}
