package control

import (
	"context"
	"io"
	"os"
	"strconv"

	"holdfast/internal/backup"
	"holdfast/internal/store"
)

// OwnState is the control plane's state as backups take it.
type OwnState struct {
	Exports func(context.Context, io.Writer) error // nil: it is only restored
	Scratch string                                 // where an archive is tried; empty: the system's folder
}

// Export writes all of it, as of one moment.
func (s OwnState) Export(ctx context.Context, w io.Writer) error { return s.Exports(ctx, w) }

// Check restores an archive beside any node, and says what came back.
func (s OwnState) Check(ctx context.Context, archive io.Reader) ([]backup.Figure, error) {
	if s.Scratch != "" { // which whoever restores first makes
		if err := os.MkdirAll(s.Scratch, 0o711); err != nil { // #nosec G301 -- as they make it: servers of other users pass through
			return nil, err
		}
	}
	c, err := store.Try(ctx, s.Scratch, archive)
	if err != nil {
		return nil, err
	}
	return []backup.Figure{
		{Of: "events", Measure: "rows", Value: strconv.FormatInt(c.Events, 10)},
		{Of: "events", Measure: "hash", Value: c.Head},
		{Of: "objects", Measure: "rows", Value: strconv.FormatInt(c.Objects, 10)},
		{Of: "timers", Measure: "rows", Value: strconv.FormatInt(c.Timers, 10)},
	}, nil
}
