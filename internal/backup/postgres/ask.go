package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"holdfast/internal/backup"
)

// reader is a role of a restored server that may read the data, and nothing else. Each
// server has one of its own, whose name no role of the source has.
type reader struct {
	mu   sync.Mutex
	name string // empty: there is none yet
}

// harmless are extensions whose functions in C touch nothing but what they are given. Those
// of all others are closed to the reader: some read files or reach other servers.
const harmless = `'citext', 'hstore', 'pg_trgm', 'uuid-ossp', 'pgcrypto', 'unaccent', 'ltree', 'intarray', 'btree_gin', 'btree_gist',
	'cube', 'earthdistance', 'fuzzystrmatch', 'isn', 'seg', 'tablefunc'`

// rights is SQL that says how the reader gets them. It is no member of pg_read_all_data,
// which sees hashes of passwords in the catalogue. Functions that act with their owner's
// rights, or in a language that may do anything, are closed to it; and what foreign tables
// are read with is taken away, so that nobody reads other servers by the copy.
const rights = `
	SELECT format('GRANT CONNECT ON DATABASE %%I TO %[1]s', current_database())
	UNION ALL SELECT format(say, nspname) FROM pg_namespace, unnest(ARRAY['GRANT USAGE ON SCHEMA %%I TO %[1]s',
			'GRANT SELECT ON ALL TABLES IN SCHEMA %%I TO %[1]s', 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA %%I TO %[1]s']) say
		WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
	UNION ALL SELECT format('REVOKE ALL ON ROUTINE %%I.%%I(%%s) FROM PUBLIC', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
		WHERE p.oid >= 16384 AND (p.prosecdef OR NOT l.lanpltrusted AND NOT EXISTS (
			SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
				AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname IN (` + harmless + `)))
	UNION ALL SELECT format('ALTER FOREIGN DATA WRAPPER %%I NO HANDLER', fdwname) FROM pg_foreign_data_wrapper`

// role is the reader's name; it is made when it is first needed.
func (i *instance) role(ctx context.Context) (string, error) {
	r := &i.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.name != "" {
		return r.name, nil
	}
	name := "holdfast_look_up_" + strings.ToLower(rand.Text()[:10])
	conn, err := connect(ctx, i.server.dsn(i.server.note.Database, i.server.note.First))
	if err != nil {
		return "", err
	}
	defer func() { _ = closing(ctx, conn) }() // it has done its work or failed
	// Neither triggers of the data nor what it puts into the search path have a part in it.
	begin := `SET session_replication_role = replica; SET search_path = pg_catalog; BEGIN READ WRITE;
		CREATE ROLE ` + name + ` LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT BYPASSRLS;
		ALTER ROLE ` + name + ` SET default_transaction_read_only = on;
		ALTER ROLE ` + name + ` SET session_replication_role = replica;
		ALTER ROLE ` + name + ` SET temp_file_limit = '256MB'`
	if err := several(ctx, conn, begin); err != nil {
		return "", err
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(rights, name))
	if err != nil {
		return "", err
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err == nil {
		err = several(ctx, conn, strings.Join(append(statements, "COMMIT"), ";\n"))
	}
	if err != nil {
		return "", err
	}
	r.name = name
	return name, nil
}

// Ask implements backup.Askable. The statement comes alone, by the protocol that takes no
// second one, in a savepoint of a transaction that only reads, where nothing makes it one
// that writes; it is run only if it is one that answers rows, and nothing of it is kept.
func (i *instance) Ask(ctx context.Context, q backup.LookUp) (a backup.Answer, err error) {
	name, err := i.role(ctx)
	if err != nil {
		return a, restoreError(err)
	}
	ctx, cancel := context.WithTimeout(ctx, q.Time)
	defer cancel()
	config, err := pgx.ParseConfig(i.server.dsn(i.server.note.Database, name))
	if err != nil {
		return a, restoreError(err)
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(q.Bytes + 1<<20) // with room for a description of columns
		return f
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return a, restoreError(err)
	}
	done := false
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if !done {
			_ = conn.PgConn().CancelRequest(end) // else the statement's own time ends it
		}
		_ = conn.Close(end)
	}()
	a, done, err = answered(ctx, conn, q)
	var long *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &long):
		err = backup.ErrLong
	case code(err) == "57014":
		err = context.DeadlineExceeded
	}
	return a, backup.Unanswered(ctx, q, err)
}

// answered runs the statement; done says that the server has ended with it.
func answered(ctx context.Context, conn *pgx.Conn, q backup.LookUp) (a backup.Answer, done bool, err error) {
	begin := fmt.Sprintf(`SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; SET statement_timeout = %d;
		BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1; SAVEPOINT asked`, q.Time.Milliseconds())
	if err := several(ctx, conn, begin); err != nil {
		return a, false, err
	}
	described, err := conn.PgConn().Prepare(ctx, "", q.SQL, nil)
	if err != nil {
		return a, true, err
	}
	if len(described.Fields) == 0 {
		return a, true, backup.ErrNoRows
	}
	for _, f := range described.Fields {
		a.Columns = append(a.Columns, f.Name)
	}
	rows := conn.PgConn().ExecPrepared(ctx, "", nil, nil, nil)
	for rows.NextRow() {
		var row []*string
		for _, v := range rows.Values() {
			if v == nil {
				row = append(row, nil)
				continue
			}
			row = append(row, backup.Cell(v))
		}
		if !a.Add(q, row) {
			return a, false, nil // the rest is left
		}
	}
	_, err = rows.Close()
	return a, err == nil, err
}
