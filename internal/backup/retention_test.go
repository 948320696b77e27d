package backup

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	histories = flag.Int("histories", 10000, "random histories of backups that retention is tried on")
	firstSeed = flag.Uint64("seed", 0, "of the first history; 0: another one each time")
)

const oneDay = 24 * time.Hour

// history is a set as it grew: what was taken, what was proven, and how the clock went.
type history struct {
	rules  Rules
	pieces []Manifest
	proofs []Proof
	end    time.Time // by a clock that is right
	real   map[string]time.Time
	jumps  int // of the clock
}

func newHistory(r *rand.Rand) *history {
	h := &history{
		rules: Rules{Proven: r.IntN(5), For: time.Duration(r.IntN(60)) * oneDay},
		end:   day0, real: map[string]time.Time{},
	}
	every := []time.Duration{6 * time.Hour, oneDay, 7 * oneDay}[r.IntN(3)]
	if r.IntN(2) == 0 {
		h.rules.Every = every
	}
	kind, place, off := r.IntN(3), 1, time.Duration(0)
	for i := range r.IntN(40) {
		h.end = h.end.Add(every + time.Duration(r.Int64N(int64(every/10))))
		switch r.IntN(60) {
		case 0:
			h.end = h.end.Add(time.Duration(r.IntN(40)) * oneDay) // nobody made any
		case 1:
			off = time.Duration(r.IntN(21)-10) * 365 * oneDay // the clock jumps
			h.jumps++
		case 2:
			off = 0
		}
		h.take(r, kind, i, &place, off)
	}
	return h
}

func (h *history) take(r *rand.Rand, kind, i int, place *int, off time.Duration) {
	taken := h.end.Add(off)
	f := Manifest{ID: fmt.Sprint("f", i), Type: TypeFull, Number: i + 1, Started: taken.Add(-time.Minute), Taken: taken, SHA256: fmt.Sprint(i)}
	h.real[f.ID] = h.end
	own := []Manifest{f}
	switch kind {
	case 1:
		for k := range r.IntN(4) {
			d := Manifest{ID: fmt.Sprint("d", i, "-", k), Type: TypeDelta, Base: f.ID, Parent: own[len(own)-1].ID, SHA256: "d"}
			d.Taken = taken.Add(time.Duration(k+1) * time.Minute)
			d.Started = d.Taken
			own = append(own, d)
		}
	case 2:
		at := func(n int) Position { return Position{System: "s", At: fmt.Sprint(n)} }
		own[0].From, own[0].To = at(*place), at(*place+1)
		for k := range 1 + r.IntN(3) {
			next := *place + 1 + r.IntN(4)
			l := Manifest{ID: fmt.Sprint("l", i, "-", k), Type: TypeLog, From: at(*place), To: at(next), Started: taken.Add(time.Duration(k) * time.Minute)}
			l.Taken = l.Started
			own = append(own, l)
			if r.IntN(4) > 0 { // else the next one covers it
				*place = next
			}
		}
	}
	h.pieces = append(h.pieces, own...)
	if proven := r.IntN(4); proven > 0 {
		p := own[0]
		h.proofs = append(h.proofs, Proof{Piece: p.ID, SHA256: p.SHA256, Good: proven > 1, Ended: taken})
	}
}

func provenOf(all []Held) (ids []string) {
	for _, c := range all {
		if c.State == Proven {
			ids = append(ids, c.Full.ID)
		}
	}
	return ids
}

// TestRetention tries what must hold of any history at all.
func TestRetention(t *testing.T) {
	seed := *firstSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	dropped, logs := 0, 0
	for i := range *histories {
		h := newHistory(rand.New(rand.NewPCG(seed, uint64(i))))
		j := Judge(h.pieces, h.proofs, h.rules, h.end)
		if err := h.holds(j); err != nil {
			t.Fatalf("seed %d, history %d: %v", seed, i, err)
		}
		for _, g := range j.Goes {
			switch g.Type {
			case TypeFull:
				dropped++
			case TypeLog:
				logs++
			}
		}
	}
	if dropped < *histories/10 || logs < *histories/10 {
		t.Errorf("of %d histories only %d chains and %d spans went: this tries nothing", *histories, dropped, logs)
	}
}

