package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/internal/continuity"
)

// variables are how PostgreSQL's programs are told what a DSN says, so that no secret
// stands among their arguments.
var variables = map[string]string{
	"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
	"passfile": "PGPASSFILE", "dbname": "PGDATABASE", "service": "PGSERVICE", "servicefile": "PGSERVICEFILE",
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
	"connect_timeout": "PGCONNECT_TIMEOUT", "target_session_attrs": "PGTARGETSESSIONATTRS",
	"krbsrvname": "PGKRBSRVNAME", "gssencmode": "PGGSSENCMODE",
}

// settings are what a DSN says, in either of its forms.
func settings(dsn string) (map[string]string, error) {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return settingsOfURL(dsn)
	}
	said := map[string]string{}
	for rest := strings.TrimSpace(dsn); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, errors.New("the DSN has a word without a value")
		}
		var value strings.Builder
		after = strings.TrimLeft(after, " ")
		quoted := strings.HasPrefix(after, "'")
		if quoted {
			after = after[1:]
		}
		i, closed := 0, false
		for ; i < len(after); i++ {
			if after[i] == '\\' && i+1 < len(after) {
				i++
			} else if quoted && after[i] == '\'' {
				closed, i = true, i+1
				break
			} else if !quoted && after[i] == ' ' {
				break
			}
			value.WriteByte(after[i])
		}
		if quoted && !closed {
			return nil, errors.New("the DSN has a quote that is not closed")
		}
		said[strings.TrimSpace(key)], rest = value.String(), after[i:]
	}
	return said, nil
}

func settingsOfURL(dsn string) (map[string]string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("the DSN is no URL") // the cause would show it
	}
	said := map[string]string{}
	for key, values := range u.Query() {
		said[key] = values[0]
	}
	if u.User != nil {
		said["user"] = u.User.Username()
		if password, ok := u.User.Password(); ok {
			said["password"] = password
		}
	}
	var hosts, ports []string
	for host := range strings.SplitSeq(u.Host, ",") {
		one := url.URL{Host: host}
		hosts, ports = append(hosts, one.Hostname()), append(ports, one.Port())
	}
	if u.Host != "" {
		said["host"] = strings.Join(hosts, ",")
		if strings.Join(ports, "") != "" {
			said["port"] = strings.Join(ports, ",")
		}
	}
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		said["dbname"] = name
	}
	return said, nil
}

// environment is what a program of PostgreSQL gets of a DSN.
func environment(dsn string) ([]string, error) {
	said, err := settings(dsn)
	if err != nil {
		return nil, err
	}
	env := []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PGAPPNAME=holdfast"}
	for key, value := range said {
		if name, ok := variables[key]; ok {
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}

// source is the server that data is captured from.
type source struct {
	line
	version  string
	major    int
	database string
	user     string // of the DSN
	first    string // the superuser that every server has
}

// uniform makes values look the same wherever they are read.
const uniform = `SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; SET timezone = 'UTC';
	SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
	SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
	SET lock_timeout = 0;
	SELECT set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout'`

// connect opens a session whose values look the same everywhere.
func connect(ctx context.Context, dsn string) (*pgx.Conn, error) { return connectTo(ctx, dsn, "") }

// connectTo opens one in another database of the server.
func connectTo(ctx context.Context, dsn, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the DSN can't be read") // the cause might show it
	}
	if database != "" {
		config.Database = database
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing is kept by names, for poolers
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 20 * time.Second
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := several(ctx, conn, uniform); err != nil {
		return nil, errors.Join(err, closing(ctx, conn))
	}
	return conn, nil
}

// several runs statements that are not one transaction.
func several(ctx context.Context, conn *pgx.Conn, statements string) error {
	_, err := conn.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

// closing ends a session even if ctx is over.
func closing(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return conn.Close(ctx)
}

// look finds out what there is to be captured.
func look(ctx context.Context, conn *pgx.Conn) (s source, err error) {
	var number int
	var replica bool
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_database(),
		session_user::text, (SELECT rolname::text FROM pg_roles WHERE oid = 10), pg_is_in_recovery(),
		(SELECT system_identifier::text FROM pg_control_system()), pg_size_bytes(current_setting('wal_segment_size')),
		current_setting('wal_block_size')::int`).
		Scan(&s.version, &number, &s.database, &s.user, &s.first, &replica, &s.System, &s.Segment, &s.Page)
	if err != nil {
		return s, err
	}
	s.version, _, _ = strings.Cut(s.version, " ") // without the distribution's own number
	s.major = number / 10000
	switch {
	case s.major < 11:
		return s, fmt.Errorf("PostgreSQL %s is too old; 11 and later can be backed up", s.version)
	case replica:
		return s, errors.New("this server is a replica: name the one that it replicates")
	}
	var timeline string
	if err := conn.QueryRow(ctx, `SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)`).Scan(&timeline); err != nil {
		return s, err
	}
	_, err = fmt.Sscanf(timeline, "%X", &s.Timeline)
	return s, err
}

// plain says that a server is one that can be captured whole.
func plain(ctx context.Context, conn *pgx.Conn) error {
	var spaces, level string
	err := conn.QueryRow(ctx, `SELECT coalesce(string_agg(spcname, ', '), ''), current_setting('wal_level') FROM pg_tablespace
		WHERE spcname NOT IN ('pg_default', 'pg_global')`).Scan(&spaces, &level)
	switch {
	case err != nil:
		return err
	case spaces != "":
		return fmt.Errorf("tablespaces outside the server's folder can't be captured: %s. Move what is in them into pg_default", spaces)
	case level == "minimal":
		return errors.New("wal_level is minimal; set it to replica")
	}
	return nil
}

// code is PostgreSQL's code of an error.
func code(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func sourceError(of string, err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal {
		return err
	}
	return continuity.E(continuity.CodeBackupSource, err, "source", of, "cause", err.Error())
}

// named is how people know a source: without secrets.
func named(dsn string) string {
	said, err := settings(dsn)
	if err != nil {
		return "PostgreSQL"
	}
	if said["host"] == "" {
		return said["dbname"]
	}
	return said["host"] + "/" + said["dbname"]
}
