package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// survey reads a journal's directory without changing it, and goes on where
// opening would stop.
type survey struct {
	fs     FS
	lock   io.Closer // nil while another process has the journal open
	report Report
	id     journalID
	known  bool
	files  map[uint32]*segment
	bad    map[uint32]error
	ends   map[uint32]int64 // by the opened note of the segment after it
	first  uint32
	keys   []header // of an exchange of the master key that is not finished
	last   *segment // nil: nothing was ever written, or can be found
}

// newSurvey finds out which segments there are and which must be there. Along
// with an error it may return what it found so far, closed.
func newSurvey(dir FS) (*survey, error) {
	s := &survey{fs: dir, files: map[uint32]*segment{}, bad: map[uint32]error{}, ends: map[uint32]int64{}, first: 1}
	names, err := dir.List()
	if err != nil {
		return nil, err
	}
	isJournal := func(name string) bool {
		_, segment := parseSegmentName(name)
		return segment || name == IdentityFile
	}
	if !slices.ContainsFunc(names, isJournal) {
		return nil, fmt.Errorf("journal: no journal in this directory: %w", fs.ErrNotExist)
	}
	if slices.Contains(names, lockName) {
		s.lock, err = dir.Lock(lockName)
		s.report.InUse = errors.Is(err, ErrLocked)
	}
	slices.Sort(names)
	if err := s.look(names); err != nil {
		return s, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *survey) close() error {
	var errs []error
	for _, seg := range s.files {
		errs = append(errs, seg.file.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func (s *survey) found(f Finding, why error) {
	if why != nil {
		f.Detail = why.Error()
	}
	s.report.Findings = append(s.report.Findings, f)
}

func (s *survey) look(names []string) (err error) {
	s.id, s.known, err = readIdentity(s.fs)
	switch {
	case errors.Is(err, ErrDamaged):
		s.found(Finding{What: FoundIdentity, Damage: true, File: IdentityFile}, err)
	case err != nil:
		return err
	case !s.known:
		s.found(Finding{What: FoundIdentity, File: IdentityFile}, fs.ErrNotExist)
	}
	if _, s.keys, _, err = readKeys(s.fs); err != nil {
		s.found(Finding{What: FoundHeader, Damage: true, File: keysName}, err)
	}
	for _, name := range names {
		if seq, ok := parseSegmentName(name); ok {
			if err := s.addSegment(name, seq); err != nil {
				return err
			}
		} else if _, ok := parseFreeName(name); ok {
			size, err := fileSize(s.fs, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // whoever has the journal open has given it a segment's name meanwhile
			}
			if err != nil {
				return err
			}
			s.report.Segments = append(s.report.Segments, SegmentInfo{File: name, State: SegmentFree, Bytes: size})
		}
	}
	s.report.Journal = s.id.String()
	return s.findLast()
}

func fileSize(dir FS, name string) (int64, error) {
	file, err := dir.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.Size()
}

func (s *survey) addSegment(name string, seq uint32) error {
	file, err := s.fs.Open(copyName(seq)) // erasing may be under way
	if errors.Is(err, fs.ErrNotExist) {
		file, err = s.fs.Open(name)
	}
	if err != nil {
		return err
	}
	seg := &segment{name: name, file: file}
	s.files[seq] = seg
	size, err := file.Size()
	if err != nil {
		return err
	}
	seg.length.Store(size)
	h, err := readHeader(file, seq)
	if err != nil {
		for _, kept := range s.keys { // an exchange of the master key may be under way
			if kept.seq == seq {
				h, err = kept, nil
			}
		}
	}
	if err == nil && s.known && h.id != s.id {
		err = errForeign
	}
	if err != nil {
		seg.seq, s.bad[seq] = seq, err
		return nil
	}
	if !s.known {
		s.id, s.known = h.id, true
	}
	seg.header = h
	return nil
}

// findLast finds the last segment that was opened, and the first that must be
// there.
func (s *survey) findLast() error {
	order := slices.Sorted(maps.Keys(s.files))
	for i := len(order) - 1; i >= 0 && s.last == nil; i-- {
		seg := s.files[order[i]]
		if s.bad[seg.seq] != nil {
			continue
		}
		opened, err := seg.wasOpened()
		if err != nil {
			return err
		}
		if opened {
			s.last = seg
		}
	}
	if s.last == nil {
		if len(order) > 0 {
			s.first = order[0]
		} else {
			s.found(Finding{What: FoundMissing, Damage: true, File: segmentName(1), At: position(1, 0)}, errNoSegments)
		}
		return nil
	}
	s.first = 0
	err := s.last.frames(firstFrame, -1, func(f frame) bool {
		if _, first, ok := f.opened(); ok {
			s.first = first
		}
		if first, ok := f.retired(); ok {
			s.first = first
		}
		return true
	}, func(hole) {})
	if s.first == 0 || s.first > s.last.seq { // the opened note is damaged
		s.first = order[0]
	}
	return err
}

// wasOpened reports whether a segment's opened note is there, or once was.
func (s *segment) wasOpened() (bool, error) {
	w := s.window()
	_, ok, err := s.format().read(w, firstFrame)
	if ok || err != nil {
		return ok, err
	}
	b, err := s.format().provenBeyond(s.file, firstFrame)
	return b.proven, err
}

// hole is a place without a whole frame before the end of a segment.
type hole struct {
	off    int64
	next   int64 // the next whole frame; 0: none
	damage bool  // it was on stable storage once
	torn   bool  // it never was, and something whole stands behind it
}

// frames visits a segment's frames from start up to end; -1: up to where it
// ends by itself. Behind damage it goes on with the next whole frame.
func (s *segment) frames(start, end int64, visit func(frame) bool, found func(hole)) error {
	format, w := s.format(), s.window()
	limit := end
	if end < 0 {
		limit = w.size
	}
	for off := start; off < limit; {
		f, ok, err := format.read(w, off)
		if err != nil {
			return s.damage(off, err)
		}
		if ok {
			if !visit(f) {
				return nil
			}
			off = f.end()
			continue
		}
		h := hole{off: off, damage: end >= 0}
		if !h.damage {
			b, err := format.provenBeyond(s.file, off)
			if err != nil {
				return err
			}
			if b.proven { // read again: it may have been written just now
				w.forget()
				if _, ok, err := format.read(w, off); err == nil && ok {
					continue
				}
			}
			h.damage, h.torn = b.proven, b.end > 0
		}
		if h.damage {
			if h.next, err = format.nextWhole(s.file, off); err != nil {
				return err
			}
			if h.next >= limit {
				h.next = 0
			}
		}
		if h.damage || h.torn {
			found(h)
		}
		if h.next == 0 {
			return nil
		}
		off = h.next
	}
	return nil
}

// InUse reports whether a process has the journal in a directory open. It
// leaves nothing behind where there is none.
func InUse(dir FS) bool {
	names, err := dir.List()
	if err != nil || !slices.Contains(names, lockName) {
		return false
	}
	lock, err := dir.Lock(lockName)
	if err != nil {
		return errors.Is(err, ErrLocked)
	}
	_ = lock.Close()
	return false
}
