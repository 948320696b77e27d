package backup

import (
	"cmp"
	"slices"
)

// Faults is what is wrong with a full piece and what follows on it, of all pieces of its
// set, as far as manifests alone tell that of any kind of data.
func Faults(full Manifest, pieces []Manifest) []Fault {
	return index(append(slices.Clip(pieces), full)).chain(full).Faults
}

func (x *indexed) faults(c Chain) []Fault {
	faults := x.strayDeltas(c.Full)
	if c.Full.From.IsZero() || len(c.Deltas) > 0 {
		return faults
	}
	faults = append(faults, x.strangers(c.Full)...)
	at := c.Full.From
	if own := x.courses[along(c.Full.From)]; own != nil {
		faults = append(faults, own.doubles(c.Full.From)...)
		for _, run := range own.runs {
			end := run[len(run)-1].To
			if end.Compare(at) <= 0 {
				continue
			}
			if run[0].From.Compare(at) > 0 {
				faults = append(faults, Fault{Kind: FaultMissing, From: at, To: run[0].From})
			}
			at = end
		}
	}
	if at.Compare(c.Full.To) < 0 {
		faults = append(faults, Fault{Kind: FaultMissing, From: at, To: c.Full.To})
	}
	return faults
}

// strayDeltas are those of the full piece whose parent is gone, or of another system.
func (x *indexed) strayDeltas(full Manifest) []Fault {
	var faults []Fault
	for _, p := range slices.Backward(x.deltas[full.ID]) {
		if !x.ids[p.Parent] {
			faults = append(faults, Fault{Kind: FaultMissing, Piece: p.Parent, To: p.From})
		}
		if !full.To.IsZero() && !p.To.IsZero() && p.To.System != full.To.System {
			faults = append(faults, Fault{Kind: FaultSystem, Piece: p.ID, From: p.From, To: p.To})
		}
	}
	return faults
}

// strangers are spans of the log that came after the full piece, before any other one,
// and are of another course of changes: one fault for each course.
func (x *indexed) strangers(full Manifest) []Fault {
	var faults []Fault
	for of, c := range x.courses {
		p, came := c.first[full.ID]
		if !came || of == along(full.From) {
			continue
		}
		kind := FaultForked
		if of.System != full.From.System {
			kind = FaultSystem
		}
		faults = append(faults, Fault{Kind: kind, Piece: p.ID, From: p.From, To: p.To})
	}
	slices.SortFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Piece, b.Piece) })
	return faults
}

// doubles are spans behind a place that were published twice, and differ.
func (c *course) doubles(behind Position) []Fault {
	var faults []Fault
	for i := 1; i < len(c.sorted); i++ {
		a, b := c.sorted[i-1], c.sorted[i]
		if a.From == b.From && a.To == b.To && a.To.Compare(behind) > 0 &&
			(a.Plain != b.Plain || a.Key == b.Key && a.Content != b.Content) {
			faults = append(faults, Fault{Kind: FaultDouble, Piece: b.ID, From: b.From, To: b.To})
		}
	}
	return faults
}
