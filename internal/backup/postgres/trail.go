package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/durable"
)

// trail is the log as it comes into the spool, and how far of it was handed on.
type trail struct {
	line
	dir     string
	publish publisher
	done    LSN // up to here it was handed on
	walk    *walk
	newest  time.Time // change that was seen

	again    bool // the segment came anew, and was not compared yet
	versions map[string]string
	sum      hash.Hash // of what was handed on of the segment in which done is; nil: not known
}

// kept is what has to survive a crash: of which log the segments are, and what of the
// newest one was handed on.
type kept struct {
	line
	Done LSN    `json:"done"`
	Sum  []byte `json:"sum,omitempty"` // the state of the hash
}

const keptName = "handed-on.json"

// openTrail takes up the log where it was left, or a new one at the zero position.
func openTrail(spool string, from backup.Position, publish publisher) (*trail, error) {
	t := &trail{dir: filepath.Join(spool, "wal"), publish: publish}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return nil, err
	}
	if from.At == "" {
		return t, nil
	}
	done, err := parseLSN(from.At)
	if err != nil {
		return nil, err
	}
	t.done, t.System, t.Timeline = done, from.System, from.Timeline
	var k kept
	said, err := os.ReadFile(filepath.Join(t.dir, keptName))
	if errors.Is(err, os.ErrNotExist) || err == nil && json.Unmarshal(said, &k) != nil {
		return t, nil
	}
	if err != nil || k.System != t.System || k.Timeline != t.Timeline {
		return t, err
	}
	t.line = k.line
	if k.Done == done && k.Sum != nil {
		sum := sha256.New()
		if sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(k.Sum) == nil {
			t.sum = sum
		}
	}
	return t, nil
}

func (t *trail) fresh() bool { return t.System == "" }

// begin begins a new log.
func (t *trail) begin(l line, at LSN) error {
	t.line, t.done, t.sum = l, at, sha256.New()
	names, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	for _, entry := range names {
		if err := os.Remove(filepath.Join(t.dir, entry.Name())); err != nil {
			return err
		}
	}
	return t.keep(true)
}

// ready leaves in the folder what pg_receivewal is to go on from, and says where that is.
func (t *trail) ready() (next LSN, err error) {
	if err := t.close(); err != nil {
		return 0, err
	}
	t.walk, t.again = nil, true // files may be made anew
	for next = t.start(t.done); ; next += LSN(t.Segment) {
		if _, err := os.Stat(t.path(next)); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil {
			return 0, err
		}
	}
	names, err := os.ReadDir(t.dir)
	if err != nil {
		return 0, err
	}
	for _, entry := range names {
		name, info := entry.Name(), error(nil)
		partial := strings.HasSuffix(name, ".partial")
		size := int64(0)
		if i, err := entry.Info(); err == nil {
			size = i.Size()
		} else {
			info = err
		}
		switch at := strings.TrimSuffix(name, ".partial"); {
		case info != nil:
			return 0, info
		case name == keptName, !partial && at < t.file(next):
		case partial && at == t.file(next) && uint64(size) == t.Segment: // #nosec G115 -- of a file
		default: // of another log, or of a moment in which it was being made
			if err := os.Remove(filepath.Join(t.dir, name)); err != nil {
				return 0, err
			}
		}
	}
	if _, err := os.Stat(t.path(next) + ".partial"); errors.Is(err, os.ErrNotExist) {
		return next, seed(t.dir, t.line, next)
	} else if err != nil {
		return 0, err
	}
	return next, nil
}

func (t *trail) path(at LSN) string { return filepath.Join(t.dir, t.file(at)) }

// advance hands on what came: whole segments as soon as they are there, and of the one
// that is being written each whole record.
func (t *trail) advance(ctx context.Context) error {
	for t.Segment != 0 {
		begins := t.start(t.done)
		ends := begins + LSN(t.Segment)
		_, err := os.Stat(t.path(begins))
		whole := err == nil
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		reached, err := t.look(ends, whole)
		if err != nil {
			return err
		}
		from, to := t.done, reached
		if whole {
			from, to = begins, ends
		}
		if to <= t.done {
			return nil
		}
		if whole || t.again {
			if err := t.unchanged(begins); err != nil {
				return err
			}
			t.again = false
		}
		if err := t.hand(ctx, from, to); err != nil {
			return err
		}
		if whole {
			if err := t.forget(begins); err != nil {
				return err
			}
		}
	}
	return nil
}

