package postgres

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
	"holdfast/internal/continuity"
)

// note is what of a full piece is needed to restore it.
type note struct {
	Format int `json:"format"`
	line
	Start    LSN    `json:"start"` // from where its log has to be played
	Stop     LSN    `json:"stop"`  // before which the data is not consistent
	End      LSN    `json:"end"`   // of the log that it carries
	Database string `json:"database"`
	User     string `json:"user"`
	First    string `json:"first"` // the superuser
}

const noteName = "holdfast.json"

var (
	startForm = regexp.MustCompile(`write-ahead log start point: ([0-9A-F]+/[0-9A-F]+) on timeline (\d+)`)
	stopForm  = regexp.MustCompile(`write-ahead log end point: ([0-9A-F]+/[0-9A-F]+)`)
)

func (d *Driver) capture(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (c backup.Captured, err error) {
	other, err := connect(ctx, d.DSN)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, closing(ctx, other)) }()
	s, err := look(ctx, other)
	if err == nil {
		err = plain(ctx, other)
	}
	if err != nil {
		return c, err
	}
	// The slot keeps the log on the server until we have it, and goes with this session.
	keeper := "holdfast_base_" + strings.ToLower(rand.Text()[:10])
	if _, err := other.Exec(ctx, `SELECT pg_create_physical_replication_slot($1, true, true)`, keeper); err != nil {
		return c, err
	}
	n := note{Format: 1, line: s.line, Database: s.database, User: s.user, First: s.first}
	if n.Start, n.Stop, err = d.base(ctx, other, s, w, report); err != nil {
		return c, err
	}
	// The base ended its segment, and has it whole.
	from := s.start(n.Stop-1) + LSN(s.Segment)
	dir, done, err := d.segments(s.line, from)
	if err != nil {
		return c, d.spoolError(err)
	}
	defer func() { err = errors.Join(err, done()) }()
	log, err := newEnds(ctx, other, s.line, dir, from, func(ctx context.Context, to LSN) error { return d.receive(ctx, s, dir, to) })
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, log.walk.Close()) }()
	at, err := taking{d.DSN, d.Log}.take(ctx, other, log, queries, report)
	if err != nil {
		return c, err
	}
	// A transaction that ends has the log written out past the place.
	if _, err := number(ctx, other); err != nil {
		return c, err
	}
	// Something of the next segment, as its head is part of the place of what comes next.
	if goal := max(at.at, from+longHeader); behindHead(s.line, log.walk.last) < goal {
		if err := d.receive(ctx, s, dir, goal); err != nil {
			return c, err
		}
	}
	if n.End, err = rest(s.line, w, n, dir, from, at.at); err != nil {
		return c, err
	}
	c.Taken, c.From, c.To = at.moment, s.line.at(n.End), s.line.at(n.End)
	c.Exact, c.Figures = at.exact(s.line), at.figures
	c.Versions = map[string]string{"postgresql": s.version}
	return c, nil
}

func now(ctx context.Context, conn *pgx.Conn) (s still, err error) {
	var at string
	if err := conn.QueryRow(ctx, `SELECT pg_current_wal_insert_lsn()::text, clock_timestamp()`).Scan(&at, &s.moment); err != nil {
		return s, err
	}
	s.at, err = parseLSN(at)
	return s, err
}

// base has pg_basebackup write the first archive.
func (d *Driver) base(ctx context.Context, conn *pgx.Conn, s source, w io.Writer, report backup.Report) (start, stop LSN, err error) {
	path, err := program(s.major, "pg_basebackup")
	if err != nil {
		return 0, 0, err
	}
	env, err := environment(d.DSN)
	if err != nil {
		return 0, 0, err
	}
	var size int64 // about; not everybody may know
	if err := conn.QueryRow(ctx, `SELECT sum(pg_database_size(oid))::bigint FROM pg_database`).Scan(&size); err != nil && code(err) != "42501" {
		return 0, 0, err
	}
	cmd := command(ctx, path, "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--verbose", "--no-password")
	out := &counter{w: w, told: func(done int64) { tell(report, "capture", done, max(size, done)) }}
	cmd.Env, cmd.Stdout = env, out
	reader, err := child.Run(cmd)
	if out.err != nil {
		return 0, 0, out.err // of which the program knows only that nobody listens
	}
	if err != nil {
		return 0, 0, err
	}
	said := reader.Said()
	begun, ended := startForm.FindStringSubmatch(said), stopForm.FindStringSubmatch(said)
	if begun == nil || ended == nil {
		return 0, 0, fmt.Errorf("pg_basebackup does not say where in the log it is: %w", reader.Reason())
	}
	if begun[2] != fmt.Sprint(s.Timeline) {
		return 0, 0, fmt.Errorf("the server changed from timeline %d to %s meanwhile", s.Timeline, begun[2])
	}
	start, err1 := parseLSN(begun[1])
	stop, err2 := parseLSN(ended[1])
	return start, stop, errors.Join(err1, err2)
}

