package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// clients order all the time, each row by itself; a trigger adds each to a total. A table
// that is not there for a moment is an error that they live with, and so is being told to go.
func (s *spoilt) clients() (stop func() (taken, refused int64)) {
	s.Helper()
	ctx, halt := context.WithCancel(s.Context())
	var wait sync.WaitGroup
	var number, taken, refused atomic.Int64
	number.Store(100_000)
	for range 3 {
		wait.Go(func() {
			for ctx.Err() == nil {
				_, err := s.db.ExecContext(s.Context(), fmt.Sprintf("INSERT INTO `order` (id, amount) VALUES (%d, 1)", number.Add(1)))
				if err != nil {
					refused.Add(1)
				} else {
					taken.Add(1)
				}
			}
		})
	}
	return func() (int64, int64) {
		halt()
		wait.Wait()
		return taken.Load(), refused.Load()
	}
}

// sums says for each of the databases whether the total is that of the rows.
func (s *spoilt) sums() {
	s.Helper()
	for _, database := range strings.Split(s.left()+","+s.driver.config.DBName, ",") {
		if database == "" || s.ask("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'order' AND table_schema = "+literal(database)) == "0" {
			continue
		}
		at := quoted(database)
		if got := s.ask("SELECT (SELECT SUM(amount) FROM " + at + ".`order`) - (SELECT amount FROM " + at + ".totals)"); got != "0.00" {
			s.Errorf("in %s rows were written without their triggers: %s", database, got)
		}
	}
}

// While clients write, the whole goes to and fro: not one row is written without its
// triggers, wherever it ends up, and none that was acknowledged is gone.
func TestReplaceUnderWriters(t *testing.T) {
	t.Parallel()
	s := damaged(t)
	s.db.SetMaxOpenConns(4)
	s.must(s.driver.Prepare(t.Context(), s.was, id, nil, nil))
	rows := "SELECT COUNT(*) FROM `order` WHERE id > 100000"
	stop := s.clients()
	for range 3 {
		s.must(s.driver.Switch(t.Context(), id))
		s.must(s.driver.Undo(t.Context(), id))
	}
	s.must(s.driver.Switch(t.Context(), id))
	taken, refused := stop()
	s.sums()
	here, there := s.ask(rows), s.ask(strings.Replace(rows, "`order`", quoted(s.driver.config.DBName+"_"+id+"_before")+".`order`", 1))
	if got := s.ask(fmt.Sprintf("SELECT %s + %s", here, there)); got != fmt.Sprint(taken) || here == "0" || there == "0" {
		t.Errorf("%d orders were acknowledged (%d refused); there are %s in place and %s aside", taken, refused, here, there)
	}

	// Who stands in the way is told to go; what they had not committed was never there.
	tx, err := s.db.BeginTx(t.Context(), nil)
	s.must(err)
	_, err = tx.ExecContext(t.Context(), "UPDATE customer SET name = 'x'")
	s.must(err)
	s.must(s.driver.Undo(t.Context(), id))
	if err := tx.Commit(); err == nil {
		t.Error("who stood in the way could go on")
	}
	s.sums()

	// The log does not go on behind it, whether somebody follows at the time or later.
	before := where(t, s.db)
	f := &collector{t: t, came: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- s.driver.Follow(soon(t), before, f.publish) }()
	run(t, s.db, "INSERT INTO customer VALUES (7777, 'x')")
	f.until(where(t, s.db))
	s.must(s.driver.Switch(t.Context(), id))
	after := where(t, s.db)
	if err := <-ended; !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("following goes on: %v", err)
	}
	if err := s.driver.Follow(soon(t), before, f.publish); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("following goes on later: %v", err)
	}
	for _, p := range f.pieces() {
		if p.To.Compare(after) >= 0 || p.To.System != before.System {
			t.Errorf("published to %v", p.To)
		}
	}
	p := take(t, s.driver)
	f = &collector{t: t, came: make(chan struct{}, 1)}
	end := follow(t, s.driver, f, p.To)
	run(t, s.db, "INSERT INTO customer VALUES (8888, 'x')")
	all := append([]backup.Piece{p}, f.until(where(t, s.db))...)
	end()
	if faults := s.driver.Check(manifests(all)); len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
	_, back := restore(t, backup.Restore{Pieces: all})
	if got := value(t, back, "SELECT CONCAT(MAX(id), ' ', (SELECT COUNT(*) FROM `order`)) FROM customer"); got != s.ask("SELECT CONCAT(MAX(id), ' ', (SELECT COUNT(*) FROM `order`)) FROM customer") {
		t.Errorf("behind the new full backup %s came back", got)
	}
}

