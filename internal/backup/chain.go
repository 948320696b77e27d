package backup

import (
	"cmp"
	"slices"
	"time"
)

// Chain is a full piece and what follows on it without a gap: what brings the data back
// to moments from Begins to Ends. What follows are deltas or a log, never both.
type Chain struct {
	Full   Manifest
	Deltas []Manifest // each changes the one before
	Logs   []Manifest // in order; none that another one supersedes
	// Faults are what cuts the chain short, or keeps it from being one at all.
	Faults []Fault
}

// Whole says whether the data can be brought back at all: a full piece may need the log
// of the time in which it was taken.
func (c Chain) Whole() bool { return c.goes(c.Full.To) }

// goes says whether the full piece and the log behind it go as far as a place.
func (c Chain) goes(to Position) bool {
	return c.Full.From.IsZero() || c.Full.From.Compare(to) >= 0 ||
		len(c.Logs) > 0 && c.Logs[len(c.Logs)-1].To.Compare(to) >= 0
}

// Begins is the earliest moment to which the chain brings back.
func (c Chain) Begins() time.Time { return c.Full.Taken }

// Ends is the newest change that the chain has.
func (c Chain) Ends() time.Time {
	at := c.tip().Taken
	for _, log := range c.Logs {
		at = later(at, log.Taken)
	}
	return at
}

// Pieces are all of the chain, in the order in which they are restored.
func (c Chain) Pieces() []Manifest {
	return slices.Concat([]Manifest{c.Full}, c.Deltas, c.Logs)
}

// tip is the newest piece that is no log.
func (c Chain) tip() Manifest {
	if n := len(c.Deltas); n > 0 {
		return c.Deltas[n-1]
	}
	return c.Full
}

// Until returns the pieces that bring back to a moment, and the moment that they reach,
// which is never after it; with no moment, to the newest change. They are none where the
// chain begins later or is not whole.
func (c Chain) Until(moment time.Time) (pieces []Manifest, reaches time.Time) {
	switch {
	case !c.Whole() || !moment.IsZero() && c.Full.Taken.After(moment):
		return nil, time.Time{}
	case moment.IsZero():
		return c.Pieces(), c.Ends()
	}
	pieces, reaches = []Manifest{c.Full}, c.Full.Taken
	for _, d := range c.Deltas {
		if d.Taken.After(moment) {
			break
		}
		pieces, reaches = append(pieces, d), d.Taken
	}
	// What is needed of the log: up to the first span that goes past the moment, and no
	// less than what makes the full piece whole.
	for _, log := range c.Logs {
		if reaches.After(moment) && log.From.Compare(c.Full.To) >= 0 {
			break
		}
		pieces, reaches = append(pieces, log), later(reaches, log.Taken)
	}
	if reaches.After(moment) {
		reaches = moment
	}
	return pieces, reaches
}

// Through returns the pieces that bring back to where the figures of one of the chain's
// own pieces held, or none where the log does not go so far.
func (c Chain) Through(id string) []Manifest {
	if n := slices.IndexFunc(c.Deltas, func(d Manifest) bool { return d.ID == id }); n >= 0 {
		return slices.Concat([]Manifest{c.Full}, c.Deltas[:n+1])
	}
	goal := c.Full.To
	if c.Full.Exact.Compare(goal) > 0 {
		goal = c.Full.Exact
	}
	if c.Full.ID != id || !c.goes(goal) {
		return nil
	}
	pieces := []Manifest{c.Full}
	for i := 0; i < len(c.Logs) && c.Full.From.Compare(goal) < 0; i++ {
		pieces = append(pieces, c.Logs[i])
		if c.Logs[i].To.Compare(goal) >= 0 {
			break
		}
	}
	return pieces
}

// Assemble makes the chains of one data set, the oldest first. Chains share what they
// hold in common: it is to be read only.
func Assemble(pieces []Manifest) []Chain {
	all := index(pieces)
	var chains []Chain
	for _, full := range all.fulls {
		chains = append(chains, all.chain(full))
	}
	slices.SortFunc(chains, func(a, b Chain) int { return orderFull(a.Full, b.Full) })
	return chains
}

// order is by time and then by id, so that it is the same everywhere.
func order(a, b Manifest) int {
	return cmp.Or(a.Taken.Compare(b.Taken), a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID))
}

// orderFull goes by numbers, which no clock has given.
func orderFull(a, b Manifest) int { return cmp.Or(cmp.Compare(a.Number, b.Number), order(a, b)) }

// alongLog orders spans by where they begin, the longer one first.
func alongLog(a, b Manifest) int {
	return cmp.Or(a.From.Compare(b.From), b.To.Compare(a.To), order(a, b))
}

// indexed is the pieces of a set by what they follow on.
type indexed struct {
	ids      map[string]bool
	fulls    []Manifest            // by when they were begun
	deltas   map[string][]Manifest // by base
	children map[string][]Manifest // deltas by parent
	tips     map[string]Manifest   // the newest delta that follows on a piece
	courses  map[Position]*course
}

