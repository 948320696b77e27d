package engine

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
	"holdfast/internal/continuity"
)

// Verify restores a piece as it lies on a target, with all that it follows on, holds what
// comes out against the figures that were recorded at capture, and writes the proof beside
// it. With no piece it is the newest that can be proven. The error says that nothing was
// proven either way; a backup that is bad is told of by its proof.
func (e *Engine) Verify(ctx context.Context, set Set, on, piece string, report backup.Report) (backup.Proof, error) {
	t := e.target(on)
	l := e.list(ctx, t, set)
	if l.Err != nil {
		return backup.Proof{}, l.Err
	}
	m, pieces, err := provable(l, set, piece)
	if err != nil {
		return backup.Proof{}, err
	}
	if err := sameKind(set, m); err != nil {
		return backup.Proof{}, err
	}
	proof := backup.Proof{
		Format: manifestFormat, Service: set.Service, Set: set.ID, Piece: m.ID, SHA256: m.SHA256, Started: now(),
		With: map[string]string{"holdfast": e.o.Version},
	}
	for _, p := range pieces {
		proof.Pieces = append(proof.Pieces, p.ID)
	}
	if faults := set.Driver.Check(pieces); len(faults) > 0 {
		err = continuity.E(continuity.CodeBackupPiece, nil, "piece", faults[0].Piece, "cause", faults[0].Kind)
	} else {
		err = e.prove(ctx, set, t, m, pieces, &proof, quiet(report))
	}
	if err != nil && (ctx.Err() != nil || circumstance(err)) {
		return backup.Proof{}, err
	}
	proof.Ended = now()
	if err != nil {
		proof.Failed, proof.Reason = string(continuity.CodeOf(err)), err.Error()
		var told *continuity.Error
		if errors.As(err, &told) && told.Code == continuity.CodeBackupPiece {
			proof.Broken, _ = told.Args["piece"].(string)
		}
	}
	raw, err := backupfile.SignProof(proof, e.o.Ring)
	if err == nil {
		err = e.put(ctx, t, m.Path()+backup.ProofSuffix, raw)
	}
	return proof, err
}

// provable finds a piece and what has to be restored for it; of several the newest.
func provable(l Listing, set Set, id string) (backup.Manifest, []backup.Manifest, error) {
	for _, c := range slices.Backward(l.Chains) {
		for _, m := range slices.Backward(slices.Concat([]backup.Manifest{c.Full}, c.Deltas)) {
			if id != "" && m.ID != id {
				continue
			}
			if pieces := c.Through(m.ID); pieces != nil {
				return m, pieces, nil
			}
			if id != "" {
				return m, nil, continuity.E(continuity.CodeState, nil, "detail_id", "backup.log-short", "set", set.ID, "piece", id)
			}
		}
	}
	return backup.Manifest{}, nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "backup.nothing", "set", set.ID, "target", l.Target)
}

// circumstance tells what says nothing of a backup: that a target is away, that there is
// no room, that a program or key is missing here, that this machine lets us not do it.
func circumstance(err error) bool {
	local := func(of error) bool { return errors.Is(err, of) }
	return slices.ContainsFunc(localFaults, local) || slices.Contains([]continuity.Code{
		continuity.CodeUnreachable, continuity.CodeTimeout, continuity.CodeDiskFull, continuity.CodeConfig, continuity.CodeSecret,
		continuity.CodeNoKey, continuity.CodeForbidden, continuity.CodeBusy, continuity.CodeState, continuity.CodeInvalid, continuity.CodeNotFound,
	}, continuity.CodeOf(err))
}

// localFaults are of this machine, and of the folder that a restore was given.
var localFaults = []error{
	errNoRoom, backup.ErrHere, fs.ErrPermission, exec.ErrNotFound, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO,
	syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN,
}

func (e *Engine) prove(ctx context.Context, set Set, from Target, m backup.Manifest, pieces []backup.Manifest, proof *backup.Proof, report backup.Report) (err error) {
	s, err := e.newScratch("verify")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.remove()) }()
	instance, speed, err := e.restore(ctx, set, from, pieces, s.dir, backup.Restore{At: m.Exact, Queries: set.Queries}, report)
	proof.Speed = speed
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, instance.Close()) }()
	proof.Reached, proof.Moment = reached(instance, pieces)
	began := time.Now()
	found, err := instance.Figures(ctx, set.Queries, report)
	proof.Speed.Figures = time.Since(began).Seconds()
	if err != nil {
		return err
	}
	proof.Found, proof.Good = backup.Compare(m.Figures, found, set.Queries)
	return nil
}
