package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"holdfast/internal/backup"
	"holdfast/internal/backup/tally"
)

// asked is a database, or one connection to it.
type asked interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// measure takes the figures of tables and queries; thoroughly, also whether the database
// is whole.
func measure(ctx context.Context, db asked, queries []backup.Query, report backup.Report, thoroughly bool) ([]backup.Figure, error) {
	tables, err := list(ctx, db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
	if err != nil {
		return nil, err
	}
	var all []backup.Figure
	for _, table := range tables {
		total, err := tally.Rows(ctx, db, "SELECT * FROM "+quoted(table))
		if err != nil {
			return nil, err
		}
		all = append(all, backup.Figure{Of: table, Measure: "rows", Value: total.Count()}, backup.Figure{Of: table, Measure: "hash", Value: total.Hash()})
		if report != nil {
			report(backup.Progress{Phase: "figures"})
		}
	}
	orphans, err := list(ctx, db, "SELECT \"table\" || ' ' || fkid FROM pragma_foreign_key_check")
	if err != nil {
		return nil, err
	}
	all = append(all, backup.Figure{Of: "database", Measure: "orphans", Value: strconv.Itoa(len(orphans))})
	if thoroughly {
		found, err := list(ctx, db, "SELECT integrity_check FROM pragma_integrity_check LIMIT 3")
		if err != nil {
			return nil, err
		}
		all = append(all, backup.Figure{Of: "database", Measure: "integrity", Value: fmt.Sprint(found)})
	}
	for _, q := range queries {
		value, err := only(ctx, db, q.SQL)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", q.ID, err)
		}
		all = append(all, backup.Figure{Of: q.ID, Measure: "result", Value: value})
	}
	return all, nil
}

// list returns the only column of all rows.
func list(ctx context.Context, db asked, query string) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s.String)
	}
	return all, rows.Err()
}

var errOnly = errors.New("it gives not one value")

func only(ctx context.Context, db asked, query string) (string, error) {
	values, err := list(ctx, db, query)
	if err == nil && len(values) != 1 {
		err = errOnly
	}
	if err != nil {
		return "", err
	}
	return values[0], nil
}
