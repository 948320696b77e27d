package mysql

import "holdfast/internal/backup"

// Check finds what is wrong with a dump and the log after it.
func (d *Driver) Check(chain []backup.Manifest) (faults []backup.Fault) {
	if len(chain) == 0 {
		return nil
	}
	at := chain[0].To
	if chain[0].Type != backup.TypeFull {
		return []backup.Fault{{Kind: backup.FaultMissing, To: chain[0].From}}
	}
	type span struct{ from, to backup.Position }
	seen := map[span]backup.Manifest{}
	for _, m := range chain[1:] {
		fault := backup.Fault{Piece: m.ID, From: m.From, To: m.To}
		first, double := seen[span{m.From, m.To}]
		seen[span{m.From, m.To}] = m
		switch {
		case m.From.System != at.System || m.To.System != at.System:
			fault.Kind = backup.FaultSystem
		case m.Type != backup.TypeLog || truncated(m):
			fault.Kind = backup.FaultTruncated
		case double && (first.Plain != m.Plain || first.Content != m.Content && first.Content != "" && m.Content != ""):
			fault.Kind = backup.FaultDouble
		case m.From.Compare(at) > 0:
			fault = backup.Fault{Kind: backup.FaultMissing, From: at, To: m.From}
			at = m.To
		default:
			if m.To.Compare(at) > 0 {
				at = m.To
			}
			continue
		}
		faults = append(faults, fault)
	}
	return faults
}

// truncated reports whether a span has fewer bytes than its places say.
func truncated(m backup.Manifest) bool {
	from, start, err := parse(m.From)
	if err != nil {
		return true
	}
	to, end, err := parse(m.To)
	return err != nil || from == to && m.Plain > 0 && m.Plain < end-start || m.To.Compare(m.From) < 0
}
