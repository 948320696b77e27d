package journal

import (
	"errors"
	"fmt"
	"iter"
	"sync"

	"holdfast/internal/continuity"
)

const (
	// readGuess is read at once for one entry: most fit.
	readGuess = 4096
	// keepGuess is the largest buffer kept for the next entry.
	keepGuess = 64 << 10
	// readAhead is read at once by All, recovery and verify.
	readAhead = 1 << 20
)

func newWindow(file File, size int64) *window {
	return &window{file: file, size: size, ahead: readAhead}
}

var guesses = sync.Pool{New: func() any { return &window{ahead: readGuess} }}

// Read implements Log.
func (f *Files) Read(at continuity.Position) (Stored, error) {
	end, t := f.End(), f.table.Load()
	seq, off := split(at)
	if seq < t.first {
		return Stored{}, ErrGone
	}
	seg := t.find(seq)
	if seg == nil || at >= end || off < firstEntry || off >= seg.end.Load() {
		return Stored{}, ErrPosition
	}
	w := guesses.Get().(*window)
	defer func() {
		if cap(w.buf) <= keepGuess {
			guesses.Put(w)
		}
	}()
	w.file, w.size = seg.file, seg.length.Load()
	w.forget()
	s, err := f.entry(seg, w, off)
	w.file, w.seal.aead = nil, nil
	if err != nil && f.instead(seg) != nil {
		return f.Read(at)
	}
	if err != nil {
		return Stored{}, f.unlessGone(seg, err)
	}
	return s, nil
}

// entry reads one entry.
func (f *Files) entry(seg *segment, w *window, off int64) (Stored, error) {
	fr, ok, err := seg.format().read(w, off)
	if err != nil {
		return Stored{}, seg.damage(off, err)
	}
	if !ok {
		return Stored{}, seg.damage(off, errNotWhole)
	}
	if fr.note() {
		return Stored{}, ErrPosition
	}
	if w.seal.aead, err = seg.cipher(f.ring); err != nil {
		return Stored{}, err
	}
	return unseal(seg, fr, &w.seal)
}

var errSeal = errors.New("the seal does not fit: changed, or sealed under another key")

func unseal(seg *segment, fr frame, seal *sealer) (Stored, error) {
	payload, err := fr.open(seal)
	if err != nil {
		return Stored{}, seg.damage(fr.off, errSeal)
	}
	return Stored{
		Entry:    Entry{Kind: fr.kind, Payload: payload},
		Position: position(seg.seq, fr.off),
		Next:     position(seg.seq, fr.end()),
	}, nil
}

// unlessGone explains an error by the segment's retirement, if it was retired
// meanwhile.
func (f *Files) unlessGone(seg *segment, err error) error {
	if seg.seq < f.table.Load().first {
		return ErrGone
	}
	return err
}

// All implements Log.
func (f *Files) All(from continuity.Position) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		limit := f.End()
		if from == 0 {
			from = f.Start()
		}
		if from >= limit {
			return
		}
		seq, off := split(from)
		for ; position(seq, 0) < limit; seq, off = seq+1, firstFrame {
			t := f.table.Load()
			if seq < t.first {
				yield(Stored{}, ErrGone)
				return
			}
			seg := t.find(seq)
			if seg == nil {
				yield(Stored{}, fmt.Errorf("%w: %d", ErrPosition, from))
				return
			}
			if !f.segmentEntries(seg, max(off, firstFrame), limit, yield) {
				return
			}
		}
	}
}

// segmentEntries yields a segment's entries from off; it reports whether the
// loop goes on.
func (f *Files) segmentEntries(seg *segment, off int64, limit continuity.Position, yield func(Stored, error) bool) bool {
	end := seg.end.Load()
	if seq, limitOff := split(limit); seq == seg.seq {
		end = limitOff
	}
	w, format := newWindow(seg.file, end), seg.format()
	for off < end {
		fr, ok, err := format.read(w, off)
		if err != nil {
			err = seg.damage(off, err)
		} else if !ok {
			err = seg.damage(off, errNotWhole)
		}
		var s Stored
		if err == nil && !fr.note() {
			if w.seal.aead, err = seg.cipher(f.ring); err == nil {
				s, err = unseal(seg, fr, &w.seal)
			}
		}
		if now := f.instead(seg); err != nil && now != nil {
			return f.segmentEntries(now, off, limit, yield)
		}
		if err != nil {
			yield(Stored{}, f.unlessGone(seg, err))
			return false
		}
		off = fr.end()
		if !fr.note() && !yield(s, nil) {
			return false
		}
	}
	return true
}
