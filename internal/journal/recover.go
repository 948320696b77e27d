package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

var (
	errNoSegments = errors.New("the segments are missing")
	errMissing    = errors.New("the segment is missing")
	errForeign    = errors.New("the segment belongs to another journal")
	errNotWhole   = errors.New("a frame that was on stable storage is not whole")
	errOpened     = errors.New("the opened note is not whole")
	errChain      = errors.New("the opened note does not fit the segment before")
)

// recovery is what is known of a journal while it opens.
type recovery struct {
	f     *Files
	files map[uint32]*segment // by number; a header that is not whole leaves bad
	bad   map[uint32]error
	order []uint32
	id    journalID
	known bool // id is
}

// recover brings the directory into order and fills the table. The steps are
// those of docs/formats/journal.md.
func (f *Files) recover() (rec Recovered, err error) {
	r := &recovery{f: f, files: map[uint32]*segment{}, bad: map[uint32]error{}}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err = f.finishErase(); err != nil {
		return rec, err
	}
	if err = f.finishKeys(); err != nil {
		return rec, err
	}
	if r.id, r.known, err = readIdentity(f.fs); err != nil {
		return rec, err
	}
	hadIdentity := r.known
	if err = r.list(); err != nil {
		return rec, err
	}
	if len(r.order) == 0 && r.known {
		return rec, damaged(IdentityFile, 0, errNoSegments)
	}
	last, torn, err := r.last()
	if err != nil {
		return rec, err
	}
	if !r.known {
		if _, err = rand.Read(r.id[:]); err != nil {
			return rec, err
		}
	}
	f.id = r.id
	first := uint32(1)
	if last != nil {
		var tail tail
		if tail, err = r.tail(last); err != nil {
			return rec, err
		}
		first = tail.first
		if torn == nil {
			torn = tail.torn
		}
		f.end.Store(uint64(position(last.seq, tail.entries)))
	} else {
		f.end.Store(uint64(position(1, firstEntry)))
		rec.Created = !hadIdentity
	}
	rec.End, rec.Torn = f.End(), torn
	if err = r.adopt(first, last); err != nil {
		return rec, err
	}
	if err = f.begin(); err != nil {
		return rec, err
	}
	if !hadIdentity {
		if !rec.Created {
			f.log.Warn("journal identity file was missing; written again", "file", IdentityFile)
		}
		err = f.writeIdentity()
	}
	return rec, err
}

// begin makes the next segment ready. A full disk is no reason not to open.
func (f *Files) begin() error {
	s := f.supply
	s.making.Lock()
	defer s.making.Unlock()
	t := f.table.Load()
	s.next = t.first + uint32(len(t.segments)) // #nosec G115 -- numbers of segments have 32 bits
	for i := range len(t.segments) - 1 {       // the process before may not have come to it
		if err := s.cut(t.segments[i]); err != nil {
			f.log.Warn("journal could not give back the rest of a segment", "error", err)
		}
	}
	err := s.makeReady(1, false)
	if errors.Is(err, ErrFull) && len(t.segments) > 0 {
		f.log.Warn("journal has no room for a segment", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	return s.prepare()
}

// list opens everything that is there.
func (r *recovery) list() error {
	f := r.f
	names, err := f.fs.List()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, tmpSuffix) {
			err = f.fs.Remove(name)
		} else if n, ok := parseFreeName(name); ok {
			err = r.addFree(name, n)
		} else if seq, ok := parseSegmentName(name); ok {
			err = r.addSegment(name, seq)
		}
		if err != nil {
			return err
		}
	}
	r.order = slices.Sorted(maps.Keys(r.files))
	return nil
}

func (r *recovery) addFree(name string, n uint32) error {
	file, err := r.f.fs.OpenWrite(name)
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s := r.f.supply
	s.counter = max(s.counter, n)
	free := freeFile{name: name, file: file, size: size}
	if size != s.size {
		return s.discard(free)
	}
	s.used += size
	s.give(free)
	return nil
}

func (r *recovery) addSegment(name string, seq uint32) error {
	file, err := r.f.fs.OpenWrite(name)
	if err != nil {
		return err
	}
	seg := &segment{name: name, file: file}
	r.files[seq] = seg
	size, err := file.Size()
	if err != nil {
		return err
	}
	seg.length.Store(size)
	h, err := readHeader(file, seq)
	if err == nil && r.known && h.id != r.id {
		err = errForeign
	}
	if err != nil {
		r.bad[seq] = err
		return nil
	}
	if !r.known {
		r.id, r.known = h.id, true
	}
	seg.header = h
	return nil
}

// last finds the last segment that was opened, and frees the one prepared
// after it. It returns nil where none was opened.
func (r *recovery) last() (seg *segment, torn *Tear, err error) {
	if len(r.order) == 0 {
		return nil, nil, nil
	}
	highest := r.order[len(r.order)-1]
	if seg, err = r.whole(highest); err != nil {
		return nil, nil, err
	}
	if err := seg.full(); err != nil {
		return nil, nil, err
	}
	w := seg.window()
	if _, ok, err := seg.format().read(w, firstFrame); err != nil {
		return nil, nil, seg.damage(firstFrame, err)
	} else if ok {
		return seg, nil, nil
	}
	beyond, err := seg.format().provenBeyond(seg.file, firstFrame)
	if err != nil {
		return nil, nil, err
	}
	if beyond.proven {
		return nil, nil, seg.damage(firstFrame, errOpened)
	}
	if beyond.end > 0 {
		torn = &Tear{File: seg.name, At: position(highest, firstFrame), Bytes: beyond.end - firstFrame}
	}
	if highest == 1 {
		// The name stays until a new segment takes it: without any segment
		// the journal would look lost.
		delete(r.files, 1)
		r.order = nil
		return nil, torn, seg.file.Close()
	}
	previous, err := r.whole(highest - 1)
	if err == nil {
		err = previous.full()
	}
	if err != nil {
		return nil, nil, err
	}
	return previous, torn, r.free(highest)
}

