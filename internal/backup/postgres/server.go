package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
)

// server is a PostgreSQL of our own on restored data: on a socket in a private folder
// only, without archive, replication, and whatever else might reach out.
type server struct {
	program   string
	dir, data string
	own       owner
	note      note
	sockets   string
	child     *child.Process
	once      sync.Once
}

// longest is how long a socket's folder may be called, with the socket's own name in it.
const longest = 107 - len("/.s.PGSQL.5432.lock")

// config is all that the server is told: nothing of what the source's was, which may name
// libraries, archives and servers.
func (s *server) config(g goal) string {
	lines := []string{
		"listen_addresses = ''", "port = 5432", "unix_socket_permissions = 0700",
		"unix_socket_directories = " + quote(s.sockets),
		"archive_mode = off", "restore_command = " + quote(cmp.Or(g.fetch, "exit 1")), "primary_conninfo = ''", "hot_standby = off",
		"max_logical_replication_workers = 0", "max_connections = 50", "max_prepared_transactions = 1000",
		"max_locks_per_transaction = 1024", "shared_buffers = 128MB", "max_wal_size = 4GB",
		"autovacuum = off", "fsync = off", "full_page_writes = off", "logging_collector = off", "jit = off",
		fmt.Sprintf("recovery_target_timeline = '%d'", s.note.Timeline), "recovery_target_action = promote",
	}
	if g.stop != 0 {
		lines = append(lines, "recovery_target_lsn = "+quote(g.stop.String()), "recovery_target_inclusive = off")
	}
	if !g.until.IsZero() {
		lines = append(lines, "recovery_target_time = "+quote(g.until.UTC().Format("2006-01-02 15:04:05.999999-07")))
	}
	return strings.Join(lines, "\n") + "\n"
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// recover starts the server, and returns once it has played the log up to the goal.
func (s *server) recover(ctx context.Context, data *os.Root, g goal, report backup.Report) error {
	s.sockets = s.dir
	if len(s.dir) > longest {
		short, err := os.MkdirTemp("", "holdfast-pg-")
		if err != nil {
			return err
		}
		if s.own.name != "" {
			err = os.Chown(short, s.own.uid, s.own.gid)
		}
		if s.sockets = short; err != nil {
			return errors.Join(err, s.tidy())
		}
	}
	files := map[string]string{
		"postgresql.conf": s.config(g), "postgresql.auto.conf": "", "pg_hba.conf": "local all all trust\n",
		"pg_ident.conf": "", "recovery.signal": "",
	}
	for name, text := range files {
		if err := errors.Join(data.WriteFile(name, []byte(text), 0o600), s.own.take(data, name)); err != nil {
			return errors.Join(err, s.tidy())
		}
	}
	for _, name := range []string{"standby.signal", "postmaster.pid"} {
		if err := data.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, s.tidy())
		}
	}
	cmd := exec.Command(s.program, "-D", s.data) // #nosec G204 -- PostgreSQL's; it outlives ctx
	cmd.Dir, cmd.Env = s.data, []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	s.own.as(cmd)
	started, err := child.Start(cmd)
	if err != nil {
		return errors.Join(err, s.tidy())
	}
	s.child = started
	if err := s.promoted(ctx, report); err != nil {
		return errors.Join(err, s.close())
	}
	return nil
}

// promoted returns once the server lets clients in, which is when it is done.
func (s *server) promoted(ctx context.Context, report backup.Report) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		tell(report, "recover", 0, 0)
		conn, err := pgx.Connect(ctx, s.dsn(s.note.Database, s.note.First))
		if err == nil {
			var recovering bool
			err = conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering)
			if err = errors.Join(err, closing(ctx, conn)); err != nil || !recovering {
				return err
			}
		} else if refused := code(err); refused != "" && refused != "57P03" {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.child.Done():
			return fmt.Errorf("the restored server ended: %w", s.child.Reason())
		case <-again.C:
		}
	}
}

func (s *server) dsn(database, user string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.User(user), Path: "/" + database,
		RawQuery: url.Values{"host": {s.sockets}, "port": {"5432"}, "sslmode": {"disable"}}.Encode(),
	}).String()
}

func (s *server) close() (err error) {
	s.once.Do(func() {
		if s.child != nil {
			s.child.Stop(syscall.SIGINT, time.Minute)
			err = s.child.Wait()
		}
		err = errors.Join(err, s.tidy())
	})
	return err
}

// tidy removes a socket's folder that is not the caller's.
func (s *server) tidy() error {
	if s.sockets == s.dir {
		return nil
	}
	return os.RemoveAll(filepath.Clean(s.sockets))
}

// instance is backup.Instance.
type instance struct {
	server  *server
	reached backup.Position
	newest  time.Time
	reader  reader
}

func (i *instance) Figures(ctx context.Context, queries []backup.Query, report backup.Report) (figures []backup.Figure, err error) {
	conn, err := connect(ctx, i.Address())
	if err != nil {
		return nil, restoreError(err)
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	tables, err := counted(ctx, conn)
	if err != nil {
		return nil, restoreError(err)
	}
	if figures, err = measure(ctx, conn, tables, queries, report); err != nil {
		return nil, restoreError(err)
	}
	return figures, nil
}

func (i *instance) Reached() (backup.Position, time.Time) { return i.reached, i.newest }

// Address is of the user who captured the data, who sees what was seen then.
func (i *instance) Address() string { return i.server.dsn(i.server.note.Database, i.server.note.User) }

func (i *instance) Close() error { return i.server.close() }
