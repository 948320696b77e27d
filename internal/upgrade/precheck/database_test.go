package precheck

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"holdfast/internal/mariatest"
	"holdfast/internal/pgtest"
)

func TestMain(m *testing.M) {
	os.Exit(mariatest.Main(func() int { return pgtest.Main(m) }))
}

func read(t *testing.T, kind, driver, dsn string) Database {
	t.Helper()
	f := Gather(t.Context(), Needs{}, Sources{Kind: kind, Database: func(context.Context) (*sql.DB, error) { return sql.Open(driver, dsn) }})
	return *f.Database
}

// hold opens a transaction that has been open for a while when it returns.
func hold(t *testing.T, driver, dsn, statement string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	if _, err := tx.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestPostgreSQL(t *testing.T) {
	dsn := pgtest.Database(t)
	d := read(t, "postgres", "pgx", dsn)
	if d.Unread != nil || len(ParseVersion(d.Version)) == 0 || d.Bytes < 1<<20 || d.Oldest == nil || *d.Oldest != 0 || len(d.Clients) != 0 {
		t.Fatalf("%+v", d)
	}
	pgtest.Exec(t, dsn, `CREATE TABLE orders AS SELECT n, repeat('x', 1000) FROM generate_series(1, 5000) n`)
	hold(t, "pgx", dsn+"&application_name=till", `SELECT 1`)
	after := read(t, "postgres", "pgx", dsn)
	if after.Bytes < d.Bytes+5000*1000 || after.Oldest == nil || *after.Oldest <= 0 || *after.Oldest > time.Minute ||
		!slices.Equal(after.Clients, []Client{{Program: "till", Count: 1}}) {
		t.Errorf("%+v", after)
	}

	// Whoever may see no sessions is not told that there are none.
	pgtest.Exec(t, dsn, `DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN PASSWORD 'modest'`)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("modest", "modest")
	if d := read(t, "postgres", "pgx", u.String()); d.Unread != nil || d.Oldest != nil || d.Version != after.Version {
		t.Errorf("%+v", d)
	}
	u.User = url.UserPassword("modest", "wrong-5d1")
	wrong := read(t, "postgres", "pgx", u.String())
	if wrong.Unread == nil || wrong.Version != "" || strings.Contains(wrong.Unread.Args["cause"].(string), "wrong-5d1") {
		t.Errorf("%+v", wrong)
	}
}

func TestMariaDB(t *testing.T) {
	dsn := mariatest.Database(t)
	mariatest.Exec(t, dsn, `CREATE TABLE orders (n INT, text VARCHAR(1000))`)
	d := read(t, "mysql", "mysql", dsn)
	if d.Unread != nil || len(ParseVersion(d.Version)) < 3 || d.Bytes == 0 || len(d.Clients) != 0 {
		t.Fatalf("%+v", d)
	}
	hold(t, "mysql", dsn, `INSERT INTO orders VALUES (1, 'x')`)
	// The server takes its time to forget a connection that was closed: that of the look before.
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		after := read(t, "mysql", "mysql", dsn)
		if after.Unread != nil || t.Context().Err() != nil {
			t.Fatalf("%+v", after)
		}
		count := 0
		for _, c := range after.Clients {
			count += c.Count
		}
		if count == 1 {
			return
		}
	}
}

func TestSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE orders (n INT)`); err != nil {
		t.Fatal(err)
	}
	d := read(t, "sqlite", "sqlite", file)
	if d.Unread != nil || len(ParseVersion(d.Version)) != 3 || d.Bytes < 4096 || d.Oldest != nil {
		t.Errorf("%+v", d)
	}
}

func TestADatabaseThatCannotBeOpened(t *testing.T) {
	f := Gather(t.Context(), Needs{}, Sources{Kind: "postgres", Database: func(context.Context) (*sql.DB, error) { return nil, errors.New("no secret SHOP_DSN") }})
	if f.Database.Unread == nil || f.Database.Unread.Args["cause"] != "no secret SHOP_DSN" {
		t.Errorf("%+v", f.Database)
	}
}
