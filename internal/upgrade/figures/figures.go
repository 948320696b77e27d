package figures

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"math/big"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
)

// Asked is what a plan compares.
type Asked struct {
	Kind       string // postgres, mysql, sqlite
	Tables     []Table
	Invariants []Invariant
}

// Table is a table whose rows are held to what they were.
type Table struct {
	Name    string
	Columns []string // whose content counts; none: only how many rows there are
	Rows    string   // same, more, any
}

// Invariant is a query with one value.
type Invariant struct {
	ID     string
	SQL    string
	Expect string // empty: as it was before
}

// Take asks for all figures, of one moment. It opens and closes the database.
func Take(ctx context.Context, open func(context.Context) (*sql.DB, error), a Asked) (all []continuity.UpgradeFigure, err error) {
	db, err := open(ctx)
	if err != nil { // it may say what the secret is
		return nil, continuity.E(continuity.CodeInvalid, nil, "detail_id", "upgrade.fault.dsn")
	}
	defer func() { _ = db.Close() }()
	isolation := sql.LevelRepeatableRead
	if a.Kind == "sqlite" {
		isolation = sql.LevelDefault // a transaction sees one moment there
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: isolation, ReadOnly: true})
	if err != nil {
		return nil, unasked(err, "transaction")
	}
	defer func() { _ = tx.Rollback() }()
	for i := range a.Tables {
		t := &a.Tables[i]
		if t.Rows == "any" && len(t.Columns) == 0 {
			continue
		}
		rows, hash, err := totals(ctx, tx, a.Kind, t)
		if err != nil {
			return nil, unasked(err, t.Name)
		}
		switch t.Rows {
		case "more":
			all = append(all, continuity.UpgradeFigure{Of: t.Name, Measure: continuity.UpgradeMeasureMore, Value: strconv.FormatInt(rows, 10)})
		case "any":
		default:
			all = append(all, continuity.UpgradeFigure{Of: t.Name, Measure: continuity.UpgradeMeasureRows, Value: strconv.FormatInt(rows, 10)})
			if hash != "" {
				all = append(all, continuity.UpgradeFigure{Of: t.Name, Measure: continuity.UpgradeMeasureHash, Value: hash})
			}
		}
	}
	for i := range a.Invariants {
		v := &a.Invariants[i]
		var value sql.NullString
		if err := tx.QueryRowContext(ctx, v.SQL).Scan(&value); err != nil {
			return nil, unasked(err, v.ID)
		}
		if !value.Valid {
			value.String = "null"
		}
		all = append(all, continuity.UpgradeFigure{Of: v.ID, Measure: continuity.UpgradeMeasureInvariant, Value: plainNumber(value.String), Expect: plainNumber(v.Expect)})
	}
	return all, nil
}

// unasked is why a question about data has no answer, without what the server said: that
// may bear data.
func unasked(err error, of string) error {
	return continuity.E(continuity.CodeUpstream, err, "detail_id", "upgrade.fault.data", "of", of)
}

// plainNumber writes an exact number as it is written shortest: 12.50 is 12.5, whichever
// type a migration gave it.
func plainNumber(text string) string {
	if strings.ContainsAny(text, "/_xXeEpPiI") {
		return text
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(len(text)), "0")
}

// totals are a table's rows, and the sum of the hashes of what stands in the columns
// that are named: in whichever order rows come, it is the same.
func totals(ctx context.Context, tx *sql.Tx, kind string, t *Table) (rows int64, hash string, err error) {
	if len(t.Columns) == 0 || t.Rows == "more" {
		err = tx.QueryRowContext(ctx, "SELECT count(*) FROM "+quoted(kind, t.Name)).Scan(&rows) // #nosec G202 -- quoted
		return rows, "", err
	}
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = quoted(kind, name)
	}
	found, err := tx.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+quoted(kind, t.Name)) // #nosec G202 -- quoted
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = found.Close() }()
	values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var sum uint64
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return 0, "", err
		}
		sum += hashOf(values)
		rows++
	}
	return rows, strconv.FormatUint(sum, 16), found.Err()
}

func hashOf(values []sql.RawBytes) uint64 {
	h := sha256.New()
	var size [9]byte
	for _, v := range values {
		if size[0] = 1; v == nil {
			size[0] = 0
		}
		binary.BigEndian.PutUint64(size[1:], uint64(len(v)))
		_, _ = h.Write(size[:])
		_, _ = h.Write(v)
	}
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// quoted writes a name, or a schema's, as the kind of database does.
func quoted(kind, name string) string {
	mark := `"`
	if kind == "mysql" {
		mark = "`"
	}
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = mark + strings.ReplaceAll(parts[i], mark, mark+mark) + mark
	}
	return strings.Join(parts, ".")
}
