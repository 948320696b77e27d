package main

import (
	"context"
	"database/sql"
	"net/url"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"
)

// database is the shop's own, which the demo reads beside the shop.
type database struct {
	file string // SQLite
	dsn  string // PostgreSQL, if not empty
}

func (d database) open() (*sql.DB, error) {
	if d.dsn != "" {
		return sql.Open("pgx", d.dsn)
	}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: d.file}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
}

// read returns everything of one run, in one transaction.
func (d database) read(ctx context.Context, run string) (books, error) {
	b := books{Orders: map[string]shopOrder{}}
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
		var e event
		if err := rows.Scan(&e.Order, &e.Seq, &e.Kind, &e.Qty, &e.Total, &e.Ref); err != nil {
			return b, err
		}
		b.Events = append(b.Events, e)
	}
	if err := rows.Err(); err != nil {
		return b, err
	}
	orders, err := tx.QueryContext(ctx, `SELECT order_no, qty, total, state FROM orders WHERE order_no LIKE $1`, like)
	if err != nil {
		return b, err
	}
	defer orders.Close()
	for orders.Next() {
		var (
			no string
			o  shopOrder
		)
		if err := orders.Scan(&no, &o.Qty, &o.Total, &o.State); err != nil {
			return b, err
		}
		b.Orders[no] = o
	}
	return b, orders.Err()
}

func (d database) isolation() sql.IsolationLevel {
	if d.dsn != "" {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault // SQLite reads one snapshot anyway
}

// driver is what the relay's configuration says, for its own reconciliation.
func (d database) driver() (driver, dsn string) {
	if d.dsn != "" {
		return "postgres", d.dsn
	}
	return "sqlite", d.file
}
