package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Erasing puts a copy in the place of a segment: each entry where it stood, as
// long as it was, sealed under a new data key, but for those that change their
// payload. The old data key is destroyed. One segment after another:
//
//  1. NAME.tmp is written, and synced.
//  2. It is renamed to copy-NAME. From here on the copy counts.
//  3. The old segment's header, with its data key, is overwritten, and synced.
//  4. copy-NAME is renamed to NAME.
//
// Where a crash leaves copy-NAME behind, opening goes on with step 3.
const copyPrefix = "copy-"

var (
	errLength   = errors.New("journal: an entry must keep its length")
	errExchange = errors.New("journal: an exchange of the master key is not finished")
)

func copyName(seq uint32) string { return copyPrefix + segmentName(seq) }

func parseCopyName(name string) (seq uint32, ok bool) {
	rest, ok := strings.CutPrefix(name, copyPrefix)
	if !ok {
		return 0, false
	}
	return parseSegmentName(rest)
}

// Erase gives the entries at some positions other payloads, each as long as the
// one before; change returns nil for what stays. Nothing else of the log
// changes, but what stood there can't be read any more by anybody. The newest
// segment comes first; each is whole before or after, whatever happens. Entries
// that are gone are left out.
func (f *Files) Erase(at []continuity.Position, change func(Stored) ([]byte, error)) error {
	f.erasing.Lock()
	defer f.erasing.Unlock()
	chosen := make(map[uint32]map[int64]bool)
	for _, p := range at {
		seq, off := split(p)
		if chosen[seq] == nil {
			chosen[seq] = make(map[int64]bool)
		}
		chosen[seq][off] = true
	}
	seqs := slices.Sorted(maps.Keys(chosen))
	for _, seq := range slices.Backward(seqs) {
		if err := f.eraseIn(seq, chosen[seq], change); err != nil {
			return fmt.Errorf("journal: erase in segment %08x: %w", seq, err)
		}
	}
	return nil
}

func (f *Files) eraseIn(seq uint32, offs map[int64]bool, change func(Stored) ([]byte, error)) error {
	if err := f.leave(seq); err != nil {
		return err
	}
	for {
		seg := f.table.Load().find(seq)
		if seg == nil {
			return nil // retired
		}
		fresh, err := f.copy(seg, offs, change)
		if err != nil {
			err = f.unlessGone(seg, err)
			if errors.Is(err, ErrGone) {
				return nil
			}
			return err
		}
		again, err := f.replace(seg, fresh)
		if err != nil || !again {
			return err
		}
	}
}

// leave has the next entry go into another segment.
func (f *Files) leave(seq uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return err
	}
	if last := f.table.Load().last(); last == nil || last.seq != seq {
		return nil
	}
	if err := f.supply.ensure(1, true); err != nil {
		return err
	}
	seg, err := f.roll(f.table.Load().first)
	if err != nil {
		return err
	}
	return f.write(seg)
}

// copy writes a segment's copy, all but its header.
func (f *Files) copy(seg *segment, offs map[int64]bool, change func(Stored) ([]byte, error)) (_ *segment, err error) {
	h, key, err := newHeader(f.ring, f.id, seg.seq, seg.size)
	if err != nil {
		return nil, err
	}
	tmp := seg.name + tmpSuffix
	if err := f.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := f.fs.Create(tmp)
	if err != nil {
		return nil, err
	}
	fresh := &segment{header: h, name: seg.name, file: file, key: key}
	if err = f.fill(fresh, seg, offs, change); err == nil {
		err = file.SyncAll()
	}
	if err != nil {
		return nil, errors.Join(err, f.dropCopy(fresh))
	}
	return fresh, nil
}

func (f *Files) dropCopy(fresh *segment) error {
	return errors.Join(fresh.file.Close(), f.fs.Remove(fresh.name+tmpSuffix))
}

