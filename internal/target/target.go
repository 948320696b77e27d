package target

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/continuity"
)

// Target is a place for files. It may be used by several at once.
type Target interface {
	// Put writes a file, in the place of one of the same name, whole or not at all. When
	// it returns without an error the file outlives a crash. Where r fails, so does Put,
	// and nothing is published.
	Put(ctx context.Context, name string, r io.Reader) error
	// Open reads a file, and tells its size.
	Open(ctx context.Context, name string) (io.ReadCloser, int64, error)
	Stat(ctx context.Context, name string) (Object, error)
	// List lists the files whose names begin so, by name.
	List(ctx context.Context, prefix string) ([]Object, error)
	Delete(ctx context.Context, name string) error
	// Sweep removes what is left of files that were never finished and that nobody has
	// written to for so long. It tells how many there were.
	Sweep(ctx context.Context, age time.Duration) (int, error)
	Close() error
}

// Object is a file.
type Object struct {
	Name     string // from the top of its place
	Size     int64
	Modified time.Time
}

// SweepAge is how long an upload may rest before it is taken for dead.
const SweepAge = 24 * time.Hour

// TempPrefix is what the names of unfinished files begin with where a place shows them.
const TempPrefix = ".tmp-"

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	prefixForm = regexp.MustCompile(`^([a-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*/?)?$`)
)

const longest = 512

// CheckName refuses names that could lead out of a place, or mean another thing in one
// kind of place than in another.
func CheckName(name string) error { return check(nameForm, name) }

// CheckPrefix does so for the beginning of names.
func CheckPrefix(prefix string) error { return check(prefixForm, prefix) }

func check(form *regexp.Regexp, name string) error {
	if len(name) > longest || !form.MatchString(name) || strings.Contains(name, "..") {
		return continuity.E(continuity.CodeInvalid, nil, "detail_id", "target.name", "name", name)
	}
	return nil
}

// Missing says that there is no such file.
func Missing(place, name string, cause error) error {
	return fail(continuity.CodeNotFound, "target.missing", place, name, cause)
}

// Gone says that the place does not answer, or went away meanwhile: later it may be back.
func Gone(place, name string, cause error) error {
	return fail(continuity.CodeUnreachable, "target.gone", place, name, cause)
}

// NoPlace says that the place answers, and that the folder or bucket is not there: a disk
// that is not mounted, say.
func NoPlace(place string, cause error) error {
	return fail(continuity.CodeUnreachable, "target.no-place", place, "", cause)
}

// Full says that there is no room.
func Full(place, name string, cause error) error {
	return fail(continuity.CodeDiskFull, "target.full", place, name, cause)
}

// Denied says that the identity may not do that.
func Denied(place, name string, cause error) error {
	return fail(continuity.CodeForbidden, "target.denied", place, name, cause)
}

// fail has no io.EOF in it: a connection that ended is no end of what is read, and whoever
// looks for one in an error would take it for that.
func fail(code continuity.Code, detail, place, name string, cause error) error {
	if errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF) {
		cause = errors.New(cause.Error())
	}
	return continuity.E(code, cause, "detail_id", detail, "place", place, "name", name)
}

// BadAddress says what is wrong with an address or what it names.
func BadAddress(place, what string, cause error) error {
	return continuity.E(continuity.CodeInvalid, cause, "detail_id", "target.address."+what, "place", place)
}

// OfSystem makes of an error of the system what it says of a place.
func OfSystem(place, name string, err error) error {
	var known *continuity.Error
	switch {
	case err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ENOENT):
		return Missing(place, name, err)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return Full(place, name, err)
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS):
		return Denied(place, name, err)
	}
	return Gone(place, name, err)
}

// Input is the reader of a Put. It keeps apart its own error from that of the place, and
// ends with the context.
type Input struct {
	ctx context.Context
	r   io.Reader
	err error
}

// NewInput makes an Input of a reader.
func NewInput(ctx context.Context, r io.Reader) *Input { return &Input{ctx: ctx, r: r} }

var errInput = errors.New("target: what was to be kept could not be read")

// Read reads. Its errors bear no other's name: libraries take io.ErrUnexpectedEOF for an
// end, and would publish half a file.
func (in *Input) Read(p []byte) (int, error) {
	if in.ctx.Err() != nil {
		in.err = context.Cause(in.ctx)
		return 0, errInput
	}
	n, err := in.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers have it
		in.err, err = err, errInput
	}
	return n, err
}

// Err is the reader's own error, if it had one.
func (in *Input) Err() error { return in.err }
