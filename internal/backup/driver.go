package backup

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"
)

// ErrNeedsFull says that nothing is known any more of what a delta or a log would
// follow on: the next piece has to be a full one.
var ErrNeedsFull = errors.New("a full backup is needed first")

// ErrHere says that this machine can't restore, whatever the backup is like: a program is
// missing, a server can't get to its folder.
var ErrHere = errors.New("this machine can't restore it")

// Here makes an error one of this machine.
func Here(err error) error {
	if err == nil {
		return nil
	}
	return here{err}
}

// here is an error that says only what it is of; that it is of this machine is for programs.
type here struct{ error }

func (h here) Unwrap() error    { return h.error }
func (h here) Is(of error) bool { return of == ErrHere }

// NoRoom makes an error of which only its words tell that a disk is full one that is
// syscall.ENOSPC.
func NoRoom(err error) error { return noRoom{err} }

type noRoom struct{ error }

func (n noRoom) Unwrap() error    { return n.error }
func (n noRoom) Is(of error) bool { return of == syscall.ENOSPC }

// Progress is how far something got. Total is 0 where nobody knows it.
type Progress struct {
	Phase string // capture, upload, download, restore, recover, figures, compare
	Done  int64  // bytes
	Total int64
}

// Report is told of progress, often; it may be nil in no call of a driver.
type Report func(Progress)

// Captured is what a driver says of a stream that it has written to its end.
type Captured struct {
	Taken    time.Time
	From, To Position
	Versions map[string]string
	Figures  []Figure
	Exact    Position
}

// Driver knows one data set of one kind.
type Driver interface {
	// Full writes everything. What it wrote is nothing unless the error is nil.
	Full(ctx context.Context, w io.Writer, queries []Query, report Report) (Captured, error)
	// Restore makes of pieces something that can be asked, in an empty folder that is
	// the driver's own. It touches neither the source nor any archive of it.
	Restore(ctx context.Context, r Restore) (Instance, error)
	// Check finds what is wrong with a chain by its manifests alone: what is missing,
	// double and different, of another system or a forked timeline.
	Check(chain []Manifest) []Fault
}

// Incremental drivers can capture what changed since the piece before. What they need
// to know of that piece is in their spool. What they capture has no log behind it.
type Incremental interface {
	// Delta writes what changed since the piece with this id, or ErrNeedsFull.
	Delta(ctx context.Context, parent string, w io.Writer, queries []Query, report Report) (Captured, error)
	// Published is called once a piece is complete on every target that was to be had, so
	// that the next delta follows on it.
	Published(ctx context.Context, id string) error
}

// Following drivers see changes as they happen.
type Following interface {
	// Follow calls publish with each span of the log, in order and without a gap, from
	// the position on, until the context ends; with the zero position, from where the
	// source is now. A span may cover spans that were published before: it supersedes
	// them. publish returns once the span is safe; the driver may only then let go of it.
	Follow(ctx context.Context, from Position, publish func(ctx context.Context, span Span) error) error
}

// Locating sources say how far their changes are, asked apart from whatever follows them:
// so it is seen that following hangs though nothing fails.
type Locating interface {
	// Where is a place in the source's changes that following comes to, and a moment:
	// whatever was changed before the moment stands before the place.
	Where(ctx context.Context) (Position, time.Time, error)
}

// Span is a piece of a log.
type Span struct {
	From, To Position
	Newest   time.Time // when its newest change was made, or received where no change tells
	Versions map[string]string
	Open     func() (io.ReadCloser, error)
}

// Piece is a piece of a chain that can be read.
type Piece struct {
	Manifest
	Open func(ctx context.Context) (io.ReadCloser, error) // the plain stream, proven as it is read
}

// Restore says what is to be made of which pieces.
type Restore struct {
	Pieces  []Piece   // a full one, then deltas or spans of the log, in order
	Until   time.Time // changes after it are left out; zero: none
	At      Position  // stop exactly here, whatever Until says; zero: by Until
	Dir     string    // empty, private, and the driver's own
	Queries []Query
	Report  Report
}

// Instance is data that was restored, by itself and apart from its source.
type Instance interface {
	// Figures are taken anew of what is there, with the same measures as at capture.
	Figures(ctx context.Context, queries []Query, report Report) ([]Figure, error)
	Reached() (Position, time.Time) // the newest change in it
	Address() string                // a DSN or a path, for people and programs of this machine
	// Close ends what was started for it. Its folder is the caller's to remove or keep.
	Close() error
}

// Replacer puts restored data where its source is, never destroying what is there.
type Replacer interface {
	// Prepare copies the instance beside the source, under a name that has the id in it;
	// with tables, only these, parents before children. Clients notice nothing.
	Prepare(ctx context.Context, from Instance, id string, tables []string, report Report) error
	// Switch puts what was prepared in the source's place, and what was there aside, at
	// once. Done again with the same id it changes nothing.
	Switch(ctx context.Context, id string) error
	// Undo puts back what Switch had put aside.
	Undo(ctx context.Context, id string) error
	// Drop removes what was prepared or put aside under the id.
	Drop(ctx context.Context, id string) error
}

// Kinds of faults of a chain.
const (
	FaultMissing   = "missing"
	FaultTruncated = "truncated"
	FaultDouble    = "double" // two pieces of one span that differ
	FaultForked    = "forked" // another timeline
	FaultSystem    = "system" // another system's
	FaultUnsigned  = "unsigned"
)

// Fault is something wrong with a chain. What comes after it can't be restored.
type Fault struct {
	Kind  string
	Piece string // id; empty where nobody knows the id of what is missing
	From  Position
	To    Position
}
