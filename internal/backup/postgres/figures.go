package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
)

// table is one whose rows are counted.
type table struct {
	Schema, Name string
	Size         int64
	View         bool // a materialized one, which nobody can lock by name
}

func (t table) quoted() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }
func (t table) String() string { return t.Schema + "." + t.Name }

// counted are all tables with rows of their own that the log brings back: not unlogged
// ones, and of large objects only where there are any.
func counted(ctx context.Context, conn *pgx.Conn) ([]table, error) {
	rows, err := conn.Query(ctx, `SELECT n.nspname::text, c.relname::text, pg_relation_size(c.oid), c.relkind = 'm'
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relpersistence = 'p' AND (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated)
			AND (n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
				OR c.oid = 'pg_catalog.pg_largeobject'::regclass AND EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata))
		ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[table])
}

// measure takes the figures of everything that one snapshot shows.
func measure(ctx context.Context, conn *pgx.Conn, tables []table, queries []backup.Query, report backup.Report) ([]backup.Figure, error) {
	var all, done int64
	for _, t := range tables {
		all += t.Size
	}
	figures := []backup.Figure{{Of: "database", Measure: backup.MeasureTables, Value: strconv.Itoa(len(tables))}}
	for _, t := range tables {
		var rows, hash string
		err := conn.QueryRow(ctx, `SELECT count(*)::text, coalesce(sum(hashtextextended((x.*)::text COLLATE "C", 0)), 0)::text FROM ONLY `+
			t.quoted()+` x`).Scan(&rows, &hash)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", t, err)
		}
		figures = append(figures, backup.Figure{Of: t.String(), Measure: "rows", Value: rows},
			backup.Figure{Of: t.String(), Measure: "hash", Value: hash})
		done += t.Size
		tell(report, "figures", done, all)
	}
	orphans, err := orphans(ctx, conn)
	if err != nil {
		return nil, err
	}
	figures = append(figures, orphans...)
	for _, q := range queries {
		value, err := answer(ctx, conn, q.SQL)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", q.ID, err)
		}
		figures = append(figures, backup.Figure{Of: q.ID, Measure: "result", Value: value})
	}
	return figures, nil
}

// reference is a foreign key.
type reference struct {
	Name             string // with its table's
	From, To         table
	Columns, Targets []string
	Operators        []string
}

// references are the foreign keys of a database; those of partitions go with their whole.
func references(ctx context.Context, conn *pgx.Conn) ([]reference, error) {
	rows, err := conn.Query(ctx, `SELECT k.conname::text, n.nspname::text, c.relname::text, fn.nspname::text, f.relname::text,
		(SELECT array_agg(a.attname::text ORDER BY u.i) FROM unnest(k.conkey) WITH ORDINALITY u(n, i)
			JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
		(SELECT array_agg(a.attname::text ORDER BY u.i) FROM unnest(k.confkey) WITH ORDINALITY u(n, i)
			JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n),
		(SELECT array_agg(quote_ident(s.nspname) || '.' || o.oprname ORDER BY u.i) FROM unnest(k.conpfeqop) WITH ORDINALITY u(n, i)
			JOIN pg_catalog.pg_operator o ON o.oid = u.n JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace)
		FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_class f ON f.oid = k.confrelid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
		WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relpersistence = 'p' ORDER BY 2, 3, 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r reference, err error) {
		err = row.Scan(&r.Name, &r.From.Schema, &r.From.Name, &r.To.Schema, &r.To.Name, &r.Columns, &r.Targets, &r.Operators)
		r.Name = r.From.String() + "." + r.Name
		return r, err
	})
}

// strays is SQL that counts rows whose foreign key leads nowhere.
func (r reference) strays() string {
	var given, meets []string
	for i, column := range r.Columns {
		own, other := "c."+pgx.Identifier{column}.Sanitize(), "p."+pgx.Identifier{r.Targets[i]}.Sanitize()
		given = append(given, own+" IS NOT NULL")
		meets = append(meets, other+" OPERATOR("+r.Operators[i]+") "+own)
	}
	return "SELECT count(*)::text FROM " + r.From.quoted() + " c WHERE " + strings.Join(given, " AND ") +
		" AND NOT EXISTS (SELECT FROM " + r.To.quoted() + " p WHERE " + strings.Join(meets, " AND ") + ")"
}

func orphans(ctx context.Context, conn *pgx.Conn) ([]backup.Figure, error) {
	keys, err := references(ctx, conn)
	if err != nil {
		return nil, err
	}
	var figures []backup.Figure
	for _, r := range keys {
		var count string
		if err := conn.QueryRow(ctx, r.strays()).Scan(&count); err != nil {
			return nil, fmt.Errorf("foreign key %s: %w", r.Name, err)
		}
		figures = append(figures, backup.Figure{Of: r.Name, Measure: "orphans", Value: count})
	}
	return figures, nil
}

// answer is what a query of a plan says: its only value, or a hash of all its rows.
func answer(ctx context.Context, conn *pgx.Conn, sql string) (string, error) {
	result := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil)
	hash := sha256.New()
	out := csv.NewWriter(hash)
	var only string
	values := 0
	for result.NextRow() {
		var row []string
		for _, v := range result.Values() {
			only = string(v)
			if values++; v == nil {
				row = append(row, "null")
			} else {
				row = append(row, "="+only)
			}
		}
		if err := out.Write(row); err != nil {
			return "", err
		}
	}
	if _, err := result.Close(); err != nil {
		return "", err
	}
	out.Flush()
	if values == 1 {
		return only, out.Error()
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), out.Error()
}

func tell(report backup.Report, phase string, done, total int64) {
	if report != nil {
		report(backup.Progress{Phase: phase, Done: done, Total: total})
	}
}
