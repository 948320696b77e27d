package control

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"math/big"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
	probesql "holdfast/internal/watch/probe/sql"
)

// upgradeData is the data that an upgrade works with.
type upgradeData struct{ node *Node }

// openData opens the database that a plan compares, for reading only.
func (n *Node) openData(p *plan.Plan, r *plan.Rollout) (*sql.DB, error) {
	dsn, err := n.o.Config.Source().ForPlan(refOf(&r.Data.DSN))
	if err != nil {
		return nil, err
	}
	guard := outgoing.New(n.checks.policy.Narrow(p.Tech.Allow...), nil)
	db, err := probesql.Open(dsn.Reveal(), guard.DialContext)
	if err != nil { // it may say what the secret is
		return nil, continuity.E(continuity.CodeInvalid, nil, "detail_id", "upgrade.fault.dsn")
	}
	return db, nil
}

// Picture implements upgrade.Store: all figures are of one moment.
func (u upgradeData) Picture(ctx context.Context, c upgrade.Call) (*continuity.UpgradePicture, error) {
	p, r, err := u.node.rollout(c)
	if err != nil {
		return nil, err
	}
	return u.picture(ctx, c, r, "", c.Upgrade.Before, func() (*sql.DB, error) { return u.node.openData(p, r) })
}

// picture is of the data, or of a copy.
func (u upgradeData) picture(ctx context.Context, c upgrade.Call, r *plan.Rollout, copied string, before *continuity.UpgradePicture, open func() (*sql.DB, error)) (*continuity.UpgradePicture, error) {
	pic := &continuity.UpgradePicture{At: time.Now().UTC(), Figures: []continuity.UpgradeFigure{}}
	var err error
	if m := r.Migration; m != nil && m.Status != nil {
		if pic.Schema, err = u.node.order(ctx, m.Status, told{c.Upgrade.To, copied}, c.Key+"/status"); err != nil {
			return nil, err
		}
	}
	if r.Data == nil {
		return pic, nil
	}
	db, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	pic.Figures, err = figuresOf(ctx, db, r.Data, before != nil && before.Schema != pic.Schema)
	return pic, err
}

// figuresOf are the figures of a database that an upgrade is held to. changed says that
// the data have another form than before.
func figuresOf(ctx context.Context, db *sql.DB, d *plan.Compared, changed bool) (all []continuity.UpgradeFigure, err error) {
	isolation := sql.LevelRepeatableRead
	if d.Kind == "sqlite" {
		isolation = sql.LevelDefault // a transaction sees one moment there
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: isolation, ReadOnly: true})
	if err != nil {
		return nil, unasked(err, "transaction")
	}
	defer func() { _ = tx.Rollback() }()
	for i := range d.Tables {
		t := &d.Tables[i]
		if t.Rows == "any" && len(t.Columns) == 0 {
			continue
		}
		rows, hash, err := totals(ctx, tx, d.Kind, t)
		if err != nil {
			return nil, unasked(err, t.Table)
		}
		switch t.Rows {
		case "more":
			all = append(all, continuity.UpgradeFigure{Of: t.Table, Measure: upgrade.MeasureMore, Value: strconv.FormatInt(rows, 10)})
		case "any":
		default:
			all = append(all, continuity.UpgradeFigure{Of: t.Table, Measure: upgrade.MeasureRows, Value: strconv.FormatInt(rows, 10)})
			if hash != "" {
				all = append(all, continuity.UpgradeFigure{Of: t.Table, Measure: upgrade.MeasureHash, Value: hash})
			}
		}
	}
	for i := range d.Invariants {
		v := &d.Invariants[i]
		query := v.SQL
		if changed && v.After != "" {
			query = v.After
		}
		var value sql.NullString
		if err := tx.QueryRowContext(ctx, query).Scan(&value); err != nil {
			return nil, unasked(err, v.ID)
		}
		if !value.Valid {
			value.String = "null"
		}
		all = append(all, continuity.UpgradeFigure{Of: v.ID, Measure: upgrade.MeasureInvariant, Value: plainNumber(value.String), Expect: plainNumber(v.Expect)})
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
func totals(ctx context.Context, tx *sql.Tx, kind string, t *plan.Kept) (rows int64, hash string, err error) {
	if len(t.Columns) == 0 || t.Rows == "more" {
		err = tx.QueryRowContext(ctx, "SELECT count(*) FROM "+quoted(kind, t.Table)).Scan(&rows) // #nosec G202 -- quoted
		return rows, "", err
	}
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = quoted(kind, name)
	}
	found, err := tx.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+quoted(kind, t.Table)) // #nosec G202 -- quoted
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

