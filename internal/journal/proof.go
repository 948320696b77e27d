package journal

// beyond is what stands behind the first place without a whole frame.
type beyond struct {
	proven bool  // that place was on stable storage once
	end    int64 // behind the last whole frame found; 0: none
}

// provenBeyond looks behind x, where no whole frame stands, for whole frames of
// the same epoch, and whether one of them claims that x was on stable storage.
func (s frameFormat) provenBeyond(w *window, x int64) (b beyond, err error) {
	for off := x + align; off+frameHead <= s.size; off += align {
		head, err := w.bytes(off, frameHead)
		if err != nil {
			return b, damaged(segmentName(s.seq), off, err)
		}
		if _, _, ok := s.head(off, head); !ok {
			continue
		}
		f, ok, err := s.read(w, off)
		if err != nil {
			return b, damaged(segmentName(s.seq), off, err)
		}
		if !ok {
			continue
		}
		b.end = f.end()
		if f.synced > x {
			b.proven = true
			return b, nil
		}
	}
	return b, nil
}

// begun reports whether the bytes at x look like the head of a frame of the
// batch that followed what is proven. What an earlier life of the file left
// there may look so too: this is for the report only.
func (s frameFormat) begun(w *window, x, proven int64) bool {
	if x+frameHead > s.size {
		return false
	}
	head, err := w.bytes(x, frameHead)
	if err != nil {
		return false
	}
	f, _, ok := s.head(x, head)
	return ok && f.synced >= proven
}
