package tally

import (
	"context"
	"database/sql"
)

// Asked is what can be asked: a database, a connection, a transaction.
type Asked interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Rows counts what a query answers.
func Rows(ctx context.Context, db Asked, query string) (total Total, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return total, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return total, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return total, err
		}
		total.AddRow(values)
	}
	return total, rows.Err()
}