func (h *history) holds(j Judged) error {
	gone := map[string]bool{}
	for _, g := range j.Goes {
		if gone[g.ID] {
			return fmt.Errorf("%s goes twice", g.ID)
		}
		gone[g.ID] = true
	}
	proven, all := len(provenOf(j.Keep)), len(provenOf(slices.Concat(j.Keep, j.Drop)))
	if least := max(h.rules.Proven, 1); proven < min(least, all) || len(j.Drop) > 0 && proven < least {
		return fmt.Errorf("%d of %d proven chains stay, of which %d are wanted", proven, all, least)
	}
	var rest []Manifest
	for _, p := range h.pieces {
		if !gone[p.ID] {
			rest = append(rest, p)
		}
	}
	if err := still(j, rest); err != nil {
		return err
	}
	if h.rules.Every == 0 && h.jumps > 0 {
		return nil // how often they were made is a guess then
	}
	// Nothing goes too early, also by a clock that is ten years off.
	for _, off := range []time.Duration{0, -3650 * oneDay, 3650 * oneDay} {
		_, drop, _ := Keep(slices.Concat(j.Keep, j.Drop), h.rules, h.end.Add(off))
		for _, c := range drop {
			if age := h.end.Sub(h.real[c.Full.ID]); age < h.rules.For {
				return fmt.Errorf("off by %v, %s goes at an age of %v", off, c.Full.ID, age)
			}
		}
	}
	return nil
}

// still says whether every chain that stays can be restored as before, and no delta was
// left alone.
func still(j Judged, rest []Manifest) error {
	after := map[string]Chain{}
	for _, c := range Assemble(rest) {
		after[c.Full.ID] = c
	}
	if len(after) != len(j.Keep) {
		return fmt.Errorf("%d chains are left of %d that stay", len(after), len(j.Keep))
	}
	for _, c := range j.Keep {
		was, is := c.Pieces(), after[c.Full.ID].Pieces()
		if was[len(was)-1].ID != is[len(is)-1].ID || len(c.Deltas) != len(after[c.Full.ID].Deltas) || c.Whole() != after[c.Full.ID].Whole() {
			return fmt.Errorf("chain %s was %s and is %s", c.Full.ID, ids(was), ids(is))
		}
	}
	left := map[string]bool{}
	for _, p := range rest {
		left[p.ID] = true
	}
	for _, p := range rest {
		if p.Type == TypeDelta && !left[p.Parent] {
			return fmt.Errorf("%s was left alone", p.ID)
		}
	}
	return nil
}

// TestClockTenYearsOff is the plain case: nothing goes at all.
func TestClockTenYearsOff(t *testing.T) {
	var chains []Held
	for i := range 40 {
		chains = append(chains, Held{Chain: Chain{Full: full(fmt.Sprint(i), i*24*60, 0, 0)}, State: Proven})
	}
	rules, now := Rules{Proven: 3, For: 30 * oneDay}, at(39*24*60+60)
	if _, drop, _ := Keep(chains, rules, now); len(drop) != 8 {
		t.Fatalf("%d go by a right clock", len(drop))
	}
	for _, off := range []time.Duration{-3650 * oneDay, 3650 * oneDay} {
		if _, drop, why := Keep(chains, rules, now.Add(off)); len(drop) != 0 {
			t.Errorf("off by %v: %d go, %v", off, len(drop), why)
		}
	}
	// And one that was taken by such a clock ages nothing either.
	for _, days := range []int{3650, -3650} {
		jumped := Held{Chain: Chain{Full: full("jumped", days*24*60, 0, 0)}, State: Proven}
		jumped.Full.Number = 1
		if _, drop, why := Keep(append(chains[:20:20], jumped), rules, at(days*24*60)); len(drop) != 0 {
			t.Errorf("off by %d days: %d go, %v", days, len(drop), why)
		}
	}
}

func TestWhyChainsStay(t *testing.T) {
	chain := func(id string, day int, state State) Held {
		return Held{Chain: Chain{Full: full(id, day*24*60, 0, 0)}, State: state}
	}
	rules := Rules{Proven: 2, For: 10 * oneDay, Every: 5 * oneDay}
	all := []Held{
		chain("a", 0, Proven), chain("b", 5, Unproven), chain("c", 10, Proven), chain("d", 15, Proven), chain("e", 20, Refuted), chain("f", 25, Proven),
	}
	_, drop, why := Keep(all, rules, at(26*24*60))
	// c is needed though it is past: d, which comes after it, is just as old as moments that
	// are to be had.
	for id, want := range map[string]string{"a": DroppedPast, "b": DroppedPast, "c": KeptNext, "d": KeptFor, "e": KeptFor, "f": KeptFor} {
		if why[id] != want {
			t.Errorf("%s: %s, want %s", id, why[id], want)
		}
	}
	if len(drop) != 2 {
		t.Error(drop)
	}
	if _, drop, why := Keep(all[:3], Rules{Proven: 3, For: oneDay}, at(11*24*60)); len(drop) != 0 || why["a"] != KeptFew {
		t.Error(drop, why)
	}
	if _, drop, why := Keep(all, Rules{Proven: 1}, at(26*24*60)); len(drop) != 0 || why["a"] != KeptFor {
		t.Error(drop, why)
	}
	if _, drop, why := Keep(all, rules, at(90*24*60)); len(drop) != 0 || why["a"] != KeptClock {
		t.Error(drop, why)
	}
}
