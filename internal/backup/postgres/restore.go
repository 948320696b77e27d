package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

func restore(ctx context.Context, r backup.Restore) (*instance, error) {
	if len(r.Pieces) == 0 || r.Pieces[0].Type != backup.TypeFull {
		return nil, errors.New("there is no full piece to begin with")
	}
	data, err := newData(r.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = data.Close() }() // only paths went through it
	own, err := findOwner()
	if err != nil {
		return nil, err
	}
	n, err := unpack(ctx, r.Pieces[0], data, own, r.Report)
	if err != nil {
		return nil, err
	}
	l := &laying{note: n, data: data, own: own, end: n.End}
	for _, piece := range r.Pieces[1:] {
		if err := l.lay(ctx, piece, r.Report); err != nil {
			return nil, err
		}
	}
	goal, err := l.aim(filepath.Join(data.Name(), "pg_wal"), r)
	if err != nil {
		return nil, err
	}
	s, err := serve(ctx, r.Dir, data, n, goal, r.Report)
	if err != nil {
		return nil, err
	}
	return &instance{server: s, reached: n.at(goal.reached), newest: goal.newest}, nil
}

// newData makes the folder of a server's data.
func newData(dir string) (*os.Root, error) {
	own, err := findOwner()
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "data")
	if err := os.Mkdir(name, 0o700); err != nil {
		return nil, err
	}
	if own.name != "" {
		for _, name := range []string{dir, name} {
			if err := os.Chown(name, own.uid, own.gid); err != nil {
				return nil, err
			}
		}
	}
	return os.OpenRoot(name)
}

// serve starts a server of our own on data, and returns once it has played its log.
func serve(ctx context.Context, dir string, data *os.Root, n note, g goal, report backup.Report) (*server, error) {
	version, err := data.ReadFile("PG_VERSION")
	if err != nil {
		return nil, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(version)))
	if err != nil {
		return nil, err
	}
	postgres, err := program(major, "postgres")
	if err != nil {
		return nil, err
	}
	own, err := findOwner()
	if err != nil {
		return nil, err
	}
	if own.name != "" {
		if err := own.reaches(data.Name(), postgres); err != nil {
			return nil, err
		}
	}
	s := &server{program: postgres, dir: dir, data: data.Name(), own: own, note: n}
	return s, s.recover(ctx, data, g, report)
}

// laying puts spans of the log where the server finds them.
type laying struct {
	note
	data *os.Root
	own  owner
	end  LSN // up to where the log is there without a gap
}

// lay writes a span. What is there already has to be the same.
func (l *laying) lay(ctx context.Context, piece backup.Piece, report backup.Report) (err error) {
	from, to, err := span(piece.Manifest)
	switch {
	case err != nil:
		return pieceError(piece.ID, err)
	case piece.Type != backup.TypeLog:
		return pieceError(piece.ID, errors.New("it is no span of a log"))
	case piece.From.System != l.System:
		return pieceError(piece.ID, fmt.Errorf("it is of another system, %s", piece.From.System))
	case piece.From.Timeline != l.Timeline || piece.To.Timeline != l.Timeline:
		return pieceError(piece.ID, fmt.Errorf("it is of timeline %d, the base of %d", piece.From.Timeline, l.Timeline))
	case from > l.end:
		return pieceError(piece.ID, fmt.Errorf("the log from %s to %s is missing before it", l.end, from))
	case to <= l.end:
		return nil // nothing new
	}
	in, err := piece.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	r := &metered{r: in, told: func(done int64) { tell(report, "restore", done, piece.Plain) }}
	for at := from; at < to; {
		next := min(to, l.line.start(at)+LSN(l.Segment))
		if err := l.write(r, at, next); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
				return pieceError(piece.ID, errors.New("it is shorter than its span"))
			}
			var bad *damage
			if errors.As(err, &bad) {
				return pieceError(piece.ID, err)
			}
			return err
		}
		at = next
	}
	// To its end, which is when it is proven to be whole.
	if more, err := io.Copy(io.Discard, r); err != nil || more > 0 {
		return errors.Join(err, pieceError(piece.ID, errors.New("it is longer than its span")))
	}
	l.end = to
	return nil
}

