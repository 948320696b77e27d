package shop

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Invariant is what always holds in a shop's database, whatever its schema: a query of
// the first orders and goods for which it does not hold.
type Invariant struct {
	Name string `json:"name"`
	Says string `json:"says"`
	SQL  string `json:"sql"` // how many violate it: 0
	show string // these, in words
}

// invariants read what every release has: the view of booked orders and the events.
var invariants = []Invariant{
	violated("amounts", "an order is booked with the amount that its customer sent last",
		`booked_orders b JOIN events e ON e.order_no = b.order_no AND e.order_seq = b.version
		WHERE CAST(replace(e.total, '.', '') AS BIGINT) <> b.minor`,
		`b.order_no || ': ' || CAST(b.minor AS TEXT) || ' minor units, its customer sent ' || e.total`),
	violated("complete", "an order has all its events, numbered from 1 without a gap",
		`booked_orders b WHERE b.version <> (SELECT count(*) FROM events e WHERE e.order_no = b.order_no)
			OR b.version <> (SELECT max(e.order_seq) FROM events e WHERE e.order_no = b.order_no)`,
		`b.order_no || ': version ' || CAST(b.version AS TEXT)`),
	violated("known", "what happened to an order is not all that is left of it",
		`events e WHERE e.order_seq = 1 AND NOT EXISTS (SELECT 1 FROM booked_orders b WHERE b.order_no = e.order_no)`,
		`e.order_no`),
	violated("stock", "what is ordered was taken out of stock",
		`goods g LEFT JOIN (SELECT sku, sum(qty) AS qty FROM booked_orders WHERE state = 'open' GROUP BY sku) b ON b.sku = g.sku
		WHERE g.stock <> 1000000 - coalesce(b.qty, 0)`,
		`g.sku || ': ' || CAST(g.stock AS TEXT) || ' in stock'`),
}

// Invariants are what always holds, for a plan to ask.
func Invariants() []Invariant { return slices.Clone(invariants) }

func violated(name, says, where, words string) Invariant {
	where = strings.Join(strings.Fields(where), " ")
	return Invariant{name, says, `SELECT count(*) FROM ` + where, `SELECT ` + words + ` FROM ` + where + ` ORDER BY 1 LIMIT 5`}
}

// verdict is what came of one.
type verdict struct {
	Name     string   `json:"name"`
	Says     string   `json:"says"`
	Violated int64    `json:"violated"`
	Examples []string `json:"examples,omitempty"`
}

// books are the figures of all orders: they stay what they are while nobody orders,
// and a migration does not change them.
type books struct {
	Orders int64            `json:"orders"`
	Sums   map[string]int64 `json:"sums"` // of open orders in minor units, by currency
	Hash   string           `json:"hash"` // total over all orders, in any order
}

// examined is all that `shop invariants` finds.
type examined struct {
	Verdicts []verdict `json:"invariants"`
	Books    books     `json:"books"`
}

func (s *store) examine(ctx context.Context) (found examined, err error) {
	tx, err := s.read.BeginTx(ctx, s.dialect.snapshot())
	if err != nil {
		return found, err
	}
	defer tx.Rollback() // read only
	for _, i := range invariants {
		v := verdict{Name: i.Name, Says: i.Says}
		if err := tx.QueryRowContext(ctx, i.SQL).Scan(&v.Violated); err != nil {
			return found, fmt.Errorf("invariant %s: %w", i.Name, err)
		}
		if v.Violated > 0 {
			rows, err := tx.QueryContext(ctx, i.show)
			if err != nil {
				return found, err
			}
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return found, errors.Join(err, rows.Close())
				}
				v.Examples = append(v.Examples, line)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return found, err
			}
		}
		found.Verdicts = append(found.Verdicts, v)
	}
	rows, err := tx.QueryContext(ctx, `SELECT order_no, customer, sku, qty, minor, currency, state, version FROM booked_orders`)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	b := books{Sums: map[string]int64{}}
	var total uint64
	for rows.Next() {
		var (
			no, customer, sku, currency, state string
			qty, minor, version                int64
		)
		if err := rows.Scan(&no, &customer, &sku, &qty, &minor, &currency, &state, &version); err != nil {
			return found, err
		}
		b.Orders++
		if state == stateOpen {
			b.Sums[currency] += minor
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d %q %q %d", no, customer, sku, qty, minor, currency, state, version))
		total += binary.BigEndian.Uint64(sum[:])
	}
	b.Hash = fmt.Sprintf("%016x", total)
	found.Books = b
	return found, rows.Err()
}

// errViolated ends `shop invariants` where one is violated.
var errViolated = errors.New("an invariant is violated")

// runInvariants is `shop invariants`.
func runInvariants(ctx context.Context, o options, out io.Writer) error {
	if o.queries {
		return o.print(out, invariants, func() {
			for _, i := range invariants {
				fmt.Fprintf(out, "-- %s: %s\n%s;\n", i.Name, i.Says, i.SQL)
			}
		})
	}
	s, err := openDatabase(o)
	if err != nil {
		return err
	}
	defer s.Close()
	found, err := s.examine(ctx)
	if err != nil {
		return err
	}
	bad := false
	for _, v := range found.Verdicts {
		bad = bad || v.Violated > 0
	}
	if err := o.print(out, found, func() {
		for _, v := range found.Verdicts {
			if v.Violated == 0 {
				fmt.Fprintf(out, "ok        %s: %s\n", v.Name, v.Says)
				continue
			}
			fmt.Fprintf(out, "VIOLATED  %s: %s; not so for %d, e.g. %s\n", v.Name, v.Says, v.Violated, strings.Join(v.Examples, "; "))
		}
		fmt.Fprintf(out, "%d orders, open %v in minor units, hash total %s\n", found.Books.Orders, found.Books.Sums, found.Books.Hash)
	}); err != nil {
		return err
	}
	if bad {
		return errViolated
	}
	return nil
}
