package folder

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"holdfast/internal/backup"
	"holdfast/internal/backup/swap"
	"holdfast/internal/continuity"
)

var errCopy = errors.New("the copy is not what was restored")

func (d *Driver) replacing(err error) error {
	switch {
	case err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, swap.ErrNotPrepared):
		return continuity.E(continuity.CodeBackupReplace, err, "source", d.path, "why", "prepared")
	}
	return continuity.E(continuity.CodeBackupReplace, err, "source", d.path, "why", "", "cause", err.Error())
}

// Prepare copies what was restored beside the folder, to its file system. A folder is
// put back as a whole.
func (d *Driver) Prepare(ctx context.Context, from backup.Instance, id string, tables []string, report backup.Report) error {
	if len(tables) > 0 {
		return continuity.E(continuity.CodeBackupReplace, nil, "source", d.path, "why", "tables")
	}
	if !swap.Valid(id) {
		return d.replacing(swap.ErrNotPrepared)
	}
	if switched, err := swap.Switched(d.path, id); err == nil && switched {
		return nil // was prepared, and is in place
	}
	if err := swap.Drop(d.path, id); err != nil { // what a crash left
		return d.replacing(err)
	}
	sibling := swap.Sibling(d.path, id)
	if err := d.copy(ctx, from.Address(), sibling, report); err != nil {
		return d.replacing(errors.Join(err, os.RemoveAll(sibling)))
	}
	return d.replacing(swap.Prepared(d.path, id))
}

// copy copies a folder as capturing and restoring it does, and compares.
func (d *Driver) copy(ctx context.Context, from, to string, report backup.Report) error {
	t, err := newTree(filepath.Dir(to), filepath.Base(to))
	if err != nil {
		return err
	}
	defer t.close()
	source := &Driver{path: from}
	c := &capture{driver: source, report: report}
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		h := header{Type: backup.TypeFull, To: backup.Position{At: "copy"}}
		err := c.all(ctx, write, io.Discard, h)
		ended <- errors.Join(err, write.CloseWithError(err))
	}()
	err = t.apply(ctx, read)
	_ = read.CloseWithError(err) // so that the other side ends, too
	if err = errors.Join(<-ended, err); err != nil {
		return err
	}
	if err := t.finish(); err != nil {
		return err
	}
	copied := &Driver{path: to}
	there, err := copied.measure(ctx, nil)
	if err != nil {
		return err
	}
	there.loose = c.totals.loose
	if !slices.Equal(there.figures(), c.totals.figures()) {
		return errCopy
	}
	return swap.SyncAll(to)
}

// Switch puts what was prepared in the folder's place. Programs that have files of the
// old one open go on with these: stop them first.
func (d *Driver) Switch(_ context.Context, id string) error {
	return d.replacing(swap.Switch(d.path, id))
}

// Undo puts the old folder back.
func (d *Driver) Undo(_ context.Context, id string) error {
	return d.replacing(swap.Undo(d.path, id))
}

// Drop removes what was prepared or put aside.
func (d *Driver) Drop(_ context.Context, id string) error {
	return d.replacing(swap.Drop(d.path, id))
}
