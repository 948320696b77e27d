package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"holdfast/internal/continuity"
)

// Describe writes down all that a state means, apart from where its slots
// happen to lie: two states with one description behave alike.
func (s *State) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "clock %d away %d applied %d horizon %d\n", s.clock, s.away, s.applied, s.repeats.horizon)
	for _, r := range s.routes {
		fmt.Fprintf(&b, "route %s %+v pending %v bytes %d oldest %v switches %v\n", r.name, r.totals, r.pending, r.bytes, r.ages.oldest(s.clock), r.owners)
		fmt.Fprintf(&b, "amounts %+v\n", r.sumList())
	}
	receipts := map[uint32]string{}
	var lines []string
	for _, p := range s.proposed {
		lines = append(lines, fmt.Sprintf("proposed %+v", p))
	}
	for i := range s.repeats.shards {
		for j := range s.repeats.shards[i].entries {
			e := &s.repeats.shards[i].entries[j]
			if e.receipt.IsZero() || s.repeats.stale(e) {
				continue
			}
			st, _ := s.status(e.receipt)
			if ref, ok := e.slot(); ok {
				receipts[ref] = e.receipt.Short()
			}
			lines = append(lines, fmt.Sprintf("%+v", st))
		}
	}
	for ref := uint32(1); int(ref) <= s.slots.used; ref++ {
		if !s.slots.at(ref).is(flagHead) {
			continue
		}
		line := "key"
		for at := ref; at != 0; at = s.after(at) {
			line += " " + receipts[at]
		}
		lines = append(lines, line+" tail "+receipts[s.keys.tail(s.slots.at(ref).key)])
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, "\n"))
	return b.String()
}

// Describe describes the live state.
func (l *Ledger) Describe() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Describe()
}

// Order lists a key's records in order.
func (s *State) Order(key continuity.KeyTag) (positions []continuity.Position) {
	for at := s.keys.head(key); at != 0; at = s.after(at) {
		positions = append(positions, s.slots.at(at).position)
	}
	return positions
}

// Encode writes a stamped event as the sequencer does.
func Encode(e continuity.Event) []byte {
	b := encode(nil, &e)
	stamp(b, e.Clock, e.At)
	return b
}

// Forget lets go at once of what ended below a position, and of its entries
// with the second checkpoint.
func (l *Ledger) Forget(ctx context.Context, below continuity.Position) error {
	if err := l.carry(ctx, below); err != nil {
		return err
	}
	l.mu.Lock()
	l.bodies = max(l.bodies, below)
	l.mu.Unlock()
	return l.forget(below)
}

// PendingBytes is what the state keeps in memory for its pending records: their
// slots, the keys' table and the queue of keys that are ready. The repeat index
// counts apart.
func (l *Ledger) PendingBytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.state.slots.chunks)*int(unsafe.Sizeof([slotsPerChunk]slot{})) + 4*cap(l.state.slots.free)
	for i := range l.state.keys.shards {
		n += 4 * len(l.state.keys.shards[i].refs)
	}
	for _, r := range l.schedule.routes {
		n += 8 * cap(r.delayed)
		for c := range r.ready {
			n += 4 * fifoChunk * len(r.ready[c].chunks)
		}
	}
	return n
}

// Pad makes a payload as long as another was.
func Pad(b []byte, n int) ([]byte, error) { return pad(b, n) }

// Retain looks through every segment that is due.
func (l *Ledger) Retain(ctx context.Context) error {
	for range 1000 {
		if err := l.retain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Registered is how many requests are being answered of which there is no record.
func (l *Ledger) Registered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.live)
}
