package query

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/backup/sqlite"
	"holdfast/internal/backup/tally"
	"holdfast/internal/continuity"
)

const dataName = "results.sqlite"

var (
	errMoment = errors.New("no piece is of that moment or place")
	errForm   = errors.New("the records don't go together")
	errOnly   = errors.New("it gives not one value")
)

func restoring(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupRestore, err, "cause", err.Error())
}

// Restore makes an SQLite file of a piece.
func (d *Driver) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	pieces, ok := r.UpTo()
	if !ok {
		return nil, restoring(errMoment)
	}
	p := pieces[0]
	path := filepath.Join(r.Dir, dataName)
	db, err := sql.Open("sqlite", sqliteDSN(path, "mode=rwc&_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)"))
	if err != nil {
		return nil, restoring(err)
	}
	db.SetMaxOpenConns(1)
	i := &instance{path: path, reached: p.To, moment: p.Taken}
	in, err := p.Open(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	err = i.fill(ctx, db, in, r.Report)
	if err = errors.Join(err, in.Close(), db.Close()); err != nil {
		if errors.Is(err, records.ErrDamaged) || errors.Is(err, errForm) {
			return nil, continuity.E(continuity.CodeBackupPiece, err, "piece", p.ID, "cause", err.Error())
		}
		return nil, restoring(err)
	}
	if i.db, err = sql.Open("sqlite", sqliteDSN(path, "mode=ro&immutable=1")); err != nil {
		return nil, restoring(err)
	}
	return i, nil
}

type instance struct {
	db      *sql.DB
	path    string
	tables  []string
	reached backup.Position
	moment  time.Time
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (i *instance) fill(ctx context.Context, db *sql.DB, stream io.Reader, report backup.Report) error {
	in, err := records.NewReader(stream, magic)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // unless it was committed
	var put *sql.Stmt
	var columns int
	var done int64
	began, ended := false, false
	for {
		kind, payload, err := in.Next()
		if err == io.EOF { //nolint:errorlint // as readers have it
			break
		}
		if err != nil {
			return err
		}
		switch {
		case ended || began == (kind == recHeader):
			return fmt.Errorf("%w: a record of kind %q", errForm, kind)
		case kind == recHeader:
			began = true
		case kind == recEnd:
			ended = true
		case kind == recTable:
			var t table
			if err := json.Unmarshal(payload, &t); err != nil {
				return fmt.Errorf("%w: %w", errForm, err)
			}
			if put, err = i.make(ctx, tx, t); err != nil {
				return err
			}
			columns = len(t.Columns)
		case kind == recRow && put != nil:
			var cells []cell
			if err := json.Unmarshal(payload, &cells); err != nil || len(cells) != columns {
				return fmt.Errorf("%w: a row is not like its table", errForm)
			}
			values := make([]any, columns)
			for n := range cells {
				values[n] = cells[n].value()
			}
			if _, err := put.ExecContext(ctx, values...); err != nil {
				return err
			}
			if done += int64(len(payload)); report != nil {
				report(backup.Progress{Phase: "restore", Done: done})
			}
		default:
			return fmt.Errorf("%w: a record of kind %q", errForm, kind)
		}
	}
	if !ended {
		return fmt.Errorf("%w: it ends too early", errForm)
	}
	return tx.Commit()
}

// make makes a table without types, so that each value stays as it is.
func (i *instance) make(ctx context.Context, tx *sql.Tx, t table) (*sql.Stmt, error) {
	i.tables = append(i.tables, t.Name)
	if len(t.Columns) == 0 {
		return nil, fmt.Errorf("%w: a table without columns", errForm)
	}
	var names []string
	seen := map[string]int{}
	for _, name := range t.Columns {
		lower := strings.ToLower(name)
		if seen[lower]++; seen[lower] > 1 {
			name = fmt.Sprintf("%s:%d", name, seen[lower])
		}
		names = append(names, quoted(name))
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s (%s)", quoted(t.Name), strings.Join(names, ", "))); err != nil {
		return nil, err
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
	return tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s VALUES (%s)", quoted(t.Name), marks)) // #nosec G201 -- names, quoted
}

// Figures counts the rows and sums their hashes.
func (i *instance) Figures(ctx context.Context, queries []backup.Query, report backup.Report) ([]backup.Figure, error) {
	var all []backup.Figure
	for _, name := range i.tables {
		total, err := tally.Rows(ctx, i.db, "SELECT * FROM "+quoted(name))
		if err != nil {
			return nil, restoring(err)
		}
		all = append(all, figures(name, total)...)
		if report != nil {
			report(backup.Progress{Phase: "figures"})
		}
	}
	for _, q := range queries {
		value, err := i.only(ctx, q.SQL)
		if err != nil {
			return nil, restoring(fmt.Errorf("query %s: %w", q.ID, err))
		}
		all = append(all, backup.Figure{Of: q.ID, Measure: "result", Value: value})
	}
	return all, nil
}

func (i *instance) only(ctx context.Context, query string) (string, error) {
	rows, err := i.db.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var s sql.NullString
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(&s); err != nil {
			return "", err
		}
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	if n != 1 {
		return "", errOnly
	}
	return s.String, nil
}

// Reached tells when the queries were asked.
func (i *instance) Reached() (backup.Position, time.Time) { return i.reached, i.moment }

// Address is the file.
func (i *instance) Address() string { return i.path }

// Close lets go of the file.
func (i *instance) Close() error { return i.db.Close() }

// Ask implements backup.Askable.
func (i *instance) Ask(ctx context.Context, q backup.LookUp) (backup.Answer, error) {
	return sqlite.Ask(ctx, i.path, q)
}
