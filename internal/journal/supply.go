package journal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Filling takes a fifth of the disk's time while nobody waits for it.
	restFactor = 4
	restMost   = 100 * time.Millisecond
	// spareFiles is how many free files beyond the reserve are kept for the
	// next backlog before disk is given back.
	spareFiles = 8
	// retryFill is how long a disk that turned out full is left alone.
	retryFill = time.Second
)

// supply makes segment files ahead of their use.
type supply struct {
	f    *Files
	size int64 // of a segment
	max  int64 // bytes of all files; 0: no bound

	making sync.Mutex // held while files are made, prepared, or destroyed

	mu       sync.Mutex // short
	prepared *segment
	free     []freeFile
	ready    int    // prepared, free, and between the two
	next     uint32 // may be prepared; 0: the one before has not been opened yet
	reserve  int    // segments asked for
	used     int64
	counter  uint32   // last number given to a free file
	ended    *segment // by a restart: its rest is given back
	full     time.Time

	hurried  atomic.Int32  // how many wait for a file
	hurry    chan struct{} // ends a pause
	kick     chan struct{}
	stopping atomic.Bool
	done     chan struct{}
}

type freeFile struct {
	name string
	file File
	size int64
}

func newSupply(f *Files, size, maxBytes int64) *supply {
	s := &supply{f: f, size: size, max: maxBytes, hurry: make(chan struct{}, 1), kick: make(chan struct{}, 1), done: make(chan struct{})}
	close(s.done) // until start
	return s
}

// capacity is what a segment takes of entries.
func (s *supply) capacity() int64 { return s.size - firstEntry - tailBytes }

// sure is what a segment takes for certain, as the last entry that does not
// fit leaves a rest: true for entries of up to a 32nd of a segment.
func (s *supply) sure() int64 { return s.capacity() - s.capacity()/32 }

func (s *supply) start() {
	s.done = make(chan struct{})
	go s.run()
	s.wake()
}

func (s *supply) stop() {
	s.mu.Lock()
	if !s.stopping.Swap(true) {
		close(s.kick)
		select {
		case s.hurry <- struct{}{}:
		default:
		}
	}
	s.mu.Unlock()
	<-s.done
}

// wake has the background task look whether anything is to be made.
func (s *supply) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() || s.satisfied() {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *supply) satisfied() bool {
	return s.ended == nil && (s.prepared != nil || s.next == 0) && s.ready >= s.target() && len(s.free) <= s.target()+spareFiles
}

func (s *supply) target() int { return s.reserve + 1 }

func (s *supply) run() {
	defer close(s.done)
	for range s.kick {
		if err := s.work(); err != nil && !errors.Is(err, ErrFull) && !s.stopping.Load() {
			s.f.log.Warn("journal could not make the next segment ready", "error", err)
		}
	}
}

// work prepares the next segment first, for which it may need what a restart
// has left over, then makes free files, or removes what are too many.
func (s *supply) work() error {
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.giveBack(); err != nil {
		return err
	}
	if err := s.makeReady(1, false); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.trim(); err != nil {
		return err
	}
	s.mu.Lock()
	ready, target := s.ready, s.target()
	s.mu.Unlock()
	for n := ready + 1; n <= target; n++ { // one by one: some are better than none
		if err := s.makeReady(n, false); err != nil {
			return err
		}
	}
	return nil
}

// ensure makes n segments ready, or returns ErrFull. force lets it exceed the
// bound, not the disk.
func (s *supply) ensure(n int, force bool) error {
	if s.has(n) {
		return nil
	}
	defer s.lockNow()()
	return s.makeReady(n, force)
}

// lockNow locks making, and lets whoever has it not pause meanwhile.
func (s *supply) lockNow() (unlock func()) {
	s.hurried.Add(1)
	select {
	case s.hurry <- struct{}{}:
	default:
	}
	s.making.Lock()
	return func() {
		s.making.Unlock()
		s.hurried.Add(-1)
	}
}

func (s *supply) has(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready >= n
}

// makeReady fills files until n are ready; making is held.
func (s *supply) makeReady(n int, force bool) error {
	for !s.has(n) {
		if s.f.latch.Load() != nil {
			return ErrLatched
		}
		if s.stopping.Load() {
			return ErrClosed
		}
		if err := s.mayGrow(n, force); err != nil {
			return err
		}
		file, err := s.fill()
		if err != nil {
			s.mu.Lock()
			s.full = time.Now()
			s.mu.Unlock()
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		s.mu.Lock()
		s.used += s.size
		s.mu.Unlock()
		s.give(file)
	}
	return nil
}

// mayGrow looks whether there is space for all that is missing, so that
// nothing is made where not everything can be.
func (s *supply) mayGrow(n int, force bool) error {
	s.mu.Lock()
	used, full, missing := s.used, s.full, int64(n-s.ready)
	s.mu.Unlock()
	if !force && s.max > 0 && missing > (s.max-used)/s.size {
		return fmt.Errorf("%w: the bound is %d bytes", ErrFull, s.max)
	}
	if !full.IsZero() && time.Since(full) < retryFill {
		return fmt.Errorf("%w: tried just now", ErrFull)
	}
	free, err := s.f.fs.Free()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if missing > free/s.size {
		return fmt.Errorf("%w: %d bytes are free", ErrFull, free)
	}
	return nil
}

// fill makes a file of zeros. Allocating would not do: a sync of bytes in
// allocated but unwritten space has to write metadata too.
func (s *supply) fill() (freeFile, error) {
	name := s.freeName()
	tmp := name + tmpSuffix
	file, err := s.f.fs.Create(tmp)
	if err != nil {
		return freeFile{}, err
	}
	if err = s.zero(file); err == nil {
		err = s.f.fs.Rename(tmp, name)
	}
	if err != nil {
		return freeFile{}, errors.Join(err, file.Close(), s.f.fs.Remove(tmp))
	}
	// Room that was promised is still there after a power cut.
	if err := s.f.syncDir(); err != nil {
		return freeFile{}, errors.Join(err, file.Close())
	}
	return freeFile{name: name, file: file, size: s.size}, nil
}

func (s *supply) zero(file File) error {
	began := time.Now()
	err := file.Zero(s.size, func(done int64) error {
		if s.stopping.Load() {
			return ErrClosed
		}
		s.pause(time.Since(began), s.size-done)
		began = time.Now()
		return nil
	})
	if err != nil {
		return err
	}
	return file.SyncAll()
}

// pause leaves the disk to the batches after a step of filling, so that none of
// them waits for more than one step. It does not where the file is waited for,
// or would be if entries went on coming: nothing else is ready, and the segment
// being written has less room than this one lacks.
func (s *supply) pause(step time.Duration, lacks int64) {
	s.mu.Lock()
	soon := s.ready == 0 && lacks > s.f.rest.Load()
	s.mu.Unlock()
	if soon || s.hurried.Load() > 0 {
		return
	}
	timer := time.NewTimer(min(restFactor*step, restMost))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.hurry:
	}
}

