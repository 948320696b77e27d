package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	driverlite "modernc.org/sqlite" // registers itself, too
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/internal/continuity"
)

// Store is the control plane's state. Its methods may be called at the same time.
type Store struct {
	d       dialect
	writer  *sql.DB
	readers *sql.DB // the same as writer on PostgreSQL
	now     func() time.Time
	shared  bool // leases go by the database's clock
}

// Option changes how a store is opened.
type Option func(*Store)

// Clock replaces the time that objects and events bear, and by which leases go.
func Clock(now func() time.Time) Option {
	return func(s *Store) { s.now, s.shared = now, false }
}

// Open opens the database that dsn names, and migrates it where it is older:
// postgres://... or the path of a SQLite file, which is made where it is missing.
func Open(ctx context.Context, dsn string, options ...Option) (s *Store, err error) {
	server := strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
	s = &Store{now: time.Now, shared: server}
	for _, o := range options {
		o(s)
	}
	if server {
		err = s.openPostgres(ctx, dsn)
	} else {
		err = s.openSQLite(strings.TrimPrefix(dsn, "sqlite:"))
	}
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, newest()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error {
	if s.readers != s.writer {
		return errors.Join(s.readers.Close(), s.writer.Close())
	}
	return s.writer.Close()
}

const idleTimeout = "idle_in_transaction_session_timeout"

func (s *Store) openPostgres(ctx context.Context, dsn string) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The driver's message may quote the address, password included.
		return continuity.E(continuity.CodeInvalid, errors.New("the database's address is not well-formed"))
	}
	s.d = postgres
	// A node that hangs within a commit must not lock the others out for ever.
	if _, set := config.RuntimeParams[idleTimeout]; !set {
		config.RuntimeParams[idleTimeout] = "10000"
	}
	durable := stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	})
	s.writer = stdlib.OpenDB(*config, durable)
	s.writer.SetMaxOpenConns(8)
	s.writer.SetMaxIdleConns(4)
	s.readers = s.writer
	if err := s.writer.PingContext(ctx); err != nil {
		return errors.Join(classify(err), s.writer.Close())
	}
	return nil
}

func (s *Store) openSQLite(path string) error {
	if path == "" {
		return continuity.E(continuity.CodeInvalid, errors.New("no path of a database"))
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := prepare(path); err != nil {
		return err
	}
	s.d = sqlite
	address := func(lock string, more ...string) string {
		pragmas := append([]string{"busy_timeout(20000)", "cache_size(-32768)", "foreign_keys(1)"}, more...)
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{"_pragma": pragmas, "_txlock": {lock}}.Encode()
	}
	// One writer: SQLite has no more, and who waits in Go waits fairly.
	s.writer, err = sql.Open("sqlite", address("immediate", "journal_mode(wal)", "synchronous(full)"))
	if err != nil {
		return classify(err)
	}
	s.writer.SetMaxOpenConns(1)
	if err := untilFree(s.writer); err != nil {
		return errors.Join(classify(err), s.writer.Close())
	}
	s.readers, err = sql.Open("sqlite", address("deferred", "query_only(1)"))
	if err != nil {
		return errors.Join(classify(err), s.writer.Close())
	}
	s.readers.SetMaxOpenConns(4)
	s.readers.SetMaxIdleConns(4)
	return nil
}

// openingTime bounds how long another process may be busy opening the same file.
const openingTime = 20 * time.Second

// untilFree waits until a file can be opened: who sets the journal's mode, or mends
// the log of a process that was killed, is not waited for by SQLite's own time-out.
func untilFree(db *sql.DB) error {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := db.Ping()
		var lite *driverlite.Error
		if busy := errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY; !busy || time.Since(began) > openingTime {
			return err
		}
	}
}

// prepare makes the file, readable by its owner only; SQLite gives its log the
// same rights.
func prepare(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return classify(err)
	}
	if err := f.Close(); err != nil {
		return classify(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return classify(err)
	}
	return classify(errors.Join(dir.Sync(), dir.Close()))
}

// write runs f in a transaction that may change something.
func (s *Store) write(ctx context.Context, f func(conn) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to undo
	if err := f(conn{tx, s.d}); err != nil {
		return classify(err)
	}
	return classify(tx.Commit())
}

// snapshot runs f in a transaction that sees one state.
func (s *Store) snapshot(ctx context.Context, f func(conn) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if s.d == postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.readers.BeginTx(ctx, options)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	return classify(f(conn{tx, s.d}))
}

// read is for single queries.
func (s *Store) read() conn { return conn{s.readers, s.d} }
