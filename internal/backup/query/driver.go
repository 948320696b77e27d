package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	_ "modernc.org/sqlite"             // the driver

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/backup/spool"
	"holdfast/internal/backup/tally"
	"holdfast/internal/continuity"
)

// Kinds of databases.
const (
	Postgres = "postgres"
	MySQL    = "mysql"
	SQLite   = "sqlite"
)

// Question is a query whose rows are kept, as the table of its name.
type Question struct {
	Name string
	SQL  string
}

// Options say what is asked of whom.
type Options struct {
	Kind      string // postgres, mysql, sqlite
	DSN       string // of SQLite: the file
	System    string // what positions are known by: the id of the data set does
	Questions []Question
}

// Driver keeps the rows of queries.
type Driver struct{ o Options }

var _ backup.Driver = (*Driver)(nil)

// New makes a driver; without options it restores only.
func New(o Options) (*Driver, error) { return &Driver{o}, nil }

const (
	magic      = "HFQUERY 1"
	recHeader  = 'h'
	recTable   = 't'
	recRow     = 'r'
	recEnd     = 'e'
	longestRow = records.Most
)

type header struct {
	To backup.Position
}

type table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

var (
	errKind = errors.New("no database of this kind can be asked")
	errLong = errors.New("a row is longer than 2 MiB")
)

// failed says what went wrong, and never the DSN, which has a password.
func (d *Driver) failed(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupSource, err, "source", d.o.System, "cause", err.Error())
}

// begin begins to read one moment.
func (d *Driver) begin(ctx context.Context) (db *sql.DB, tx *sql.Tx, err error) {
	options := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	switch d.o.Kind {
	case Postgres:
		db, err = sql.Open("pgx", d.o.DSN)
	case MySQL:
		var c *mysql.Config
		if c, err = mysql.ParseDSN(d.o.DSN); err != nil {
			return nil, nil, errors.New("the address of the database is not well-formed")
		}
		c.ParseTime, c.InterpolateParams = false, true
		c.Logger = &mysql.NopLogger{}
		var connector sqlConnector
		if connector, err = mysql.NewConnector(c); err == nil {
			db = sql.OpenDB(connector)
		}
	case SQLite:
		options = nil
		db, err = sql.Open("sqlite", sqliteDSN(d.o.DSN, "mode=rw&_pragma=busy_timeout(10000)&_pragma=query_only(1)"))
	default:
		err = errKind
	}
	if err != nil {
		return nil, nil, err
	}
	if tx, err = db.BeginTx(ctx, options); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, tx, nil
}

// Full writes the rows of all queries.
func (d *Driver) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	db, tx, err := d.begin(ctx)
	if err != nil {
		return backup.Captured{}, d.failed(err)
	}
	defer db.Close()
	defer func() { _ = tx.Rollback() }() // it only read
	taken := time.Now()
	captured := backup.Captured{Taken: taken, To: backup.Position{System: d.o.System, At: spool.Unique(taken)}, Versions: map[string]string{}}
	captured.Exact = captured.To
	version := "SELECT version()"
	if d.o.Kind == SQLite {
		version = "SELECT sqlite_version()"
	}
	var v string
	if err := tx.QueryRowContext(ctx, version).Scan(&v); err != nil {
		return backup.Captured{}, d.failed(err)
	}
	captured.Versions[d.o.Kind] = v
	out, err := records.NewWriter(w, magic)
	if err == nil {
		err = out.PutJSON(recHeader, header{captured.To})
	}
	if err != nil {
		return backup.Captured{}, err
	}
	c := &capture{driver: d, out: out, report: report}
	for _, q := range d.o.Questions {
		total, err := c.question(ctx, tx, q)
		if err != nil {
			return backup.Captured{}, err
		}
		captured.Figures = append(captured.Figures, figures(q.Name, total)...)
	}
	if err := out.Put(recEnd, nil); err != nil {
		return backup.Captured{}, err
	}
	return captured, out.Close()
}

func figures(name string, total tally.Total) []backup.Figure {
	return []backup.Figure{{Of: name, Measure: "rows", Value: total.Count()}, {Of: name, Measure: "hash", Value: total.Hash()}}
}

type capture struct {
	driver *Driver
	out    *records.Writer
	report backup.Report
	done   int64
}

func (c *capture) question(ctx context.Context, tx *sql.Tx, q Question) (total tally.Total, err error) {
	rows, err := tx.QueryContext(ctx, q.SQL)
	if err != nil {
		return total, c.driver.failed(fmt.Errorf("query %s: %w", q.Name, err))
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return total, c.driver.failed(err)
	}
	t := table{Name: q.Name}
	var binary []bool
	for _, column := range types {
		t.Columns = append(t.Columns, column.Name())
		kind := strings.ToUpper(column.DatabaseTypeName())
		binary = append(binary, strings.Contains(kind, "BLOB") || strings.Contains(kind, "BINARY") || kind == "BYTEA" || kind == "BIT" || kind == "GEOMETRY" || c.driver.o.Kind == SQLite)
	}
	if err := c.out.PutJSON(recTable, t); err != nil {
		return total, err
	}
	values, into := make([]any, len(types)), make([]any, len(types))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return total, c.driver.failed(err)
		}
		kept := make([]cell, len(values))
		for i, v := range values {
			kept[i] = keep(v, binary[i])
			values[i] = kept[i].value()
		}
		total.AddRow(values)
		payload, err := json.Marshal(kept)
		if err != nil {
			return total, c.driver.failed(err)
		}
		if len(payload) > longestRow {
			return total, c.driver.failed(fmt.Errorf("query %s: %w", q.Name, errLong))
		}
		if err := c.out.Put(recRow, payload); err != nil {
			return total, err
		}
		if c.done += int64(len(payload)); c.report != nil {
			c.report(backup.Progress{Phase: "capture", Done: c.done})
		}
	}
	return total, c.driver.failed(rows.Err())
}

// Check finds nothing: each piece stands for itself.
func (d *Driver) Check(chain []backup.Manifest) []backup.Fault { return backup.CheckDeltas(chain) }