// write writes what belongs into one segment.
func (l *laying) write(r io.Reader, at, end LSN) (err error) {
	begins := l.line.start(at)
	name := "pg_wal/" + l.line.file(at)
	f, err := l.data.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := errors.Join(f.Truncate(int64(l.Segment)), l.own.take(l.data, name)); err != nil { // #nosec G115 -- at most 1 GiB
		return err
	}
	if have := min(l.end, end); at < have {
		if err := same(r, io.NewSectionReader(f, int64(at-begins), int64(have-at)), at); err != nil { // #nosec G115 -- within a segment
			return err
		}
		at = have
	}
	_, err = io.CopyN(io.NewOffsetWriter(f, int64(at-begins)), r, int64(end-at)) // #nosec G115 -- the same
	return err
}

// same says that a span is what another piece holds, as far as that goes.
func same(span, there io.Reader, at LSN) error {
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(there, b)
		if n == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if _, err := io.ReadFull(span, a[:n]); err != nil {
			return err
		}
		if string(a[:n]) != string(b[:n]) {
			return &damage{backup.FaultDouble, at, "two pieces have different logs here"}
		}
		at += LSN(n) // #nosec G115 -- small
	}
}

// goal is how far the log is to be played.
type goal struct {
	stop    LSN // before the record that begins here; 0: to the end
	reached LSN
	newest  time.Time
	until   time.Time // up to changes of this moment; zero: by stop
	fetch   string    // the command by which the server gets its log; empty: it is there
}

// all is to the end of the same log.
func (g goal) all() goal { return goal{fetch: g.fetch} }

// aim reads the log that was laid, record by record, and says where to stop. What is
// damaged in it is found here, before there is a server.
func (l *laying) aim(dir string, r backup.Restore) (g goal, err error) {
	var at LSN
	if r.At.At != "" {
		if at, err = parseLSN(r.At.At); err != nil {
			return g, err
		}
		if r.At.System != l.System || r.At.Timeline != l.Timeline {
			return g, fmt.Errorf("%s is a place of another system or timeline", r.At.At)
		}
	}
	w := newWalk(l.line, dir, l.Start, l.end)
	defer func() { err = errors.Join(err, w.Close()) }()
	g.reached = l.Start
	for {
		rec, err := w.read()
		if errors.Is(err, errEnds) {
			break
		}
		if err != nil {
			var bad *damage
			if errors.As(err, &bad) {
				return g, pieceError("", err)
			}
			return g, err
		}
		if at != 0 && rec.at >= at || at == 0 && !r.Until.IsZero() && rec.xact.After(r.Until) {
			g.stop = rec.at
			break
		}
		g.reached = rec.end
		if rec.xact.After(g.newest) {
			g.newest = rec.xact
		}
	}
	switch {
	case g.stop == 0 && w.last != l.end && l.end != l.line.start(l.end):
		// Only a whole segment may end within a record.
		return g, pieceError("", &damage{backup.FaultTruncated, w.last, "the log ends within a record"})
	case g.stop == 0 && behindHead(l.line, g.reached) < at:
		return g, fmt.Errorf("the log goes to %s only, not to %s", g.reached, at)
	case g.reached < l.Stop:
		return g, errors.New("the moment is before the end of this full piece: take an earlier one")
	}
	return g, nil
}

// span is from where to where a log goes.
func span(m backup.Manifest) (from, to LSN, err error) {
	from, err1 := parseLSN(m.From.At)
	to, err2 := parseLSN(m.To.At)
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	if to <= from {
		return 0, 0, fmt.Errorf("it ends at %s, where it begins or before", m.To.At)
	}
	return from, to, nil
}

func pieceError(id string, err error) error {
	return continuity.E(continuity.CodeBackupPiece, err, "piece", id, "cause", err.Error())
}

func restoreError(err error) error {
	if continuity.CodeOf(err) != continuity.CodeInternal {
		return err
	}
	if code(err) == "53100" {
		err = backup.NoRoom(err)
	}
	return continuity.E(continuity.CodeBackupRestore, err, "cause", err.Error())
}
