package ledger

import (
	"encoding/binary"

	"holdfast/internal/continuity"
)

// repeatShards bounds what is copied at once when an entry is put into a shard
// that a snapshot shares: some 60 KB with ten million entries, and not a
// noticeable time for those who wait behind it.
const repeatShards = 8192

// remembered is what the repeat index keeps of a record. While it is pending or
// dead, ref is its slot; ended is 0 while pending. Once it has ended otherwise,
// accepted bears its final state and the position of its accepted entry.
type remembered struct {
	receipt  continuity.Receipt
	accepted uint64 // state<<stateShift | position; or slotMark | slot reference; and toldMark
	ended    continuity.Position
}

const (
	stateShift = 58
	slotMark   = uint64(1) << 63
	toldMark   = uint64(1) << 62 // it ended undelivered, and the customer knows
)

func inSlot(ref uint32) uint64 { return slotMark | uint64(ref) }

func endedAs(s continuity.State, at continuity.Position) uint64 {
	return uint64(s)<<stateShift | uint64(at)
}

func (r *remembered) slot() (uint32, bool) {
	return uint32(r.accepted), r.accepted&slotMark != 0 // #nosec G115 -- the low half is the reference
}

func (r *remembered) state() continuity.State {
	return continuity.State(r.accepted &^ toldMark >> stateShift) // #nosec G115 -- four bits
}

func (r *remembered) told() bool { return r.accepted&toldMark != 0 }

func (r *remembered) position() continuity.Position {
	return continuity.Position(r.accepted & (1<<stateShift - 1))
}

// repeats remembers every record by its receipt until the horizon passes its
// end. Like slots, its shards can be shared with a snapshot.
type repeats struct {
	shards  [repeatShards]repeatShard
	horizon continuity.Position
	total   int // entries, forgotten ones that still take room included
}

type repeatShard struct {
	entries []remembered // a power of two; a zero receipt: empty
	n       int
	shared  bool
}

func (x *repeats) shard(r continuity.Receipt) *repeatShard {
	return &x.shards[binary.LittleEndian.Uint16(r[8:])%repeatShards]
}

func (s *repeatShard) home(r continuity.Receipt) int {
	return int(binary.LittleEndian.Uint32(r[:])) & (len(s.entries) - 1) // #nosec G115 -- masked
}

func (x *repeats) stale(e *remembered) bool {
	_, pending := e.slot()
	return !pending && e.ended < x.horizon
}

// find returns the entry of a receipt that has not been forgotten, or nil. It
// is valid until the index changes and must not be written to.
func (x *repeats) find(r continuity.Receipt) *remembered {
	s := x.shard(r)
	if i, ok := s.index(r); ok && !x.stale(&s.entries[i]) {
		return &s.entries[i]
	}
	return nil
}

func (s *repeatShard) index(r continuity.Receipt) (int, bool) {
	if s.n == 0 {
		return 0, false
	}
	i := s.home(r)
	for ; !s.entries[i].receipt.IsZero(); i = (i + 1) & (len(s.entries) - 1) {
		if s.entries[i].receipt == r {
			return i, true
		}
	}
	return i, false
}

// put adds or replaces an entry.
func (x *repeats) put(e remembered) {
	s := x.shard(e.receipt)
	if (s.n+1)*8 > len(s.entries)*7 {
		x.rebuild(s)
	} else if s.shared {
		s.entries, s.shared = append([]remembered(nil), s.entries...), false
	}
	i, found := s.index(e.receipt)
	if !found {
		if s.n == 0 {
			i = s.home(e.receipt)
		}
		s.n++
		x.total++
	}
	s.entries[i] = e
}

// rebuild drops what the horizon has passed and makes room for more.
func (x *repeats) rebuild(s *repeatShard) {
	kept := 0
	for i := range s.entries {
		if e := &s.entries[i]; !e.receipt.IsZero() && !x.stale(e) {
			kept++
		}
	}
	size := 8
	for (kept+1)*3 > size*2 {
		size *= 2
	}
	old := s.entries
	x.total += kept - s.n
	s.entries, s.shared, s.n = make([]remembered, size), false, kept
	for _, e := range old {
		if e.receipt.IsZero() || x.stale(&e) {
			continue
		}
		i := s.home(e.receipt)
		for !s.entries[i].receipt.IsZero() {
			i = (i + 1) & (size - 1)
		}
		s.entries[i] = e
	}
}

// sweep gives back the room of what the horizon has passed.
func (x *repeats) sweep(shard int) {
	s := &x.shards[shard]
	for i := range s.entries {
		if e := &s.entries[i]; !e.receipt.IsZero() && x.stale(e) {
			x.rebuild(s)
			return
		}
	}
}

func (x *repeats) share() [][]remembered {
	out := make([][]remembered, repeatShards)
	for i := range x.shards {
		out[i] = x.shards[i].entries
		x.shards[i].shared = true
	}
	return out
}
