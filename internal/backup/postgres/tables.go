package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
)

// part is a table that is put back by itself.
type part struct {
	table
	columns string // that have values of their own, quoted
	types   string
}

func schemaOf(id string) string { return quoted("holdfast_" + id) }

// fresh and before are the tables with the rows to come, and with those that were there.
func fresh(id string, i int) string  { return fmt.Sprintf("%s.fresh_%d", schemaOf(id), i) }
func before(id string, i int) string { return fmt.Sprintf("%s.before_%d", schemaOf(id), i) }

// prepareTables copies single tables into a schema beside them, in one transaction.
func (d *Driver) prepareTables(ctx context.Context, from, id string, tables []string, report backup.Report) (err error) {
	conn, err := connect(ctx, d.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	restored, err := connect(ctx, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, restored)) }()
	if stage, err := stageOf(ctx, conn, id); err != nil || stage == "switched" {
		return err
	}
	parts, err := find(ctx, restored, tables)
	if err != nil {
		return err
	}
	own, err := find(ctx, conn, tables)
	if err != nil {
		return err
	}
	for i, p := range parts {
		if own[i].String() != p.String() || own[i].columns != p.columns || own[i].types != p.types {
			return fmt.Errorf("table %s has other columns now than it had then", p)
		}
	}
	if parts, err = inOrder(ctx, restored, parts); err != nil {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // fails once it was committed
	begin := "DROP SCHEMA IF EXISTS " + schemaOf(id) + " CASCADE; CREATE SCHEMA " + schemaOf(id) + "; CREATE TABLE " + schemaOf(id) +
		".state (stage text); INSERT INTO " + schemaOf(id) + ".state VALUES ('prepared'); CREATE TABLE " + schemaOf(id) +
		".parts (number int, space text, name text, columns text)"
	if err := several(ctx, conn, begin); err != nil {
		return err
	}
	for i, p := range parts {
		if err := several(ctx, conn, "CREATE TABLE "+fresh(id, i)+" AS SELECT "+p.columns+" FROM ONLY "+p.quoted()+" WITH NO DATA"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+schemaOf(id)+".parts VALUES ($1, $2, $3, $4)", i, p.Schema, p.Name, p.columns); err != nil {
			return err
		}
		tell(report, "restore", int64(i), int64(len(parts)))
		if err := stream(ctx, restored, "COPY (SELECT "+p.columns+" FROM ONLY "+p.quoted()+") TO STDOUT (FORMAT binary)",
			conn, "COPY "+fresh(id, i)+" ("+p.columns+") FROM STDIN (FORMAT binary)"); err != nil {
			return fmt.Errorf("copying %s: %w", p, err)
		}
	}
	return tx.Commit(ctx)
}

// stream copies rows from one server to another.
func stream(ctx context.Context, from *pgx.Conn, out string, to *pgx.Conn, in string) error {
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := from.PgConn().CopyTo(ctx, write, out)
		ended <- errors.Join(err, write.CloseWithError(err))
	}()
	_, err := to.PgConn().CopyFrom(ctx, read, in)
	return errors.Join(err, read.CloseWithError(err), <-ended)
}

