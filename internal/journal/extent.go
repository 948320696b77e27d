package journal

import "holdfast/internal/continuity"

// Extent is where a segment's entries stand.
type Extent struct {
	From continuity.Position // nothing stands before it
	To   continuity.Position // behind the last entry
}

// Extents lists the segments that have been written to, oldest first.
func (f *Files) Extents() []Extent {
	segments := f.table.Load().segments
	out := make([]Extent, len(segments))
	for i, s := range segments {
		out[i] = Extent{position(s.seq, firstEntry), s.endPosition()}
	}
	return out
}
