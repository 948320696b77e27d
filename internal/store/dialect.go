package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// dialect is all in which the two databases' SQL differs.
type dialect bool

const (
	sqlite   dialect = false
	postgres dialect = true
)

// query makes the one text of a query the database's own: PostgreSQL numbers its
// placeholders, and SQLite has one writer and so no rows to skip.
func (d dialect) query(text string) string {
	if d == sqlite {
		return strings.ReplaceAll(text, "FOR UPDATE SKIP LOCKED", "")
	}
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}

// schema does so for a migration: PostgreSQL would sort text by the database's
// language, and pages go by bytes.
func (d dialect) schema(text string) string {
	if d == sqlite {
		return text
	}
	return strings.ReplaceAll(text, " TEXT", ` TEXT COLLATE "C"`)
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// conn speaks to either database in the one text.
type conn struct {
	q querier
	d dialect
}

func (c conn) exec(ctx context.Context, text string, args ...any) (int64, error) {
	r, err := c.q.ExecContext(ctx, c.d.query(text), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (c conn) row(ctx context.Context, text string, args ...any) *sql.Row {
	return c.q.QueryRowContext(ctx, c.d.query(text), args...)
}

// each calls visit for each row; scan reads the row's columns.
func (c conn) each(ctx context.Context, visit func(scan func(...any) error) error, text string, args ...any) error {
	rows, err := c.q.QueryContext(ctx, c.d.query(text), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := visit(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