// Down implements upgrade.Store: migrations go back to the form of the version that it
// goes back to. Where data have that form already, nothing is done.
func (u upgradeData) Down(ctx context.Context, c upgrade.Call, schema string) error {
	_, r, err := u.node.rollout(c)
	if err != nil {
		return err
	}
	m := r.Migration
	if m == nil || m.Down == nil {
		return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.no-down")
	}
	ctx, done := context.WithTimeout(ctx, m.Within)
	defer done()
	is := func() (string, error) {
		return u.node.order(ctx, m.Status, told{version: c.Upgrade.To}, c.Key+"/status")
	}
	if now, err := is(); err != nil || now == schema && schema != "" {
		return err
	}
	if _, err = u.node.order(ctx, m.Down, told{version: c.Upgrade.Back.Version}, c.Key+"/down"); err != nil {
		return err
	}
	if now, err := is(); err != nil || now == schema {
		return err
	}
	return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.not-down", "want", schema)
}

// Rehearse implements upgrade.Store: a copy of the newest backup is migrated there and
// back, and compared with what it was. Where the commands are told of no copy, nobody
// has seen the way down lead back.
func (u upgradeData) Rehearse(ctx context.Context, c upgrade.Call) (*continuity.UpgradeRehearsal, error) {
	p, r, err := u.node.rollout(c)
	if err != nil {
		return nil, err
	}
	out := &continuity.UpgradeRehearsal{At: time.Now().UTC()}
	at := slices.IndexFunc(c.Spec.Sets, func(id string) bool {
		set := p.Captured(id)
		return set != nil && r.Data != nil && set.Kind == r.Data.Kind
	})
	if r.Migration == nil || !r.Migration.Rehearsed() || at < 0 || u.node.restorer == nil {
		out.NoDown = &continuity.CheckReason{Code: "upgrade.fault.not-rehearsed"}
		return out, nil
	}
	began := time.Now()
	copied, done, err := u.node.restorer.Copy(ctx, c.Spec.Service, c.Spec.Sets[at])
	if err != nil {
		return nil, err
	}
	defer done()
	out.Restore = time.Since(began)
	look := func(before *continuity.UpgradePicture) (*continuity.UpgradePicture, error) {
		return u.picture(ctx, c, r, copied, before, func() (*sql.DB, error) { return probesql.Open(copied, (&net.Dialer{}).DialContext) })
	}
	before, err := look(nil)
	if err != nil {
		return nil, err
	}
	m := r.Migration
	began = time.Now()
	if _, err := u.node.order(ctx, &m.Up, told{c.Upgrade.To, copied}, c.Key+"/up"); err != nil {
		return nil, err
	}
	out.Up = time.Since(began)
	now, err := look(before)
	if err != nil {
		return nil, err
	}
	out.Findings = upgrade.Differ(before, now, false)
	if m.Down == nil || len(out.Findings) > 0 {
		return out, nil
	}
	began = time.Now()
	_, err = u.node.order(ctx, m.Down, told{c.Upgrade.From, copied}, c.Key+"/down")
	if out.Down = time.Since(began); err == nil {
		now, err = look(before)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		out.Down, out.NoDown = 0, &continuity.CheckReason{Code: "upgrade.fault.down-fails"}
	case len(upgrade.Differ(before, now, true)) > 0:
		out.Down, out.NoDown = 0, &upgrade.Differ(before, now, true)[0]
	}
	return out, nil
}