func (s *supply) freeName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counter++
	return freeName(s.counter)
}

// give adds a free file.
func (s *supply) give(file freeFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, file)
	s.ready++
}

// prepare gives the next segment its header and name; making is held. It does
// nothing where that is done, or may not be done yet.
func (s *supply) prepare() error {
	s.mu.Lock()
	seq := s.next
	if seq == 0 || s.prepared != nil || len(s.free) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.f.latch.Load() != nil {
		s.mu.Unlock()
		return ErrLatched
	}
	last := len(s.free) - 1
	file := s.free[last]
	s.free = s.free[:last]
	s.mu.Unlock()

	seg, err := s.name(file, seq)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.ready--
		s.used -= file.size
		return err
	}
	s.prepared = seg
	return nil
}

// name turns a free file into the segment of a number. A file that can't be
// written is removed.
func (s *supply) name(file freeFile, seq uint32) (*segment, error) {
	h, key, err := newHeader(s.f.ring, s.f.id, seq, file.size)
	if err == nil {
		_, err = file.file.WriteAt(h.marshal(), 0)
	}
	if err == nil {
		err = file.file.SyncAll()
	}
	name := segmentName(seq)
	if err == nil {
		err = s.f.fs.Rename(file.name, name)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: prepare %s: %w", name, err), s.discard(file))
	}
	if err := s.f.syncDir(); err != nil {
		return nil, errors.Join(err, file.file.Close())
	}
	seg := &segment{header: h, name: name, file: file.file, key: key}
	seg.length.Store(h.size)
	return seg, nil
}

// ahead is the segment that was prepared and is not in use yet.
func (s *supply) ahead() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prepared
}

func (s *supply) discard(file freeFile) error {
	return errors.Join(file.file.Close(), s.f.fs.Remove(file.name))
}

// take returns the segment of a number. No other is prepared until opened is
// called for it.
func (s *supply) take(seq uint32) (*segment, error) {
	if seg := s.pick(seq); seg != nil {
		return seg, nil
	}
	defer s.lockNow()() // waits for what is under way
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if seg := s.pick(seq); seg != nil {
		return seg, nil
	}
	return nil, fmt.Errorf("journal: segment %08x is not ready", seq)
}

func (s *supply) pick(seq uint32) *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.prepared
	if seg == nil || seg.seq != seq {
		return nil
	}
	s.prepared, s.next = nil, 0
	s.ready--
	return seg
}

// opened says that a segment's opened note is on stable storage: the next may
// be prepared, and the one that a restart ended, if any, is finished.
func (s *supply) opened(seq uint32, ended *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = seq + 1
	if ended != nil {
		s.ended = ended
	}
}

// giveBack cuts off the rest of a segment that a restart ended, so that a
// process that starts again and again does not fill the disk; making is held.
func (s *supply) giveBack() error {
	s.mu.Lock()
	seg := s.ended
	s.ended = nil
	s.mu.Unlock()
	if seg == nil || seg.seq < s.f.table.Load().first {
		return nil
	}
	return s.cut(seg)
}

// cut takes from a segment's file what its entries do not fill, if it is worth
// it; making is held.
func (s *supply) cut(seg *segment) error {
	end := (seg.end.Load() + pageBytes - 1) &^ (pageBytes - 1)
	rest := seg.length.Load() - end
	if rest < seg.size/4 {
		return nil // rather kept whole, for its next use
	}
	seg.length.Store(end)
	if err := seg.file.Truncate(end); err != nil {
		return fmt.Errorf("journal: cut %s: %w", seg.name, err)
	}
	s.mu.Lock()
	s.used -= rest
	s.mu.Unlock()
	return nil
}

// trim removes free files beyond what is kept; making is held.
func (s *supply) trim() error {
	for {
		s.mu.Lock()
		if len(s.free) <= s.target()+spareFiles {
			s.mu.Unlock()
			return nil
		}
		last := len(s.free) - 1
		file := s.free[last]
		s.free = s.free[:last]
		s.ready--
		s.used -= file.size
		s.mu.Unlock()
		if err := s.discard(file); err != nil {
			return err
		}
	}
}

func (s *supply) release() error {
	s.making.Lock()
	defer s.making.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, file := range s.free {
		errs = append(errs, file.file.Close())
	}
	if s.prepared != nil {
		errs = append(errs, s.prepared.file.Close())
	}
	s.free, s.prepared, s.ready = nil, nil, 0
	return errors.Join(errs...)
}
