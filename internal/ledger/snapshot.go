package ledger

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// A snapshot is a length-prefixed JSON head (small things: routes, totals,
// settings), then the slots, then the repeat index, each entry of fixed size.
// Its integrity is the checkpoint file's affair. Version 1 had other names in
// the head, and in a slot the key's last record where the amount is now.
const (
	snapshotVersion = 2
	slotBytes       = 48
	repeatBytes     = 32
)

type snapshotHead struct {
	Version int                 `json:"version"`
	Clock   continuity.Clock    `json:"clock"`
	Wall    int64               `json:"wall"`
	Away    continuity.Clock    `json:"away"`
	Applied continuity.Position `json:"applied"`
	Horizon continuity.Position `json:"horizon"`
	Slots   int                 `json:"slots"`
	Repeats int                 `json:"repeats"`
	Routes  []snapshotRoute     `json:"routes"`
	Marks   []mark              `json:"marks,omitempty"`

	Currencies []string           `json:"currencies,omitempty"` // of plain amounts, from 1
	Large      []snapshotMoney    `json:"large_amounts,omitempty"`
	Failures   map[uint32]uint16  `json:"failures,omitempty"` // by slot
	Proposed   []snapshotProposal `json:"proposed,omitempty"`
}

// snapshot is the state at one moment, sharing its bulk with the live state.
type snapshot struct {
	head    snapshotHead
	chunks  []*[slotsPerChunk]slot
	repeats [][]remembered
	horizon continuity.Position
	purse   purse
}

func (s *State) snapshot() *snapshot {
	snap := &snapshot{
		head: snapshotHead{
			Version: snapshotVersion, Clock: s.clock, Wall: s.wall, Away: s.away, Applied: s.applied, Horizon: s.repeats.horizon,
			Slots: s.slots.used, Marks: slices.Clone(s.marks),
		},
		chunks: s.slots.share(), repeats: s.repeats.share(), horizon: s.repeats.horizon,
		purse: s.purse.clone(),
	}
	for _, r := range s.routes {
		snap.head.Routes = append(snap.head.Routes, headOf(r))
	}
	snap.head.take(s)
	return snap
}

func (snap *snapshot) write(to io.Writer) error {
	x := repeats{horizon: snap.horizon}
	for _, shard := range snap.repeats {
		for i := range shard {
			if !shard[i].receipt.IsZero() && !x.stale(&shard[i]) {
				snap.head.Repeats++
			}
		}
	}
	head, err := json.Marshal(snap.head)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 1<<20)
	var buf [slotBytes]byte
	binary.LittleEndian.PutUint32(buf[:], clampUint32(len(head)))
	_, _ = w.Write(buf[:4]) // bufio keeps the first error for Flush
	_, _ = w.Write(head)
	for ref := range snap.head.Slots {
		putSlot(&buf, &snap.chunks[ref/slotsPerChunk][ref%slotsPerChunk])
		_, _ = w.Write(buf[:])
	}
	for _, shard := range snap.repeats {
		for i := range shard {
			if e := &shard[i]; !e.receipt.IsZero() && !x.stale(e) {
				copy(buf[:], e.receipt[:])
				binary.LittleEndian.PutUint64(buf[16:], e.accepted)
				binary.LittleEndian.PutUint64(buf[24:], uint64(e.ended))
				_, _ = w.Write(buf[:repeatBytes])
			}
		}
	}
	return w.Flush()
}

func putSlot(b *[slotBytes]byte, t *slot) {
	le := binary.LittleEndian
	le.PutUint64(b[0:], uint64(t.key))
	le.PutUint64(b[8:], uint64(t.position))
	le.PutUint32(b[16:], uint32(t.accepted))
	le.PutUint32(b[20:], uint32(t.first))
	le.PutUint32(b[24:], uint32(t.notBefore))
	le.PutUint32(b[28:], t.size)
	le.PutUint32(b[32:], t.next)
	le.PutUint32(b[36:], t.money)
	le.PutUint16(b[40:], t.attempts)
	le.PutUint16(b[42:], t.version)
	le.PutUint16(b[44:], t.route)
	b[46] = t.flags &^ volatileFlags
	b[47] = t.standing
}

func getSlot(b *[slotBytes]byte, t *slot) {
	le := binary.LittleEndian
	*t = slot{
		key: continuity.KeyTag(le.Uint64(b[0:])), position: continuity.Position(le.Uint64(b[8:])),
		accepted: tick(le.Uint32(b[16:])), first: tick(le.Uint32(b[20:])), notBefore: tick(le.Uint32(b[24:])),
		size: le.Uint32(b[28:]), next: le.Uint32(b[32:]), money: le.Uint32(b[36:]),
		attempts: le.Uint16(b[40:]), version: le.Uint16(b[42:]), route: le.Uint16(b[44:]),
		flags: b[46] &^ volatileFlags, standing: b[47],
	}
}

