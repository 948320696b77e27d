package customers

import (
	"context"
	"database/sql"
	"net/url"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"
)

// Database is the shop's own, which the demo reads beside the shop.
type Database struct {
	File string // SQLite
	DSN  string // PostgreSQL, if not empty
}

func (d Database) open() (*sql.DB, error) {
	if d.DSN != "" {
		return sql.Open("pgx", d.DSN)
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: d.File}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
}

// Read returns everything of one run, in one transaction.
func (d Database) Read(ctx context.Context, run string) (Books, error) {
	b := Books{Orders: map[string]Order{}}
	db, err := d.open()
	if err != nil {
		return b, err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: d.isolation()})
	if err != nil {
		return b, err
	}
	defer tx.Rollback() // read only
	// Both databases take $1, and so do both drivers where it is the only one.
	like := run + "-%"
	rows, err := tx.QueryContext(ctx, `SELECT order_no, order_seq, kind, qty, total, ref FROM events
		WHERE order_no LIKE $1 ORDER BY order_no, order_seq`, like)
	if err != nil {
		return b, err
	}
	defer rows.Close()
	for rows.Next() {
		var e Event
		if err := rows.Scan(&e.Order, &e.Seq, &e.Kind, &e.Qty, &e.Total, &e.Ref); err != nil {
			return b, err
		}
		b.Events = append(b.Events, e)
	}
	if err := rows.Err(); err != nil {
		return b, err
	}
	// As they are booked, whatever release keeps them.
	orders, err := tx.QueryContext(ctx, `SELECT order_no, qty, minor, state FROM booked_orders WHERE order_no LIKE $1`, like)
	if err != nil {
		return b, err
	}
	defer orders.Close()
	for orders.Next() {
		var (
			no    string
			minor int64
			o     Order
		)
		if err := orders.Scan(&no, &o.Qty, &minor, &o.State); err != nil {
			return b, err
		}
		o.Total = decimal(minor)
		b.Orders[no] = o
	}
	return b, orders.Err()
}

func (d Database) isolation() sql.IsolationLevel {
	if d.DSN != "" {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault // SQLite reads one snapshot anyway
}

// Driver is what the relay's configuration says, for its own reconciliation.
func (d Database) Driver() (driver, dsn string) {
	if d.DSN != "" {
		return "postgres", d.DSN
	}
	return "sqlite", d.File
}