// find looks up tables by the names that people gave them.
func find(ctx context.Context, conn *pgx.Conn, tables []string) (parts []part, err error) {
	for _, name := range tables {
		var p part
		var kind string
		var family bool
		err := conn.QueryRow(ctx, `SELECT n.nspname::text, c.relname::text, c.relkind::text,
				EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)),
				string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname), string_agg(format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attname)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
			WHERE c.oid = to_regclass($1) GROUP BY 1, 2, 3, 4`, name).Scan(&p.Schema, &p.Name, &kind, &family, &p.columns, &p.types)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil, fmt.Errorf("there is no table %s", name)
		case err != nil:
			return nil, err
		case kind != "r" || family:
			return nil, &apartError{name}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// inOrder puts those before others that these refer to.
func inOrder(ctx context.Context, conn *pgx.Conn, parts []part) ([]part, error) {
	keys, err := references(ctx, conn)
	if err != nil {
		return nil, err
	}
	var ordered []part
	var visit func(p part, above []string)
	visit = func(p part, above []string) {
		if slices.ContainsFunc(ordered, func(q part) bool { return q.String() == p.String() }) || slices.Contains(above, p.String()) {
			return
		}
		for _, k := range keys {
			if k.From.String() != p.String() {
				continue
			}
			for _, q := range parts {
				if k.To.String() == q.String() {
					visit(q, append(above, p.String()))
				}
			}
		}
		if !slices.ContainsFunc(ordered, func(q part) bool { return q.String() == p.String() }) {
			ordered = append(ordered, p)
		}
	}
	for _, p := range parts {
		visit(p, nil)
	}
	return ordered, nil
}

// stageOf is how far an id got; empty: there is nothing.
func stageOf(ctx context.Context, conn *pgx.Conn, id string) (stage string, err error) {
	var is bool
	err = conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, schemaOf(id)+".state").Scan(&is)
	if err != nil || !is {
		return "", err
	}
	err = conn.QueryRow(ctx, "SELECT stage FROM "+schemaOf(id)+".state FOR UPDATE").Scan(&stage)
	return stage, err
}

// swapTables exchanges the rows of single tables for those beside them, in one
// transaction, and keeps theirs. Whatever refers to the tables stays as it is, and has to
// find what it refers to.
func (d *Driver) swapTables(ctx context.Context, id, from, to string) (err error) {
	conn, err := connect(ctx, d.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // fails once it was committed
	stage, err := stageOf(ctx, conn, id)
	switch {
	case err != nil:
		return err
	case stage == "":
		return errNotPrepared
	case stage != from:
		return nil // done
	}
	rows, err := tx.Query(ctx, "SELECT space, name, columns FROM "+schemaOf(id)+".parts ORDER BY number")
	if err != nil {
		return err
	}
	parts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p part, err error) {
		return p, row.Scan(&p.Schema, &p.Name, &p.columns)
	})
	if err != nil {
		return err
	}
	if err := exchangeRows(ctx, conn, id, parts, to == "switched"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE "+schemaOf(id)+".state SET stage = $1", to); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// exchangeRows does so within a transaction.
func exchangeRows(ctx context.Context, conn *pgx.Conn, id string, parts []part, forward bool) error {
	keys, err := touching(ctx, conn, parts)
	if err != nil {
		return err
	}
	lock := map[string]bool{}
	for _, p := range parts {
		lock[p.quoted()] = true
	}
	for _, k := range keys {
		lock[k.From.quoted()], lock[k.To.quoted()] = true, true
	}
	var locked []string
	for name := range lock {
		locked = append(locked, name)
	}
	slices.Sort(locked)
	// Readers go on; writers wait.
	if err := several(ctx, conn, "SET LOCAL lock_timeout = '30s'; LOCK TABLE "+strings.Join(locked, ", ")+
		" IN SHARE ROW EXCLUSIVE MODE; SET LOCAL session_replication_role = replica"); err != nil {
		return err
	}
	was, err := strays(ctx, conn, keys)
	if err != nil {
		return err
	}
	for i, p := range slices.Backward(parts) { // children first
		keep := "DELETE FROM ONLY " + p.quoted()
		if forward {
			keep = "DROP TABLE IF EXISTS " + before(id, i) + "; CREATE TABLE " + before(id, i) + " AS SELECT " + p.columns + " FROM ONLY " + p.quoted() + "; " + keep
		}
		if err := several(ctx, conn, keep); err != nil {
			return err
		}
	}
	for i, p := range parts {
		source := fresh(id, i)
		if !forward {
			source = before(id, i)
		}
		if err := several(ctx, conn, "INSERT INTO "+p.quoted()+" ("+p.columns+") OVERRIDING SYSTEM VALUE SELECT "+p.columns+" FROM "+source); err != nil {
			return err
		}
	}
	is, err := strays(ctx, conn, keys)
	if err != nil {
		return err
	}
	var broken []string
	for name, count := range is {
		if count > was[name] {
			broken = append(broken, fmt.Sprintf("%s: %d rows", name, count-was[name]))
		}
	}
	if len(broken) > 0 {
		slices.Sort(broken)
		return &apartError{strings.Join(broken, ", ")}
	}
	return nil
}

// touching are the foreign keys from and to tables.
func touching(ctx context.Context, conn *pgx.Conn, parts []part) ([]reference, error) {
	keys, err := references(ctx, conn)
	return slices.DeleteFunc(keys, func(k reference) bool {
		return !slices.ContainsFunc(parts, func(p part) bool { return p.String() == k.From.String() || p.String() == k.To.String() })
	}), err
}

func strays(ctx context.Context, conn *pgx.Conn, keys []reference) (map[string]int, error) {
	found := map[string]int{}
	for _, k := range keys {
		var count int
		if err := conn.QueryRow(ctx, "SELECT ("+k.strays()+")::int").Scan(&count); err != nil {
			return nil, err
		}
		found[k.Name] = count
	}
	return found, nil
}

func (d *Driver) dropTables(ctx context.Context, id string) (err error) {
	conn, err := connect(ctx, d.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	return several(ctx, conn, "DROP SCHEMA IF EXISTS "+schemaOf(id)+" CASCADE")
}
