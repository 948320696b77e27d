package control

import (
	"context"
	"path/filepath"
	"slices"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// Holdings implements keeping.Vault.
func (v *vault) Holdings(ctx context.Context, s keeping.Set) (h keeping.Holdings, err error) {
	e, set, err := v.both(&s)
	if err != nil {
		return h, err
	}
	all := map[string]*continuity.Backup{}
	var names []string
	listings := e.List(ctx, set)
	for _, l := range listings {
		if l.Err != nil {
			h.Away = append(h.Away, continuity.TargetResult{Target: l.Target, Why: keeping.Reason(l.Err)})
			continue
		}
		for _, c := range l.Chains {
			for _, m := range slices.Concat([]backup.Manifest{c.Full}, c.Deltas) {
				b := all[m.ID]
				if b == nil {
					b = &continuity.Backup{
						ID: s.Key() + "/" + m.ID, Service: s.Service, Set: s.ID, Piece: m.ID, Type: m.Type, Base: m.Base, File: m.Path(),
						Started: m.Started, Taken: m.Taken, Reaches: m.Taken, Bytes: m.Bytes, Key: m.Key,
					}
					all[m.ID] = b
					names = append(names, m.ID)
				}
				b.Targets = append(b.Targets, l.Target)
				if m.ID == c.Full.ID && c.Ends().After(b.Reaches) {
					b.Reaches = c.Ends()
				}
				for i := range l.Proofs {
					if p := &l.Proofs[i]; p.Piece == m.ID && p.SHA256 == m.SHA256 && (b.Proof == nil || p.Ended.After(b.Proof.At)) {
						proven := provenOf(p, l.Target)
						b.Proof = &proven
					}
				}
			}
		}
		h.Faults = append(h.Faults, faultsOf(&l)...)
	}
	slices.Sort(names)
	for _, id := range names {
		h.Backups = append(h.Backups, *all[id])
	}
	return h, nil
}

// faultsOf is what is wrong with the newest chain of a target, and with files beside it.
func faultsOf(l *engine.Listing) (all []continuity.BackupFault) {
	if n := len(l.Chains); n > 0 {
		for _, f := range l.Chains[n-1].Faults {
			all = append(all, continuity.BackupFault{Kind: f.Kind, Target: l.Target, Backup: f.Piece, From: f.From.At, To: f.To.At})
		}
	}
	for _, bad := range l.Bad {
		all = append(all, continuity.BackupFault{Kind: backup.FaultUnsigned, Target: l.Target, Backup: filepath.Base(bad.Name)})
	}
	return all[:min(len(all), mostDiffer)]
}
