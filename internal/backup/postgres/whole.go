package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
)

// prepareWhole copies a restored database to one beside the original, with its owner, its
// rights and its settings, and compares the two.
func (d *Driver) prepareWhole(ctx context.Context, from, id string, report backup.Report) (err error) {
	conn, n, err := d.admin(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	is, err := n.look(ctx, conn)
	if err != nil || is.aside { // it was prepared, and is in its place
		return err
	}
	if err := drop(ctx, conn, n.copy); err != nil { // what a crash left
		return err
	}
	restored, err := connect(ctx, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, restored)) }()
	create, then, err := likeness(ctx, restored, n.copy)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, create); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, drop(context.WithoutCancel(ctx), conn, n.copy))
		}
	}()
	if err := d.copy(ctx, from, n.copy, report); err != nil {
		return err
	}
	if err := several(ctx, conn, then); err != nil {
		return err
	}
	return d.alike(ctx, restored, n.copy, report)
}

// likeness is SQL that makes a database like the one of conn, empty, and SQL that gives
// it the same rights and settings.
func likeness(ctx context.Context, conn *pgx.Conn, name string) (create, then string, err error) {
	var version int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000`).Scan(&version); err != nil {
		return "", "", err
	}
	// With PostgreSQL 15, locales began to come from several places.
	locale := `''`
	switch {
	case version >= 17:
		locale = `CASE datlocprovider WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', datlocale)
			WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', datlocale) ELSE '' END`
	case version >= 15:
		locale = `CASE datlocprovider WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', daticulocale) ELSE '' END`
	}
	err = conn.QueryRow(ctx, `SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',
		$1::text, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype) || `+locale+`
		FROM pg_database WHERE datname = current_database()`, name).Scan(&create)
	if err != nil {
		return "", "", err
	}
	// Of settings that are lists, the value as it is kept is quoted already.
	err = conn.QueryRow(ctx, `SELECT
		coalesce((SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC; ', $1::text) || string_agg(format('GRANT %s ON DATABASE %I TO %s%s; ',
			a.privilege_type, $1::text, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
			CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '') FROM aclexplode(d.datacl) a), '')
		|| coalesce((SELECT string_agg(format('ALTER %s %I SET %I TO %s; ',
			CASE s.setrole WHEN 0 THEN 'DATABASE' ELSE format('ROLE %I IN DATABASE', pg_get_userbyid(s.setrole)) END, $1::text, split_part(c, '=', 1),
			CASE WHEN lower(split_part(c, '=', 1)) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
				THEN substr(c, strpos(c, '=') + 1) ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END), '')
			FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid), '')
		FROM pg_database d WHERE datname = current_database()`, name).Scan(&then)
	return create, then, err
}

// copy has pg_dump and pg_restore copy what is in a database into an empty one of the
// original server.
func (d *Driver) copy(ctx context.Context, from, to string, report backup.Report) (err error) {
	var major int
	restored, err := connect(ctx, from)
	if err != nil {
		return err
	}
	var size int64
	err = restored.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000, pg_database_size(current_database())`).Scan(&major, &size)
	if err = errors.Join(err, closing(ctx, restored)); err != nil {
		return err
	}
	out, err := environment(from)
	if err != nil {
		return err
	}
	in, err := environment(d.DSN)
	if err != nil {
		return err
	}
	dump, err1 := program(major, "pg_dump")
	put, err2 := program(major, "pg_restore")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Subscriptions would keep the copy from ever being dropped, and are not of the data.
	reader := command(ctx, dump, "--format=custom", "--compress=0", "--no-subscriptions", "--no-password")
	reader.Env, reader.Stdout = out, &counter{w: write, told: func(done int64) { tell(report, "restore", done, max(size, done)) }}
	writer := command(ctx, put, "--dbname="+to, "--exit-on-error", "--no-password")
	writer.Env = append(slices.DeleteFunc(in, func(v string) bool { return strings.HasPrefix(v, "PGDATABASE=") }), "PGDATABASE="+to)
	writer.Stdin = read
	w, err := child.Start(writer)
	if err != nil {
		return errors.Join(err, read.Close(), write.Close())
	}
	err = read.Close() // the child has it
	_, err3 := child.Run(reader)
	if err3 != nil {
		cancel() // or half of it would seem to be all
	}
	err = errors.Join(err, err3, write.Close())
	if failed := w.Wait(); failed != nil {
		// Of which the reader only knows that nobody listens. What the server answered in
		// more lines has rows in it.
		if said := answerForm.FindString(w.Said()); said != "" && !errors.Is(failed, syscall.ENOSPC) {
			return errors.New(said)
		}
		return failed
	}
	return err
}

var answerForm = regexp.MustCompile(`(?m)^pg_restore: error: .*$`)

// alike says that a copy has what it is the copy of.
func (d *Driver) alike(ctx context.Context, restored *pgx.Conn, name string, report backup.Report) (err error) {
	conn, err := connectTo(ctx, d.DSN, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	var both [2][]backup.Figure
	for i, c := range []*pgx.Conn{restored, conn} {
		tables, err := counted(ctx, c)
		if err != nil {
			return err
		}
		if both[i], err = measure(ctx, c, tables, nil, report); err != nil {
			return err
		}
	}
	for _, f := range both[0] {
		if !slices.Contains(both[1], f) {
			return fmt.Errorf("the copy is not what was restored: %s of %s is not %s", f.Measure, f.Of, f.Value)
		}
	}
	if len(both[0]) != len(both[1]) {
		return errors.New("the copy has more than what was restored")
	}
	return nil
}
