package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/sqlite"
	"holdfast/internal/continuity"
)

const childEnv = "HOLDFAST_TEST_CHILD"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(childEnv); ok {
		os.Exit(child(strings.Split(args, "\n")))
	}
	os.Exit(m.Run())
}

// child captures without end, or has a database open until its input ends.
func child(args []string) int {
	if args[0] == "open" {
		db, err := sql.Open("sqlite", args[1])
		if err == nil {
			_, err = db.Exec("SELECT count(*) FROM sqlite_schema")
		}
		if err != nil {
			return 1
		}
		fmt.Println("open")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	}
	d := open(&testing.T{}, args[1], args[2])
	for {
		if _, err := d.Delta(context.Background(), "p0", os.Stdout, nil, nil); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

func open(t testing.TB, path, spool string) *sqlite.Driver {
	t.Helper()
	d, err := sqlite.New(sqlite.Options{Path: path, Spool: spool, Every: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func database(t testing.TB, mode string) (*sql.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop 1%.db")
	db := connect(t, path)
	run(t, db, "PRAGMA journal_mode="+mode,
		`CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)`,
		`CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id), amount, note BLOB)`)
	return db, path
}

func connect(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
}

func value(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return s.String
}

// content is everything in the tables, not by the driver's own eyes.
func content(t testing.TB, db *sql.DB) string {
	t.Helper()
	return value(t, db, `SELECT group_concat(id || name) FROM (SELECT * FROM customer ORDER BY id)`) + "|" +
		value(t, db, `SELECT group_concat(id || ':' || coalesce(customer, '-') || ':' || coalesce(amount, '-') || ':' || hex(note)) FROM (SELECT * FROM "order" ORDER BY id)`)
}

func itoa(n int) string { return strconv.Itoa(n) }

type taken struct {
	driver *sqlite.Driver
	pieces []backup.Piece
	sizes  []int
}

func (c *taken) take(t testing.TB, queries ...backup.Query) backup.Captured {
	t.Helper()
	var out bytes.Buffer
	m := backup.Manifest{ID: fmt.Sprintf("p%d", len(c.pieces)), Type: backup.TypeFull}
	var captured backup.Captured
	var err error
	if len(c.pieces) == 0 {
		captured, err = c.driver.Full(t.Context(), &out, queries, nil)
	} else {
		m.Type, m.Parent = backup.TypeDelta, c.pieces[len(c.pieces)-1].ID
		captured, err = c.driver.Delta(t.Context(), m.Parent, &out, queries, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Taken, m.From, m.To, m.Figures, m.Exact = captured.Taken, captured.From, captured.To, captured.Figures, captured.Exact
	c.sizes = append(c.sizes, out.Len())
	c.pieces = append(c.pieces, backup.Piece{Manifest: m, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(out.Bytes())), nil
	}})
	if err := c.driver.Published(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	return captured
}

func restore(t testing.TB, r backup.Restore) backup.Instance {
	t.Helper()
	r.Dir = t.TempDir()
	d, err := sqlite.New(sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := d.Restore(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

// found requires the figures of a capture among those of what was restored.
func found(t testing.TB, i backup.Instance, want []backup.Figure, queries ...backup.Query) {
	t.Helper()
	got, err := i.Figures(t.Context(), queries, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range want {
		if !slices.Contains(got, f) {
			t.Errorf("%v is not found again in %v", f, got)
		}
	}
	if !slices.Contains(got, backup.Figure{Of: "database", Measure: "integrity", Value: "[ok]"}) {
		t.Errorf("what was restored is not whole: %v", got)
	}
}

func copied(t testing.TB, i backup.Instance) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+i.Address()+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mutate(t testing.TB, r *rand.Rand, db *sql.DB) {
	t.Helper()
	for range 1 + r.IntN(4) {
		n := r.IntN(2000)
		switch r.IntN(8) {
		case 0, 1:
			run(t, db, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
				INSERT INTO "order" (amount, note) SELECT i * 0.5, randomblob(%d) FROM n`, 1+n/10, n))
		case 2:
			run(t, db, fmt.Sprintf(`UPDATE "order" SET amount = %d WHERE id %% 7 = %d`, n, n%7))
		case 3:
			run(t, db, fmt.Sprintf(`DELETE FROM "order" WHERE id %% 5 = %d`, n%5))
		case 4:
			run(t, db, "VACUUM")
		case 5:
			run(t, db, "PRAGMA wal_checkpoint("+[]string{"PASSIVE", "RESTART", "TRUNCATE"}[n%3]+")")
		case 6: // what was written to the log and taken back is written over
			run(t, db, "PRAGMA cache_size=5", "BEGIN", fmt.Sprintf(`INSERT INTO "order" (note) VALUES (randomblob(%d))`, n*100), `UPDATE "order" SET amount = 1`, "ROLLBACK")
		case 7:
			run(t, db, fmt.Sprintf("INSERT INTO customer (name) VALUES ('name %d')", n))
		}
	}
}

// Whatever happens to a database, each of its pieces brings back what it was.
func TestRandomChanges(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for n := range 6 {
		db, path := database(t, []string{"WAL", "DELETE"}[n%2])
		spool := t.TempDir()
		c := &taken{driver: open(t, path, spool)}
		var was []string
		for range 8 {
			mutate(t, r, db)
			if r.IntN(4) == 0 {
				c.driver = open(t, path, spool)
			}
			if r.IntN(4) == 0 { // the last one to close ends the log
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				db = connect(t, path)
			}
			was = append(was, content(t, db))
			c.take(t)
		}
		var all []backup.Manifest
		for _, p := range c.pieces {
			all = append(all, p.Manifest)
		}
		if faults := c.driver.Check(all); len(faults) > 0 {
			t.Fatalf("faults: %v", faults)
		}
		for n, want := range was {
			for _, r := range []backup.Restore{{Pieces: c.pieces, At: c.pieces[n].To}, {Pieces: c.pieces, Until: c.pieces[n].Taken}} {
				i := restore(t, r)
				if content(t, copied(t, i)) != want {
					t.Fatalf("piece %d of %d brings back something else", n, len(was))
				}
				found(t, i, c.pieces[n].Figures)
				if at, moment := i.Reached(); at != c.pieces[n].To || !moment.Equal(c.pieces[n].Taken) {
					t.Errorf("reached %v, %v", at, moment)
				}
			}
		}
	}
}

// Orders are taken all the time, each on stable storage before it counts; what counted
// before a capture began is in it, and each order is whole.
func TestAWriterIsAtWork(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		t.Run(mode, func(t *testing.T) {
			db, path := database(t, mode)
			var acknowledged atomic.Int64
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				for n := int64(1); ctx.Err() == nil; n++ {
					tx, err := db.Begin()
					if err == nil {
						_, err = tx.Exec(`INSERT INTO customer (id, name) VALUES (?, 'n')`, n)
					}
					if err == nil {
						_, err = tx.Exec(`INSERT INTO "order" (id, customer, amount, note) VALUES (?, ?, ?, randomblob(500))`, n, n, n)
					}
					if err == nil {
						err = tx.Commit()
					}
					if err != nil {
						ended <- err
						return
					}
					acknowledged.Store(n)
				}
				ended <- nil
			}()
			c := &taken{driver: open(t, path, t.TempDir())}
			for range 12 {
				before := acknowledged.Load()
				captured := c.take(t)
				i := restore(t, backup.Restore{Pieces: c.pieces})
				copy := copied(t, i)
				var orders, most, customers int64
				err := copy.QueryRow(`SELECT count(*), coalesce(max(id), 0), (SELECT count(*) FROM customer) FROM "order"`).Scan(&orders, &most, &customers)
				if err != nil || orders < before || orders != most || orders != customers {
					t.Fatalf("%d orders to %d, %d customers; %d were acknowledged before (%v)", orders, most, customers, before, err)
				}
				found(t, i, captured.Figures)
			}
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestQueriesAndFiguresOfTables(t *testing.T) {
	db, path := database(t, "WAL")
	run(t, db, "INSERT INTO customer VALUES (1, 'a')", `INSERT INTO "order" VALUES (1, 1, 2.5, x'00'), (2, 9, 4, NULL)`)
	c := &taken{driver: open(t, path, t.TempDir())}
	q := backup.Query{ID: "sum", SQL: `SELECT sum(amount) FROM "order"`}
	for range 2 {
		captured := c.take(t, q)
		for _, want := range []backup.Figure{
			{Of: "order", Measure: "rows", Value: "2"}, {Of: "customer", Measure: "rows", Value: "1"},
			{Of: "database", Measure: "orphans", Value: "1"}, {Of: "sum", Measure: "result", Value: "6.5"},
		} {
			if !slices.Contains(captured.Figures, want) {
				t.Errorf("%v is not in %v", want, captured.Figures)
			}
		}
		found(t, restore(t, backup.Restore{Pieces: c.pieces}), captured.Figures, q)
		run(t, db, "CREATE INDEX IF NOT EXISTS i ON customer (name)")
	}
	if _, err := c.driver.Full(t.Context(), io.Discard, []backup.Query{{ID: "bad", SQL: "SELECT 1, 2"}}, nil); continuity.CodeOf(err) != continuity.CodeBackupSource {
		t.Errorf("a query of two values: %v", err)
	}
}

func TestADeltaIsAsSmallAsTheChange(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE"} {
		db, path := database(t, mode)
		run(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO "order" (note) SELECT randomblob(1000) FROM n`)
		c := &taken{driver: open(t, path, t.TempDir())}
		c.take(t)
		c.take(t)
		run(t, db, `UPDATE "order" SET amount = 1 WHERE id = 1000`)
		c.take(t)
		if c.sizes[0] < 1<<20 || c.sizes[1] > 1000 || c.sizes[2] > 20000 {
			t.Errorf("%s: sizes %v", mode, c.sizes)
		}
	}
}

type failing struct{}

var errTarget = errors.New("the target is gone")

func (failing) Write([]byte) (int, error) { return 0, errTarget }

func TestAFailedOrKilledCaptureCountsForNothing(t *testing.T) {
	db, path := database(t, "WAL")
	spool := t.TempDir()
	c := &taken{driver: open(t, path, spool)}
	c.take(t)
	run(t, db, `INSERT INTO "order" (note) VALUES (randomblob(3000000))`)
	if _, err := c.driver.Delta(t.Context(), "p0", failing{}, nil, nil); !errors.Is(err, errTarget) {
		t.Errorf("got %v", err)
	}
	if err := c.driver.Published(t.Context(), "p1"); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("publishing what failed: %v", err)
	}
	if _, err := c.driver.Delta(t.Context(), "p0", io.Discard, nil, nil); err != nil {
		t.Fatal(err) // whole, and never published
	}
	for _, after := range []int64{1, 1 << 20, 4 << 20} {
		p := exec.Command(os.Args[0])
		p.Env = append(os.Environ(), childEnv+"=capture\n"+path+"\n"+spool)
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, out, after); err != nil {
			t.Fatalf("the child wrote %d bytes: %v", n, err)
		}
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
	}
	c.driver = open(t, path, spool)
	if err := c.driver.Published(t.Context(), "p1"); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("publishing what another process captured: %v", err)
	}
	c.take(t)
	i := restore(t, backup.Restore{Pieces: c.pieces})
	if content(t, copied(t, i)) != content(t, db) {
		t.Error("what comes after is not what there is")
	}
	if err := os.RemoveAll(spool); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, path, spool).Delta(t.Context(), "p1", io.Discard, nil, nil); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("a delta without a spool: %v", err)
	}
}

func TestAFullSpoolIsTold(t *testing.T) {
	db, path := database(t, "WAL")
	spool := t.TempDir()
	if err := syscall.Mount("tmpfs", spool, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatalf("a small file system can't be mounted: %v; run the tests as root", err)
	}
	defer func() {
		if err := syscall.Unmount(spool, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	c := &taken{driver: open(t, path, spool)}
	c.take(t)
	run(t, db, `INSERT INTO "order" (id, note) VALUES (1, randomblob(9000000))`)
	_, err := c.driver.Delta(t.Context(), "p0", io.Discard, nil, nil)
	var told *continuity.Error
	if !errors.As(err, &told) || told.Code != continuity.CodeBackupSpool || told.Args["full"] != true {
		t.Errorf("told %v", err)
	}
	run(t, db, `UPDATE "order" SET note = x'01'`, "VACUUM")
	c.take(t)
	if content(t, copied(t, restore(t, backup.Restore{Pieces: c.pieces}))) != content(t, db) {
		t.Error("what comes after is not what there is")
	}
}

// A stream that is not what a capture wrote makes no database.
func TestSpoiledPieces(t *testing.T) {
	db, path := database(t, "WAL")
	c := &taken{driver: open(t, path, t.TempDir())}
	for range 3 {
		c.take(t)
		run(t, db, `INSERT INTO "order" (note) VALUES (randomblob(9000))`)
	}
	d, p := open(t, path, t.TempDir()), c.pieces
	cut := p[1]
	cut.Open = func(ctx context.Context) (io.ReadCloser, error) {
		in, err := p[1].Open(ctx)
		return io.NopCloser(io.LimitReader(in, 5000)), err
	}
	for name, pieces := range map[string][]backup.Piece{
		"missing": {p[0], p[2]}, "no full one": {p[1]}, "two full ones": {p[0], p[0]}, "doubled": {p[0], p[1], p[1]}, "cut": {p[0], cut},
	} {
		if _, err := d.Restore(t.Context(), backup.Restore{Pieces: pieces, Dir: t.TempDir()}); continuity.CodeOf(err) != continuity.CodeBackupPiece {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Restore(t.Context(), backup.Restore{Pieces: p, Until: p[0].Taken.Add(-time.Second), Dir: t.TempDir()}); continuity.CodeOf(err) != continuity.CodeBackupRestore {
		t.Errorf("a moment before all: %v", err)
	}
}
