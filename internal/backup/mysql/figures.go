package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"holdfast/internal/backup"
	"holdfast/internal/backup/tally"
)

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// measure takes the figures of all tables of the connection's database.
func measure(ctx context.Context, db asked, queries []backup.Query, report backup.Report) ([]backup.Figure, error) {
	tables, err := list(ctx, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY table_name")
	if err != nil {
		return nil, err
	}
	all := []backup.Figure{{Of: "database", Measure: backup.MeasureTables, Value: strconv.Itoa(len(tables))}}
	for _, row := range tables {
		total, err := tally.Rows(ctx, db, "SELECT * FROM "+quoted(row[0]))
		if err != nil {
			return nil, err
		}
		all = append(all, backup.Figure{Of: row[0], Measure: "rows", Value: total.Count()}, backup.Figure{Of: row[0], Measure: "hash", Value: total.Hash()})
		if report != nil {
			report(backup.Progress{Phase: "figures"})
		}
	}
	orphans, err := orphans(ctx, db, "table_schema = DATABASE()")
	if err != nil {
		return nil, err
	}
	all = append(all, orphans...)
	for _, q := range queries {
		rows, err := list(ctx, db, q.SQL)
		if err == nil && (len(rows) != 1 || len(rows[0]) != 1) {
			err = errors.New("it gives not one value")
		}
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", q.ID, err)
		}
		all = append(all, backup.Figure{Of: q.ID, Measure: "result", Value: rows[0][0]})
	}
	return all, nil
}

// orphans counts, for each foreign key of those that a condition chooses, the rows
// without what they refer to.
func orphans(ctx context.Context, db asked, which string) ([]backup.Figure, error) {
	keys, err := list(ctx, db, `SELECT table_name, constraint_name, referenced_table_schema, referenced_table_name, column_name, referenced_column_name, table_schema
		FROM information_schema.key_column_usage WHERE `+which+` AND referenced_table_name IS NOT NULL
		ORDER BY table_schema, table_name, constraint_name, ordinal_position`)
	if err != nil {
		return nil, err
	}
	var all []backup.Figure
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n][0] == keys[0][0] && keys[n][1] == keys[0][1] && keys[n][6] == keys[0][6] {
			n++
		}
		var same, there []string
		for _, k := range keys[:n] {
			same = append(same, fmt.Sprintf("p.%s = c.%s", quoted(k[5]), quoted(k[4])))
			there = append(there, "c."+quoted(k[4])+" IS NOT NULL")
		}
		k := keys[0]
		found, err := list(ctx, db, fmt.Sprintf("SELECT COUNT(*) FROM %s.%s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s.%s p WHERE %s)", // #nosec G201 -- names, quoted
			quoted(k[6]), quoted(k[0]), strings.Join(there, " AND "), quoted(k[2]), quoted(k[3]), strings.Join(same, " AND ")))
		if err != nil {
			return nil, err
		}
		all = append(all, backup.Figure{Of: k[0] + "." + k[1], Measure: "orphans", Value: found[0][0]})
		keys = keys[n:]
	}
	return all, nil
}

func list(ctx context.Context, db asked, query string) (all [][]string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i := range values {
			row[i] = values[i].String
		}
		all = append(all, row)
	}
	return all, rows.Err()
}
