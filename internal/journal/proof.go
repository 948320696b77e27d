package journal

import "encoding/binary"

// beyond is what stands behind the first place without a whole frame.
type beyond struct {
	proven bool  // that place was on stable storage once
	end    int64 // behind the last whole frame found; 0: none
}

// provenBeyond looks behind x, where no whole frame stands, for whole frames of
// the same epoch, and whether one of them claims that x was on stable storage.
func (s frameFormat) provenBeyond(file File, x int64) (b beyond, err error) {
	err = s.wholeBeyond(file, x, func(f frame) bool {
		b.end = f.end()
		b.proven = f.synced > x
		return !b.proven
	})
	return b, err
}

// nextWhole returns the offset of the next whole frame behind x, 0 where there
// is none.
func (s frameFormat) nextWhole(file File, x int64) (next int64, err error) {
	err = s.wholeBeyond(file, x, func(f frame) bool {
		next = f.off
		return false
	})
	return next, err
}

// wholeBeyond visits the whole frames behind x, wherever one can begin.
func (s frameFormat) wholeBeyond(file File, x int64, visit func(frame) bool) error {
	size, err := file.Size()
	if err != nil {
		return err
	}
	size = min(size, s.size)
	scan, reader := newWindow(file, size), &window{file: file, size: size, ahead: readGuess}
	for off := x + align; off+frameHead <= size; {
		n := min(readAhead, size-off) &^ (align - 1)
		b, err := scan.bytes(off, int(n))
		if err != nil {
			return damaged(segmentName(s.seq), off, err)
		}
		for i := 0; i+frameHead <= len(b); i += align {
			// Bytes 12 to 16 hold the kind and zeros: hardly anything else does.
			if kind := binary.LittleEndian.Uint32(b[i+12:]); kind == 0 || kind > uint32(noteRetired) {
				continue
			}
			at := off + int64(i)
			if _, _, ok := s.head(at, b[i:]); !ok {
				continue
			}
			f, ok, err := s.read(reader, at)
			if err != nil {
				return damaged(segmentName(s.seq), at, err)
			}
			if ok && !visit(f) {
				return nil
			}
		}
		off += n - frameHead + align
	}
	return nil
}

// begun reports whether the bytes at x look like the head of a frame of the
// batch that followed what is proven. What an earlier life of the file left
// there may look so too: this is for the report only.
func (s frameFormat) begun(w *window, x, proven int64) bool {
	if x+frameHead > w.size {
		return false
	}
	head, err := w.bytes(x, frameHead)
	if err != nil {
		return false
	}
	f, _, ok := s.head(x, head)
	return ok && f.synced >= proven
}
