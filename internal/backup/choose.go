package backup

import (
	"cmp"
	"slices"
	"time"
)

// Offer is what one target has of a set.
type Offer struct {
	Service, Set string
	Target       string // its name
	Chains       []Chain
	Proofs       []Proof
}

// Why a candidate is as good as it is.
const (
	BecauseRealTime   = "real-time"  // a log brings it to the moment itself
	BecauseSnapshot   = "snapshot"   // it brings back to when it was taken
	BecauseProven     = "proven"     // a restore of it found the recorded figures
	BecauseUnproven   = "unproven"   // nobody has restored it yet
	BecauseRefuted    = "refuted"    // the newest restore of it failed
	BecauseLoses      = "loses"      // changes before the moment are missing
	BecauseCut        = "cut"        // something of its log is missing before the moment
	BecauseUnmeasured = "unmeasured" // no restore tells how long it takes
)

// Candidate is a way to bring a set back.
type Candidate struct {
	Service, Set, Target string
	Pieces               []Manifest // in the order in which they are restored; the first is the full one
	Bytes                int64      // of their files
	Reaches              time.Time
	Loss                 time.Duration // what of the time before the moment is missing
	Takes                time.Duration // until it can be asked; 0: nobody knows
	RealTime             bool
	State                State
	ProvenAt             time.Time
	Reasons              []string

	logged, cut bool
}

// Choose ranks the ways to bring sets back to a moment, or to the newest change where it is
// zero; now is what the newest is held against. Candidates of one set stand together, sets
// in the order of the offers.
func Choose(offers []Offer, moment, now time.Time) []Candidate {
	var all []Candidate
	rank, least := map[string]int{}, map[string]time.Duration{}
	for _, o := range offers {
		id := o.Service + "/" + o.Set
		if _, known := rank[id]; !known {
			rank[id] = len(rank)
		}
		speed := measured(o.Proofs)
		for _, c := range o.Chains {
			found, ok := candidate(o, c, moment, now, speed)
			if !ok {
				continue
			}
			all = append(all, found)
			if loss, known := least[id]; !known || found.Loss < loss {
				least[id] = found.Loss
			}
		}
	}
	for i := range all {
		all[i].judge(least[all[i].Service+"/"+all[i].Set])
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		return cmp.Or(
			cmp.Compare(rank[a.Service+"/"+a.Set], rank[b.Service+"/"+b.Set]),
			first(a.RealTime, b.RealTime),
			cmp.Compare(merit(a.State), merit(b.State)),
			cmp.Compare(a.Loss, b.Loss),
			cmp.Compare(a.Takes, b.Takes),
			b.Pieces[0].Taken.Compare(a.Pieces[0].Taken),
			cmp.Compare(a.Target, b.Target),
		)
	})
	return all
}

// near is how much a log may lack of the moment and still count as real-time: a little is
// always under way.
const near = time.Minute

func candidate(o Offer, c Chain, moment, now time.Time, speed float64) (Candidate, bool) {
	pieces, reaches := c.Until(moment)
	if len(pieces) == 0 {
		return Candidate{}, false
	}
	wanted := moment
	if wanted.IsZero() || wanted.After(now) {
		wanted = now
	}
	state, proof := Proved(pieces, o.Proofs)
	found := Candidate{
		Service: o.Service, Set: o.Set, Target: o.Target, Pieces: pieces,
		Reaches: reaches, Loss: max(wanted.Sub(reaches), 0), State: state, ProvenAt: proof.Ended,
	}
	for _, p := range pieces {
		found.Bytes += p.Bytes
	}
	found.cut = slices.ContainsFunc(c.Faults, func(f Fault) bool { return f.Kind != FaultDouble })
	found.logged = len(c.Logs) > 0
	found.Takes = time.Duration(float64(found.Bytes) * speed * float64(time.Second))
	return found, true
}

// judge says what speaks for it and against it, beside the one that loses least of the set.
func (c *Candidate) judge(least time.Duration) {
	c.RealTime = c.logged && c.Loss <= least+near
	say := func(when bool, reason string) {
		if when {
			c.Reasons = append(c.Reasons, reason)
		}
	}
	say(c.RealTime, BecauseRealTime)
	say(!c.RealTime, BecauseSnapshot)
	say(c.State == Proven, BecauseProven)
	say(c.State == Unproven, BecauseUnproven)
	say(c.State == Refuted, BecauseRefuted)
	say(c.Loss > 0, BecauseLoses)
	say(c.cut && c.Loss > near, BecauseCut)
	say(c.Takes == 0, BecauseUnmeasured)
}

// measured is what restores for proof took for each byte, in seconds: the newest counts.
func measured(proofs []Proof) float64 {
	var newest Proof
	for _, p := range proofs {
		if p.Good && p.Speed.Bytes > 0 && p.Ended.After(newest.Ended) {
			newest = p
		}
	}
	if newest.Speed.Bytes == 0 {
		return 0
	}
	return newest.Speed.Restore / float64(newest.Speed.Bytes)
}

func merit(s State) int { return slices.Index([]State{Proven, Unproven, Refuted}, s) }

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
