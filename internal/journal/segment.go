package journal

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"holdfast/internal/continuity"
	"holdfast/internal/keyring"
)

// segment is an open segment file.
type segment struct {
	header
	name string
	file File
	// end is the offset behind the last frame that is on stable storage.
	// It stands still once the next segment has been opened.
	end atomic.Int64
	// length is the file's: less than size where a restart gave up the rest.
	length atomic.Int64
	// rewrapped is the data key as an exchange of the master key left it.
	rewrapped atomic.Pointer[[]byte]

	once sync.Once
	key  cipher.AEAD
	err  error
}

// cipher returns the segment's cipher; it unwraps the data key when first
// asked.
func (s *segment) cipher(ring *keyring.Ring) (cipher.AEAD, error) {
	s.once.Do(func() {
		if s.key == nil {
			s.key, s.err = s.unwrap(ring)
		}
	})
	return s.key, s.err
}

func (s *segment) endPosition() continuity.Position { return position(s.seq, s.end.Load()) }

// window returns a window over the file.
func (s *segment) window() *window { return newWindow(s.file, s.length.Load()) }

// full returns an error unless the file has its whole size, as it must until
// the next segment has been opened.
func (s *segment) full() error {
	if n := s.length.Load(); n != s.size {
		return s.damage(n, fmt.Errorf("%w: it has %d bytes of %d", errCut, n, s.size))
	}
	return nil
}

var errCut = errors.New("the file has been cut")

// damage makes the error for a place in this segment.
func (s *segment) damage(off int64, why error) error { return damaged(s.name, off, why) }

// Damage is an ErrDamaged that says where.
type Damage struct {
	File   string
	Offset int64
	Err    error
}

func damaged(file string, off int64, why error) error {
	return &Damage{File: file, Offset: off, Err: why}
}

// Error is for logs.
func (d *Damage) Error() string {
	return fmt.Sprintf("%v: %s at %d: %v", ErrDamaged, d.File, d.Offset, d.Err)
}

// Unwrap gives ErrDamaged and the cause.
func (d *Damage) Unwrap() []error { return []error{ErrDamaged, d.Err} }

// table is the segments in use, oldest first, without gaps. It is replaced
// whole, so that readers need no lock.
type table struct {
	first    uint32 // oldest kept, also where segments is empty
	segments []*segment
}

// find returns the segment with a number, or nil.
func (t *table) find(seq uint32) *segment {
	if seq < t.first || int64(seq)-int64(t.first) >= int64(len(t.segments)) {
		return nil
	}
	return t.segments[seq-t.first]
}

func (t *table) last() *segment {
	if len(t.segments) == 0 {
		return nil
	}
	return t.segments[len(t.segments)-1]
}

func (t *table) with(s *segment) *table {
	segments := make([]*segment, 0, len(t.segments)+1)
	return &table{first: t.first, segments: append(append(segments, t.segments...), s)}
}
