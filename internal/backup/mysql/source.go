package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup"
	"holdfast/internal/backup/spool"
	"holdfast/internal/continuity"
)

// Options say what is backed up.
type Options struct {
	DSN     string // with the name of the database; not needed to restore
	Spool   string // a folder of the driver's own on this machine; not needed to restore
	Follows bool   // the log is captured, too, so figures may hold a while after the dump
	Log     *slog.Logger
}

// Driver backs up one database.
type Driver struct {
	config  *client.Config // nil: it restores only
	spool   *spool.Spool
	follows bool
	log     *slog.Logger
	mu      sync.Mutex // one dump at a time
	noted   sync.Mutex // of what is known of the log
}

var (
	_ backup.Driver    = (*Driver)(nil)
	_ backup.Following = (*Driver)(nil)
	_ backup.Locating  = (*Driver)(nil)
)

var (
	errNoSource = errors.New("the database or its spool is not named")
	errDSN      = errors.New("the address of the database is not well-formed, or names no database")
	errLog      = errors.New("the server writes no binary log, or one without rows: set log_bin and binlog_format=ROW")
)

// New makes a driver.
func New(o Options) (*Driver, error) {
	d := &Driver{follows: o.Follows, log: o.Log}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if o.DSN != "" {
		c, err := client.ParseDSN(o.DSN)
		if err != nil || c.DBName == "" { // the error may tell of the password
			return nil, continuity.E(continuity.CodeBackupSource, errDSN, "source", "", "cause", errDSN.Error())
		}
		d.config = c
	}
	if o.Spool == "" {
		return d, nil
	}
	var err error
	d.spool, err = spool.Open(o.Spool)
	return d, err
}

func (d *Driver) failed(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) || errors.Is(err, backup.ErrNeedsFull) {
		return err
	}
	name := ""
	if d.config != nil {
		name = d.config.DBName
	}
	return continuity.E(continuity.CodeBackupSource, err, "source", name, "cause", err.Error())
}

// connect opens a database so that every value comes as the same text.
func connect(c *client.Config) (*sql.DB, error) {
	c = c.Clone()
	c.ParseTime, c.InterpolateParams = false, true
	c.Logger = &client.NopLogger{}
	if c.Params == nil {
		c.Params = map[string]string{}
	}
	c.Params["time_zone"] = "'+00:00'"
	connector, err := client.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// server is what is known of a server.
type server struct {
	version string
	system  string
	maria   bool
	logs    bool // it writes a log
	rows    bool // of rows
}

func look(ctx context.Context, db *sql.DB) (s server, err error) {
	all := map[string]string{}
	rows, err := db.QueryContext(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'log_bin', 'binlog_format', 'server_id', 'server_uid', 'server_uuid', 'gtid_domain_id')")
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return s, err
		}
		all[name] = value
	}
	s = server{version: all["version"], maria: strings.Contains(all["version"], "MariaDB"), logs: all["log_bin"] == "ON", rows: all["binlog_format"] == "ROW"}
	s.system = strings.Join([]string{all["server_id"], all["gtid_domain_id"], all["server_uid"] + all["server_uuid"]}, "-")
	if err := rows.Err(); err != nil {
		return s, err
	}
	data, err := generation(ctx, db)
	s.system += data
	return s, err
}

func (s server) at(file string, offset int64) backup.Position {
	return backup.Position{System: s.system, At: file + ":" + strconv.FormatInt(offset, 10)}
}

// parse reads a place in a log.
func parse(p backup.Position) (file string, offset int64, err error) {
	file, number, ok := strings.Cut(p.At, ":")
	if ok {
		offset, err = strconv.ParseInt(number, 10, 64)
	}
	if !ok || err != nil || offset < 4 || file == "" || strings.ContainsAny(file, "/\x00") || strings.HasPrefix(file, ".") {
		return "", 0, fmt.Errorf("%q is no place in a log", p.At)
	}
	return file, offset, nil
}

type asked interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Where implements backup.Locating.
func (d *Driver) Where(ctx context.Context) (at backup.Position, asked time.Time, err error) {
	if d.config == nil {
		return at, asked, d.failed(errNoSource)
	}
	db, err := connect(d.config)
	if err != nil {
		return at, asked, d.failed(err)
	}
	defer db.Close()
	s, err := d.look(ctx, db)
	if err == nil {
		asked = time.Now()
		at, err = s.now(ctx, db)
	}
	return at, asked, d.failed(err)
}

// now is where the log is.
func (s server) now(ctx context.Context, db asked) (backup.Position, error) {
	rows, err := db.QueryContext(ctx, "SHOW MASTER STATUS")
	if err != nil { // by its new name, which MySQL 8.4 alone knows
		if rows, err = db.QueryContext(ctx, "SHOW BINARY LOG STATUS"); err != nil {
			return backup.Position{}, err
		}
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return backup.Position{}, err
	}
	if !rows.Next() {
		return backup.Position{}, errors.Join(errLog, rows.Err())
	}
	values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return backup.Position{}, err
	}
	offset, err := strconv.ParseInt(string(values[1]), 10, 64)
	return s.at(string(values[0]), offset), err
}
