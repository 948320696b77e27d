package postgres

import (
	"context"
	"io"
	"log/slog"

	"holdfast/internal/backup"
)

// Name of the driver, as it stands in manifests.
const Name = "postgres"

// Options say what a driver is to know. To restore and to check, none of them is needed.
type Options struct {
	// DSN is of a user who may replicate and read every table of the database that it
	// names; who is to put data in its place has to be a superuser.
	DSN string
	// Spool is a folder of this data set's own, kept from run to run.
	Spool string
	// Slot is the name of the replication slot that keeps the log for Follow. Sets that
	// follow the same server need different ones.
	Slot string
	Log  *slog.Logger // nil: nothing is said
}

// Driver is backup.Driver, Following and Replacer for PostgreSQL.
type Driver struct{ Options }

// New makes a driver; nothing is opened.
func New(o Options) *Driver { return &Driver{o} }

var _ backup.Driver = (*Driver)(nil)

// Full implements backup.Driver.
func (d *Driver) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	captured, err := d.capture(ctx, w, queries, report)
	return captured, sourceError(named(d.DSN), err)
}

// Restore implements backup.Driver.
func (d *Driver) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	i, err := restore(ctx, r)
	if err != nil {
		return nil, restoreError(err)
	}
	return i, nil
}