// course is a log of one system and timeline.
type course struct {
	sorted []Manifest
	runs   [][]Manifest // without a gap, in order; of as few spans as there can be
	first  map[string]Manifest
}

func index(pieces []Manifest) *indexed {
	x := &indexed{
		ids: map[string]bool{}, deltas: map[string][]Manifest{}, children: map[string][]Manifest{},
		tips: map[string]Manifest{}, courses: map[Position]*course{},
	}
	var deltas []Manifest
	for _, p := range pieces {
		x.ids[p.ID] = true
		switch p.Type {
		case TypeFull:
			x.fulls = append(x.fulls, p)
		case TypeDelta:
			deltas = append(deltas, p)
		case TypeLog:
			of := along(p.From)
			if x.courses[of] == nil {
				x.courses[of] = &course{first: map[string]Manifest{}}
			}
			x.courses[of].sorted = append(x.courses[of].sorted, p)
		}
	}
	byStart := func(a, b Manifest) int { return cmp.Or(a.Started.Compare(b.Started), order(a, b)) }
	slices.SortFunc(x.fulls, byStart)
	slices.SortFunc(deltas, byStart)
	for _, d := range slices.Backward(deltas) { // what follows on a piece was begun after it
		x.deltas[d.Base] = append(x.deltas[d.Base], d)
		x.children[d.Parent] = append(x.children[d.Parent], d)
		tip, follows := x.tips[d.ID]
		if !follows {
			tip = d
			x.tips[d.ID] = d
		}
		if was, known := x.tips[d.Parent]; !known || order(tip, was) > 0 {
			x.tips[d.Parent] = tip
		}
	}
	for _, c := range x.courses {
		slices.SortFunc(c.sorted, alongLog)
		c.runs = runs(c.sorted)
		for _, p := range c.sorted {
			id := x.before(p)
			if was, known := c.first[id]; !known || byStart(p, was) < 0 {
				c.first[id] = p
			}
		}
	}
	return x
}

// along is the course of a place.
func along(p Position) Position { return Position{System: p.System, Timeline: p.Timeline} }

// before is the id of the newest full piece that was begun before p.
func (x *indexed) before(p Manifest) string {
	n, _ := slices.BinarySearchFunc(x.fulls, p.Started, func(f Manifest, at time.Time) int {
		if f.Started.After(at) {
			return 1
		}
		return -1
	})
	if n == 0 {
		return ""
	}
	return x.fulls[n-1].ID
}

func (x *indexed) chain(full Manifest) Chain {
	c := Chain{Full: full, Deltas: x.way(full)}
	if course := x.courses[along(full.From)]; course != nil && len(c.Deltas) == 0 && !full.From.IsZero() {
		c.Logs = course.from(full.From)
	}
	c.Faults = x.faults(c)
	return c
}

// way is the deltas on a piece; of two that change the same piece it takes the one that
// leads to the newest.
func (x *indexed) way(on Manifest) []Manifest {
	var way []Manifest
	for seen := map[string]bool{on.ID: true}; ; {
		i := slices.IndexFunc(x.children[on.ID], func(d Manifest) bool { return x.tips[d.ID].ID == x.tips[on.ID].ID })
		if i < 0 || seen[x.children[on.ID][i].ID] {
			return way
		}
		on = x.children[on.ID][i]
		seen[on.ID] = true
		way = append(way, on)
	}
}

// runs covers sorted spans of one course with as few of them as there can be.
func runs(sorted []Manifest) [][]Manifest {
	var all [][]Manifest
	for i := 0; i < len(sorted); {
		var run []Manifest
		for at := sorted[i].From; ; {
			next := -1
			for ; i < len(sorted) && sorted[i].From.Compare(at) <= 0; i++ {
				if sorted[i].To.Compare(at) > 0 && (next < 0 || sorted[i].To.Compare(sorted[next].To) > 0) {
					next = i
				}
			}
			if next < 0 {
				break
			}
			run, at = append(run, sorted[next]), sorted[next].To
		}
		if len(run) > 0 {
			all = append(all, run)
		}
	}
	return all
}

// from is the log from a place on, up to the first gap.
func (c *course) from(at Position) []Manifest {
	for _, run := range c.runs {
		if run[0].From.Compare(at) > 0 {
			break
		}
		n, _ := slices.BinarySearchFunc(run, at, func(p Manifest, at Position) int {
			if p.To.Compare(at) > 0 {
				return 1
			}
			return -1
		})
		if n < len(run) {
			return run[n:len(run):len(run)]
		}
	}
	return nil
}

// Superseded are the spans of the log that other ones cover whole.
func Superseded(pieces []Manifest) []Manifest {
	var old []Manifest
	for _, c := range index(pieces).courses {
		for i := 0; i < len(c.sorted); {
			widest := c.sorted[i]
			for i++; i < len(c.sorted) && c.sorted[i].To.Compare(widest.To) <= 0; i++ {
				old = append(old, c.sorted[i])
			}
		}
	}
	slices.SortFunc(old, order)
	return old
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
