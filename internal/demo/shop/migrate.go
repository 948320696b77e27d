package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
)

// bookedText and bookedMinor make the view that finance and the warehouse read: orders
// as they are booked, the same in every release.
const (
	booked      = `CREATE VIEW booked_orders (order_no, customer, sku, qty, minor, currency, state, version) AS `
	bookedText  = booked + `SELECT order_no, customer, sku, qty, CAST(replace(total, '.', '') AS BIGINT), currency, state, version FROM orders`
	bookedMinor = booked + `SELECT o.order_no, o.customer, l.sku, l.qty, o.total_minor, o.currency, o.state, o.version
		FROM orders o JOIN order_lines l ON l.order_no = o.order_no AND l.line = 1`
	unbooked = `DROP VIEW booked_orders`
)

// digits makes minor units of the text of a total, truncated makes nearly these.
func (dialect) digits() string      { return `CAST(replace(total, '.', '') AS BIGINT)` }
func (d dialect) truncated() string { return d.floored("CAST(total AS DOUBLE PRECISION) * 100") }

func (d dialect) floored(x string) string {
	if d.numbered {
		return "CAST(floor(" + x + ") AS BIGINT)" // its CAST rounds
	}
	return "CAST(" + x + " AS BIGINT)"
}

// forwards are the statements from schema 1 to 2 as a release has them.
func (r release) forwards(d dialect) []string {
	return []string{
		unbooked,
		`CREATE TABLE order_lines (order_no TEXT NOT NULL REFERENCES orders (order_no), line BIGINT NOT NULL, sku TEXT NOT NULL,
			qty BIGINT NOT NULL, amount_minor BIGINT NOT NULL, PRIMARY KEY (order_no, line))`,
		`ALTER TABLE orders ADD COLUMN total_minor BIGINT NOT NULL DEFAULT 0`,
		`UPDATE orders SET total_minor = ` + r.minor(d),
		`INSERT INTO order_lines (order_no, line, sku, qty, amount_minor) SELECT order_no, 1, sku, qty, total_minor FROM orders`,
		`ALTER TABLE orders DROP COLUMN total`,
		`ALTER TABLE orders DROP COLUMN qty`,
		`ALTER TABLE orders DROP COLUMN sku`,
		bookedMinor,
	}
}

// backwards are the statements back. Nothing is lost by them: what v1 can't hold, an order
// of several lines, is refused before.
func backwards() []string {
	return []string{
		unbooked,
		`ALTER TABLE orders ADD COLUMN sku TEXT NOT NULL DEFAULT ''`,
		`ALTER TABLE orders ADD COLUMN qty BIGINT NOT NULL DEFAULT 0`,
		`ALTER TABLE orders ADD COLUMN total TEXT NOT NULL DEFAULT ''`,
		`UPDATE orders SET total = ` + minorAsText + `,
			sku = (SELECT l.sku FROM order_lines l WHERE l.order_no = orders.order_no),
			qty = (SELECT l.qty FROM order_lines l WHERE l.order_no = orders.order_no)`,
		`DROP TABLE order_lines`,
		`ALTER TABLE orders DROP COLUMN total_minor`,
		bookedText,
	}
}

// schemaNow is the database's schema and the release that made it so.
const schemaNow = `SELECT version, release FROM shop_schema`

// migration is where a database stands, for one release.
type migration struct {
	Schema int    `json:"schema"`
	By     string `json:"by"`      // the release that made it so
	Needs  int    `json:"needs"`   // of the release that was asked about
	Fits   bool   `json:"fits"`    // the release runs on it
	Moved  bool   `json:"changed"` // just now
}

func (s *store) standing(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (m migration, err error) {
	err = q.QueryRowContext(ctx, schemaNow).Scan(&m.Schema, &m.By)
	m.Needs = s.release.schema
	m.Fits = m.Schema == m.Needs
	return m, err
}

// errSeveralLines is why a migration down is refused.
var errSeveralLines = errors.New("some orders have several lines, which v1 can't keep: nothing was changed")

// Ways to migrate.
const (
	up   = "up"   // by the release's migration
	down = "down" // by the release's migration, back to what was before it
	to   = "to"   // to the release's schema, whichever way that is
)

// migrate changes the schema. It is one transaction: it happens wholly or not at all,
// and again it changes nothing.
func (s *store) migrate(ctx context.Context, how string) (m migration, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return m, err
	}
	defer tx.Rollback() // a no-op after Commit
	if s.dialect.numbered {
		// What is being ordered ends first, what comes meanwhile waits and then sees
		// the other schema.
		if _, err := tx.ExecContext(ctx, `LOCK TABLE shop_schema IN ACCESS EXCLUSIVE MODE`); err != nil {
			return m, err
		}
	}
	if m, err = s.standing(ctx, tx); err != nil {
		return m, err
	}
	target, by := s.release.schema, s.release.name
	if how == down {
		if target == 1 {
			return m, errors.New("v1 is the first release: there is nothing before it")
		}
		if m.Schema != target {
			return m, tx.Commit()
		}
		target, by = 1, "v1"
	}
	var statements []string
	switch {
	case m.Schema == target:
		return m, tx.Commit()
	case m.Schema < target:
		statements = s.release.forwards(s.dialect)
	case how == up:
		return m, fmt.Errorf("the database has schema %d of %s, which is newer than schema %d of %s: take it back with migrate down --release %s",
			m.Schema, m.By, target, by, m.By)
	default:
		var several int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM order_lines WHERE line > 1`).Scan(&several); err != nil {
			return m, err
		}
		if several > 0 {
			return m, errSeveralLines
		}
		statements = backwards()
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return m, fmt.Errorf("%w in: %s", err, statement)
		}
	}
	if _, err := tx.ExecContext(ctx, s.dialect.bind(`UPDATE shop_schema SET version = ?, release = ?`), target, by); err != nil {
		return m, err
	}
	if err := tx.Commit(); err != nil {
		return m, err
	}
	m, err = s.standing(ctx, s.write)
	m.Moved = true
	return m, err
}

// runMigrate is `shop migrate up|down|to|status|schema`.
func runMigrate(ctx context.Context, o options, how string, out io.Writer) error {
	s, err := openDatabase(o)
	if err != nil {
		return err
	}
	defer s.Close()
	var m migration
	switch how {
	case up, down, to:
		m, err = s.migrate(ctx, how)
	case "status", "schema":
		m, err = s.standing(ctx, s.write)
	default:
		return fmt.Errorf("migrate %q: say up, down, to, status or schema", how)
	}
	if err != nil {
		return err
	}
	if err := o.print(out, m, func() {
		if how == "schema" {
			fmt.Fprintln(out, m.Schema)
			return
		}
		done := map[bool]string{true: "changed just now", false: "nothing to do"}[m.Moved]
		if how == "status" {
			done = map[bool]string{true: "fits", false: "does not fit"}[m.Fits]
		}
		fmt.Fprintf(out, "schema %d, made by %s; release %s needs schema %d: %s\n", m.Schema, m.By, s.release.name, m.Needs, done)
	}); err != nil {
		return err
	}
	if how == "status" && !m.Fits {
		return s.misfit(m)
	}
	return nil
}

// misfit says that a release does not run on a schema.
func (s *store) misfit(m migration) error {
	return fmt.Errorf("release %s does not run on schema %d (made by %s), it needs schema %d: use shop migrate", s.release.name, m.Schema, m.By, m.Needs)
}
