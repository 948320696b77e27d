package folder

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/backup/spool"
	"holdfast/internal/continuity"
)

// Options say what is backed up.
type Options struct {
	Path  string // the folder; not needed to restore
	Spool string // a folder of the driver's own on this machine; not needed to restore
	Log   *slog.Logger
}

// Driver backs up one folder.
type Driver struct {
	path  string
	spool *spool.Spool
	log   *slog.Logger
	mu    sync.Mutex // one capture at a time
}

var (
	_ backup.Driver      = (*Driver)(nil)
	_ backup.Incremental = (*Driver)(nil)
	_ backup.Replacer    = (*Driver)(nil)
)

// New makes a driver.
func New(o Options) (*Driver, error) {
	d := &Driver{path: o.Path, log: o.Log}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if o.Spool == "" {
		return d, nil
	}
	var err error
	d.spool, err = spool.Open(o.Spool)
	return d, err
}

var (
	errNoSource = errors.New("the folder or its spool is not named")
	errQueries  = errors.New("a folder answers no queries")
)

func (d *Driver) failed(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupSource, err, "source", d.path, "cause", err.Error())
}

// Full writes everything.
func (d *Driver) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	return d.capture(ctx, w, queries, report, nil)
}

// Delta writes what changed since a piece.
func (d *Driver) Delta(ctx context.Context, parent string, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	if d.spool == nil {
		return backup.Captured{}, backup.ErrNeedsFull
	}
	f, err := d.spool.Base(parent)
	if err != nil {
		return backup.Captured{}, err
	}
	defer f.Close()
	base, err := newIndex(f)
	if err != nil {
		return backup.Captured{}, needsFull(err)
	}
	captured, err := d.capture(ctx, w, queries, report, base)
	return captured, needsFull(err)
}

// needsFull takes an index that is damaged for none.
func needsFull(err error) error {
	if errors.Is(err, records.ErrDamaged) {
		return errors.Join(backup.ErrNeedsFull, err)
	}
	return err
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

func (d *Driver) capture(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report, base *index) (backup.Captured, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.path == "" || d.spool == nil:
		return backup.Captured{}, d.failed(errNoSource)
	case len(queries) > 0:
		return backup.Captured{}, d.failed(errQueries)
	}
	draft, err := d.spool.Draft()
	if err != nil {
		return backup.Captured{}, err
	}
	defer draft.Drop()
	taken := time.Now()
	h := header{Type: backup.TypeFull, To: backup.Position{System: d.spool.System(), At: spool.Unique(taken)}}
	if base != nil {
		h.Type, h.From = backup.TypeDelta, base.header.To
	}
	c := &capture{driver: d, report: report, base: base}
	if err := c.all(ctx, w, draft, h); err != nil {
		return backup.Captured{}, err
	}
	if err := draft.Done(); err != nil {
		return backup.Captured{}, err
	}
	if c.totals.loose > 0 {
		d.log.Warn("files changed each time they were read", "folder", d.path, "files", c.totals.loose)
	}
	return backup.Captured{
		Taken: taken, From: h.From, To: h.To, Exact: h.To,
		Versions: map[string]string{"system": runtime.GOOS}, Figures: c.totals.figures(),
	}, nil
}
