package backup

// CheckDeltas finds what is wrong with a full piece and the deltas after it: each has to
// follow on the one before it.
func CheckDeltas(chain []Manifest) (faults []Fault) {
	for i, m := range chain {
		fault := Fault{Piece: m.ID, From: m.From, To: m.To}
		switch {
		case i == 0 && m.Type != TypeFull, i > 0 && m.Type != TypeDelta:
			fault.Kind, fault.Piece = FaultMissing, ""
		case i == 0:
			continue
		case m.To.System != chain[0].To.System || m.From.System != chain[0].To.System:
			fault.Kind = FaultSystem
		case m.Parent == chain[i-1].ID && m.From == chain[i-1].To:
			continue
		case m.Parent == chain[i-1].Parent && m.From == chain[i-1].From:
			fault.Kind = FaultDouble
		case m.Parent == chain[i-1].ID:
			fault.Kind = FaultForked
		default:
			fault.Kind, fault.Piece = FaultMissing, ""
			fault.From, fault.To = chain[i-1].To, m.From
		}
		faults = append(faults, fault)
	}
	return faults
}

// UpTo returns the pieces of a full one and its deltas that bring back the moment or the
// position that is wanted, and whether there are such.
func (r Restore) UpTo() ([]Piece, bool) {
	n := 0
	for i, p := range r.Pieces {
		if (r.At == Position{}) {
			if !r.Until.IsZero() && p.Taken.After(r.Until) {
				break
			}
			n = i + 1
		} else if p.To == r.At {
			n = i + 1
			break
		}
	}
	return r.Pieces[:n], n > 0
}
