package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/backup/spool"
	"holdfast/internal/continuity"
)

// Options say what is backed up.
type Options struct {
	Path  string        // the database's file; not needed to restore
	Spool string        // a folder of the driver's own on this machine; not needed to restore
	Every time.Duration // figures of tables are taken of deltas at most this often; 0: each minute
	Log   *slog.Logger
}

// Driver backs up one database.
type Driver struct {
	path  string
	spool *spool.Spool
	every time.Duration
	log   *slog.Logger

	mu       sync.Mutex // one capture at a time
	measured time.Time  // when figures of tables were taken
}

var (
	_ backup.Driver      = (*Driver)(nil)
	_ backup.Incremental = (*Driver)(nil)
	_ backup.Replacer    = (*Driver)(nil)
)

// New makes a driver.
func New(o Options) (*Driver, error) {
	d := &Driver{path: o.Path, every: o.Every, log: o.Log}
	if d.every == 0 {
		d.every = time.Minute
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if o.Path != "" {
		var err error
		if d.path, err = filepath.Abs(o.Path); err != nil {
			return nil, err
		}
	}
	if o.Spool == "" {
		return d, nil
	}
	var err error
	d.spool, err = spool.Open(o.Spool)
	return d, err
}

var errNoSource = errors.New("the database or its spool is not named")

func (d *Driver) failed(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) || errors.Is(err, backup.ErrNeedsFull) {
		return err
	}
	return continuity.E(continuity.CodeBackupSource, err, "source", d.path, "cause", err.Error())
}

// How a database is opened.
const (
	watched   = "mode=rw&_pragma=busy_timeout(10000)&_pragma=query_only(1)" // as a program that never writes
	changed   = "mode=rw&_pragma=busy_timeout(5000)"
	untouched = "mode=ro&immutable=1" // without locks: nobody else has it
)

func open(path, how string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+how)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// Full writes all pages.
func (d *Driver) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	return d.capture(ctx, w, queries, report, nil)
}

// Delta writes the pages that changed since a piece.
func (d *Driver) Delta(ctx context.Context, parent string, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	if d.spool == nil {
		return backup.Captured{}, backup.ErrNeedsFull
	}
	f, err := d.spool.Base(parent)
	if err != nil {
		return backup.Captured{}, err
	}
	base, err := readIndex(f)
	if err = errors.Join(err, f.Close()); err != nil {
		if errors.Is(err, records.ErrDamaged) {
			err = errors.Join(backup.ErrNeedsFull, err)
		}
		return backup.Captured{}, err
	}
	return d.capture(ctx, w, queries, report, base)
}

// Published makes the newest piece what the next delta follows on.
func (d *Driver) Published(_ context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spool == nil {
		return backup.ErrNeedsFull
	}
	return d.spool.Commit(id)
}

// Check finds what is wrong with a chain.
func (d *Driver) Check(chain []backup.Manifest) []backup.Fault { return backup.CheckDeltas(chain) }