// fill writes the frames of a copy.
func (f *Files) fill(fresh, seg *segment, offs map[int64]bool, change func(Stored) ([]byte, error)) error {
	end := seg.end.Load()
	w, from, to := newWindow(seg.file, end), seg.format(), fresh.format()
	var err error
	if w.seal.aead, err = seg.cipher(f.ring); err != nil {
		return err
	}
	seal := sealer{aead: fresh.key}
	buf, at := make([]byte, headerBytes), int64(0) // the header comes last
	flush := func() error {
		_, err := fresh.file.WriteAt(buf, at)
		at, buf = at+int64(len(buf)), buf[:0]
		return err
	}
	for off := int64(firstFrame); off < end; {
		fr, ok, err := from.read(w, off)
		if err == nil && !ok {
			err = errNotWhole
		}
		if err != nil {
			return seg.damage(off, err)
		}
		if fr.note() {
			buf = to.append(buf, off, fr.synced, fr.kind, fr.payload(), nil)
		} else {
			s, err := unseal(seg, fr, &w.seal)
			if err != nil {
				return err
			}
			payload := s.Payload
			if offs[off] {
				changed, err := change(s)
				if err != nil {
					return err
				}
				if changed != nil {
					payload = changed
				}
			}
			if len(payload) != fr.length {
				return errLength
			}
			buf = to.append(buf, off, fr.synced, fr.kind, payload, &seal)
		}
		off = fr.end()
		if len(buf) >= readAhead {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	length := min((end+pageBytes-1)&^(pageBytes-1), seg.size)
	buf = append(buf, zeroPage[:length-end]...)
	fresh.end.Store(end)
	fresh.length.Store(length)
	return flush()
}

// replace has a copy take the place of its segment, unless that is gone. It is
// to be made again where the master key was exchanged meanwhile.
func (f *Files) replace(seg, fresh *segment) (again bool, err error) {
	unlock := f.alone()
	defer unlock()
	if err := f.usable(); err != nil {
		return false, errors.Join(err, f.dropCopy(fresh))
	}
	if f.table.Load().find(seg.seq) != seg {
		return f.table.Load().find(seg.seq) != nil, f.dropCopy(fresh)
	}
	if _, _, there, err := readKeys(f.fs); err != nil || there {
		return false, errors.Join(err, errExchange, f.dropCopy(fresh))
	}
	key, err := f.ring.Unwrap(fresh.wrapped, fresh.context())
	if err != nil {
		return true, f.dropCopy(fresh)
	}
	if fresh.wrapped, err = f.ring.Wrap(key, fresh.context()); err == nil {
		err = writeHeader(fresh.file, fresh.header)
	}
	if err != nil {
		return false, errors.Join(err, f.dropCopy(fresh))
	}
	if err := f.fs.Rename(seg.name+tmpSuffix, copyName(seg.seq)); err != nil {
		return false, f.fail(err) // nobody knows which name it has
	}
	if err := f.syncDir(); err != nil {
		return false, err
	}
	if err := f.takePlace(seg.file, seg.seq); err != nil {
		return false, f.fail(err)
	}
	t := f.table.Load()
	segments := slices.Clone(t.segments)
	segments[seg.seq-t.first] = fresh
	f.table.Store(&table{first: t.first, segments: segments})
	f.supply.mu.Lock()
	f.supply.used += fresh.length.Load() - seg.length.Load()
	f.supply.mu.Unlock()
	return false, seg.file.Close() // who still reads it finds the copy
}

// takePlace destroys the data key of the segment in an open file, and gives its
// name to the copy.
func (f *Files) takePlace(old File, seq uint32) error {
	size, err := old.Size()
	if err == nil {
		_, err = old.WriteAt(make([]byte, min(headerBytes, size)), 0)
	}
	if err == nil {
		err = old.Sync()
	}
	if err == nil {
		err = f.fs.Rename(copyName(seq), segmentName(seq))
	}
	if err != nil {
		return err
	}
	return f.syncDir()
}

// alone waits until nobody writes, prepares or destroys anything, and keeps it
// so.
func (f *Files) alone() (unlock func()) {
	for {
		f.supply.making.Lock()
		if f.mu.TryLock() {
			return func() {
				f.mu.Unlock()
				f.supply.making.Unlock()
			}
		}
		f.supply.making.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// finishErase finishes what a crash interrupted, before anything else is read.
func (f *Files) finishErase() error {
	names, err := f.fs.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		seq, ok := parseCopyName(name)
		if !ok {
			continue
		}
		// Its name may not have been durable yet, and then nothing that follows is.
		if err := f.syncDir(); err != nil {
			return err
		}
		old, err := f.fs.OpenWrite(segmentName(seq))
		if err != nil {
			return err
		}
		err = f.takePlace(old, seq)
		if err = errors.Join(err, old.Close()); err != nil {
			return err
		}
		f.log.Info("journal finished erasing in a segment", "segment", seq)
	}
	return nil
}

// instead returns the segment that has taken another's place, or nil.
func (f *Files) instead(seg *segment) *segment {
	if now := f.table.Load().find(seg.seq); now != seg {
		return now
	}
	return nil
}
