package node

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/folder"
	"holdfast/internal/backup/spool"
	"holdfast/internal/continuity"
)

// State is the control plane's.
type State interface {
	// Export writes all of it, as of one moment.
	Export(ctx context.Context, w io.Writer) error
	// Check reads what Export wrote, to its end, and fails unless it is whole.
	Check(ctx context.Context, r io.Reader) ([]backup.Figure, error)
}

// File is a file of a journal.
type File struct {
	Name  string
	Size  int64
	Bytes int64 // how many of the first ones count; zeros take the place of the rest
}

// Journal knows relays' journals.
type Journal interface {
	// Files are those of the journal in a folder, while a relay may write it: what of
	// them counts is on stable storage and does not change before a file goes.
	Files(ctx context.Context, dir string) ([]File, error)
	// Check fails unless the journal in a folder, to which nobody writes, is whole.
	Check(ctx context.Context, dir string) ([]backup.Figure, error)
}

// Options say what is backed up: the journal in the folder that is named, or else the
// state. What is restored is what the pieces hold, where it was handed in.
type Options struct {
	State   State
	Journal Journal
	Folder  string // the journal's; not needed to restore
	Spool   string // a folder of the driver's own on this machine; not needed to restore
	System  string // what positions are known by: the node's name does
	Log     *slog.Logger
}

// Driver backs up one node.
type Driver struct {
	o     Options
	spool *spool.Spool
}

var _ backup.Driver = (*Driver)(nil)

// New makes a driver.
func New(o Options) (*Driver, error) {
	d := &Driver{o: o}
	if d.o.Log == nil {
		d.o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Spool == "" {
		return d, nil
	}
	var err error
	d.spool, err = spool.Open(o.Spool)
	return d, err
}

const (
	tries     = 10
	copyName  = "journal"
	indexName = "index"
	stateName = "state.archive"
)

var (
	errNoSource = errors.New("the folder or the spool is not named")
	errQueries  = errors.New("it answers no queries")
	errMoment   = errors.New("no piece is of that moment or place")
	errUnknown  = errors.New("nobody here knows what it holds")
)

func (d *Driver) failed(err error) error {
	if err == nil || continuity.CodeOf(err) == continuity.CodeBackupSpool || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupSource, err, "source", d.o.System, "cause", err.Error())
}

// restoring lets what has a code of its own be what it is: a target that is away says
// nothing of a backup.
func restoring(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupRestore, err, "cause", err.Error())
}

// Full writes everything.
func (d *Driver) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	if len(queries) > 0 {
		return backup.Captured{}, d.failed(errQueries)
	}
	switch {
	case d.o.Folder == "" && d.o.State != nil:
		return d.state(ctx, w)
	case d.o.Folder != "" && d.o.Journal != nil && d.spool != nil:
		return d.journal(ctx, w, report)
	}
	return backup.Captured{}, d.failed(errNoSource)
}

func (d *Driver) captured(taken time.Time, figures []backup.Figure) backup.Captured {
	to := backup.Position{System: d.o.System, At: spool.Unique(taken)}
	return backup.Captured{Taken: taken, To: to, Exact: to, Figures: figures}
}

// target tells the errors of what is written to from those of what is read.
type target struct {
	io.Writer
	err error
}

func (t *target) Write(b []byte) (int, error) {
	n, err := t.Writer.Write(b)
	t.err = errors.Join(t.err, err)
	return n, err
}

func (d *Driver) state(ctx context.Context, w io.Writer) (backup.Captured, error) {
	taken := time.Now()
	read, write := io.Pipe()
	type checked struct {
		figures []backup.Figure
		err     error
	}
	ended := make(chan checked, 1)
	go func() {
		figures, err := d.o.State.Check(ctx, read)
		_ = read.CloseWithError(err) // an exporter that goes on is told
		ended <- checked{figures, err}
	}()
	to := &target{Writer: w}
	err := d.o.State.Export(ctx, io.MultiWriter(to, write))
	_ = write.CloseWithError(err)
	c := <-ended
	if to.err != nil {
		return backup.Captured{}, to.err
	}
	if err == nil { // else what was read is cut off
		err = c.err
	}
	if err != nil {
		return backup.Captured{}, d.failed(err)
	}
	return d.captured(taken, c.figures), nil
}

// journal copies a journal into the spool until a copy is whole, as segments may go while
// they are copied.
func (d *Driver) journal(ctx context.Context, w io.Writer, report backup.Report) (backup.Captured, error) {
	dir := d.spool.Path(copyName)
	defer os.RemoveAll(dir)
	for try := 1; ; try++ {
		taken := time.Now()
		figures, err := d.copy(ctx, dir)
		if err == nil {
			to := &target{Writer: w}
			inside, err := folder.New(folder.Options{Path: dir, Spool: d.spool.Path(indexName)})
			if err == nil {
				_, err = inside.Full(ctx, to, nil, report)
			}
			if to.err != nil {
				return backup.Captured{}, to.err
			}
			return d.captured(taken, figures), d.failed(err)
		}
		if try == tries || ctx.Err() != nil || continuity.CodeOf(err) == continuity.CodeBackupSpool {
			return backup.Captured{}, d.failed(err)
		}
		d.o.Log.Debug("the journal changed while it was copied", "folder", d.o.Folder, "error", err)
	}
}

func (d *Driver) copy(ctx context.Context, dir string) ([]backup.Figure, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, d.spool.Error(err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, d.spool.Error(err)
	}
	files, err := d.o.Journal.Files(ctx, d.o.Folder)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := d.copyFile(dir, f); err != nil {
			return nil, err
		}
	}
	return d.o.Journal.Check(ctx, dir)
}

func (d *Driver) copyFile(dir string, f File) error {
	in, err := os.Open(filepath.Join(d.o.Folder, f.Name)) // #nosec G304 -- of the operator's folder
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- of our own folder
	if err != nil {
		return d.spool.Error(err)
	}
	_, err = io.CopyN(out, in, f.Bytes)
	if errors.Is(err, io.EOF) {
		return errors.Join(io.ErrUnexpectedEOF, out.Close())
	}
	if err == nil {
		err = out.Truncate(f.Size)
	}
	return d.spool.Error(errors.Join(err, out.Close()))
}

// Check finds what is wrong with a chain: each piece stands for itself.
func (d *Driver) Check(chain []backup.Manifest) []backup.Fault { return backup.CheckDeltas(chain) }