// look reads the records that came, up to where a segment ends, and says how far they
// are whole. Of a whole segment it has to be all.
func (t *trail) look(ends LSN, whole bool) (LSN, error) {
	if t.walk == nil {
		at := t.start(t.done)
		// From the segment before, if it is there: a record may go on from it.
		if before := at - LSN(t.Segment); at >= LSN(t.Segment) {
			if _, err := os.Stat(t.path(before)); err == nil {
				at = before
			}
		}
		t.walk = newWalk(t.line, t.dir, at, ends)
	}
	w := t.walk
	w.limit, w.havePage = ends, false
	for {
		rec, err := w.read()
		var bad *damage
		switch {
		case err == nil:
			if rec.xact.After(t.newest) {
				t.newest = rec.xact
			}
			continue
		case errors.Is(err, errEnds):
			return w.last, nil
		case !errors.As(err, &bad):
			return 0, err
		case !whole && (bad.kind == backup.FaultTruncated || bad.kind == backup.FaultMissing):
			return w.last, nil // not written yet, or in this moment
		}
		return 0, fmt.Errorf("%w: %w", backup.ErrNeedsFull, err)
	}
}

// unchanged says that what was handed on of a segment is what there is of it now.
func (t *trail) unchanged(begins LSN) (err error) {
	if t.sum == nil || t.done == begins {
		return nil
	}
	f, err := t.open(begins, t.done)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), t.sum.Sum(nil)) {
		return fmt.Errorf("%w: %w", backup.ErrNeedsFull, &damage{backup.FaultDouble, begins,
			"the server wrote another log here than it had sent before: it was set back"})
	}
	return nil
}

// hand hands on a span, and remembers that.
func (t *trail) hand(ctx context.Context, from, to LSN) error {
	newest := t.newest
	if newest.IsZero() {
		newest = time.Now()
	}
	span := backup.Span{From: t.at(from), To: t.at(to), Newest: newest, Versions: t.versions, Open: func() (io.ReadCloser, error) { return t.open(from, to) }}
	if err := t.publish(ctx, span); err != nil {
		return errors.Join(errPublish, err)
	}
	if from == t.start(from) {
		t.sum = sha256.New()
	}
	if t.sum != nil && to != t.start(to) {
		in, err := t.open(from, to)
		if err != nil {
			return err
		}
		_, err = io.Copy(t.sum, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	if t.done = to; to == t.start(to) {
		t.sum = sha256.New()
	}
	err := t.keep(to == t.start(to))
	if errors.Is(err, syscall.ENOSPC) {
		return nil // what is lost is a comparison, and room comes by going on: what was handed on goes
	}
	return err
}

// keep writes down how far it is. Within a segment that need not survive the machine: what
// is lost with it is a comparison.
func (t *trail) keep(surely bool) error {
	k := kept{line: t.line, Done: t.done}
	if t.sum != nil {
		state, err := t.sum.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return err
		}
		k.Sum = state
	}
	said, err := json.Marshal(k)
	if err != nil {
		return err
	}
	name := filepath.Join(t.dir, keptName)
	if surely {
		return durable.Replace(name, said)
	}
	if err := os.WriteFile(name+".new", said, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// open reads a span, which is within a segment.
func (t *trail) open(from, to LSN) (io.ReadCloser, error) {
	f, err := os.Open(t.path(from))
	if errors.Is(err, os.ErrNotExist) {
		f, err = os.Open(t.path(from) + ".partial")
	}
	if errors.Is(err, os.ErrNotExist) {
		f, err = os.Open(t.path(from)) // it became whole in between
	}
	if err != nil {
		return nil, err
	}
	at := int64(from - t.start(from))                                  // #nosec G115 -- within a segment
	return section{io.NewSectionReader(f, at, int64(to-from)), f}, nil // #nosec G115 -- the same
}

type section struct {
	io.Reader
	io.Closer
}

// forget removes segments that nobody needs: all before the one before this.
func (t *trail) forget(begins LSN) error {
	names, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	for _, entry := range names {
		if name := entry.Name(); len(name) == 24 && name < t.file(begins) {
			if err := os.Remove(filepath.Join(t.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trail) close() error {
	if t.walk == nil {
		return nil
	}
	return t.walk.Close()
}
