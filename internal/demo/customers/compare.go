package customers

import (
	"cmp"
	"fmt"
	"slices"
)

// Event is one effect in the shop, as its database lists them.
type Event struct {
	Order string
	Seq   int64 // counts the events of one order as received
	Kind  string
	Qty   int64
	Total string
	Ref   string
}

// Order is an order as it stands in the shop.
type Order struct {
	Qty   int64
	Total string
	State string
}

// Books is what the shop's own database holds of this demo.
type Books struct {
	Events []Event // of one order by Seq
	Orders map[string]Order
}

// Comparison is how the customers' ledger and the shop's books agree.
type Comparison struct {
	Acknowledged int `json:"acknowledged"` // requests the customers were told are accepted
	Found        int `json:"found"`        // of these, in the shop
	Lost         int `json:"lost"`         // of these, not in the shop
	Doubled      int `json:"doubled"`      // effects that the shop has once more
	Reordered    int `json:"reordered"`    // effects after a later one of the same order
	Differing    int `json:"differing"`    // effects or orders with another content
	Foreign      int `json:"foreign"`      // effects that no customer asked for
	Unclear      int `json:"unclear"`      // requests that met an error: the shop may have them or not

	Orders     int   `json:"orders"` // open orders by the customers' ledger
	ShopOrders int   `json:"shop_orders"`
	Sum        int64 `json:"sum_cents"` // over these
	ShopSum    int64 `json:"shop_sum_cents"`

	Examples []string `json:"examples,omitempty"` // the first faults, in words
}

// Clean reports whether the books agree.
func (c Comparison) Clean() bool {
	return c.Lost+c.Doubled+c.Reordered+c.Differing+c.Foreign == 0 && c.Sum == c.ShopSum && c.Orders == c.ShopOrders
}

func (c *Comparison) fault(n *int, format string, args ...any) {
	*n++
	if len(c.Examples) < 20 {
		c.Examples = append(c.Examples, fmt.Sprintf(format, args...))
	}
}

// Compare holds the customers' ledger against the shop's books.
func Compare(steps []Step, b Books) Comparison {
	var c Comparison
	steps = slices.Clone(steps)
	slices.SortFunc(steps, func(x, y Step) int {
		return cmp.Or(cmp.Compare(x.Order, y.Order), cmp.Compare(x.N, y.N))
	})
	byRef := make(map[string]Step, len(steps))
	for _, s := range steps {
		byRef[s.Ref] = s
	}

	seen := make(map[string]bool, len(b.Events))
	latest := map[string]int{} // order -> highest step among its events so far
	for _, e := range b.Events {
		s, known := byRef[e.Ref]
		switch {
		case !known || s.Order != e.Order:
			c.fault(&c.Foreign, "event %d of %s: no customer sent %q", e.Seq, e.Order, e.Ref)
			continue
		case seen[e.Ref]:
			c.fault(&c.Doubled, "event %d of %s: %s again", e.Seq, e.Order, e.Ref)
			continue
		}
		seen[e.Ref] = true
		if s.N < latest[e.Order] {
			c.fault(&c.Reordered, "event %d of %s: step %d after step %d", e.Seq, e.Order, s.N, latest[e.Order])
		}
		latest[e.Order] = max(latest[e.Order], s.N)
		if e.Kind != s.Kind || s.Kind != kindCancelled && (e.Qty != s.Qty || e.Total != decimal(s.Cents)) {
			c.fault(&c.Differing, "event %d of %s: %s %d for %s, the customer sent %s %d for %s",
				e.Seq, e.Order, e.Kind, e.Qty, e.Total, s.Kind, s.Qty, decimal(s.Cents))
		}
	}

	for i := 0; i < len(steps); {
		order := steps[i].Order
		var (
			want  Order
			clear = true
		)
		for ; i < len(steps) && steps[i].Order == order; i++ {
			s := steps[i]
			if !s.Acknowledged() {
				c.Unclear++
				clear = false
				continue
			}
			c.Acknowledged++
			if seen[s.Ref] {
				c.Found++
			} else {
				c.fault(&c.Lost, "%s (%s): the customer was told %d, the shop does not have it", s.Ref, s.Kind, s.Status)
			}
			want.State = stateCancelled
			if s.Kind != kindCancelled {
				want = Order{Qty: s.Qty, Total: decimal(s.Cents), State: stateOpen}
			}
		}
		if !clear {
			continue // what the order should look like is not known
		}
		have, ok := b.Orders[order]
		if ok && have != want {
			c.fault(&c.Differing, "order %s is %+v, it should be %+v", order, have, want)
		}
		if want.State == stateOpen {
			c.Orders++
			c.Sum += cents(want.Total)
		}
		if ok && have.State == stateOpen {
			c.ShopOrders++
			c.ShopSum += cents(have.Total)
		}
	}
	return c
}

// The states of an order in the shop.
const (
	stateOpen      = "open"
	stateCancelled = "cancelled"
)

// cents reads an amount with two decimal places.
func cents(total string) int64 {
	var whole, part int64
	if n, err := fmt.Sscanf(total, "%d.%2d", &whole, &part); n != 2 || err != nil {
		return 0
	}
	return whole*100 + part
}
