package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgres keeps orders in a table, many in a transaction: whoever comes while
// one commits goes into the next, as with SQLite.
type postgres struct {
	*daemon
	conn  *pgx.Conn
	queue chan kept
	done  chan struct{}
}

type kept struct {
	key  string
	body []byte
	done chan error
}

func startPostgres(dir string, delay time.Duration) (store, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well-formed
	if len(found) == 0 {
		return nil, errors.New("postgres is missing; run: apt-get install -y postgresql")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })
	place, err := newPlace(dir, delay)
	if err != nil {
		return nil, err
	}
	const password = "only-for-the-benchmark"
	secret, err := place.write("password", password)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	out, err := place.command(filepath.Join(filepath.Dir(newest), "initdb"), "-D", data, "-U", "bench", "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	d, err := place.daemon(newest, "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "wal_level=minimal", "-c", "max_wal_senders=0",
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=8GB", "-c", "checkpoint_timeout=1h")
	if err != nil {
		return nil, err
	}
	d.quit = syscall.SIGQUIT // killed, it would leave shared memory behind
	s := &postgres{daemon: d, queue: make(chan kept, 1024), done: make(chan struct{})}
	dsn := url.URL{Scheme: "postgres", User: url.UserPassword("bench", password), Host: "127.0.0.1:" + port, Path: "/postgres", RawQuery: "sslmode=disable"}
	if err := eventually(d.ended, func(ctx context.Context) (err error) {
		s.conn, err = pgx.Connect(ctx, dsn.String())
		return err
	}); err != nil {
		return nil, d.failed(fmt.Errorf("postgres: %w", err))
	}
	if _, err := s.conn.Exec(context.Background(), `create table held (id bigserial primary key, key text unique, state smallint, body bytea)`); err != nil {
		return nil, d.failed(err)
	}
	go s.commit()
	return s, nil
}

func major(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // others sort first
	return n
}

// version is in "15.18 (Debian 15.18-0+deb12u1)".
func (s *postgres) version() string {
	v, _, _ := strings.Cut(s.conn.PgConn().ParameterStatus("server_version"), " ")
	return v
}

func (s *postgres) stop() {
	close(s.queue)
	<-s.done
	_ = s.conn.Close(context.Background()) // it is thrown away
	s.daemon.stop()
}

// commit inserts all who wait with one statement, which is one transaction.
func (s *postgres) commit() {
	defer close(s.done)
	for first := range s.queue {
		batch := []kept{first}
		for len(s.queue) > 0 && len(batch) < 512 {
			batch = append(batch, <-s.queue)
		}
		keys, bodies := make([]string, len(batch)), make([][]byte, len(batch))
		for i, k := range batch {
			keys[i], bodies[i] = k.key, k.body
		}
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		_, err := s.conn.Exec(ctx, `insert into held (key, state, body) select k, 1, b from unnest($1::text[], $2::bytea[]) as t(k, b)`, keys, bodies)
		cancel()
		for _, k := range batch {
			k.done <- err
		}
	}
}

func (s *postgres) dial() (client, error) { return postgresClient{s.queue, make(chan error, 1)}, nil }

type postgresClient struct {
	queue chan<- kept
	done  chan error
}

func (c postgresClient) close() {}

func (c postgresClient) keep(key string, body []byte) error {
	c.queue <- kept{key, body, c.done}
	return <-c.done
}
