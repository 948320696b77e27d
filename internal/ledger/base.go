package ledger

import "holdfast/internal/continuity"

// Base is the state at one position, apart from what has ended: for readers of
// the journal that begin after its beginning has gone. It shares its bulk with
// the live state, which goes on meanwhile.
type Base struct {
	Position continuity.Position // of the next event
	Clock    continuity.Clock
	Away     continuity.Clock // what outside time is ahead of the running clock
	Totals   []continuity.Totals
	snap     *snapshot
}

// Base returns the state as it stands.
func (l *Ledger) Base() *Base {
	l.mu.Lock()
	defer l.mu.Unlock()
	snap := l.state.snapshot()
	b := &Base{Position: snap.head.Applied, Clock: snap.head.Clock, Away: snap.head.Away, snap: snap}
	for _, r := range snap.head.Routes {
		b.Totals = append(b.Totals, r.totals())
	}
	return b
}

// Pending is how many records still have to end.
func (b *Base) Pending() int64 {
	var n int64
	for ref := range b.snap.head.Slots {
		if b.slot(uint32(ref) + 1).state().Pending() { // #nosec G115 -- references are 32 bits
			n++
		}
	}
	return n
}

func (b *Base) slot(ref uint32) *slot {
	return &b.snap.chunks[(ref-1)/slotsPerChunk][(ref-1)%slotsPerChunk]
}

// Standing yields every pending and every dead record, those of one key in
// their order.
func (b *Base) Standing(yield func(Status) bool) {
	receipts := make([]continuity.Receipt, b.snap.head.Slots+1)
	ended := make(map[uint32]continuity.Position)
	told := make(map[uint32]bool)
	for _, shard := range b.snap.repeats {
		for i := range shard {
			if ref, ok := shard[i].slot(); ok {
				receipts[ref] = shard[i].receipt
				if shard[i].told() {
					told[ref] = true
				}
				if shard[i].ended != 0 {
					ended[ref] = shard[i].ended
				}
			}
		}
	}
	tell := func(ref uint32) bool {
		t := b.slot(ref)
		st := t.status(b.snap.head.Routes[t.route].Route)
		st.Receipt, st.Outcome, st.Told = receipts[ref], ended[ref], told[ref]
		st.Amount, st.Failures = b.snap.purse.get(t.money), int(b.snap.head.Failures[ref])
		return yield(st)
	}
	for ref := uint32(1); int(ref) <= b.snap.head.Slots; ref++ {
		t := b.slot(ref)
		if t.state() == continuity.Dead && !tell(ref) {
			return
		}
		if !t.is(flagHead) {
			continue
		}
		for at := ref; ; {
			if !tell(at) {
				return
			}
			if at = b.slot(at).next; at == ref {
				break
			}
		}
	}
}
