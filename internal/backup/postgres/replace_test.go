package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

// swapping makes of this binary a program that switches or undoes, to be killed.
const swapping = "HOLDFAST_TEST_SWAP"

func swap() int {
	d := postgres.New(postgres.Options{DSN: os.Getenv("HOLDFAST_TEST_DSN")})
	act := d.Switch
	if os.Getenv(swapping) == "undo" {
		act = d.Undo
	}
	if err := act(context.Background(), id); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

const id = "abcdefghij"

// swapper starts the program.
func swapper(t *testing.T, s *source, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this binary
	cmd.Env = append(os.Environ(), swapping+"="+what, "HOLDFAST_TEST_DSN="+s.dsn)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// damaged is a source that was captured, and damaged afterwards.
func damaged(t *testing.T, settings ...string) (*source, backup.Instance, []backup.Figure) {
	t.Helper()
	s := newSource(t, settings...)
	pgtest.Exec(t, s.dsn, `INSERT INTO shop.orders SELECT g, 1 + g % 400, g FROM generate_series(1, 2000) g;
		CREATE ROLE clerk LOGIN; GRANT SELECT ON shop.orders TO clerk; ALTER DATABASE shop SET search_path = shop, "$user"; ALTER DATABASE shop SET work_mem = '5MB';
		REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO clerk;
		ALTER TABLE shop.customers ADD shout text GENERATED ALWAYS AS (upper(name)) STORED`)
	piece, _ := s.full(t, "aaaaaaaaaa")
	i := restored(t, backup.Restore{Pieces: []backup.Piece{piece}, At: piece.Exact})
	pgtest.Exec(t, s.dsn, "UPDATE shop.customers SET name = 'damaged' WHERE id % 2 = 0; INSERT INTO shop.orders VALUES (5000, 7, 1)")
	return s, i, piece.Figures
}

const (
	spoilt = "SELECT count(*) FROM shop.customers WHERE name = 'damaged'"
	newest = "SELECT max(id) FROM shop.orders"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// state compares what is in the original's place.
func (s *source) state(t *testing.T, spoiltRows, newestOrder int) {
	t.Helper()
	if n, o := ask[int](t, s.dsn, spoilt), ask[int](t, s.dsn, newest); n != spoiltRows || o != newestOrder {
		t.Errorf("%d damaged rows and newest order %d, want %d and %d", n, o, spoiltRows, newestOrder)
	}
}

// A whole database goes into the original's place and back again, as often as one likes,
// with its rights and settings, and those who use it notice nothing until the switch.
func TestReplaceWholeDatabase(t *testing.T) {
	t.Parallel()
	s, i, was := damaged(t)
	if err := s.driver.Switch(t.Context(), id); continuity.CodeOf(err) != continuity.CodeBackupReplace {
		t.Errorf("switched to what was never prepared: %v", err)
	}
	w := s.write(t, 1, 7, 1_000_000)
	must(t, s.driver.Prepare(t.Context(), i, id, nil, nil))
	must(t, s.driver.Prepare(t.Context(), i, id, nil, nil)) // as after a crash
	before := w.count()
	await(t, "orders while it was prepared and after", func() bool { return w.count() > before })
	if ask[int](t, s.dsn, spoilt) != 250 {
		t.Error("something was replaced by preparing")
	}

	for range 2 {
		must(t, s.driver.Switch(t.Context(), id))
		s.state(t, 0, 2000)
	}
	w.end()
	conn, err := pgx.Connect(t.Context(), s.dsn)
	must(t, err)
	now, err := postgres.Measure(t.Context(), conn, queries)
	must(t, errors.Join(err, conn.Close(t.Context())))
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("what is in place now is not what was captured:\n%s", diff)
	}
	if path := ask[string](t, s.dsn, "SHOW search_path"); path != `shop, "$user"` {
		t.Errorf("search_path is %s", path)
	}
	if rights := ask[string](t, s.dsn, `SELECT has_database_privilege('public', 'shop', 'connect') || ' ' || has_database_privilege('clerk', 'shop', 'connect')
		|| ' ' || has_table_privilege('clerk', 'shop.orders', 'select') || ' ' || current_setting('work_mem')`); rights != "false true true 5MB" {
		t.Errorf("rights and settings are %s", rights)
	}
	for range 2 {
		must(t, s.driver.Undo(t.Context(), id))
		if ask[int](t, s.dsn, spoilt) != 250 {
			t.Error("undone, and not as before")
		}
	}
	must(t, s.driver.Switch(t.Context(), id))
	for range 2 {
		must(t, s.driver.Drop(t.Context(), id))
	}
	s.state(t, 0, 2000)
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_database WHERE datname LIKE 'shop%'"); n != 1 {
		t.Errorf("%d databases are left", n)
	}
}

// Killed in the middle of a switch or an undo, at whatever moment, and done again, it ends
// right; the one or the other is in place, and both are there.
func TestReplaceKilledInItsMidst(t *testing.T) {
	t.Parallel()
	s, i, _ := damaged(t, "max_prepared_transactions=2")
	must(t, s.driver.Prepare(t.Context(), i, id, nil, nil))
	// What was begun in two phases keeps the name of its database.
	pgtest.Exec(t, s.dsn, "BEGIN; INSERT INTO public.x VALUES (9); PREPARE TRANSACTION 'two phases'")
	stuck := swapper(t, s, "switch")
	outside := s.DSN("postgres")
	await(t, "the database to be closed", func() bool {
		return !ask[bool](t, outside, "SELECT datallowconn FROM pg_database WHERE datname = 'shop'")
	})
	must(t, stuck.Process.Kill())
	_ = stuck.Wait()
	must(t, s.driver.Undo(t.Context(), id)) // opens it again
	pgtest.Exec(t, s.dsn, "ROLLBACK PREPARED 'two phases'")
	s.state(t, 250, 5000)

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	killed := 0
	for n := range 12 {
		what, act, rows, order := "switch", s.driver.Switch, 0, 2000
		if n%2 == 1 {
			what, act, rows, order = "undo", s.driver.Undo, 250, 5000
		}
		cmd := swapper(t, s, what)
		<-time.After(time.Duration(random.IntN(1+8*n)) * time.Millisecond)
		_ = cmd.Process.Kill() // it may have ended
		if cmd.Wait() != nil {
			killed++
		}
		must(t, act(t.Context(), id))
		s.state(t, rows, order)
	}
	if killed == 0 {
		t.Error("none was killed")
	}
}

// Single tables come back in an order that foreign keys allow, by one transaction, and
// what refers to them stays.
func TestReplaceTables(t *testing.T) {
	t.Parallel()
	s, i, _ := damaged(t)
	lines := "INSERT INTO shop.lines VALUES (5000, 1, 'new')"
	pgtest.Exec(t, s.dsn, lines)
	tables := []string{"shop.lines", "shop.customers"}
	for range 2 {
		must(t, s.driver.Prepare(t.Context(), i, id, tables, nil))
	}
	s.state(t, 250, 5000)
	for range 2 {
		must(t, s.driver.Switch(t.Context(), id))
		s.state(t, 0, 5000)
	}
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM shop.customers WHERE shout = upper(name)"); n != 500 {
		t.Errorf("%d customers with what is generated", n)
	}
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM shop.lines"); n != 0 {
		t.Errorf("%d lines", n)
	}
	for range 2 {
		must(t, s.driver.Undo(t.Context(), id))
		s.state(t, 250, 5000)
	}
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM shop.lines"); n != 1 {
		t.Errorf("%d lines", n)
	}

	// Killed while it waits, it has done nothing; done again, it ends right.
	blocker, err := pgx.Connect(t.Context(), s.dsn)
	must(t, err)
	_, err = blocker.Exec(t.Context(), "BEGIN; LOCK TABLE shop.customers IN ROW EXCLUSIVE MODE")
	must(t, err)
	stuck := swapper(t, s, "switch")
	await(t, "the switch to wait", func() bool {
		return ask[bool](t, s.dsn, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
	})
	must(t, stuck.Process.Kill())
	_ = stuck.Wait()
	must(t, blocker.Close(t.Context()))
	s.state(t, 250, 5000)
	must(t, s.driver.Switch(t.Context(), id))
	s.state(t, 0, 5000)
	must(t, s.driver.Undo(t.Context(), id))

	// A customer of now who was not there then: their orders would hang in the air.
	pgtest.Exec(t, s.dsn, "INSERT INTO shop.customers VALUES (900, 'new'); INSERT INTO shop.orders VALUES (6000, 900, 1)")
	if err := s.driver.Switch(t.Context(), id); continuity.CodeOf(err) != continuity.CodeBackupReplace {
		t.Errorf("got %v", err)
	}
	s.state(t, 250, 6000)
	must(t, s.driver.Drop(t.Context(), id))
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'holdfast%'"); n != 0 {
		t.Error("a schema is left")
	}
	for _, bad := range [][]string{{"shop.nothing"}, {"pg_catalog.pg_class; DROP TABLE x"}} {
		if err := s.driver.Prepare(t.Context(), i, id, bad, nil); continuity.CodeOf(err) != continuity.CodeBackupReplace {
			t.Errorf("%v: got %v", bad, err)
		}
	}
}
