package mysql

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

const id = "abcdefghij"

// spoilt is a source that was captured, and then damaged: its rows, and what else a
// database consists of.
type spoilt struct {
	*testing.T

	db     *sql.DB
	dsn    string
	driver *Driver
	was    backup.Instance
	taken  []backup.Figure
}

func damaged(t *testing.T) *spoilt {
	t.Helper()
	s := &spoilt{T: t}
	s.db, s.dsn = source(t)
	run(t, s.db, "INSERT INTO customer SELECT seq, CONCAT('客户 ', seq) FROM seq_1_to_500",
		"INSERT INTO `order` (id, customer, amount) SELECT seq, 1 + seq % 400, 2 FROM seq_1_to_1000",
		"CREATE TABLE line (no INT AUTO_INCREMENT PRIMARY KEY, `order` INT, text VARCHAR(20), shout VARCHAR(20) AS (UPPER(text)) STORED, "+
			"CONSTRAINT of_order FOREIGN KEY (`order`) REFERENCES `order` (id) ON DELETE CASCADE) ENGINE=InnoDB AUTO_INCREMENT=900",
		"INSERT INTO line (`order`, text) VALUES (1, 'tea')", "CREATE SEQUENCE numbers", "SELECT NEXTVAL(numbers)",
		"CREATE VIEW rows_of AS SELECT COUNT(*) n FROM `order`", "CREATE VIEW a_sum AS SELECT n FROM rows_of",
		"CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN 2 * n", "CREATE PROCEDURE gone() SELECT '早'",
		"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM totals",
		"CREATE TRIGGER second AFTER INSERT ON `order` FOR EACH ROW UPDATE totals SET amount = amount * 1 WHERE n = 1",
		"CREATE USER IF NOT EXISTS clerk@localhost", "GRANT SELECT ON `order` TO clerk@localhost", "GRANT EXECUTE ON FUNCTION twice TO clerk@localhost")
	s.driver = open(t, Options{DSN: s.dsn, Spool: t.TempDir(), Follows: true})
	p := take(t, s.driver)
	s.taken = p.Figures
	s.was, _ = restore(t, backup.Restore{Pieces: []backup.Piece{p}})
	run(t, s.db, "UPDATE customer SET name = 'damaged' WHERE id % 2 = 0", "INSERT INTO `order` (id, customer, amount) VALUES (5000, 7, 1)",
		"DROP VIEW a_sum", "CREATE TABLE newer (id INT PRIMARY KEY) ENGINE=InnoDB", "DROP FUNCTION twice", "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN 3 * n",
		"GRANT EXECUTE ON FUNCTION twice TO clerk@localhost", "DROP PROCEDURE gone", "CREATE PROCEDURE come() SELECT 1", "DROP EVENT nightly", "DROP TRIGGER second")
	return s
}

func (s *spoilt) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *spoilt) ask(query string) string { s.Helper(); return value(s, s.db, query) }

// is compares what is in the original's place.
func (s *spoilt) is(who string) {
	s.Helper()
	const parts = "SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM customer WHERE name = 'damaged'), (SELECT MAX(id) FROM `order`), " +
		"(SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()), " +
		"(SELECT GROUP_CONCAT(trigger_name ORDER BY 1) FROM information_schema.triggers WHERE trigger_schema = DATABASE()), " +
		"(SELECT GROUP_CONCAT(routine_name ORDER BY 1) FROM information_schema.routines WHERE routine_schema = DATABASE()), " +
		"(SELECT COUNT(*) FROM information_schema.events WHERE event_schema = DATABASE()), twice(1))"
	want := "250 5000 7 add_up come,twice 0 3"
	if who == restored {
		want = "0 1000 7 add_up,second gone,twice 1 2"
	}
	if got := s.ask(parts); got != want {
		s.Errorf("%s is to be in place, and it is %s, not %s", who, got, want)
	}
	clerk, err := sql.Open("mysql", strings.Replace(s.dsn, "root@", "clerk@", 1))
	s.must(err)
	defer clerk.Close()
	if n := value(s, clerk, "SELECT twice(0) + COUNT(*) FROM `order`"); n == "0" {
		s.Error("the clerk sees nothing")
	}
}

func (s *spoilt) left() string {
	s.Helper()
	return s.ask("SELECT GROUP_CONCAT(schema_name ORDER BY 1) FROM information_schema.schemata WHERE schema_name LIKE CONCAT(DATABASE(), '\\_%')")
}

