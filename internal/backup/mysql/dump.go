package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
	"holdfast/internal/backup/spool"
)

var (
	errCut    = errors.New("the dump has no end")
	placeForm = regexp.MustCompile(`CHANGE MASTER TO MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=([0-9]+);`)
	dumpNames = []string{"mariadb-dump", "mysqldump"}
)

// Full writes a dump of the database.
//
// Where the server is a MariaDB whose log is followed, nobody waits: the dump says where
// in the log it holds, and the figures, which are taken after it, where they do. Else the
// two are begun under one read lock, which is waited for some seconds and held for as
// long as it takes to begin.
func (d *Driver) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.config == nil || d.spool == nil {
		return backup.Captured{}, d.failed(errNoSource)
	}
	db, err := connect(d.config)
	if err != nil {
		return backup.Captured{}, d.failed(err)
	}
	defer db.Close()
	s, err := d.look(ctx, db)
	if err != nil {
		return backup.Captured{}, d.failed(err)
	}
	f := &full{driver: d, db: db, server: s, out: w, report: report, queries: queries}
	f.captured = backup.Captured{Taken: time.Now(), Versions: map[string]string{"server": s.version}}
	if d.follows && s.maria && s.logs {
		err = f.unlocked(ctx)
	} else {
		err = f.locked(ctx)
	}
	if f.failed != nil {
		return backup.Captured{}, f.failed
	}
	return f.captured, d.failed(err)
}

type full struct {
	driver   *Driver
	db       *sql.DB
	server   server
	out      io.Writer
	failed   error // what the target said
	report   backup.Report
	queries  []backup.Query
	captured backup.Captured
	done     int64
	end      []byte
}

// Write gives the dump on.
func (f *full) Write(b []byte) (int, error) {
	f.done += int64(len(b))
	if f.report != nil {
		f.report(backup.Progress{Phase: "capture", Done: f.done})
	}
	f.end = append(f.end, b...)
	if n := len(f.end) - 200; n > 0 {
		f.end = append(f.end[:0], f.end[n:]...)
	}
	n, err := f.out.Write(b)
	f.failed = errors.Join(f.failed, err)
	return n, err
}

// dump runs the program; begun is given its first output, before the target gets it.
func (f *full) dump(ctx context.Context, begun func(first []byte) error, more ...string) error {
	file, err := os.CreateTemp(f.driver.spool.Path("."), "login-*")
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return f.driver.spool.Error(err)
	}
	defer os.Remove(file.Name())
	if err := credentials(file.Name(), f.driver.config); err != nil {
		return f.driver.spool.Error(err)
	}
	args := append([]string{"--defaults-file=" + file.Name(), "--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--tz-utc", "--default-character-set=utf8mb4"}, more...)
	cmd, err := command(ctx, dumpNames, append(args, f.driver.config.DBName)...)
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout = in
	c, err := child.Start(cmd)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	defer c.Kill()
	first := make([]byte, 1<<16)
	n, err := firstTable(out, first)
	if err == nil && n == 0 {
		return errors.Join(c.Wait(), errCut)
	}
	if err == nil {
		err = begun(first[:n])
	}
	if err == nil {
		_, err = f.Write(first[:n])
	}
	if err == nil {
		_, err = io.Copy(f, out)
	}
	if err != nil {
		return err
	}
	if err := c.Wait(); err != nil {
		return err
	}
	if !bytes.Contains(f.end, []byte("-- Dump completed")) {
		return errCut
	}
	return nil
}

// firstTable reads until the dump is past its beginning: then its transaction has begun.
func firstTable(out io.Reader, into []byte) (n int, err error) {
	for n < len(into) {
		m, err := out.Read(into[n:])
		n += m
		if errors.Is(err, io.EOF) || bytes.Contains(into[:n], []byte("-- Table structure")) || bytes.Contains(into[:n], []byte("-- Dump completed")) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (f *full) unlocked(ctx context.Context) error {
	err := f.dump(ctx, func(first []byte) error {
		at := placeForm.FindSubmatch(first)
		if at == nil {
			return errors.New("the dump does not say where in the log it holds")
		}
		f.captured.To = backup.Position{System: f.server.system, At: fmt.Sprintf("%s:%s", at[1], at[2])}
		return nil
	}, "--master-data=2")
	if err != nil {
		return err
	}
	f.captured.From = f.captured.To
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := begin(ctx, conn); err != nil {
		return err
	}
	rows, err := list(ctx, conn, "SHOW STATUS WHERE Variable_name IN ('binlog_snapshot_file', 'binlog_snapshot_position')")
	if err != nil {
		return err
	}
	at := map[string]string{}
	for _, row := range rows {
		at[row[0]] = row[1]
	}
	f.captured.Exact = backup.Position{System: f.server.system, At: at["Binlog_snapshot_file"] + ":" + at["Binlog_snapshot_position"]}
	if _, _, err := parse(f.captured.Exact); err != nil {
		return err
	}
	f.captured.Figures, err = measure(ctx, conn, f.queries, f.report)
	return err
}

func begin(ctx context.Context, conn *sql.Conn) error {
	for _, s := range []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT"} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (f *full) locked(ctx context.Context) error {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	lock, err := f.db.Conn(ctx)
	if err != nil {
		return err
	}
	unlock := func() error {
		_, err := lock.ExecContext(context.WithoutCancel(ctx), "UNLOCK TABLES")
		return err
	}
	defer func() {
		_ = unlock() // again, in case that it failed in the middle
		_ = lock.Close()
	}()
	for _, s := range []string{"SET SESSION lock_wait_timeout = 5", "FLUSH TABLES WITH READ LOCK"} {
		if _, err := lock.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	f.captured.To = backup.Position{System: f.server.system, At: spool.Unique(f.captured.Taken)}
	if f.server.logs {
		if f.captured.To, err = f.server.now(ctx, lock); err != nil {
			return err
		}
		f.captured.From = f.captured.To
	}
	f.captured.Exact = f.captured.To
	if err := begin(ctx, conn); err != nil {
		return err
	}
	if err := f.dump(ctx, func([]byte) error { return unlock() }); err != nil {
		return err
	}
	f.captured.Figures, err = measure(ctx, conn, f.queries, f.report)
	return err
}
