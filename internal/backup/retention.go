package backup

import (
	"slices"
	"time"
)

// Rules say which backups of a set stay.
type Rules struct {
	Proven int           // so many proven chains stay at least, whatever the dates say
	For    time.Duration // moments so long ago can be brought back; 0: whatever there is
	Every  time.Duration // how often a full piece is made; 0: judged by when they were
}

// Why a chain stays or goes.
const (
	KeptFor     = "for"     // it brings back moments that are to be had
	KeptProven  = "proven"  // it is one of the newest that were proven
	KeptFew     = "few"     // too few are proven for anything to go
	KeptClock   = "clock"   // the clock and the newest backup do not fit
	KeptNext    = "next"    // nothing proven comes after it that is old enough
	DroppedPast = "past"    // it brings back nothing that is to be had
	DroppedOld  = "old"     // another span of the log covers it
	DroppedLone = "lone"    // what it follows on is gone
	DroppedLog  = "no-base" // nothing that stays needs this span of the log
)

// Held is a chain and what is known of it.
type Held struct {
	Chain
	State State
}

// Keep decides which chains stay. Nothing goes by the clock alone: age is what was lived
// from one backup to the next, so that a clock that jumped ages nothing, and while the
// newest backup does not fit the clock nothing goes at all. A chain goes when a proven one
// after it is older than what is to be had, and at least as many proven ones stay as the
// rules want.
func Keep(chains []Held, rules Rules, now time.Time) (keep, drop []Held, why map[string]string) {
	why = map[string]string{}
	chains = slices.Clone(chains)
	slices.SortFunc(chains, func(a, b Held) int { return orderFull(a.Full, b.Full) })
	if reason := keepAll(chains, rules, now); reason != "" {
		for _, c := range chains {
			why[c.Full.ID] = reason
		}
		return chains, nil, why
	}
	lived := livedSince(chains, interval(chains, rules.Every))
	after := -1 // the oldest proven chain after this one
	left := 0   // proven ones that are newer
	for i := len(chains) - 1; i >= 0; i-- {
		c := chains[i]
		switch {
		case lived[i] <= rules.For:
			why[c.Full.ID] = KeptFor
		case c.State == Proven && left < rules.least():
			why[c.Full.ID] = KeptProven
		case left < rules.least():
			why[c.Full.ID] = KeptFew
		case lived[after] <= rules.For:
			why[c.Full.ID] = KeptNext
		default:
			why[c.Full.ID] = DroppedPast
		}
		if c.State == Proven {
			left, after = left+1, i
		}
	}
	for _, c := range chains {
		if why[c.Full.ID] == DroppedPast {
			drop = append(drop, c)
		} else {
			keep = append(keep, c)
		}
	}
	return keep, drop, why
}

// least is never none: the last backup that is known to be one stays.
func (r Rules) least() int { return max(r.Proven, 1) }

// keepAll says why nothing may go, if so.
func keepAll(chains []Held, rules Rules, now time.Time) string {
	proven := 0
	for _, c := range chains {
		if c.State == Proven {
			proven++
		}
	}
	switch {
	case rules.For <= 0:
		return KeptFor
	case proven < rules.least():
		return KeptFew
	}
	since := now.Sub(chains[len(chains)-1].Full.Taken)
	if since < -time.Hour || since > 3*interval(chains, rules.Every)+48*time.Hour {
		return KeptClock
	}
	return ""
}

// livedSince is how long ago each chain was taken, by the times between one and the next,
// none of which counts for more than the interval.
func livedSince(chains []Held, every time.Duration) []time.Duration {
	lived := make([]time.Duration, len(chains))
	for i := len(chains) - 2; i >= 0; i-- {
		gap := chains[i+1].Full.Taken.Sub(chains[i].Full.Taken)
		lived[i] = lived[i+1] + min(max(gap, 0), every)
	}
	return lived
}

// interval is how often a chain begins: what the rules say, or the median of what was. By
// a few it can't be told; a jump of the clock would be among them.
func interval(chains []Held, says time.Duration) time.Duration {
	if says > 0 {
		return says
	}
	var gaps []time.Duration
	for i := 1; i < len(chains); i++ {
		gaps = append(gaps, chains[i].Full.Taken.Sub(chains[i-1].Full.Taken).Abs())
	}
	slices.Sort(gaps)
	if len(gaps) < 3 {
		return 24 * time.Hour
	}
	return min(gaps[(len(gaps)-1)/2], 31*24*time.Hour)
}
