package mysql

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
	"holdfast/internal/continuity"
)

const database = "restored" // the name of the database where nobody names another

var (
	errMoment   = errors.New("no piece is of that moment or place")
	errGap      = errors.New("a piece of the log is missing")
	errForm     = errors.New("the records don't go together")
	clientNames = []string{"mariadb", "mysql"}
)

func restoring(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupRestore, err, "cause", err.Error())
}

// Restore starts a private server with the database as it was.
func (d *Driver) Restore(ctx context.Context, r backup.Restore) (_ backup.Instance, err error) {
	if len(r.Pieces) == 0 || r.Pieces[0].Type != backup.TypeFull || !r.Until.IsZero() && r.At.IsZero() && r.Pieces[0].Taken.After(r.Until) {
		return nil, restoring(errMoment)
	}
	name := database
	if d.config != nil {
		name = d.config.DBName
	}
	base := r.Pieces[0]
	i := &instance{name: name, reached: base.To, moment: base.Taken}
	l := &replay{dir: filepath.Join(r.Dir, "log"), at: base.To, reached: base.To, moment: base.Taken}
	for _, p := range r.Pieces[1:] {
		if !r.At.IsZero() && l.at.Compare(r.At) >= 0 {
			break
		}
		if err := l.add(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := l.plan(r); err != nil {
		return nil, restoring(err)
	}
	if l.database != "" { // the log names it
		i.name = l.database
	}
	if i.server, err = start(ctx, r.Dir); err != nil { // it is empty: nothing of the backup is in it
		return nil, restoring(backup.Here(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.server.Close())
		}
	}()
	if err := i.load(ctx, base, r.Report); err != nil {
		return nil, err
	}
	if err := l.run(ctx, i); err != nil {
		return nil, restoring(err)
	}
	i.reached, i.moment = l.reached, l.moment
	return i, nil
}

// replay is the log after a dump, put together from spans.
type replay struct {
	dir     string
	at      backup.Position // so far it was put together
	files   []string
	start   int64 // in the first file
	stop    int64 // in the last file
	reached backup.Position
	moment  time.Time

	database string // whose changes they are
}

// add writes a span to where it stands in its file.
func (l *replay) add(ctx context.Context, p backup.Piece) error {
	if p.From.System != l.at.System {
		return restoring(fmt.Errorf("%w: piece %s is of another server", errForm, p.ID))
	}
	if p.To.Compare(l.at) <= 0 {
		return nil // is there
	}
	if p.From.Compare(l.at) > 0 {
		return restoring(fmt.Errorf("%w: from %s to %s", errGap, l.at.At, p.From.At))
	}
	in, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := l.write(in); errors.Is(err, errForm) {
		return continuity.E(continuity.CodeBackupPiece, err, "piece", p.ID, "cause", err.Error())
	} else if err != nil {
		return restoring(err)
	}
	l.at = p.To
	return nil
}

func (l *replay) write(stream io.Reader) error {
	in := bufio.NewReaderSize(stream, 1<<18)
	line, err := in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	var h spanHead
	if err := json.Unmarshal(line, &h); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	if _, _, err := parse(backup.Position{At: h.File + ":" + strconv.FormatInt(h.Start, 10)}); err != nil || h.End < h.Start || len(h.Head) > mostHead {
		return fmt.Errorf("%w: it has no place in a log", errForm)
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(l.dir, h.File), os.O_CREATE|os.O_WRONLY, 0o600) // #nosec G304 -- in our own folder
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.WriteAt(h.Head, 0); err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(out, h.Start), in)
	if err != nil {
		return err
	}
	if n != h.End-h.Start {
		return fmt.Errorf("%w: %d bytes where %d were to be", errForm, n, h.End-h.Start)
	}
	l.database = h.Database
	if len(l.files) == 0 || l.files[len(l.files)-1] != h.File {
		l.files = append(l.files, h.File)
	}
	return nil
}

// plan finds where replaying begins and stops.
func (l *replay) plan(r backup.Restore) error {
	if !r.At.IsZero() && (r.At.System != l.at.System || l.at.Compare(r.At) < 0 || r.At.Compare(l.reached) < 0) {
		return errMoment
	}
	if len(l.files) == 0 {
		return nil
	}
	first, start, err := parse(l.reached)
	if err != nil {
		return err
	}
	l.start = start
	if l.files[0] != first { // the dump held at the very end of a file
		l.start = firstEvent
	}
	for n, name := range l.files {
		from := int64(firstEvent)
		if n == 0 {
			from = l.start
		}
		stopped, err := l.scan(r, n, name, from)
		if err != nil {
			return err
		}
		if stopped {
			l.files = l.files[:n+1]
			break
		}
	}
	if r.At.IsZero() && r.Until.IsZero() {
		l.reached = l.at
	}
	return nil
}

// scan reads a file up to where replaying stops.
func (l *replay) scan(r backup.Restore, n int, name string, from int64) (stopped bool, err error) {
	f, err := os.Open(filepath.Join(l.dir, name)) // #nosec G304 -- in our own folder
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	place := func(offset int64) backup.Position {
		return backup.Position{System: l.at.System, At: name + ":" + strconv.FormatInt(offset, 10)}
	}
	limit := time.Time{}
	if !r.Until.IsZero() {
		limit = r.Until.Truncate(time.Second).Add(time.Second) // events tell whole seconds
	}
	end, err := events(f, from, info.Size(), func(e event) bool {
		switch {
		case !r.At.IsZero():
			stopped = place(e.end).Compare(r.At) > 0
		case !limit.IsZero() && e.kind != describes:
			stopped = !e.made.IsZero() && !e.made.Before(limit)
		}
		if !stopped && e.made.After(l.moment) && e.kind != describes {
			l.moment = e.made
		}
		return !stopped
	})
	if err != nil {
		return false, err
	}
	if !stopped && end != info.Size() {
		return false, fmt.Errorf("%w: %s ends within an event", errForm, name)
	}
	l.stop, l.reached = end, place(end)
	if !r.At.IsZero() && l.reached.Compare(r.At) >= 0 {
		stopped = true
	}
	return stopped, nil
}

// run gives the log's changes of the one database to the server.
func (l *replay) run(ctx context.Context, i *instance) error {
	if len(l.files) == 0 || len(l.files) == 1 && l.stop <= l.start {
		return nil
	}
	args := []string{"--no-defaults", "--verify-binlog-checksum", "--local-load=" + l.dir, "--database=" + i.name,
		"--start-position=" + strconv.FormatInt(l.start, 10), "--stop-position=" + strconv.FormatInt(l.stop, 10)}
	for _, name := range l.files {
		args = append(args, filepath.Join(l.dir, name))
	}
	read, err := command(ctx, logNames, args...)
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	read.Stdout = in
	reader, err := child.Start(read)
	if err = errors.Join(err, in.Close()); err != nil {
		return errors.Join(err, out.Close())
	}
	defer reader.Kill()
	err = i.give(ctx, out, "--binary-mode")
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := reader.Wait(); err != nil {
		return err
	}
	return os.RemoveAll(l.dir)
}

// instance is a database on a private server.
type instance struct {
	server  *private
	name    string
	reached backup.Position
	moment  time.Time
}

// give runs statements from a stream.
func (i *instance) give(ctx context.Context, from io.Reader, more ...string) error {
	args := append([]string{"--no-defaults", "--socket=" + i.server.socket, "--user=root", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--batch"}, more...)
	cmd, err := command(ctx, clientNames, append(args, i.name)...)
	if err != nil {
		return err
	}
	cmd.Stdin = from
	err = statements(cmd)
	if reason := i.server.Reason(); err != nil && !i.server.Running() {
		return fmt.Errorf("%w: %w: %w", errEnded, err, reason)
	}
	return err
}

// counted reports how much was read, and keeps the end and what the source said.
type counted struct {
	io.Reader
	report backup.Report
	done   int64
	end    []byte
	ended  bool
	err    error
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.end = append(c.end, b[:n]...)
	if over := len(c.end) - 200; over > 0 {
		c.end = append(c.end[:0], c.end[over:]...)
	}
	if c.done += int64(n); c.report != nil && n > 0 {
		c.report(backup.Progress{Phase: "restore", Done: c.done})
	}
	if c.ended = errors.Is(err, io.EOF); err != nil && !c.ended {
		c.err = err
	}
	return n, err
}

// load loads the dump.
func (i *instance) load(ctx context.Context, p backup.Piece, report backup.Report) error {
	db, err := connect(i.server.config(""))
	if err != nil {
		return restoring(err)
	}
	defer db.Close()
	if err := execute(ctx, db, "CREATE DATABASE "+quoted(i.name)); err != nil {
		return restoring(err)
	}
	in, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	c := &counted{Reader: in, report: report}
	err = i.give(ctx, c)
	if c.err != nil {
		return c.err
	}
	if c.ended && !bytes.Contains(c.end, []byte("-- Dump completed")) {
		return continuity.E(continuity.CodeBackupPiece, errCut, "piece", p.ID, "cause", errCut.Error())
	}
	return restoring(err)
}

// Figures are taken with the same measures as at capture.
func (i *instance) Figures(ctx context.Context, queries []backup.Query, report backup.Report) ([]backup.Figure, error) {
	var db *sql.DB
	db, err := connect(i.server.config(i.name))
	if err != nil {
		return nil, restoring(err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, restoring(err)
	}
	defer conn.Close()
	figures, err := measure(ctx, conn, queries, report)
	return figures, restoring(err)
}

// Reached tells of the newest change.
func (i *instance) Reached() (backup.Position, time.Time) { return i.reached, i.moment }

// Address is the DSN of the private server's database.
func (i *instance) Address() string { return i.server.config(i.name).FormatDSN() }

// Close ends the server.
func (i *instance) Close() error { return i.server.Close() }
