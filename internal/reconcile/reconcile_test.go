package reconcile_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/mariatest"
	"holdfast/internal/pgtest"
	"holdfast/internal/reconcile"
)

func TestMain(m *testing.M) {
	os.Exit(mariatest.Main(func() int { return pgtest.Main(m) }))
}

// upstream is a database with a table orders (no, amount, currency).
type upstream struct {
	driver string
	dsn    string
	slow   string // a query without an end
	exec   func(t *testing.T, statements string)
}

func sqliteUpstream(t *testing.T) upstream {
	path := filepath.Join(t.TempDir(), "shop #1.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(path, "#", "%23"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	u := upstream{driver: "sqlite", dsn: path, slow: endless, exec: func(t *testing.T, statements string) {
		t.Helper()
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
	}}
	u.exec(t, `PRAGMA journal_mode=wal; CREATE TABLE orders (no TEXT, amount NUMERIC, currency TEXT)`)
	return u
}

func postgresUpstream(t *testing.T) upstream {
	dsn := pgtest.Database(t)
	u := upstream{driver: "postgres", dsn: dsn, slow: endless, exec: func(t *testing.T, statements string) {
		t.Helper()
		pgtest.Exec(t, dsn, statements)
	}}
	u.exec(t, `CREATE TABLE orders (no TEXT, amount NUMERIC(20,2), currency TEXT)`)
	return u
}

func mysqlUpstream(t *testing.T) upstream {
	dsn := mariatest.Database(t)
	// The server's own bound on recursion would end an endless query.
	u := upstream{driver: "mysql", dsn: dsn, slow: `SELECT count(*) FROM seq_1_to_10000000 a, seq_1_to_10000000 b`, exec: func(t *testing.T, statements string) {
		t.Helper()
		mariatest.Exec(t, dsn, statements)
	}}
	u.exec(t, `CREATE TABLE orders (no TEXT, amount NUMERIC(20,2), currency TEXT)`)
	return u
}

const endless = `WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c`

func (u upstream) config(query string) continuity.Reconcile {
	return continuity.Reconcile{Driver: u.driver, DSN: u.dsn, Query: query, Amount: "/amount"}
}

const query = `SELECT no, amount, currency FROM orders`

var accepted = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func rec(n byte, key string, state continuity.State, amount string) reconcile.Record {
	return reconcile.Record{Receipt: continuity.Receipt{n}, Key: key, State: state, Method: "POST", Amount: amount, AcceptedAt: accepted.Add(time.Duration(n) * time.Second)}
}

func each(records ...reconcile.Record) iter.Seq2[reconcile.Record, error] {
	return func(yield func(reconcile.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// on runs a test against every database.
func on(t *testing.T, test func(t *testing.T, u upstream)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteUpstream(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresUpstream(t)) })
	t.Run("mysql", func(t *testing.T) { test(t, mysqlUpstream(t)) })
}

func run(t *testing.T, o reconcile.Options) *reconcile.Report {
	t.Helper()
	o.Route = "orders"
	r, err := reconcile.Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v: %v", err, errors.Unwrap(err))
	}
	return r
}

// brief is a report as one can write it down.
func brief(r *reconcile.Report) []string {
	var out []string
	list := func(name string, l reconcile.List) {
		for _, f := range l.Findings {
			out = append(out, fmt.Sprintf("%s %s %s ours=%s theirs=%s rows=%d records=%d", name, f.Key, f.State, f.Ours, f.Theirs, f.Rows, f.Records))
		}
		if l.Total != int64(len(l.Findings)) {
			out = append(out, fmt.Sprintf("%s total %d", name, l.Total))
		}
	}
	list("missing", r.Missing)
	list("doubled", r.Doubled)
	list("differing", r.Differing)
	list("there", r.There)
	return out
}

const (
	delivered = continuity.Delivered
	inDoubt   = continuity.InDoubt
)

