package store

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"holdfast/internal/continuity"
)

// Contents is what an archive brings back.
type Contents struct {
	Events  int64
	Objects int64
	Timers  int64
	Head    string // the hash that its chain of events ends with
}

// Try restores an archive into a database of its own, in a folder below dir that goes
// again, and reads the chain of its events. It fails unless everything is whole.
func Try(ctx context.Context, dir string, archive io.Reader) (c Contents, err error) {
	dir, err = os.MkdirTemp(dir, "state-")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := Open(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Restore(ctx, archive); err != nil {
		return c, err
	}
	n, bad, err := s.VerifyEvents(ctx)
	if err != nil {
		return c, err
	}
	if bad != 0 {
		return c, continuity.E(continuity.CodeArchive, nil, "step", "chain")
	}
	_, hash, err := s.LastEvent(ctx)
	if err != nil {
		return c, err
	}
	c = Contents{Events: n, Head: hex.EncodeToString(hash[:])}
	return c, classify(s.read().row(ctx, `SELECT (SELECT COUNT(*) FROM object), (SELECT COUNT(*) FROM timer)`).Scan(&c.Objects, &c.Timers))
}