// A whole database takes the original's place and goes again, as often as one likes,
// with all that it consists of, and those who use it notice nothing until the switch.
func TestReplaceWholeDatabase(t *testing.T) {
	t.Parallel()
	s := damaged(t)
	s.is(original)
	if err := s.driver.Switch(t.Context(), id); continuity.CodeOf(err) != continuity.CodeBackupReplace {
		t.Errorf("switched to what was never prepared: %v", err)
	}
	for range 2 { // as after a crash
		s.must(s.driver.Prepare(t.Context(), s.was, id, nil, nil))
	}
	s.is(original)
	for range 2 {
		s.must(s.driver.Switch(t.Context(), id))
		s.is(restored)
	}
	db, err := connect(s.driver.config)
	s.must(err)
	defer db.Close()
	now, err := measure(t.Context(), db, nil, nil)
	s.must(err)
	if !slices.Equal(now, s.taken) {
		t.Errorf("in place is %v, captured was %v", now, s.taken)
	}
	// What is in place works: triggers, keys, numbers that are given.
	run(t, s.db, "INSERT INTO `order` (id, customer, amount) VALUES (1001, 1, 7)", "INSERT INTO line (`order`, text) VALUES (1001, 'new')")
	if got := s.ask("SELECT CONCAT_WS(' ', (SELECT amount FROM totals), (SELECT MAX(no) FROM line), NEXTVAL(numbers) > 1, (SELECT n FROM a_sum))"); got != "2007.00 901 1 1001" {
		t.Errorf("it does not work: %s", got)
	}
	if _, err := s.db.ExecContext(t.Context(), "INSERT INTO `order` (id, customer) VALUES (1002, 777)"); number(err) != 1452 {
		t.Errorf("an order without a customer: %v", err)
	}
	run(t, s.db, "DELETE FROM `order` WHERE id = 1001")
	for range 2 {
		s.must(s.driver.Undo(t.Context(), id))
		s.is(original)
	}
	s.must(s.driver.Switch(t.Context(), id))
	s.is(restored)
	if got := s.ask("SELECT amount FROM totals"); got != "2007.00" {
		t.Errorf("what was written after the first switch is gone: %s", got)
	}
	for range 2 {
		s.must(s.driver.Drop(t.Context(), id))
	}
	s.is(restored)
	if left := s.left(); left != "" {
		t.Errorf("left: %s", left)
	}

	// One that was dropped altogether comes back.
	run(t, s.db, "DROP DATABASE "+quoted(s.driver.config.DBName))
	s.must(s.driver.Prepare(t.Context(), s.was, id, nil, nil))
	s.must(s.driver.Switch(t.Context(), id))
	again, err := sql.Open("mysql", s.dsn) // others were in the database that is gone
	s.must(err)
	defer again.Close()
	s.db = again
	run(t, s.db, "GRANT EXECUTE ON FUNCTION twice TO clerk@localhost")
	s.is(restored)
}

// cut is a connection that is gone after some statements: what the last one did stays,
// and nobody hears of it.
type cut struct {
	net.Conn

	left *atomic.Int64
}

var errCutOff = errors.New("cut off")

func (c *cut) Write(b []byte) (int, error) {
	if c.left.Add(-1) < 0 {
		return 0, errors.Join(errCutOff, c.Close())
	}
	return c.Conn.Write(b)
}

func (c *cut) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.left.Load() == 0 {
		c.left.Store(-1)
		return 0, errors.Join(errCutOff, c.Close())
	}
	return n, err
}

// severed does what is to be done with a connection that lasts for so many statements.
func (s *spoilt) severed(n int, act func(*Driver) error) (ended bool) {
	s.Helper()
	d := open(s, Options{DSN: s.dsn, Spool: s.TempDir()})
	var left atomic.Int64
	left.Store(int64(n))
	d.config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &cut{conn, &left}, err
	}
	return act(d) == nil
}

var stride = flag.Int("stride", 16, "of a switch and of its undoing, one statement in so many is the last one")

// Whatever the statement is after which it ends, doing the same again leads to the right
// end, and so does the other way round.
func TestReplaceCutOffAfterStatements(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	for _, tables := range [][]string{nil, {"line", "order", "customer"}} {
		s := damaged(t)
		if tables != nil { // single tables take nothing else with them
			run(t, s.db, "CREATE TRIGGER second AFTER DELETE ON line FOR EACH ROW SIGNAL SQLSTATE '45000'")
		}
		s.must(s.driver.Prepare(t.Context(), s.was, id, tables, nil))
		before, after := s.driver.ofAll(t), ""
		s.must(s.driver.Switch(t.Context(), id))
		after = s.driver.ofAll(t)
		s.must(s.driver.Undo(t.Context(), id))
		if before == after || s.driver.ofAll(t) != before {
			t.Fatal("nothing was switched, or it was not undone")
		}
		is := func(n int, what, want string) {
			t.Helper()
			if got := s.driver.ofAll(t); got != want {
				t.Fatalf("cut off after %d statements, then %s: %s\nwant %s", n, what, got, want)
			}
		}
		n := 1 + random.IntN(*stride)
		for ended := false; !ended; n += *stride {
			ended = s.severed(n, func(d *Driver) error { return d.Switch(t.Context(), id) })
			if random.IntN(2) == 0 {
				s.must(s.driver.Switch(t.Context(), id))
				is(n, "switched", after)
			}
			s.must(s.driver.Undo(t.Context(), id))
			is(n, "undone", before)
		}
		if n < 40 {
			t.Errorf("it ended after %d statements: it was not cut off", n)
		}
		s.must(s.driver.Switch(t.Context(), id))
		n = 1 + random.IntN(*stride)
		for ended := false; !ended; n += *stride {
			ended = s.severed(n, func(d *Driver) error { return d.Undo(t.Context(), id) })
			if random.IntN(2) == 0 {
				s.must(s.driver.Undo(t.Context(), id))
				is(n, "undone", before)
			}
			s.must(s.driver.Switch(t.Context(), id))
			is(n, "switched", after)
		}
	}
}

// ofAll tells what is in place: rows by their figures, and all else by what makes it.
func (d *Driver) ofAll(t testing.TB) string {
	t.Helper()
	db, err := connect(d.config)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	figures, err := measure(t.Context(), db, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	is, err := looked(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(figures, is)
}
