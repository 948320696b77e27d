package shop

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // driver "sqlite"
)

// dialect is where the two databases differ.
type dialect struct {
	autoID    string
	forUpdate string
	numbered  bool // $1 instead of ?
}

var (
	sqliteDialect   = dialect{autoID: "INTEGER PRIMARY KEY AUTOINCREMENT"}
	postgresDialect = dialect{autoID: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", forUpdate: " FOR UPDATE", numbered: true}
)

// bind writes a query with ? as the database wants it.
func (d dialect) bind(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range query {
		if c == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

func (d dialect) schema() []string {
	return []string{
		`CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, name TEXT NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS goods (sku TEXT PRIMARY KEY, name TEXT NOT NULL, price TEXT NOT NULL,
			stock BIGINT NOT NULL CHECK (stock >= 0))`,
		`CREATE TABLE IF NOT EXISTS orders (order_no TEXT PRIMARY KEY, customer TEXT NOT NULL, sku TEXT NOT NULL,
			qty BIGINT NOT NULL, total TEXT NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL,
			version BIGINT NOT NULL, created TEXT NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS events (seq ` + d.autoID + `, order_no TEXT NOT NULL, order_seq BIGINT NOT NULL,
			kind TEXT NOT NULL, qty BIGINT NOT NULL, total TEXT NOT NULL, currency TEXT NOT NULL,
			idempotency_key TEXT NOT NULL, ref TEXT NOT NULL, received_ms BIGINT NOT NULL,
			UNIQUE (order_no, order_seq))`,
		`CREATE TABLE IF NOT EXISTS idempotency (idempotency_key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL,
			status BIGINT NOT NULL, body TEXT NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS shop_schema (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), version BIGINT NOT NULL, release TEXT NOT NULL)`,
	}
}

// snapshot is how everything is read as it is at one moment.
func (d dialect) snapshot() *sql.TxOptions {
	if d.numbered {
		return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return &sql.TxOptions{ReadOnly: true}
}

// openDatabase opens the shop's database as it is.
func openDatabase(o options) (_ *store, err error) {
	s := &store{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.release, err = findRelease(cmp.Or(o.release, releases[0].name)); err != nil {
		return nil, err
	}
	if o.dsn != "" {
		s.dialect = postgresDialect
		config, err := pgx.ParseConfig(o.dsn)
		if err != nil {
			return nil, err
		}
		config.RuntimeParams["application_name"] = "shop " + s.release.name // its connections tell which release they are of
		s.write = stdlib.OpenDB(*config)
		s.write.SetMaxOpenConns(16)
		s.write.SetMaxIdleConns(16)
		s.read = s.write
		return s, nil
	}
	s.dialect = sqliteDialect
	// synchronous(FULL): the answer follows the disk, also in WAL mode.
	file := "file:" + (&url.URL{Path: o.db}).EscapedPath() +
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate"
	if s.write, err = sql.Open("sqlite", file); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1) // SQLite has one writer; waiting here is cheaper than there
	if s.read, err = sql.Open("sqlite", file); err != nil {
		return nil, err
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(4)
	return s, nil
}

// openStore opens the shop's database for a release to run on, or creates it. A schema
// that is another release's is refused.
func openStore(ctx context.Context, o options) (_ *store, err error) {
	s, err := openDatabase(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	isNew, err := s.create(ctx, o)
	if err != nil {
		return nil, err
	}
	if isNew {
		if _, err := s.migrate(ctx, up); err != nil {
			return nil, err
		}
	}
	m, err := s.standing(ctx, s.read)
	if err != nil {
		return nil, err
	}
	if !m.Fits {
		return nil, s.misfit(m)
	}
	return s, s.prepare(ctx)
}

// create makes the tables of schema 1 where they are not and, in a new shop, its
// customers and goods.
func (s *store) create(ctx context.Context, o options) (isNew bool, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // a no-op after Commit
	for _, statement := range s.dialect.schema() {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return false, err
		}
	}
	marked, err := tx.ExecContext(ctx, `INSERT INTO shop_schema (only_row, version, release) VALUES (1, 1, 'v1') ON CONFLICT DO NOTHING`)
	if err != nil {
		return false, err
	}
	if first, err := marked.RowsAffected(); err != nil {
		return false, err
	} else if first == 1 {
		if _, err := tx.ExecContext(ctx, bookedText); err != nil {
			return false, err
		}
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM goods`).Scan(&n); err != nil {
		return false, err
	}
	if n > 0 {
		return false, tx.Commit()
	}
	for i := 1; i <= o.customers; i++ {
		if _, err := tx.ExecContext(ctx, s.dialect.bind(`INSERT INTO customers (id, name) VALUES (?, ?)`),
			fmt.Sprintf("c%03d", i), fmt.Sprintf("Customer %d", i)); err != nil {
			return false, err
		}
	}
	for i := 1; i <= o.goods; i++ {
		if _, err := tx.ExecContext(ctx, s.dialect.bind(`INSERT INTO goods (sku, name, price, stock) VALUES (?, ?, ?, ?)`),
			fmt.Sprintf("sku-%04d", i), fmt.Sprintf("Article %d", i), fmt.Sprintf("%d.%02d", 1+i*7%300, i*13%100), 1_000_000); err != nil {
			return false, err
		}
	}
	return true, tx.Commit()
}
