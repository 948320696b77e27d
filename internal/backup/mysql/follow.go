package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
)

const (
	logsName = "binlog"
	slice    = 250 * time.Millisecond // how often what came is published
	unasked  = 8                      // after so many times the server is asked whether its log goes on
	merged   = 200                    // so many slices of a file are superseded by one
)

var logNames = []string{"mariadb-binlog", "mysqlbinlog"}

// spanHead is the first line of a span's stream; the bytes of the log follow.
type spanHead struct {
	File  string `json:"file"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
	Head  []byte `json:"head"` // of the file

	Database string `json:"database"` // that is backed up
}

// Follow receives the log as the server writes it.
func (d *Driver) Follow(ctx context.Context, from backup.Position, publish func(ctx context.Context, span backup.Span) error) error {
	if d.config == nil || d.spool == nil {
		return d.failed(errNoSource)
	}
	db, err := connect(d.config)
	if err != nil {
		return d.failed(err)
	}
	defer db.Close()
	s, err := d.look(ctx, db)
	if err != nil {
		return d.failed(err)
	}
	if !s.logs || !s.rows {
		return d.failed(errLog)
	}
	if from.IsZero() {
		if from, err = s.now(ctx, db); err != nil {
			return d.failed(err)
		}
	}
	file, offset, err := parse(from)
	if err != nil {
		return d.failed(err)
	}
	there, err := s.has(ctx, db, from, file, offset)
	if err != nil {
		return d.failed(err)
	}
	if !there {
		return backup.ErrNeedsFull
	}
	f := &follower{driver: d, db: db, server: s, publish: publish, file: file, offset: offset, merge: offset, dir: d.spool.Path(logsName)}
	err = f.run(ctx)
	if f.failed != nil {
		return f.failed
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return d.failed(err)
}

// has reports whether a place is in the server's log still.
func (s server) has(ctx context.Context, db *sql.DB, from backup.Position, file string, offset int64) (bool, error) {
	if from.System != s.system {
		return false, nil
	}
	logs, err := list(ctx, db, "SHOW BINARY LOGS")
	if err != nil {
		return false, err
	}
	for _, row := range logs {
		if row[0] == file {
			size, err := strconv.ParseInt(row[1], 10, 64)
			return err == nil && offset <= size, err
		}
	}
	return false, nil
}

type follower struct {
	driver  *Driver
	db      *sql.DB
	server  server
	publish func(ctx context.Context, span backup.Span) error
	failed  error // what publishing said
	dir     string

	file   string
	offset int64 // what stands before it was published
	merge  int64 // from here on slices are not superseded yet
	pieces int   // slices since then
	newest time.Time
}

func (f *follower) run(ctx context.Context) error {
	spool := f.driver.spool
	if err := errors.Join(os.RemoveAll(f.dir), os.Mkdir(f.dir, 0o700)); err != nil {
		return spool.Error(err)
	}
	login := filepath.Join(f.dir, "login")
	if err := credentials(login, f.driver.config); err != nil {
		return spool.Error(err)
	}
	// Servers tell their readers apart by this number, and end the older of two.
	number := strconv.FormatUint(uint64(1<<31+rand.Uint32N(1<<30)), 10) // #nosec G404 -- a number that nobody has
	cmd, err := command(ctx, logNames, "--defaults-file="+login, "--read-from-remote-server", "--raw", "--stop-never",
		"--stop-never-slave-server-id="+number, "--result-file="+f.dir+"/", f.file)
	if err != nil {
		return err
	}
	c, err := child.Start(cmd)
	if err != nil {
		return err
	}
	defer c.Kill()
	tick := time.NewTicker(slice)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-c.Done():
			return errors.Join(f.goesOn(ctx), c.Wait(), io.ErrUnexpectedEOF)
		case <-tick.C:
		}
		if n%unasked == 0 { // a server that began its log anew may never send anything
			if err := f.goesOn(ctx); err != nil {
				return err
			}
		}
		if err := f.look(ctx); err != nil {
			return err
		}
	}
}

// look publishes what came.
func (f *follower) look(ctx context.Context) error {
	for {
		next, err := f.next() // before the file is read: it is whole where there is a next one
		if err != nil {
			return err
		}
		if err := f.came(ctx, next); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		if err := os.Remove(filepath.Join(f.dir, f.file)); err != nil {
			return err
		}
		f.file, f.offset, f.merge, f.pieces = next, firstEvent, firstEvent, 0
	}
}

// next is the file after the present one.
func (f *follower) next() (string, error) {
	all, err := os.ReadDir(f.dir)
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range all {
		if e.Name() != "login" && (backup.Position{At: e.Name()}).Compare(backup.Position{At: f.file}) > 0 {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return backup.Position{At: a}.Compare(backup.Position{At: b})
	})
	if len(names) == 0 {
		return "", nil
	}
	return names[0], nil
}

func (f *follower) came(ctx context.Context, next string) error {
	in, err := os.Open(filepath.Join(f.dir, f.file)) // #nosec G304 -- in our own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	head, err := headOf(in)
	if err != nil || head == nil {
		return err
	}
	newest := f.newest
	end, err := events(in, f.offset, info.Size(), func(e event) bool {
		if e.made.After(newest) {
			newest = e.made
		}
		return true
	})
	if err != nil {
		return err
	}
	if next != "" && end != info.Size() {
		return errors.New("a file of the log ends within an event")
	}
	if end == f.offset && next == "" {
		return nil
	}
	if err := f.goesOn(ctx); err != nil {
		return err
	}
	f.newest = newest
	start := f.offset
	if f.pieces++; next != "" || f.pieces >= merged {
		start = f.merge
	}
	to := f.server.at(f.file, end)
	if next != "" {
		to = f.server.at(next, firstEvent)
	}
	if err := f.give(ctx, spanHead{f.file, start, end, head, f.driver.config.DBName}, to); err != nil {
		return err
	}
	f.offset = end
	if f.pieces >= merged {
		f.merge, f.pieces = end, 0
	}
	return nil
}

// goesOn refuses a log that does not go on where it was: it was begun anew, or what was
// restored took the place of what is followed. The latter is known before anything of it
// is in the log.
func (f *follower) goesOn(ctx context.Context) error {
	now, err := f.driver.look(ctx, f.db)
	if err == nil && now.system != f.server.system {
		err = backup.ErrNeedsFull
	}
	return err
}

func (f *follower) give(ctx context.Context, h spanHead, to backup.Position) error {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	name := filepath.Join(f.dir, h.File)
	newest := f.newest
	if newest.IsZero() {
		newest = time.Now()
	}
	f.failed = f.publish(ctx, backup.Span{
		From: f.server.at(h.File, h.Start), To: to, Newest: newest,
		Versions: map[string]string{"server": f.server.version},
		Open: func() (io.ReadCloser, error) {
			in, err := os.Open(name) // #nosec G304 -- in our own folder
			if err != nil {
				return nil, err
			}
			content := io.NewSectionReader(in, h.Start, h.End-h.Start)
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(append(line, '\n')), content), in}, nil
		},
	})
	return f.failed
}
