package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(swapping) != "" {
		os.Exit(swap())
	}
	if os.Getenv(restoring) != "" {
		os.Exit(restoreAndStay())
	}
	if what := os.Getenv(working); what != "" {
		os.Exit(work(what))
	}
	os.Exit(pgtest.Main(m))
}

// schema has foreign keys between its tables, large values, a materialized view, and a
// table that no log brings back.
const schema = `
	CREATE SCHEMA shop;
	CREATE TABLE shop.customers (id int PRIMARY KEY, name text NOT NULL, photo bytea);
	CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer int NOT NULL REFERENCES shop.customers,
		amount numeric NOT NULL, at timestamptz NOT NULL DEFAULT now());
	CREATE TABLE shop.lines (orders bigint REFERENCES shop.orders, line int, what text, PRIMARY KEY (orders, line));
	CREATE UNLOGGED TABLE shop.scratch (x int);
	CREATE TABLE public.x (x int, "x.*" text);
	INSERT INTO shop.customers SELECT g, 'customer ' || g, decode(repeat(md5(g::text), 40), 'hex') FROM generate_series(1, 500) g;
	CREATE MATERIALIZED VIEW shop.photos AS SELECT id, length(photo) FROM shop.customers WHERE id > 10;
	INSERT INTO shop.scratch VALUES (1);
	INSERT INTO public.x VALUES (1, 'one'), (2, NULL)`

var queries = []backup.Query{
	{ID: "revenue", SQL: "SELECT sum(amount) FROM shop.orders"},
	{ID: "by-customer", SQL: "SELECT customer, count(*) FROM shop.orders GROUP BY 1 ORDER BY 1"},
}

// source is a server with a database of which backups are made.
type source struct {
	*pgtest.Server
	dsn    string
	driver *postgres.Driver
}

func newSource(t *testing.T, set ...string) *source {
	t.Helper()
	s := &source{Server: pgtest.NewServer(t, set...)}
	pgtest.Exec(t, s.DSN("postgres"), "CREATE DATABASE shop")
	s.dsn = s.DSN("shop")
	pgtest.Exec(t, s.dsn, schema)
	s.driver = postgres.New(postgres.Options{DSN: s.dsn, Spool: filepath.Join(t.TempDir(), "spool"), Slot: "holdfast_shop"})
	return s
}

// folder is one that the server's user reaches, which a test's own may not be.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgrestore")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- others pass through
		t.Fatal(err)
	}
	inner := filepath.Join(dir, "scratch")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	return inner
}

// stored is a piece as a file.
func stored(m backup.Manifest, content []byte) backup.Piece {
	m.Plain = int64(len(content))
	return backup.Piece{Manifest: m, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// full takes a full piece.
func (s *source) full(t *testing.T, id string) (backup.Piece, []byte) {
	t.Helper()
	var content bytes.Buffer
	began := time.Now()
	c, err := s.driver.Full(t.Context(), &content, queries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored(backup.Manifest{ID: id, Type: backup.TypeFull, Started: began, Taken: c.Taken, From: c.From, To: c.To,
		Versions: c.Versions, Figures: c.Figures, Exact: c.Exact}, content.Bytes()), content.Bytes()
}

func restored(t *testing.T, r backup.Restore) backup.Instance {
	t.Helper()
	if r.Dir == "" {
		r.Dir = folder(t)
	}
	// As from an empty machine: the driver knows nothing.
	i, err := postgres.New(postgres.Options{}).Restore(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func figures(t *testing.T, i backup.Instance) []backup.Figure {
	t.Helper()
	f, err := i.Figures(t.Context(), queries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ask returns one value.
func ask[T any](t *testing.T, dsn, sql string, args ...any) (v T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return v
}

// order is what the outside knows of a transaction.
type order struct {
	id       int64
	amount   int
	sent, ok time.Time // ok: when the server had said that it is stored; zero: it never did
}

// writer writes orders and keeps its own ledger of them, outside of the database.
type writer struct {
	mu     sync.Mutex
	orders []order
	stop   context.CancelFunc
	done   sync.WaitGroup
	calm   time.Duration
}

// calmly has each client wait between its orders.
func (w *writer) calmly(between time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = between
}

func (w *writer) wait(ctx context.Context) {
	w.mu.Lock()
	between := w.calm
	w.mu.Unlock()
	if between > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(between):
		}
	}
}

// write has clients write orders until the test ends or stop is called; a client that
// loses its server ends.
func (s *source) write(t *testing.T, clients int, seed uint64, first int64) *writer {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &writer{stop: stop}
	for c := range clients {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err != nil {
			t.Fatal(err)
		}
		w.done.Go(func() {
			defer conn.Close(context.Background())
			random := rand.New(rand.NewPCG(seed, uint64(c))) // #nosec G115 G404 -- repeatable
			for n := first; ctx.Err() == nil; n++ {
				w.wait(ctx)
				if !w.one(ctx, conn, n*100+int64(c), random) {
					return
				}
			}
		})
	}
	t.Cleanup(w.end)
	return w
}

// one writes an order with its lines, in a transaction.
func (w *writer) one(ctx context.Context, conn *pgx.Conn, id int64, random *rand.Rand) bool {
	o := order{id: id, amount: random.IntN(100000), sent: time.Now()}
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO shop.orders (id, customer, amount) VALUES ($1, $2, $3)`, o.id, 1+random.IntN(500), o.amount)
	}
	for line := range random.IntN(4) {
		if err == nil {
			_, err = tx.Exec(ctx, `INSERT INTO shop.lines VALUES ($1, $2, $3)`, o.id, line, fmt.Sprintf("goods %d", random.IntN(1000)))
		}
	}
	if err == nil {
		w.mu.Lock()
		w.orders = append(w.orders, o)
		at := len(w.orders) - 1
		w.mu.Unlock()
		if err = tx.Commit(ctx); err == nil {
			w.mu.Lock()
			w.orders[at].ok = time.Now()
			w.mu.Unlock()
		}
	}
	return err == nil || ctx.Err() == nil && !conn.IsClosed() && !errors.Is(err, io.EOF)
}

// end ends the writing and waits for it.
func (w *writer) end() {
	w.stop()
	w.done.Wait()
}

// known is the ledger as it is now.
func (w *writer) known() []order {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]order(nil), w.orders...)
}

// count is how many orders were acknowledged.
func (w *writer) count() (n int) {
	for _, o := range w.known() {
		if !o.ok.IsZero() {
			n++
		}
	}
	return n
}

// await polls until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("still not: %s", what)
		case <-again.C:
		}
	}
}
