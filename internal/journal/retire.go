package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"holdfast/internal/continuity"
)

// Retire implements Log. The segment in which the last entry stands is kept.
func (f *Files) Retire(below continuity.Position) error {
	retired, err := f.disown(below)
	if err != nil || len(retired) == 0 {
		return err
	}
	err = f.destroyAll(retired)
	f.supply.wake()
	return err
}

// disown puts on stable storage that the segments below a position are gone,
// and takes them out of the table.
func (f *Files) disown(below continuity.Position) ([]*segment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.usable(); err != nil {
		return nil, err
	}
	t := f.table.Load()
	keep, _ := split(f.End())
	n := 0
	for n < len(t.segments) && t.segments[n].seq < keep && t.segments[n].endPosition() <= below {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	first := t.segments[n].seq
	if err := f.writeRetired(first); err != nil {
		return nil, err
	}
	t = f.table.Load() // a new segment may have joined
	f.table.Store(&table{first: first, segments: t.segments[n:]})
	return t.segments[:n], nil
}

// writeRetired writes a retired note, or a new segment's opened note where the
// active one has no room.
func (f *Files) writeRetired(first uint32) error {
	seg := f.active
	if seg != nil && seg.end.Load()+retiredBytes <= seg.size {
		var note [4]byte
		binary.LittleEndian.PutUint32(note[:], first)
		off := seg.end.Load()
		f.buf = seg.format().append(f.buf[:0], off, off, noteRetired, note[:], nil)
		return f.write(seg)
	}
	if err := f.supply.ensure(1, true); err != nil {
		return err
	}
	seg, err := f.roll(first)
	if err != nil {
		return err
	}
	return f.write(seg)
}

func (f *Files) destroyAll(retired []*segment) error {
	f.supply.making.Lock()
	defer f.supply.making.Unlock()
	if f.supply.stopping.Load() {
		return nil // the next Open finishes it
	}
	return f.destroy(retired)
}

// destroy overwrites the data keys of retired segments and makes free files of
// them. A reader that still has one finds its frames broken, and then that the
// segment is gone.
func (f *Files) destroy(retired []*segment) error {
	if len(retired) == 0 {
		return nil
	}
	s := f.supply
	var errs []error
	var files []freeFile
	for _, seg := range retired {
		file := freeFile{name: s.freeName(), file: seg.file, size: seg.length.Load()}
		_, err := seg.file.WriteAt(make([]byte, min(headerBytes, file.size)), 0)
		if err == nil {
			err = seg.file.Sync()
		}
		if err == nil {
			err = f.fs.Rename(seg.name, file.name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("journal: destroy %s: %w", seg.name, err), seg.file.Close())
			continue
		}
		files = append(files, file)
	}
	errs = append(errs, f.syncDir())
	for _, file := range files {
		if file.size == s.size {
			s.give(file)
			continue
		}
		s.mu.Lock()
		s.used -= file.size
		s.mu.Unlock()
		errs = append(errs, s.discard(file))
	}
	return errors.Join(errs...)
}