func TestRule9_1_ReconcilesWithTheUpstreamsOwnDatabase(t *testing.T) {
	on(t, func(t *testing.T, u upstream) {
		u.exec(t, `INSERT INTO orders VALUES
			('A-1', 12.50, 'CNY'), ('A-2', 100, 'CNY'), ('A-2', 100, 'CNY'), ('A-3', 31.00, 'CNY'),
			('A-5', 5, 'CNY'), ('A-7', 7, 'CNY'), ('passed-1', 1, 'CNY'), ('passed-2', 2, 'USD'), (NULL, 3, 'CNY'),
			('A-8', 0.10, 'USD'), ('A-8', 0.20, 'CNY')`)
		r := run(t, reconcile.Options{Config: u.config(query), Records: each(
			rec(1, "A-1", delivered, "12.5"),              // found, though written otherwise
			rec(2, "A-2", delivered, "100"),               // doubled
			rec(3, "A-3", delivered, "30.00"),             // differs
			rec(4, "A-4", delivered, "4"),                 // missing
			rec(5, "A-5", inDoubt, "5"),                   // there
			rec(6, "A-6", inDoubt, "6"),                   // not there: as it may be
			rec(7, "A-7", continuity.Discarded, "9"),      // replaced by the next
			rec(8, "A-7", delivered, "7.00"),              // found
			rec(9, "A-8", delivered, "0.1"),               // found
			rec(10, "A-8", delivered, "2e-1"),             // found
			rec(11, "A-9", continuity.Refused, "1000000"), // rightly not there
		)})
		want := []string{
			"missing A-4 delivered ours=4 theirs= rows=0 records=1",
			"doubled A-2 delivered ours=100 theirs=100 rows=2 records=1",
			"differing A-3 delivered ours=30 theirs=31 rows=1 records=1",
			"there A-5 in-doubt ours=5 theirs= rows=1 records=0",
		}
		if diff := cmp.Diff(want, brief(r)); diff != "" {
			t.Errorf("findings: -want +got\n%s", diff)
		}
		if r.Records != 11 || r.Upstream != 11 || r.Passed != 3 || r.Found != 6 || r.Clean() || !r.Amounts {
			t.Errorf("report: %+v", r)
		}
		states := []reconcile.State{
			{State: "in-doubt", Count: 2, Sums: []reconcile.Sum{{Amount: "11"}}},
			{State: "delivered", Count: 7, Sums: []reconcile.Sum{{Amount: "153.80"}}},
			{State: "refused", Count: 1, Sums: []reconcile.Sum{{Amount: "1000000"}}},
			{State: "discarded", Count: 1, Sums: []reconcile.Sum{{Amount: "9"}}},
		}
		if diff := cmp.Diff(states, r.States); diff != "" {
			t.Errorf("states: -want +got\n%s", diff)
		}
		usd, cny := "", ""
		for _, s := range r.Sums {
			if s.Currency == "USD" {
				usd = s.Amount
			} else {
				cny = s.Amount
			}
		}
		if strings.TrimRight(usd, "0") != "0.1" || strings.TrimRight(cny, "0") != "255.7" {
			t.Errorf("sums: %+v", r.Sums)
		}
		if r.Pending() != 2 {
			t.Errorf("pending: %d", r.Pending())
		}
	})
}

func TestRule9_1_CleanWhenAllAgree(t *testing.T) {
	on(t, func(t *testing.T, u upstream) {
		u.exec(t, `INSERT INTO orders VALUES ('1', 0.1, NULL), ('2', 0.2, NULL), ('passed', 9, NULL)`)
		r := run(t, reconcile.Options{Config: u.config(query), Records: each(rec(1, "1", delivered, "0.10"), rec(2, "2", delivered, "0.20"))})
		if !r.Clean() || r.Found != 2 || r.Count(delivered) != 2 {
			t.Errorf("report: %+v", r)
		}
		if got := r.States[0].Sums[0].Amount; got != "0.30" {
			t.Errorf("sum %q: decimals must be exact", got)
		}
		if last := r.Lines(catalogue.En); last[len(last)-1] != "Nothing is missing, doubled or differing." {
			t.Errorf("lines: %q", last)
		}
	})
}

