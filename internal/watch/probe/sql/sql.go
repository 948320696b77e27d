// Package sql asks a database one question: the first value of its first row is
// held against what is expected. The session reads only.
package sql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"holdfast/internal/watch/probe"
)

// New reads Target (the query), DSN, Expect.Equals and Expect.Value. A DSN is
// postgres://..., mysql://USER:PASSWORD@tcp(HOST:PORT)/NAME or
// sqlite:///PATH; it is read at each look.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if spec.DSN == nil || strings.TrimSpace(spec.Target) == "" {
		return nil, fmt.Errorf("watch: check %s: no database or no query", spec.ID)
	}
	if !asks.MatchString(spec.Target) {
		return nil, fmt.Errorf("watch: check %s: the query does not begin with select, with, values, table or show", spec.ID)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome { return look(ctx, spec, tools) }), nil
}

// asks are the statements that only ask. A transaction that only reads holds what
// they call to it; but MariaDB ends one at a statement such as CREATE TABLE, and
// carries that out.
var asks = regexp.MustCompile(`(?i)^\s*(select|with|values|table|show)\b`)

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools) probe.Outcome {
	dsn, err := spec.DSN()
	if err != nil {
		return probe.NoSecret(err)
	}
	db, err := Open(dsn, tools.Guard.DialContext)
	if err != nil {
		return probe.Unknown("watch.dsn")
	}
	defer func() { _ = db.Close() }()
	return ask(ctx, db, spec)
}

// Dial reaches a server.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Open opens a database by a DSN, for reading only: sessions that write are refused by
// the server. It is asked over one connection.
func Open(dsn string, dial Dial) (*sql.DB, error) {
	connector, err := connect(dsn, dial)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// Opener opens a database when it is needed.
type Opener func(context.Context) (*sql.DB, error)

// Lazily opens a database as Open does, when it is needed.
func Lazily(dsn string, dial Dial) Opener {
	return func(context.Context) (*sql.DB, error) { return Open(dsn, dial) }
}

func connect(dsn string, dial Dial) (driver.Connector, error) {
	scheme, rest, _ := strings.Cut(dsn, "://")
	switch scheme {
	case "postgres", "postgresql":
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		config.DialFunc = pgconn.DialFunc(dial)
		// The name goes to the guard as it is: it is looked up when it is judged.
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
		config.RuntimeParams["default_transaction_read_only"] = "on"
		return stdlib.GetConnector(*config), nil
	case "mysql", "mariadb":
		config, err := mysql.ParseDSN(rest)
		if err != nil {
			return nil, err
		}
		config.DialFunc = dial
		config.AllowAllFiles, config.MultiStatements = false, false // a second statement could end the transaction that only reads
		config.Logger = &mysql.NopLogger{}
		return mysql.NewConnector(config)
	case "sqlite":
		if !filepath.IsAbs(rest) {
			return nil, errors.New("watch: the path of a SQLite file is absolute")
		}
		file := url.URL{Scheme: "file", Path: rest, RawQuery: "mode=ro&_pragma=query_only(1)&_pragma=busy_timeout(1000)"}
		return fileConnector(file.String()), nil
	}
	return nil, errors.New("watch: no database of that kind")
}

type fileConnector string

func (f fileConnector) Connect(context.Context) (driver.Conn, error) {
	return f.Driver().Open(string(f))
}
func (fileConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func ask(ctx context.Context, db *sql.DB, spec probe.Spec) probe.Outcome {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return failed(ctx, err)
	}
	defer func() { _ = tx.Rollback() }()
	var value any
	rows, err := tx.QueryContext(ctx, spec.Target)
	if err != nil {
		return failed(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return failed(ctx, err)
		}
		return probe.Down("watch.no-row")
	}
	columns, err := rows.Columns()
	if err != nil || len(columns) == 0 {
		return probe.Down("watch.no-row")
	}
	targets := make([]any, len(columns))
	targets[0] = &value
	for i := range targets[1:] {
		targets[i+1] = new(sql.RawBytes)
	}
	if err := rows.Scan(targets...); err != nil {
		return failed(ctx, err)
	}
	return judge(value, spec.Expect)
}

func judge(value any, e probe.Expect) probe.Outcome {
	text := ""
	switch v := value.(type) {
	case nil:
		text = "null"
	case []byte:
		text = string(v)
	case time.Time:
		text = v.UTC().Format(time.RFC3339)
	default:
		text = fmt.Sprint(v)
	}
	number, err := strconv.ParseFloat(text, 64)
	o := probe.Outcome{}
	if e.Equals != nil && text != *e.Equals || e.Value.Any() && (err != nil || !e.Value.Within(number)) {
		o = probe.Down("watch.query-value")
	}
	if err == nil {
		o.Values = map[string]float64{"value": number}
	}
	return o
}

func failed(ctx context.Context, err error) probe.Outcome {
	var postgres *pgconn.PgError
	var maria *mysql.MySQLError
	var lite *sqlite.Error
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return probe.Failed(ctx.Err())
	case errors.As(err, &postgres):
		if strings.HasPrefix(postgres.Code, "28") {
			return probe.Down("watch.login")
		}
		return probe.Down("watch.query", "status", postgres.Code)
	case errors.As(err, &maria):
		if maria.Number == 1045 || maria.Number == 1044 {
			return probe.Down("watch.login")
		}
		return probe.Down("watch.query", "status", strconv.Itoa(int(maria.Number)))
	case errors.As(err, &lite):
		return probe.Down("watch.query", "status", strconv.Itoa(lite.Code()))
	case errors.As(err, &network):
		return probe.Failed(err)
	}
	return probe.Failed(err)
}