// segments makes a folder in the spool into which the log is to be received, until done.
func (d *Driver) segments(l line, from LSN) (dir string, done func() error, err error) {
	if err := os.MkdirAll(d.Spool, 0o700); err != nil {
		return "", nil, err
	}
	if err := sweep(d.Spool); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(d.Spool, "base-"); err != nil {
		return "", nil, err
	}
	lock, err := claim(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	done = func() error { return errors.Join(os.RemoveAll(dir), lock.Close()) }
	if err := seed(dir, l, from); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return dir, done, nil
}

// claim keeps a folder until it is closed, or we are killed.
func claim(dir string) (*os.File, error) {
	f, err := os.Open(dir) // #nosec G304 -- in a folder of our own
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes what captures left that were killed. One that goes on has its folder
// claimed, or will have within a minute.
func sweep(spool string) error {
	left, err := filepath.Glob(filepath.Join(spool, "base-*"))
	if err != nil {
		return err
	}
	for _, name := range left {
		info, err := os.Stat(name)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if lock, err := claim(name); err == nil {
			if err := errors.Join(os.RemoveAll(name), lock.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}

// spoolError is what people are told where the spool's disk is full, or the spool can't
// be used.
func (d *Driver) spoolError(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal {
		return err
	}
	return continuity.E(continuity.CodeBackupSpool, err, "folder", d.Spool, "full", errors.Is(err, syscall.ENOSPC), "cause", err.Error())
}

// rest writes the second archive: the log from the segment behind the base's own to a
// place, and the note. It returns how far that log goes, which is not before the place.
func rest(l line, w io.Writer, n note, dir string, from, goal LSN) (end LSN, err error) {
	if end, err = received(l, dir, from); err != nil {
		return 0, err
	}
	if behindHead(l, end) < goal {
		return 0, fmt.Errorf("the log was received up to %s only, not %s", end, goal)
	}
	n.End = end
	said, err := json.Marshal(n)
	if err != nil {
		return 0, err
	}
	out := tar.NewWriter(w)
	head := &tar.Header{Typeflag: tar.TypeReg, Name: noteName, Size: int64(len(said)), Mode: 0o600, Format: tar.FormatUSTAR}
	if err := out.WriteHeader(head); err != nil {
		return 0, err
	}
	if _, err := out.Write(said); err != nil {
		return 0, err
	}
	for at := from; at < end; at += LSN(l.Segment) {
		if err := addSegment(out, l, dir, at, min(end, at+LSN(l.Segment))); err != nil {
			return 0, err
		}
	}
	return end, out.Close()
}

// addSegment adds what there is of a segment.
func addSegment(out *tar.Writer, l line, dir string, at, end LSN) error {
	name := filepath.Join(dir, l.file(at))
	f, err := os.Open(name) // #nosec G304 -- in a folder of our own
	if errors.Is(err, os.ErrNotExist) {
		f, err = os.Open(name + ".partial") // #nosec G304 -- the same
	}
	if err != nil {
		return err
	}
	size := int64(end - at) // #nosec G115 -- of a segment
	head := &tar.Header{Typeflag: tar.TypeReg, Name: "pg_wal/" + l.file(at), Size: size, Mode: 0o600, Format: tar.FormatUSTAR}
	if err = out.WriteHeader(head); err == nil {
		_, err = io.CopyN(out, f, size)
	}
	return errors.Join(err, f.Close())
}

// receive has pg_receivewal fetch the log into a folder, from the newest segment there to
// a place that the log is written past, or will be.
func (d *Driver) receive(ctx context.Context, s source, dir string, to LSN) error {
	path, err := program(s.major, "pg_receivewal")
	if err != nil {
		return err
	}
	env, err := environment(d.DSN)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Hour) // it waits without end for what was never written
	defer cancel()
	cmd := command(ctx, path, "--directory="+dir, "--endpos="+to.String(), "--no-loop", "--no-sync", "--no-password")
	cmd.Env = env
	_, err = child.Run(cmd)
	if errors.Is(err, syscall.ENOSPC) {
		return d.spoolError(err)
	}
	return err
}

// seed has pg_receivewal begin with a segment.
func seed(dir string, l line, from LSN) error {
	return os.WriteFile(filepath.Join(dir, l.file(from)+".partial"), nil, 0o600)
}

// received is the end of the last whole record in a folder of segments, of those that
// begin with one.
func received(l line, dir string, from LSN) (LSN, error) {
	w := newWalk(l, dir, from, 1<<63)
	end := from
	for {
		rec, err := w.read()
		var bad *damage
		switch {
		case errors.Is(err, errEnds), errors.As(err, &bad):
			return end, w.Close()
		case err != nil:
			return 0, errors.Join(err, w.Close())
		}
		end = rec.end
	}
}

// behindHead is the place of what comes next, which is never within the head of a page.
func behindHead(l line, at LSN) LSN {
	switch {
	case uint64(at)%l.Segment == 0:
		return at + longHeader
	case uint64(at)%l.Page == 0:
		return at + shortHeader
	}
	return at
}

// counter tells how much was written through it.
type counter struct {
	w    io.Writer
	n    int64
	err  error
	told func(int64)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n, c.err = c.n+int64(n), err
	c.told(c.n)
	return n, err
}