// whole returns a segment whose header is whole.
func (r *recovery) whole(seq uint32) (*segment, error) {
	if err := r.bad[seq]; err != nil {
		return nil, damaged(segmentName(seq), 0, err)
	}
	seg := r.files[seq]
	if seg == nil {
		return nil, damaged(segmentName(seq), 0, errMissing)
	}
	if _, err := seg.cipher(r.f.ring); err != nil {
		return nil, err
	}
	return seg, nil
}

// free turns a segment that was never opened into a free file.
func (r *recovery) free(seq uint32) error {
	seg := r.files[seq]
	delete(r.files, seq)
	r.order = slices.DeleteFunc(r.order, func(n uint32) bool { return n == seq })
	s := r.f.supply
	file := freeFile{name: s.freeName(), file: seg.file, size: seg.size}
	if err := r.f.fs.Rename(seg.name, file.name); err != nil {
		return errors.Join(err, seg.file.Close())
	}
	if file.size != s.size {
		return s.discard(file)
	}
	s.used += file.size
	s.give(file)
	return r.f.syncDir()
}

// tail is where the last segment ends.
type tail struct {
	first   uint32
	end     int64 // behind the last whole frame
	entries int64 // behind the last entry
	torn    *Tear
}

// tail reads the last segment, decides tear or damage, and writes again what
// may be in the page cache only.
func (r *recovery) tail(seg *segment) (tail, error) {
	format := seg.format()
	w := seg.window()
	t := tail{end: firstFrame, entries: firstEntry}
	proven, closed := int64(firstFrame), false
	for {
		f, ok, err := format.read(w, t.end)
		if err != nil {
			return t, seg.damage(t.end, err)
		}
		if !ok {
			break
		}
		if _, first, ok := f.opened(); ok {
			t.first = first
		}
		if first, ok := f.retired(); ok {
			t.first = first
		}
		proven, closed = max(proven, f.synced), f.kind == noteSynced
		t.end = f.end()
		if !f.note() {
			t.entries = t.end
		}
	}
	if t.first == 0 || t.first > seg.seq {
		return t, seg.damage(firstFrame, errOpened)
	}
	beyond, err := format.provenBeyond(seg.file, t.end)
	if err != nil {
		return t, err
	}
	if beyond.proven {
		return t, seg.damage(t.end, errNotWhole)
	}
	if beyond.end > 0 || !closed && format.begun(w, t.end, proven) {
		t.torn = &Tear{File: seg.name, At: position(seg.seq, t.end), Bytes: max(0, beyond.end-t.end)}
	}
	seg.end.Store(t.end)
	return t, rewrite(seg, proven, t.end)
}

const rewriteChunk = 4 << 20

// rewrite puts bytes on stable storage that were read from the file: a sync
// alone would not, if the kernel lost them in an earlier failure.
func rewrite(seg *segment, from, to int64) error {
	buf := make([]byte, min(to-from, rewriteChunk))
	for off := from; off < to; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), to-off)]
		if n, err := seg.file.ReadAt(buf, off); n < len(buf) {
			return seg.damage(off, err)
		}
		if _, err := seg.file.WriteAt(buf, off); err != nil {
			return fmt.Errorf("journal: write %s again: %w", seg.name, err)
		}
	}
	if err := seg.file.Sync(); err != nil {
		return fmt.Errorf("journal: sync %s: %w", seg.name, err)
	}
	return nil
}

// adopt fills the table with the segments from first to last, and finishes the
// retirement of those below.
func (r *recovery) adopt(first uint32, last *segment) error {
	f := r.f
	t := &table{first: first}
	if last != nil {
		for seq := first; seq <= last.seq; seq++ {
			seg, err := r.whole(seq)
			if err != nil {
				return err
			}
			if err := r.link(t.last(), seg); err != nil {
				return err
			}
			t.segments = append(t.segments, seg)
		}
	}
	retired := []*segment{}
	for _, seq := range r.order {
		if seq < first {
			retired = append(retired, r.files[seq])
		}
	}
	f.table.Store(t) // from here on Files closes what is in it
	for _, seg := range t.segments {
		delete(r.files, seg.seq)
		f.supply.used += seg.length.Load()
	}
	for _, seg := range retired {
		f.supply.used += seg.length.Load()
	}
	r.files = nil
	return f.destroy(retired)
}

// link checks a segment's opened note, which tells where the one before ended.
func (r *recovery) link(previous, seg *segment) error {
	w := newWindow(seg.file, min(firstEntry, seg.length.Load()))
	note, ok, err := seg.format().read(w, firstFrame)
	if err != nil {
		return seg.damage(firstFrame, err)
	}
	end, _, opened := note.opened()
	if !ok || !opened {
		return seg.damage(firstFrame, errOpened)
	}
	if previous == nil {
		return nil
	}
	seq, off := split(end)
	if seq != previous.seq || off < firstFrame || off > previous.size || off%align != 0 {
		return seg.damage(firstFrame, errChain)
	}
	if length := previous.length.Load(); off > length {
		return previous.damage(length, errCut)
	}
	previous.end.Store(off)
	return nil
}

func (r *recovery) close() {
	for _, seg := range r.files {
		_ = seg.file.Close()
	}
}
