package view

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Log is what the view reads of the journal.
type Log interface {
	All(from continuity.Position) iter.Seq2[journal.Stored, error]
	Start() continuity.Position
	End() continuity.Position
}

// Options say what a view follows and where it is kept.
type Options struct {
	Path   string // of the SQLite file; its directory is made where it is missing
	Log    Log
	Decode func(journal.Stored) (continuity.Event, error)
	// Between tells how many bytes lie between two positions. Without it their
	// difference is taken for it.
	Between func(from, to continuity.Position) int64
	// Base is asked for where the log's beginning has gone. Without it such a
	// view stays partial.
	Base   func(context.Context) (Base, error)
	Poll   time.Duration // how often it looks whether the log has grown; default 250 ms
	Batch  int           // entries in one transaction; default 5,000
	Logger *slog.Logger  // default: slog.Default()
}

// View is a disposable copy of the journal for people's queries.
type View struct {
	opt Options
	log *slog.Logger

	mu      sync.RWMutex // held for reading while the readers are used; for writing while the file is replaced
	readers *sql.DB
	write   *writer
	writeDB *sql.DB
	file    os.FileInfo
	checked bool // the file's structure, since the machine started

	hash hash.Hash // of entries
	kick chan struct{}

	suspect atomic.Bool // a query found the file damaged

	state   sync.Mutex // guards what follows
	at      progress
	current time.Time // when the view was last known to be at the end
	trouble error     // why it does not go on, while it does not
	moved   chan struct{}
}

// Open opens the file, or makes it where it is missing or of no use. The view
// answers queries from now on, and follows the log while Run runs.
func Open(ctx context.Context, opt Options) (*View, error) {
	if opt.Poll <= 0 {
		opt.Poll = 250 * time.Millisecond
	}
	if opt.Batch <= 0 {
		opt.Batch = batchEvents
	}
	if opt.Between == nil {
		opt.Between = func(from, to continuity.Position) int64 { return signed(to) - signed(from) }
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	v := &View{opt: opt, log: opt.Logger.With("view", opt.Path), moved: make(chan struct{}), hash: sha256.New(), kick: make(chan struct{}, 1)}
	if err := os.MkdirAll(filepath.Dir(opt.Path), 0o700); err != nil {
		return nil, err
	}
	err := v.openFile(ctx)
	if err == nil {
		return v, nil
	}
	if !disposable(err) {
		return nil, errors.Join(err, v.closeFile())
	}
	return v, v.renew(ctx, err)
}

// Close closes the file. Run must have returned.
func (v *View) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closeFile()
}

// errUseless says that the file can't be used, and why.
type errUseless struct{ why string }

func (e errUseless) Error() string { return "view: " + e.why }

// damaged reports whether the file's structure is broken.
func damaged(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	primary := e.Code() & 0xff
	return primary == sqlite3.SQLITE_CORRUPT || primary == sqlite3.SQLITE_NOTADB
}

// disposable reports whether a new file would do what this one doesn't.
func disposable(err error) bool {
	var useless errUseless
	if errors.As(err, &useless) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_FORMAT:
		return true
	default: // a full disk, a missing right: a new file fares no better
		return false
	}
}

// renew throws the file away and begins again at the log's oldest entry.
func (v *View) renew(ctx context.Context, why error) error {
	v.log.Warn("rebuilding the view from the journal", "reason", why.Error())
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.closeFile(); err != nil {
		v.log.Debug("closing the old view", "error", err.Error())
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(v.opt.Path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return v.openFile(ctx)
}

func (v *View) closeFile() error {
	var errs []error
	if v.readers != nil {
		errs = append(errs, v.readers.Close())
	}
	if v.write != nil {
		errs = append(errs, v.write.close())
	}
	if v.writeDB != nil {
		errs = append(errs, v.writeDB.Close())
	}
	v.readers, v.write, v.writeDB = nil, nil, nil
	return errors.Join(errs...)
}

// openFile opens what stands at the path, creating it where nothing does.
func (v *View) openFile(ctx context.Context) (err error) {
	f, err := os.OpenFile(v.opt.Path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator's data directory
	if err != nil {
		return err
	}
	v.file, err = f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	v.writeDB, err = sql.Open("sqlite", dsn(v.opt.Path, "", "journal_mode(wal)", "synchronous(off)", "cache_size(-32768)",
		"temp_store(memory)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "busy_timeout(5000)"))
	if err != nil {
		return err
	}
	v.writeDB.SetMaxOpenConns(1)
	if err := prepareSchema(ctx, v.writeDB, v.file.Size() == 0); err != nil {
		return err
	}
	if v.write, err = newWriter(ctx, v.writeDB); err != nil {
		return err
	}
	at, err := v.write.progress(ctx)
	if err != nil {
		return err
	}
	v.readers, err = sql.Open("sqlite", dsn(v.opt.Path, "ro", "query_only(1)", "cache_size(-8192)", "busy_timeout(5000)"))
	if err != nil {
		return err
	}
	v.readers.SetMaxOpenConns(4)
	v.checked = v.file.Size() == 0
	v.advance(at)
	return nil
}

func prepareSchema(ctx context.Context, db *sql.DB, empty bool) error {
	if empty {
		_, err := db.ExecContext(ctx, fmt.Sprintf("BEGIN; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", schema, applicationID, schemaVersion))
		return err
	}
	var application, version int
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if application != applicationID || version != schemaVersion {
		return errUseless{fmt.Sprintf("the file has another schema (application %#x, version %d, want %d)", application, version, schemaVersion)}
	}
	return nil
}

func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{"_pragma": pragmas}
	if mode != "" {
		q.Set("mode", mode)
	}
	return (&url.URL{Scheme: "file", Opaque: escapePath(path), RawQuery: q.Encode()}).String()
}

func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// machineBoot names the machine's present boot; empty where it has no name.
func machineBoot() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // missing elsewhere: the file is then checked at each start
	return strings.TrimSpace(string(b))
}

// advance publishes how far the file is.
func (v *View) advance(p progress) {
	v.state.Lock()
	defer v.state.Unlock()
	v.at, v.trouble = p, nil
	close(v.moved)
	v.moved = make(chan struct{})
}
