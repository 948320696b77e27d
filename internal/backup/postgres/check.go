package postgres

import (
	"holdfast/internal/backup"
)

// Check implements backup.Driver: a full piece, and the spans of the log after it.
func (d *Driver) Check(chain []backup.Manifest) []backup.Fault { return checkLog(chain, true) }

// checkLog checks spans; whole ones bear the log that they are of.
func checkLog(chain []backup.Manifest, whole bool) []backup.Fault {
	var faults []backup.Fault
	var end LSN
	var base backup.Position
	seen := map[[2]LSN]backup.Manifest{}
	for i, m := range chain {
		fault := func(kind string) {
			faults = append(faults, backup.Fault{Kind: kind, Piece: m.ID, From: m.From, To: m.To})
		}
		if i == 0 {
			var err error
			if end, err = parseLSN(m.To.At); err != nil || m.Type != backup.TypeFull {
				fault(backup.FaultTruncated)
				return faults
			}
			base = m.To
			continue
		}
		from, to, err := span(m)
		if err != nil || m.Type != backup.TypeLog {
			fault(backup.FaultTruncated)
			continue
		}
		switch was, double := seen[[2]LSN{from, to}]; {
		case m.From.System != base.System || m.To.System != base.System:
			fault(backup.FaultSystem)
			continue
		case m.From.Timeline != base.Timeline || m.To.Timeline != base.Timeline:
			fault(backup.FaultForked)
			continue
		case whole && uint64(m.Plain) != uint64(to-from): // #nosec G115 -- of a file
			fault(backup.FaultTruncated)
			continue
		case double && was.Key == m.Key && was.Content != m.Content: // another key has another hash
			fault(backup.FaultDouble)
			continue
		case from > end:
			faults = append(faults, backup.Fault{Kind: backup.FaultMissing, From: backup.Position{
				System: base.System, Timeline: base.Timeline, At: end.String()}, To: m.From})
		}
		seen[[2]LSN{from, to}] = m
		end = max(end, to)
	}
	return faults
}
