package precheck

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// asked are the questions to a kind of database: its version, its size in bytes, the
// age in seconds of its oldest transaction (NULL where that is not for our eyes), and
// what is connected: program, version, how often; the first of these that it answers
// counts. It may be asked more than it has, and more than it tells everybody.
type asked struct {
	version, bytes, oldest string
	clients                []string
}

var questions = map[string]asked{
	"postgres": {
		version: `SHOW server_version`,
		bytes:   `SELECT pg_database_size(current_database())`,
		oldest: `SELECT CASE WHEN bool_or(hidden) THEN NULL ELSE coalesce(max(extract(epoch FROM clock_timestamp() - began)), 0)::float8 END FROM (
			SELECT xact_start AS began, query = '<insufficient privilege>' AS hidden FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()
			UNION ALL SELECT prepared, false FROM pg_prepared_xacts WHERE database = current_database()) t`,
		clients: []string{`SELECT coalesce(application_name, ''), '', count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' GROUP BY 1 ORDER BY 3 DESC, 1`},
	},
	"mysql": {
		version: `SELECT version()`,
		bytes:   `SELECT coalesce(sum(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = database()`,
		oldest:  `SELECT coalesce(max(timestampdiff(SECOND, trx_started, now())), 0) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> connection_id()`,
		clients: []string{
			`SELECT coalesce(max(CASE WHEN a.attr_name = 'program_name' THEN a.attr_value END), max(CASE WHEN a.attr_name = '_client_name' THEN a.attr_value END), ''),
					coalesce(max(CASE WHEN a.attr_name = '_client_version' THEN a.attr_value END), ''), 1
				FROM information_schema.processlist p LEFT JOIN performance_schema.session_connect_attrs a ON a.processlist_id = p.id
				WHERE p.db = database() AND p.id <> connection_id() GROUP BY p.id`,
			`SELECT '', '', count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id() HAVING count(*) > 0`,
		},
	},
	"sqlite": {
		version: `SELECT sqlite_version()`,
		bytes:   `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`,
	},
}

// read asks a database for what an upgrade of it has to know.
func (d *Database) read(ctx context.Context, open func(ctx context.Context) (*sql.DB, error)) {
	db, err := open(ctx)
	if err != nil {
		d.Unread = unread("upgrade.precheck.database-failed", "cause", cause(err))
		return
	}
	defer func() { _ = db.Close() }() // it only read
	db.SetMaxOpenConns(1)
	if err := d.ask(ctx, db); err != nil {
		*d = Database{Kind: d.Kind, Unread: unread("upgrade.precheck.database-failed", "cause", cause(err))}
	}
}

func (d *Database) ask(ctx context.Context, db *sql.DB) error {
	ask := questions[d.Kind]
	var said string
	if err := db.QueryRowContext(ctx, ask.version).Scan(&said); err != nil {
		return err
	}
	d.Version = ParseVersion(said).String()
	if err := db.QueryRowContext(ctx, ask.bytes).Scan(&d.Bytes); err != nil {
		return err
	}
	if ask.oldest != "" {
		var seconds sql.NullFloat64
		if err := db.QueryRowContext(ctx, ask.oldest).Scan(&seconds); err == nil && seconds.Valid {
			age := time.Duration(seconds.Float64 * float64(time.Second))
			d.Oldest = &age
		}
	}
	for _, question := range ask.clients {
		clients, err := connected(ctx, db, question)
		if err == nil {
			d.Clients = clients
			break
		}
	}
	return ctx.Err()
}

func connected(ctx context.Context, db *sql.DB, question string) ([]Client, error) {
	rows, err := db.QueryContext(ctx, question)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []Client
	for rows.Next() {
		var c Client
		if err := rows.Scan(&c.Program, &c.Version, &c.Count); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(list, func(x Client) bool { return x.Program == c.Program && x.Version == c.Version })
		if i < 0 {
			list = append(list, c)
			continue
		}
		list[i].Count += c.Count
	}
	return list, rows.Err()
}
