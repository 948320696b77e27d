package shop

import (
	"fmt"
	"slices"
	"strings"
)

// release is one state of the shop's program: the schema that it runs on, how it keeps
// orders there, and what of it is wrong.
type release struct {
	name   string
	schema int
	orders layout
	// minor makes minor units of the text of a total, when its migration goes up.
	minor func(dialect) string
	// recount makes an order's total of the sum of its lines, again and again; nil
	// where the release does not.
	recount func(sum int64) int64
}

// releases, by age. Amounts were texts in v1 and are whole minor units since v2. What
// is wrong is the same mistake twice: a decimal that went through binary fractions,
// where 1.13 times 100 is a little less than 113. v2 makes it in its migration, which
// shows at once; v2.0.1 has it mended there and still makes it when it counts totals
// anew, minutes after it was released.
var releases = []release{
	{name: "v1", schema: 1, orders: textLayout{}},
	{name: "v2", schema: 2, orders: lineLayout{}, minor: dialect.truncated, recount: exactly},
	{name: "v2.0.1", schema: 2, orders: lineLayout{}, minor: dialect.digits, recount: viaFractions},
	{name: "v2.1", schema: 2, orders: lineLayout{}, minor: dialect.digits, recount: exactly},
}

func exactly(sum int64) int64 { return sum }

func viaFractions(sum int64) int64 { return int64(float64(sum) / 100 * 100) }

func findRelease(name string) (release, error) {
	i := slices.IndexFunc(releases, func(r release) bool { return r.name == name })
	if i < 0 {
		var names []string
		for _, r := range releases {
			names = append(names, r.name)
		}
		return release{}, fmt.Errorf("no release %q: there are %s", name, strings.Join(names, ", "))
	}
	return releases[i], nil
}

// layout is how a schema keeps orders.
type layout interface {
	// statements are all that the others use, to be prepared.
	statements(d dialect) []string
	// find has the columns of scanOrder.
	find() string
	// add reports whether the order is new.
	add(e *effect, o Order) (bool, error)
	change(e *effect, o Order) error
}

// textLayout is schema 1: one row for an order, its total as customers write it.
type textLayout struct{}

const (
	addText    = `INSERT INTO orders (order_no, customer, sku, qty, total, currency, state, version, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	changeText = `UPDATE orders SET sku = ?, qty = ?, total = ?, currency = ?, state = ?, version = ? WHERE order_no = ?`
	findText   = `SELECT order_no, customer, sku, qty, total, currency, state, version FROM orders WHERE order_no = ?`
)

func (textLayout) statements(d dialect) []string {
	return []string{addText, changeText, findText + d.forUpdate}
}

func (textLayout) find() string { return findText }

func (textLayout) add(e *effect, o Order) (bool, error) {
	n, err := e.exec(addText, o.No, o.Customer, o.SKU, o.Qty, o.Total, o.Currency, o.State, o.Version, e.Fingerprint)
	return n == 1, err
}

func (textLayout) change(e *effect, o Order) error {
	_, err := e.exec(changeText, o.SKU, o.Qty, o.Total, o.Currency, o.State, o.Version, o.No)
	return err
}

// lineLayout is schema 2: an order and its lines, amounts in minor units. Customers
// order by one line as before.
type lineLayout struct{}

const (
	addMinor    = `INSERT INTO orders (order_no, customer, total_minor, currency, state, version, created) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	addLine     = `INSERT INTO order_lines (order_no, line, sku, qty, amount_minor) VALUES (?, 1, ?, ?, ?)`
	changeMinor = `UPDATE orders SET total_minor = ?, currency = ?, state = ?, version = ? WHERE order_no = ?`
	changeLine  = `UPDATE order_lines SET sku = ?, qty = ?, amount_minor = ? WHERE order_no = ? AND line = 1`
	findMinor   = `SELECT o.order_no, o.customer, l.sku, l.qty, ` + minorAsText + `, o.currency, o.state, o.version
		FROM orders o JOIN order_lines l ON l.order_no = o.order_no AND l.line = 1 WHERE o.order_no = ?`
	minorAsText = `CAST(total_minor / 100 AS TEXT) || '.' || substr(CAST(100 + total_minor % 100 AS TEXT), 2)`
)

func (lineLayout) statements(d dialect) []string {
	return []string{addMinor, addLine, changeMinor, changeLine, findMinor + d.forUpdate}
}

func (lineLayout) find() string { return findMinor }

func (lineLayout) add(e *effect, o Order) (bool, error) {
	minor, err := o.minor()
	if err != nil {
		return false, err
	}
	n, err := e.exec(addMinor, o.No, o.Customer, minor, o.Currency, o.State, o.Version, e.Fingerprint)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = e.exec(addLine, o.No, o.SKU, o.Qty, minor)
	return true, err
}

func (lineLayout) change(e *effect, o Order) error {
	minor, err := o.minor()
	if err != nil {
		return err
	}
	if _, err := e.exec(changeMinor, minor, o.Currency, o.State, o.Version, o.No); err != nil {
		return err
	}
	_, err = e.exec(changeLine, o.SKU, o.Qty, minor, o.No)
	return err
}