var errSnapshot = errors.New("ledger: the checkpoint does not hold a state")

func readSnapshot(from io.Reader) (*State, error) {
	r := bufio.NewReaderSize(from, 1<<20)
	var buf [slotBytes]byte
	if _, err := io.ReadFull(r, buf[:4]); err != nil {
		return nil, err
	}
	text := make([]byte, min(binary.LittleEndian.Uint32(buf[:]), 64<<20))
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	head, err := readHead(text)
	if err != nil {
		return nil, err
	}
	s := newState()
	s.clock, s.applied, s.repeats.horizon, s.started = head.Clock, head.Applied, head.Horizon, true
	s.wall, s.away, s.marks = head.Wall, head.Away, head.Marks
	for _, route := range head.Routes {
		if err := route.give(s); err != nil {
			return nil, err
		}
	}
	if err := head.give(s); err != nil {
		return nil, err
	}
	if err := s.readSlots(r, head.Slots, head.Version); err != nil {
		return nil, err
	}
	for range head.Repeats {
		if _, err := io.ReadFull(r, buf[:repeatBytes]); err != nil {
			return nil, err
		}
		e := remembered{accepted: binary.LittleEndian.Uint64(buf[16:]), ended: continuity.Position(binary.LittleEndian.Uint64(buf[24:]))}
		copy(e.receipt[:], buf[:])
		if ref, ok := e.slot(); ok && int(ref) > s.slots.used {
			return nil, errSnapshot
		}
		s.repeats.put(e)
	}
	return s, nil
}

func (s *State) readSlots(r io.Reader, n, version int) error {
	var buf [slotBytes]byte
	for range n {
		if _, err := io.ReadFull(r, buf[:]); err != nil {
			return err
		}
		ref := s.slots.append()
		t := s.slots.at(ref)
		getSlot(&buf, t)
		if t.state() != 0 && int(t.route) >= len(s.routes) || int(t.next) > n {
			return errSnapshot
		}
		if t.state() == 0 {
			s.slots.free = append(s.slots.free, ref)
		}
	}
	if version == 1 {
		if err := s.closeRings(); err != nil {
			return err
		}
	}
	for ref := uint32(1); int(ref) <= n; ref++ {
		t := s.slots.at(ref)
		if !s.purse.holds(t.money) {
			return errSnapshot
		}
		if !t.state().Pending() {
			continue
		}
		s.count(t, 1)
		if t.next == 0 {
			return errSnapshot
		}
		if s.slots.at(t.next).is(flagHead) {
			s.keys.put(t.key, ref)
		}
	}
	return nil
}

// closeRings links the last record of each key to its first, as version 1 did
// not: there the first named the last, in the place of the amount.
func (s *State) closeRings() error {
	for ref := uint32(1); int(ref) <= s.slots.used; ref++ {
		t := s.slots.at(ref)
		tail := t.money
		t.money = 0
		if t.state().Pending() && t.is(flagHead) {
			if tail == 0 || int(tail) > s.slots.used {
				return errSnapshot
			}
			s.slots.at(tail).next = ref
		}
	}
	return nil
}

var errBeginning = errors.New("ledger: the journal's beginning is gone, and no checkpoint stands for it")

// Restore builds the state from the newest checkpoint and the log behind it.
// checkpoints may be nil.
func Restore(log journal.Log, checkpoints Checkpoints) (*State, Recovery, error) {
	var recovery Recovery
	state := newState()
	if checkpoints != nil {
		err := checkpoints.Load(func(at continuity.Position, r io.Reader) error {
			s, err := readSnapshot(r)
			if err != nil {
				return err
			}
			if s.applied != at {
				return fmt.Errorf("%w: of %d, not %d", errSnapshot, s.applied, at)
			}
			state, recovery.Checkpoint = s, at
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, recovery, continuity.E(continuity.CodeDamaged, err)
		}
	}
	for stored, err := range log.All(state.applied) {
		if err != nil {
			return nil, recovery, continuity.E(continuity.CodeDamaged, err)
		}
		e, err := Decode(stored)
		if err != nil {
			return nil, recovery, continuity.E(continuity.CodeDamaged, err)
		}
		if !state.started && !e.First {
			return nil, recovery, continuity.E(continuity.CodeDamaged, errBeginning)
		}
		if err := state.Apply(&e, stored.Position, stored.Next, len(stored.Payload)); err != nil {
			return nil, recovery, continuity.E(continuity.CodeDamaged, err)
		}
		recovery.Events++
	}
	return state, recovery, nil
}
