package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"holdfast/internal/backup/swap"
	"holdfast/internal/continuity"
)

func marker(id string) string              { return "holdfast_" + id }
func putAside(id, table string) string     { return marker(id) + "_" + table }
func (d *Driver) sibling(id string) string { return swap.Sibling(d.path, id) }

func (d *Driver) apart(why string) error {
	return continuity.E(continuity.CodeBackupReplace, nil, "source", d.path, "why", "tables", "who", why)
}

// inside runs a transaction that writes to the database, with what was restored beside.
func (d *Driver) inside(ctx context.Context, id string, do func(conn *sql.Conn) error) error {
	db, err := open(d.path, changed)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	restored := "file:" + (&url.URL{Path: d.sibling(id)}).EscapedPath() + "?" + untouched
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS restored", restored); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		if busy(err) {
			return d.isOpen(openers(d.path))
		}
		return err
	}
	if err := do(conn); err != nil {
		_, undone := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undone)
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

func marked(ctx context.Context, db asked, id string) (bool, error) {
	n, err := list(ctx, db, "SELECT name FROM main.sqlite_schema WHERE name = '"+marker(id)+"'")
	return len(n) > 0, err
}

func (d *Driver) tablesSwitched(ctx context.Context, id string) (bool, error) {
	db, err := open(d.path, watched)
	if err != nil {
		return false, err
	}
	defer db.Close()
	return marked(ctx, db, id)
}

// switchTables exchanges the rows of tables. Foreign keys are looked at when all is in
// place, so the tables' order does not matter; triggers are not set off.
func (d *Driver) switchTables(ctx context.Context, id string, tables []string) error {
	if _, err := swap.Switched(d.path, id); err != nil {
		return err
	}
	return d.inside(ctx, id, func(conn *sql.Conn) error {
		if done, err := marked(ctx, conn, id); err != nil || done {
			return err
		}
		before, err := orphans(ctx, conn)
		if err != nil {
			return err
		}
		if err := each(ctx, conn, "CREATE TABLE main."+quoted(marker(id))+" (name TEXT)"); err != nil {
			return err
		}
		for _, table := range tables {
			if err := d.alike(ctx, conn, table); err != nil {
				return err
			}
			if err := each(ctx, conn,
				fmt.Sprintf("CREATE TABLE main.%s AS SELECT * FROM main.%s", quoted(putAside(id, table)), quoted(table)),
				fmt.Sprintf("INSERT INTO main.%s VALUES (%s)", quoted(marker(id)), text(table))); err != nil {
				return err
			}
			if err := refill(ctx, conn, table, "restored."+quoted(table)); err != nil {
				return err
			}
		}
		after, err := orphans(ctx, conn)
		if err != nil {
			return err
		}
		if after > before {
			return d.apart(fmt.Sprintf("%d rows without what they refer to", after-before))
		}
		return nil
	})
}

// undoTables puts the rows back that were put aside.
func (d *Driver) undoTables(ctx context.Context, id string) error {
	return d.inside(ctx, id, func(conn *sql.Conn) error {
		tables, err := d.asideTables(ctx, conn, id)
		for _, table := range tables {
			if err == nil {
				err = refill(ctx, conn, table, "main."+quoted(putAside(id, table)))
			}
		}
		if err != nil {
			return err
		}
		return d.dropAside(ctx, conn, id, tables)
	})
}

func (d *Driver) dropTables(ctx context.Context, id string) error {
	return d.inside(ctx, id, func(conn *sql.Conn) error {
		tables, err := d.asideTables(ctx, conn, id)
		if err != nil {
			return err
		}
		return d.dropAside(ctx, conn, id, tables)
	})
}

// asideTables are those whose rows were put aside; none where they are in place.
func (d *Driver) asideTables(ctx context.Context, conn *sql.Conn, id string) ([]string, error) {
	if there, err := marked(ctx, conn, id); err != nil || !there {
		return nil, err
	}
	return list(ctx, conn, "SELECT name FROM main."+quoted(marker(id)))
}

func (d *Driver) dropAside(ctx context.Context, conn *sql.Conn, id string, tables []string) error {
	for _, table := range tables {
		if err := each(ctx, conn, "DROP TABLE IF EXISTS main."+quoted(putAside(id, table))); err != nil {
			return err
		}
	}
	return each(ctx, conn, "DROP TABLE IF EXISTS main."+quoted(marker(id)))
}

// alike refuses a table that is not as it was: its rows may not mean the same.
func (d *Driver) alike(ctx context.Context, conn *sql.Conn, table string) error {
	made := func(schema string) ([]string, error) {
		return list(ctx, conn, "SELECT sql FROM "+schema+".sqlite_schema WHERE type = 'table' AND name = "+text(table))
	}
	now, err := made("main")
	if err != nil {
		return err
	}
	then, err := made("restored")
	if err != nil {
		return err
	}
	if len(now) != 1 || len(then) != 1 || now[0] != then[0] {
		return d.apart(table)
	}
	return nil
}

// refill gives a table the rows of another.
func refill(ctx context.Context, conn *sql.Conn, table, from string) error {
	triggers, err := list(ctx, conn, "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = "+text(table))
	if err != nil {
		return err
	}
	made, err := list(ctx, conn, "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = "+text(table))
	if err != nil {
		return err
	}
	names, err := list(ctx, conn, "SELECT name FROM pragma_table_xinfo("+text(table)+") WHERE hidden = 0")
	if err != nil {
		return err
	}
	for i := range names {
		names[i] = quoted(names[i])
	}
	columns := strings.Join(names, ", ")
	var statements []string
	for _, trigger := range triggers {
		statements = append(statements, "DROP TRIGGER main."+quoted(trigger))
	}
	statements = append(statements, "DELETE FROM main."+quoted(table),
		fmt.Sprintf("INSERT INTO main.%s (%s) SELECT %[2]s FROM %s", quoted(table), columns, from)) // #nosec G201 -- names of tables, quoted
	return each(ctx, conn, append(statements, made...)...)
}

func orphans(ctx context.Context, conn *sql.Conn) (int, error) {
	found, err := list(ctx, conn, "SELECT \"table\" FROM pragma_foreign_key_check")
	return len(found), err
}

func each(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// text is a string in SQL.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
