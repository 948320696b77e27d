package backup

import (
	"slices"
	"time"
)

// Goes is a piece that need not stay.
type Goes struct {
	Manifest
	Why string
}

// Judged is what retention makes of a set.
type Judged struct {
	Keep, Drop []Held
	Why        map[string]string // of each chain, by the id of its full piece
	Goes       []Goes            // in the order in which they are to go
}

// settled is how long a span of the log stays after another one covers it: who began to
// restore before that may still read it.
const settled = 15 * time.Minute

// Judge decides which pieces of a set need not stay. All pieces of the set have to be
// given, as what follows on nothing counts as lost. Full pieces go first: what follows on
// them is then worth nothing, and nobody takes the rest for a chain.
func Judge(pieces []Manifest, proofs []Proof, rules Rules, now time.Time) Judged {
	var held []Held
	for _, c := range Assemble(pieces) {
		held = append(held, Held{Chain: c, State: StateOf(c, proofs)})
	}
	var j Judged
	j.Keep, j.Drop, j.Why = Keep(held, rules, now)
	gone := map[string]bool{}
	add := func(p Manifest, why string) {
		if !gone[p.ID] {
			gone[p.ID] = true
			j.Goes = append(j.Goes, Goes{p, why})
		}
	}
	for _, c := range j.Drop {
		add(c.Full, DroppedPast)
	}
	for _, p := range lone(pieces, gone) {
		add(p, DroppedLone)
	}
	for _, p := range logsBefore(pieces, j.Keep) {
		add(p, DroppedLog)
	}
	for _, p := range settledOld(pieces) {
		add(p, DroppedOld)
	}
	return j
}

// StateOf says what proofs tell of a chain as a whole: it is proven if any state in it is
// that can still be had, unless the full piece was refuted since.
func StateOf(c Chain, proofs []Proof) State {
	if !c.Whole() {
		return Unproven
	}
	state := Unproven
	for _, p := range slices.Concat([]Manifest{c.Full}, c.Deltas) {
		proof, ok := newest(p, proofs)
		switch {
		case ok && proof.Good:
			state = Proven
		case ok && p.ID == c.Full.ID:
			return Refuted
		case ok && state == Unproven:
			state = Refuted
		}
	}
	return state
}

// lone are the deltas that follow on nothing, or on what goes.
func lone(pieces []Manifest, gone map[string]bool) []Manifest {
	follows := index(pieces).children
	reached := map[string]bool{}
	var walk []string
	for _, p := range pieces {
		if p.Type == TypeFull && !gone[p.ID] {
			walk = append(walk, p.ID)
		}
	}
	for len(walk) > 0 {
		on := walk[len(walk)-1]
		walk = walk[:len(walk)-1]
		if reached[on] {
			continue
		}
		reached[on] = true
		for _, d := range follows[on] {
			walk = append(walk, d.ID)
		}
	}
	return slices.DeleteFunc(slices.Clone(pieces), func(p Manifest) bool { return p.Type != TypeDelta || reached[p.ID] })
}

// logsBefore are the spans of the log that end before every chain that stays begins.
func logsBefore(pieces []Manifest, keep []Held) []Manifest {
	if len(keep) == 0 {
		return nil
	}
	var before []Manifest
	for _, p := range pieces {
		if p.Type == TypeLog && !slices.ContainsFunc(keep, func(c Held) bool {
			if p.From.Along(c.Full.From) {
				return p.To.Compare(c.Full.From) > 0
			}
			return !p.Started.Before(c.Full.Started)
		}) {
			before = append(before, p)
		}
	}
	return before
}

// settledOld are the spans of the log that others cover since a while, by the times of
// the log itself.
func settledOld(pieces []Manifest) []Manifest {
	var newest time.Time
	for _, p := range pieces {
		if p.Type == TypeLog {
			newest = later(newest, p.Started)
		}
	}
	return slices.DeleteFunc(Superseded(pieces), func(p Manifest) bool {
		return newest.Sub(p.Started) < settled
	})
}
