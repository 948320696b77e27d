package node

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/folder"
	"holdfast/internal/continuity"
)

// Restore makes a state's archive, or a journal's folder, and opens it.
func (d *Driver) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	pieces, ok := r.UpTo()
	if !ok {
		return nil, restoring(errMoment)
	}
	p := pieces[0]
	i := &instance{driver: d, reached: p.To, moment: p.Taken}
	var err error
	if i.state, err = holdsState(ctx, p); err != nil {
		return nil, err
	}
	switch {
	case i.state && d.o.State == nil, !i.state && d.o.Journal == nil:
		return nil, restoring(errUnknown)
	case i.state:
		i.path = filepath.Join(r.Dir, stateName)
		if err := store(ctx, p, i.path); err != nil {
			return nil, err
		}
	default:
		inside, err := folder.New(folder.Options{})
		if err != nil {
			return nil, restoring(err)
		}
		r.Pieces, r.At, r.Until = pieces[:1], backup.Position{}, time.Time{}
		in, err := inside.Restore(ctx, r)
		if err != nil {
			return nil, err
		}
		i.path = in.Address()
	}
	if _, err := i.Figures(ctx, nil, r.Report); errors.Is(err, syscall.ENOSPC) || errors.Is(err, backup.ErrHere) || errors.Is(err, context.Canceled) {
		return nil, err
	} else if err != nil {
		return nil, continuity.E(continuity.CodeBackupPiece, err, "piece", p.ID, "cause", err.Error())
	}
	return i, nil
}

func store(ctx context.Context, p backup.Piece, path string) error {
	in, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- in the caller's folder
	if err != nil {
		return restoring(err)
	}
	_, err = io.Copy(out, in)
	return restoring(errors.Join(err, out.Close()))
}

// holdsState tells a state, which is an archive of lines of JSON, from a journal, which
// is a folder.
func holdsState(ctx context.Context, p backup.Piece) (bool, error) {
	in, err := p.Open(ctx)
	if err != nil {
		return false, err
	}
	defer in.Close()
	var first [1]byte
	if _, err := io.ReadFull(in, first[:]); err == io.EOF { //nolint:errorlint // of the piece; a source that fails has one for its cause
		return false, continuity.E(continuity.CodeBackupPiece, err, "piece", p.ID, "cause", err.Error())
	} else if err != nil {
		return false, restoring(err)
	}
	return first[0] == '{', nil
}

type instance struct {
	driver  *Driver
	state   bool
	path    string
	reached backup.Position
	moment  time.Time
}

// Figures checks what was restored, and counts.
func (i *instance) Figures(ctx context.Context, queries []backup.Query, _ backup.Report) ([]backup.Figure, error) {
	if len(queries) > 0 {
		return nil, restoring(errQueries)
	}
	if !i.state {
		figures, err := i.driver.o.Journal.Check(ctx, i.path)
		return figures, restoring(err)
	}
	f, err := os.Open(i.path)
	if err != nil {
		return nil, restoring(err)
	}
	defer f.Close()
	figures, err := i.driver.o.State.Check(ctx, f)
	switch continuity.CodeOf(err) { // of the database that it is tried in
	case continuity.CodeStateFull:
		err = backup.NoRoom(err)
	case continuity.CodeDatabase:
		err = backup.Here(err)
	}
	return figures, restoring(err)
}

// Reached tells when it was captured.
func (i *instance) Reached() (backup.Position, time.Time) { return i.reached, i.moment }

// Address is where it is.
func (i *instance) Address() string { return i.path }

// Close has nothing to end.
func (i *instance) Close() error { return nil }