// Single tables come back in an order that foreign keys allow, by one transaction and
// without setting off triggers, and what refers to them stays.
func TestReplaceTables(t *testing.T) {
	t.Parallel()
	s := damaged(t)
	run(t, s.db, "INSERT INTO line (`order`, text) VALUES (5000, 'new')",
		"CREATE TRIGGER kept BEFORE DELETE ON customer FOR EACH ROW SIGNAL SQLSTATE '45000'")
	const rows = "SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM customer WHERE name = 'damaged'), (SELECT COUNT(*) FROM line), (SELECT MAX(id) FROM `order`), " +
		"(SELECT amount FROM totals), (SELECT GROUP_CONCAT(trigger_name ORDER BY 1) FROM information_schema.triggers WHERE trigger_schema = DATABASE()))"
	is := func(want string) {
		t.Helper()
		if got := s.ask(rows); got != want {
			t.Errorf("in place is %s, not %s", got, want)
		}
	}
	is("250 2 5000 2001.00 add_up,kept")
	tables := []string{"line", "customer"}
	for range 2 {
		s.must(s.driver.Prepare(t.Context(), s.was, id, tables, nil))
	}
	for range 2 {
		for range 2 {
			s.must(s.driver.Switch(t.Context(), id))
			is("0 1 5000 2001.00 add_up,kept")
		}
		if got := s.ask("SELECT shout FROM line"); got != "TEA" {
			t.Errorf("generated is %s", got)
		}
		for range 2 {
			s.must(s.driver.Undo(t.Context(), id))
			is("250 2 5000 2001.00 add_up,kept")
		}
	}
	// A customer of now who was not there then: their orders would hang in the air.
	run(t, s.db, "INSERT INTO customer VALUES (900, 'new')", "INSERT INTO `order` (id, customer, amount) VALUES (6000, 900, 0)")
	err := s.driver.Switch(t.Context(), id)
	if continuity.CodeOf(err) != continuity.CodeBackupReplace || !strings.Contains(err.Error(), "order.order_ibfk_1: 1") {
		t.Errorf("got %v", err)
	}
	is("250 2 6000 2001.00 add_up,kept")
	s.must(s.driver.Drop(t.Context(), id))
	if left := s.left(); left != "" {
		t.Errorf("left: %s", left)
	}
	run(t, s.db, "CREATE TABLE flat (id INT) ENGINE=MyISAM", "ALTER TABLE totals ADD COLUMN more INT", "CREATE TABLE other.refers (c INT, FOREIGN KEY (c) REFERENCES "+
		quoted(s.driver.config.DBName)+".customer (id)) ENGINE=InnoDB")
	for _, bad := range [][]string{{"missing"}, {"flat"}, {"totals"}, {"x`; DROP TABLE line"}, {"rows_of"}} {
		if err := s.driver.Prepare(t.Context(), s.was, id, bad, nil); continuity.CodeOf(err) != continuity.CodeBackupReplace {
			t.Errorf("%v: got %v", bad, err)
		}
	}
	// What another database refers to would be gone from under it.
	s.must(s.driver.Prepare(t.Context(), s.was, id, nil, nil))
	if err := s.driver.Switch(t.Context(), id); continuity.CodeOf(err) != continuity.CodeBackupReplace || !strings.Contains(err.Error(), "other.refers") {
		t.Errorf("got %v", err)
	}
	run(t, s.db, "DROP TABLE other.refers")
	s.must(s.driver.Drop(t.Context(), id))
	s.rights()
}

// rights are those that the documentation names, and what is said without them.
func (s *spoilt) rights() {
	s.Helper()
	name := s.driver.config.DBName
	run(s, s.db, "CREATE USER keeper@localhost", "GRANT RELOAD, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO keeper@localhost", "GRANT SELECT ON mysql.* TO keeper@localhost",
		"GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES ON "+quoted(name)+".* TO keeper@localhost")
	defer run(s, s.db, "DROP USER keeper@localhost")
	for _, follows := range []bool{true, false} {
		d := open(s, Options{DSN: strings.Replace(s.dsn, "root@", "keeper@", 1), Spool: s.TempDir(), Follows: follows})
		i, back := restore(s, backup.Restore{Pieces: []backup.Piece{take(s, d)}})
		if got := value(s, back, "SELECT CONCAT(COUNT(*), ' ', (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE())) FROM information_schema.routines WHERE routine_schema = DATABASE()"); got != "2 2" {
			s.Errorf("%s has routines and triggers %s", i.Address(), got)
		}
	}
	d := open(s, Options{DSN: strings.Replace(s.dsn, "root@", "keeper@", 1), Spool: s.TempDir()})
	if err := d.Prepare(s.Context(), s.was, id, nil, nil); continuity.CodeOf(err) != continuity.CodeBackupReplace {
		s.Errorf("without rights: %v", err)
	}
	run(s, s.db, "GRANT ALL ON "+quoted(name)+".* TO keeper@localhost WITH GRANT OPTION", "GRANT ALL ON `"+strings.ReplaceAll(name, "_", `\_`)+"\\_%`.* TO keeper@localhost", "GRANT SET USER, PROCESS, CONNECTION ADMIN ON *.* TO keeper@localhost",
		"DROP DATABASE IF EXISTS "+quoted(name+"_"+id), "DROP DATABASE IF EXISTS "+quoted(name+"_"+id+"_before"), "SET GLOBAL log_bin_trust_function_creators = 1")
	defer run(s, s.db, "SET GLOBAL log_bin_trust_function_creators = 0")
	tx, err := s.db.BeginTx(s.Context(), &sql.TxOptions{})
	s.must(err)
	_, err = tx.ExecContext(s.Context(), "SELECT 1 FROM customer")
	s.must(err)
	for _, act := range []func() error{
		func() error { return d.Prepare(s.Context(), s.was, id, nil, nil) }, func() error { return d.Switch(s.Context(), id) },
		func() error { return d.Undo(s.Context(), id) }, func() error { return d.Switch(s.Context(), id) },
	} {
		s.must(act())
	}
	if tx.Commit() == nil {
		s.Error("who stood in the way could go on")
	}
	if got := s.ask("SELECT CONCAT(MAX(id), ' ', (SELECT GROUP_CONCAT(definer ORDER BY 1) FROM information_schema.routines WHERE routine_schema = DATABASE())) FROM `order`"); got != "1000 root@localhost,root@localhost" {
		s.Errorf("in place is %s", got)
	}
	s.must(d.Drop(s.Context(), id))
}
