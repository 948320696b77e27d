package journal

import "holdfast/internal/continuity"

// Between is how many bytes of the log lie between two positions: positions say
// which comes first, and not how far apart they are.
func (f *Files) Between(from, to continuity.Position) int64 {
	t := f.table.Load()
	seq, off := split(max(from, f.Start()))
	last, end := split(to)
	var bytes int64
	for ; seq < last; seq, off = seq+1, firstFrame {
		if seg := t.find(seq); seg != nil {
			bytes += max(0, seg.end.Load()-off)
		}
	}
	if seq == last {
		bytes += max(0, end-off)
	}
	return bytes
}
