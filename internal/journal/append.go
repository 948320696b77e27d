package journal

import (
	"encoding/binary"
	"fmt"

	"holdfast/internal/continuity"
)

const (
	pageBytes  = 4096
	keepBuffer = 4 << 20
)

var zeroPage [pageBytes]byte

// Append implements Log.
func (f *Files) Append(batch []Entry) ([]continuity.Position, error) {
	for _, e := range batch {
		if e.Kind == 0 || e.Kind >= noteOpened {
			return nil, fmt.Errorf("%w: kind %d", ErrEntry, e.Kind)
		}
		if n := entryBytes(len(e.Payload)); n > f.supply.capacity() {
			return nil, fmt.Errorf("%w: %d bytes, a segment takes %d", ErrEntry, n, f.supply.capacity())
		}
	}
	if len(batch) == 0 {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return nil, err
	}
	if n := f.segmentsFor(batch); n > 0 {
		if err := f.ready(n); err != nil {
			return nil, err
		}
	}
	positions := make([]continuity.Position, 0, len(batch))
	for rest := batch; len(rest) > 0; {
		n, err := f.appendPart(rest, &positions)
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	f.proven = false
	f.idle.Reset(idleAfter)
	f.supply.wake()
	return positions, nil
}

// ready makes sure of n further segments. The first after a restart may exceed
// the bound.
func (f *Files) ready(n int) error {
	if f.active == nil {
		if err := f.supply.ensure(1, true); err != nil {
			return err
		}
	}
	return f.supply.ensure(n, false)
}

// segmentsFor tells how many further segments a batch needs.
func (f *Files) segmentsFor(batch []Entry) (n int) {
	var room int64
	if f.active != nil {
		room = f.active.size - tailBytes - f.active.end.Load()
	}
	for _, e := range batch {
		size := entryBytes(len(e.Payload))
		if size > room {
			n++
			room = f.supply.capacity()
		}
		room -= size
	}
	return n
}

// appendPart writes as many entries as fit into one segment, a new one where
// the first does not fit into the active.
func (f *Files) appendPart(batch []Entry, positions *[]continuity.Position) (n int, err error) {
	seg := f.active
	f.buf = f.buf[:0]
	if seg == nil || seg.end.Load()+entryBytes(len(batch[0].Payload)) > seg.size-tailBytes {
		if seg, err = f.roll(f.table.Load().first); err != nil {
			return 0, err
		}
	}
	key, err := seg.cipher(f.ring)
	if err != nil {
		return 0, f.fail(err)
	}
	f.seal.aead = key
	format, start := seg.format(), seg.end.Load()
	off := start + int64(len(f.buf))
	for _, e := range batch {
		size := entryBytes(len(e.Payload))
		if off+size > seg.size-tailBytes {
			break
		}
		f.buf = format.append(f.buf, off, start, e.Kind, e.Payload, &f.seal)
		*positions = append(*positions, position(seg.seq, off))
		off += size
		n++
	}
	if err := f.write(seg); err != nil {
		return 0, err
	}
	f.end.Store(uint64(position(seg.seq, off)))
	return n, nil
}

// roll takes the next segment and puts its opened note into the buffer. The
// segment becomes the active one when the note has been written.
func (f *Files) roll(first uint32) (*segment, error) {
	t := f.table.Load()
	seq, previousEnd := t.first, continuity.Position(0)
	if last := t.last(); last != nil {
		seq, previousEnd = last.seq+1, last.endPosition()
	}
	seg, err := f.supply.take(seq)
	if err != nil {
		return nil, f.fail(err)
	}
	var note [12]byte
	binary.LittleEndian.PutUint64(note[:], uint64(previousEnd))
	binary.LittleEndian.PutUint32(note[8:], first)
	seg.end.Store(firstFrame)
	f.buf = seg.format().append(f.buf[:0], firstFrame, firstFrame, noteOpened, note[:], nil)
	return seg, nil
}

// write puts the buffer at the segment's end, on stable storage. Zeros go with
// it up to the end of the page: the kernel then need not read a page that it
// has forgotten, and nothing of an earlier life stands right behind the end.
func (f *Files) write(seg *segment) error {
	start := seg.end.Load()
	end := start + int64(len(f.buf))
	page := min((end+pageBytes-1)&^(pageBytes-1), seg.size)
	f.buf = append(f.buf, zeroPage[:page-end]...)
	if _, err := seg.file.WriteAt(f.buf, start); err != nil {
		return f.fail(fmt.Errorf("journal: write %s at %d: %w", seg.name, start, err))
	}
	if err := seg.file.Sync(); err != nil {
		return f.fail(fmt.Errorf("journal: sync %s: %w", seg.name, err))
	}
	seg.end.Store(end)
	f.rest.Store(max(0, seg.size-tailBytes-end))
	if seg != f.active {
		t := f.table.Load()
		var ended *segment
		if f.active == nil {
			ended = t.last()
		}
		f.table.Store(t.with(seg))
		f.active = seg
		f.supply.opened(seg.seq, ended)
	}
	if cap(f.buf) > keepBuffer {
		f.buf = nil
	}
	return nil
}

// prove runs when no batch came for a while.
func (f *Files) prove() {
	if !f.mu.TryLock() {
		return // a batch is being written; it sets the timer again
	}
	defer f.mu.Unlock()
	if f.usable() == nil {
		_ = f.writeProof() // a failure latches, and the next call tells
	}
}

// writeProof writes a synced note where the last batch has none.
func (f *Files) writeProof() error {
	if f.proven || f.active == nil {
		return nil
	}
	seg, off := f.active, f.active.end.Load()
	if off+syncedBytes > seg.size-(tailBytes-retiredBytes) {
		return nil // the next segment's opened note proves it
	}
	f.buf = seg.format().append(f.buf[:0], off, off, noteSynced, nil, nil)
	if err := f.write(seg); err != nil {
		return err
	}
	f.proven = true
	return nil
}