// What a restored upstream had lost was delivered twice and is there once: only the
// record that brought it back counts, however often that was done.
func TestRule12_WhatWasBroughtBackCountsOnce(t *testing.T) {
	again := func(n, of byte, key string, state continuity.State, amount string) reconcile.Record {
		r := rec(n, key, state, amount)
		r.Again = continuity.Receipt{of}
		return r
	}
	on(t, func(t *testing.T, u upstream) {
		u.exec(t, `INSERT INTO orders VALUES ('1', 0.1, NULL), ('2', 0.2, NULL), ('3', 3, NULL)`)
		r := run(t, reconcile.Options{Config: u.config(query), Records: each(
			again(9, 1, "1", delivered, "0.10"), // in any order
			rec(1, "1", delivered, "0.10"),
			again(5, 1, "1", delivered, "0.10"), // an earlier restore
			rec(2, "2", delivered, "0.20"),
			again(7, 100, "3", delivered, "3"),                                    // it had passed, and was no record
			rec(4, "4", delivered, "4"), again(8, 4, "4", continuity.Queued, "4"), // still to come
		)})
		if !r.Clean() || r.Found != 3 || r.Records != 4 || r.Count(delivered) != 3 || r.Pending() != 1 {
			t.Errorf("%v %+v", brief(r), r)
		}
		for _, s := range r.States {
			if s.State == delivered.String() && (len(s.Sums) != 1 || s.Sums[0].Amount != "3.30") {
				t.Errorf("%+v", s)
			}
		}
		// One that was brought back and is lost all the same is missing, once.
		r = run(t, reconcile.Options{Config: u.config(query), Records: each(rec(1, "5", delivered, "5"), again(2, 1, "5", delivered, "5"))})
		if diff := cmp.Diff([]string{"missing 5 delivered ours= theirs= rows=0 records=1"}, brief(r)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRule9_1_WithoutAmountsOnlyKeysCount(t *testing.T) {
	u := sqliteUpstream(t)
	u.exec(t, `INSERT INTO orders VALUES (17, 1, NULL), (17, 2, NULL), (18, 3, NULL)`)
	r := run(t, reconcile.Options{Config: u.config(`SELECT no FROM orders`), Records: each(
		rec(1, "17", delivered, "9"), rec(2, "17", delivered, "8"), rec(3, "18", continuity.Dead, ""))})
	if diff := cmp.Diff([]string{"there 18 dead ours= theirs= rows=1 records=0"}, brief(r)); diff != "" || r.Amounts || r.Found != 2 {
		t.Errorf("%s %+v", diff, r)
	}
}

func TestRule9_1_CoversTheConfiguredMethodsOnly(t *testing.T) {
	u := sqliteUpstream(t)
	u.exec(t, `INSERT INTO orders VALUES ('1', 1, NULL)`)
	cfg := u.config(query)
	cfg.Methods = []string{"POST"}
	change := rec(2, "1", delivered, "5")
	change.Method = "PUT"
	r := run(t, reconcile.Options{Config: cfg, Records: each(rec(1, "1", delivered, "1"), change)})
	if !r.Clean() || r.Records != 1 {
		t.Errorf("report: %+v", r)
	}
}

func TestRule9_1_DeliveredWhileTheListWasRead(t *testing.T) {
	u := sqliteUpstream(t)
	u.exec(t, `INSERT INTO orders VALUES ('1', 1, NULL), ('2', 2, NULL)`)
	r := run(t, reconcile.Options{
		Config: u.config(query), Records: each(rec(1, "1", continuity.Attempting, "1"), rec(2, "2", continuity.Attempting, "2")),
		Now: func(r continuity.Receipt) (continuity.State, bool) {
			if r[0] == 1 {
				return delivered, true
			}
			return inDoubt, true
		},
	})
	if diff := cmp.Diff([]string{"there 2 attempting ours=2 theirs= rows=1 records=0"}, brief(r)); diff != "" || r.Found != 1 {
		t.Errorf("%s %+v", diff, r)
	}
}

func TestRule9_1_AmountsThatAreNone(t *testing.T) {
	u := sqliteUpstream(t)
	u.exec(t, `INSERT INTO orders VALUES ('1', 'NaN', NULL), ('2', 2, NULL), ('3', '1e999999999', NULL)`)
	r := run(t, reconcile.Options{Config: u.config(`SELECT no, CAST(amount AS TEXT) FROM orders`), Records: each(
		rec(1, "1", delivered, "1"), rec(2, "2", delivered, "two"), rec(3, "3", delivered, "3"))})
	if r.Unreadable != 2 || r.States[0].NoAmount != 1 || r.Differing.Total != 3 || r.Clean() {
		t.Errorf("report: %+v", r)
	}
}

func TestRule9_1_ListsAreBounded(t *testing.T) {
	u := sqliteUpstream(t)
	const n = 5_000
	records := func(yield func(reconcile.Record, error) bool) {
		for i := range n {
			r := rec(0, fmt.Sprint("k", i), delivered, "1")
			r.Receipt[1], r.Receipt[2] = byte(i), byte(i>>8)
			if !yield(r, nil) {
				return
			}
		}
	}
	r := run(t, reconcile.Options{Config: u.config(query), Records: records, Listed: 3})
	if r.Missing.Total != n || len(r.Missing.Findings) != 3 {
		t.Errorf("missing: %d, %d listed", r.Missing.Total, len(r.Missing.Findings))
	}
	text := strings.Join(r.Lines(catalogue.Zh), "\n")
	if !strings.Contains(text, "另有 4997 条") {
		t.Errorf("lines:\n%s", text)
	}
}

// A key with many records is compared as fast as many keys with one.
func TestOneKeyWithManyRecords(t *testing.T) {
	u := sqliteUpstream(t)
	const n = 20_000
	u.exec(t, fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO orders SELECT 'k', i, NULL FROM c`, n-1))
	records := func(yield func(reconcile.Record, error) bool) {
		for i := range n {
			if !yield(rec(byte(i), "k", delivered, fmt.Sprint(n-1-i)), nil) {
				return
			}
		}
	}
	if r := run(t, reconcile.Options{Config: u.config(query), Records: records}); !r.Clean() || r.Found != n {
		t.Errorf("found %d of %d", r.Found, n)
	}
}

func TestNothingIsWrittenToTheUpstream(t *testing.T) {
	on(t, func(t *testing.T, u upstream) {
		u.exec(t, `INSERT INTO orders VALUES ('1', 1, NULL)`)
		for _, q := range []string{
			`DELETE FROM orders RETURNING no`,
			`INSERT INTO orders VALUES ('2', 2, NULL) RETURNING no`,
			`SELECT no FROM orders; DELETE FROM orders`,
			`CREATE TABLE other (x TEXT)`,
			`COMMIT; DELETE FROM orders`,
		} {
			_, err := reconcile.Run(t.Context(), reconcile.Options{Config: u.config(q), Records: each()})
			if err != nil && continuity.CodeOf(err) != continuity.CodeReconcile {
				t.Errorf("%s: %v", q, err)
			}
		}
		r := run(t, reconcile.Options{Config: u.config(query), Records: each(rec(1, "1", delivered, "1"))})
		if r.Upstream != 1 || !r.Clean() {
			t.Errorf("the list changed: %+v", r)
		}
	})
}

// What a transaction does to a sequence stays even if it is rolled back: only
// one that may not write leaves it alone.
func TestNothingIsWrittenThatARollbackLeaves(t *testing.T) {
	u := postgresUpstream(t)
	u.exec(t, `CREATE SEQUENCE numbers; INSERT INTO orders VALUES ('1', 1, NULL)`)
	_, err := reconcile.Run(t.Context(), reconcile.Options{Config: u.config(`SELECT nextval('numbers')`), Records: each()})
	if continuity.CodeOf(err) != continuity.CodeReconcile {
		t.Errorf("error: %v", err)
	}
	r := run(t, reconcile.Options{Config: u.config(`SELECT no FROM orders, numbers WHERE NOT is_called`), Records: each(rec(1, "1", delivered, ""))})
	if !r.Clean() || r.Upstream != 1 {
		t.Errorf("the sequence went on: %+v", r)
	}
}

func TestLimitsOfRowsAndTime(t *testing.T) {
	on(t, func(t *testing.T, u upstream) {
		u.exec(t, `INSERT INTO orders VALUES ('1', 1, NULL), ('2', 2, NULL)`)
		step := func(o reconcile.Options) any {
			o.Records = each(rec(1, "1", delivered, "1"))
			_, err := reconcile.Run(t.Context(), o)
			var e *continuity.Error
			if !errors.As(err, &e) {
				t.Fatalf("no error, but %v", err)
			}
			return e.Args["step"]
		}
		if got := step(reconcile.Options{Config: u.config(query), Rows: 1}); got != "rows" {
			t.Errorf("too many rows: %v", got)
		}
		if got := step(reconcile.Options{Config: u.config(u.slow), Time: 100 * time.Millisecond}); got != "time" {
			t.Errorf("too slow: %v", got)
		}
		if got := step(reconcile.Options{Config: u.config(`SELECT 1, 2, 3, 4`)}); got != "columns" {
			t.Errorf("columns: %v", got)
		}
	})
}

func TestCancelledReadsEndAtOnce(t *testing.T) {
	u := sqliteUpstream(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reconcile.Run(ctx, reconcile.Options{Config: u.config(query), Records: each()}); err == nil {
		t.Error("no error")
	}
}

func TestNoPartOfTheDSNIsTold(t *testing.T) {
	good, maria := pgtest.Database(t), mariatest.Database(t)
	wrong := strings.Replace(good, pgtest.Password, "s3cr3t-pass", 1)
	for _, test := range []struct {
		name, driver, dsn, query string
		secrets                  []string
	}{
		{"wrong password", "postgres", wrong, query, []string{"s3cr3t-pass", pgtest.User, "pgtest"}},
		{"unknown database", "postgres", strings.Replace(good, "/test_", "/nosuchdb_", 1), query, []string{pgtest.Password, "nosuchdb"}},
		{"no server", "postgres", "postgres://someone:s3cr3t-pass@127.0.0.1:1/hiddendb?sslmode=disable", query, []string{"s3cr3t-pass", "someone", "hiddendb", "127.0.0.1"}},
		{"does not parse", "postgres", "postgres://someone:s3cr3t-pass@host:notaport/hiddendb", query, []string{"s3cr3t-pass", "someone", "hiddendb"}},
		{"keywords", "postgres", "host=127.0.0.1 port=1 user=someone password='s3cr3t pass' dbname=hiddendb", query, []string{"s3cr3t", "someone", "hiddendb"}},
		{"the query tells", "postgres", good, `SELECT CAST(current_user || ' ' || current_setting('unix_socket_directories') AS int)`, []string{pgtest.User, "/pgtest", pgtest.Password}},
		{"mysql: wrong password", "mysql", "someone:s3cr3t-pass@tcp(127.0.0.1:1)/hiddendb", query, []string{"s3cr3t-pass", "someone", "hiddendb", "127.0.0.1"}},
		{"mysql: refused", "mysql", strings.Replace(maria, mariatest.Password, "s3cr3t-pass", 1), query, []string{"s3cr3t-pass", mariatest.User, "mariatest"}},
		{"mysql: does not parse", "mysql", "someone:s3cr3t-pass@hiddenhost", query, []string{"s3cr3t-pass", "someone", "hiddenhost"}},
		{"mysql: the query tells", "mysql", maria, `SELECT x FROM nowhere`, []string{mariatest.User, "/mariatest", mariatest.Password}},
		{"http: no server", "http", "http://127.0.0.1:1/hidden?key=s3cr3t", "", []string{"127.0.0.1", "hidden", "s3cr3t"}},
		{"no file", "sqlite", "/hidden/place/shop.db", query, []string{"/hidden", "shop.db"}},
		{"no database", "sqlite", t.TempDir() + "/../", query, []string{t.Name()}},
		{"malformed", "sqlite", "file:%zz/hidden", query, []string{"hidden"}},
		{"no driver", "oracle", "oracle://scott:tiger@host", query, []string{"scott", "tiger", "host"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := reconcile.Run(t.Context(), reconcile.Options{
				Route: "orders", Config: continuity.Reconcile{Driver: test.driver, DSN: test.dsn, Query: test.query, Pages: &continuity.Pages{Key: "/no"}}, Records: each(),
			})
			if continuity.CodeOf(err) != continuity.CodeReconcile {
				t.Fatalf("error: %v", err)
			}
			told := ""
			for e := err; e != nil; e = errors.Unwrap(e) {
				told += fmt.Sprintf("%v %+v %#v\n", e, e, e)
			}
			var e *continuity.Error
			errors.As(err, &e)
			told += catalogue.Text(catalogue.En, "error.reconcile", e.Args) + catalogue.Text(catalogue.Zh, "error.reconcile", e.Args)
			args, _ := json.Marshal(e.Args)
			told += string(args)
			for _, secret := range append(test.secrets, test.dsn) {
				if strings.Contains(told, secret) {
					t.Errorf("%q is told:\n%s", secret, told)
				}
			}
			if strings.Contains(told, "error.reconcile") {
				t.Errorf("no text:\n%s", told)
			}
		})
	}
}

func TestLinesInBothLanguages(t *testing.T) {
	u := sqliteUpstream(t)
	u.exec(t, `INSERT INTO orders VALUES ('A-2', 2, 'CNY'), ('A-2', 2, 'CNY'), ('A-3', 3.5, 'CNY'), ('A-4', 4, 'CNY'), ('x', 1, 'CNY')`)
	r := run(t, reconcile.Options{Config: u.config(query), Records: each(
		rec(1, "A-1\x1b[2J", delivered, "1"), rec(2, "A-2", delivered, "2.00"), rec(3, "A-3", delivered, "3.00"), rec(4, "A-4", inDoubt, "4"))})
	want := []string{
		"orders: 4 records compared with 5 rows of the system's own list.",
		"1 rows belong to requests that passed; they are not records and were not compared.",
		"  in doubt: 1, 4",
		"  delivered: 3, 6.00",
		"  delivered and found there: 2 of 3",
		"  there, for these records: 11.5 CNY",
		"delivered, but missing there: 1",
		"  A-1�[2J  04000000  delivered",
		"there more often than there are records: 1 keys",
		"  A-2  08000000  2 rows, 1 delivered",
		"there with another amount: 1",
		"  A-3  0c000000  delivered  here 3, there 3.5 CNY",
		"there, though not delivered as far as is known here: 1; a person decides",
		"  A-4  0g000000  in doubt",
		"1 records have not ended yet; compare again when they have.",
	}
	if diff := cmp.Diff(want, r.Lines(catalogue.En)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	zh := r.Lines(catalogue.Zh)
	if len(zh) != len(want) {
		t.Errorf("%d lines in Chinese: %q", len(zh), zh)
	}
	for _, line := range zh {
		if strings.Contains(line, "<no value>") || strings.Contains(line, "reconcile.") {
			t.Errorf("line: %s", line)
		}
	}
}
