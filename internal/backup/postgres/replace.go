package postgres

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

var _ backup.Replacer = (*Driver)(nil)

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,30}$`)

var errNotPrepared = errors.New("nothing is prepared under this id")

// Prepare implements backup.Replacer. The whole database becomes another one of the same
// server; single tables become tables in a schema of the same database.
func (d *Driver) Prepare(ctx context.Context, from backup.Instance, id string, tables []string, report backup.Report) error {
	if !idForm.MatchString(id) {
		return d.replacing(errNotPrepared)
	}
	if len(tables) > 0 {
		return d.replacing(d.prepareTables(ctx, from.Address(), id, tables, report))
	}
	return d.replacing(d.prepareWhole(ctx, from.Address(), id, report))
}

// Switch implements backup.Replacer.
func (d *Driver) Switch(ctx context.Context, id string) error {
	return d.replacing(d.choose(ctx, id, d.switchWhole, func() error { return d.swapTables(ctx, id, "prepared", "switched") }))
}

// Undo implements backup.Replacer. What was written since Switch goes aside with what was
// restored, and of single tables it goes.
func (d *Driver) Undo(ctx context.Context, id string) error {
	return d.replacing(d.choose(ctx, id, d.undoWhole, func() error { return d.swapTables(ctx, id, "switched", "prepared") }))
}

// Drop implements backup.Replacer.
func (d *Driver) Drop(ctx context.Context, id string) error {
	err := d.choose(ctx, id, d.dropWhole, func() error { return d.dropTables(ctx, id) })
	if errors.Is(err, errNotPrepared) {
		return nil
	}
	return d.replacing(err)
}

// choose does what is to be done for the kind of thing that is prepared under an id.
func (d *Driver) choose(ctx context.Context, id string, whole func(context.Context, *pgx.Conn, names) error, tables func() error) (err error) {
	if !idForm.MatchString(id) {
		return errNotPrepared
	}
	conn, n, err := d.admin(ctx, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	is, err := n.look(ctx, conn)
	switch {
	case err != nil:
		return err
	case is.copy || is.aside:
		return whole(ctx, conn, n)
	}
	return tables()
}

func (d *Driver) replacing(err error) error {
	switch {
	case err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errNotPrepared):
		return continuity.E(continuity.CodeBackupReplace, err, "source", named(d.DSN), "why", "prepared")
	case code(err) == "55006": // in use
		return continuity.E(continuity.CodeBackupReplace, err, "source", named(d.DSN), "why", "open")
	}
	var parts *apartError
	if errors.As(err, &parts) {
		return continuity.E(continuity.CodeBackupReplace, err, "source", named(d.DSN), "why", "tables", "who", parts.who)
	}
	return continuity.E(continuity.CodeBackupReplace, err, "source", named(d.DSN), "why", "", "cause", err.Error())
}

// apartError says that tables can't be put back without others.
type apartError struct{ who string }

func (e *apartError) Error() string { return "these can't be put back by themselves: " + e.who }

// names are those of a database, of the copy beside it, and of what was put aside.
type names struct{ own, copy, aside string }

func namesOf(database, id string) names {
	// PostgreSQL has 63 bytes for a name.
	short := database
	if most := 63 - len("__before") - len(id); len(short) > most {
		short = short[:most]
	}
	return names{database, short + "_" + id, short + "_" + id + "_before"}
}

// there is which of the databases there are.
type there struct{ own, copy, aside, open bool }

func (n names) look(ctx context.Context, conn *pgx.Conn) (t there, err error) {
	err = conn.QueryRow(ctx, `SELECT coalesce(bool_or(datname = $1), false), coalesce(bool_or(datname = $2), false),
		coalesce(bool_or(datname = $3), false), coalesce(bool_or(datname = $1 AND datallowconn), false) FROM pg_database`,
		n.own, n.copy, n.aside).Scan(&t.own, &t.copy, &t.aside, &t.open)
	return t, err
}

// admin is a session outside of the database that is to be replaced.
func (d *Driver) admin(ctx context.Context, id string) (*pgx.Conn, names, error) {
	said, err := settings(d.DSN)
	if err != nil {
		return nil, names{}, err
	}
	own := said["dbname"]
	if own == "" {
		own = said["user"]
	}
	n := namesOf(own, id)
	for _, outside := range []string{"postgres", "template1"} {
		if outside == own {
			continue
		}
		var conn *pgx.Conn
		conn, err = connectTo(ctx, d.DSN, outside)
		if err == nil || code(err) != "3D000" { // no such database
			return conn, n, err
		}
	}
	return nil, n, err
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// away is how long those who use a database are told to go.
const away = 30 * time.Second

// exchange puts one database in the place of another, which gets another name, at once,
// and nobody gets in between.
func exchange(ctx context.Context, conn *pgx.Conn, own, to, from string) error {
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+quoted(own)+" ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	rename := "BEGIN; ALTER DATABASE " + quoted(own) + " RENAME TO " + quoted(to) + "; ALTER DATABASE " + quoted(from) + " RENAME TO " +
		quoted(own) + "; ALTER DATABASE " + quoted(own) + " ALLOW_CONNECTIONS true; COMMIT"
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for begun := time.Now(); ; {
		_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1) AND pid <> pg_backend_pid()`,
			[]string{own, from})
		if err == nil {
			err = several(ctx, conn, rename)
		}
		if err == nil {
			return nil
		}
		// Whatever it was, the old one is what people get.
		ctx := context.WithoutCancel(ctx)
		if conn.IsClosed() {
			return err
		}
		back := several(ctx, conn, "ROLLBACK")
		if code(err) == "55006" && time.Since(begun) < away && back == nil {
			<-again.C
			continue
		}
		return errors.Join(err, back, several(ctx, conn, "ALTER DATABASE "+quoted(own)+" ALLOW_CONNECTIONS true"))
	}
}

func (d *Driver) switchWhole(ctx context.Context, conn *pgx.Conn, n names) error {
	is, err := n.look(ctx, conn)
	if err != nil || is.aside {
		return err
	}
	return exchange(ctx, conn, n.own, n.aside, n.copy)
}

func (d *Driver) undoWhole(ctx context.Context, conn *pgx.Conn, n names) error {
	is, err := n.look(ctx, conn)
	switch {
	case err != nil:
		return err
	case is.aside:
		return exchange(ctx, conn, n.own, n.copy, n.aside)
	case !is.open: // a switch ended in its midst
		_, err = conn.Exec(ctx, "ALTER DATABASE "+quoted(n.own)+" ALLOW_CONNECTIONS true")
	}
	return err
}

func (d *Driver) dropWhole(ctx context.Context, conn *pgx.Conn, n names) error {
	for _, name := range []string{n.copy, n.aside} {
		if err := drop(ctx, conn, name); err != nil {
			return err
		}
	}
	return nil
}

// drop removes a database that nobody is to use, if there is one.
func drop(ctx context.Context, conn *pgx.Conn, name string) error {
	_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quoted(name))
	return err
}
