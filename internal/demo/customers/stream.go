package customers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// The kinds of requests that a customer makes about an order.
const (
	kindCreated   = "created"
	kindChanged   = "changed"
	kindCancelled = "cancelled"
)

// Step is one request of a customer, and how it was answered: a line of the
// customers' ledger.
type Step struct {
	Order    string `json:"order"`
	N        int    `json:"n"` // counts the requests of one order from 1
	Kind     string `json:"kind"`
	Ref      string `json:"ref"` // in the body; the shop keeps it with the event
	Key      string `json:"key"` // Idempotency-Key
	Customer string `json:"customer"`
	SKU      string `json:"sku"`
	Qty      int64  `json:"qty"`
	Cents    int64  `json:"cents"`

	Intended time.Duration `json:"intended"` // since the start of the demo
	Answered time.Duration `json:"answered"`
	Status   int           `json:"status"` // 0: no answer
	Fault    string        `json:"fault,omitempty"`
	Receipt  string        `json:"receipt,omitempty"` // Location of a 202
}

// Acknowledged reports whether the customer was told that it worked, or will.
func (s Step) Acknowledged() bool { return s.Status >= 200 && s.Status < 300 }

// Held reports whether the relay answered, for the shop.
func (s Step) Held() bool { return s.Status == 202 }

func (s Step) Took() time.Duration { return s.Answered - s.Intended }

// call is the step as the shop's API wants it.
func (s Step) call() (method, path string, body []byte) {
	fields := map[string]any{"order_no": s.Order, "ref": s.Ref}
	if s.Kind != kindCancelled {
		fields["sku"], fields["qty"], fields["total"], fields["currency"] = s.SKU, s.Qty, decimal(s.Cents), "CNY"
	}
	switch s.Kind {
	case kindCreated:
		method, path = "POST", "/api/orders"
		fields["customer"] = s.Customer
	case kindChanged:
		method, path = "PUT", "/api/orders/"+s.Order
	default:
		method, path = "DELETE", "/api/orders/"+s.Order
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings and integers
	}
	return method, path, body
}

func decimal(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// Stream decides what customers do next. A new order may be changed a few
// times and cancelled at last; each request of an order is made when the one
// before it has been answered, as a person would.
type Stream struct {
	run       string
	customers int
	goods     int

	mu     sync.Mutex
	rnd    *rand.Rand
	orders int
	ready  []Step // the next Step of orders that go on
}

func NewStream(run string, seed uint64, customers, goods int) *Stream {
	rnd := rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- chance, not secrecy
	return &Stream{run: run, customers: customers, goods: goods, rnd: rnd}
}

// next returns the step to make now.
func (s *Stream) next() Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.ready); n > 0 && s.rnd.IntN(100) < 30+n/4 {
		i := s.rnd.IntN(n)
		next := s.ready[i]
		s.ready[i] = s.ready[n-1]
		s.ready = s.ready[:n-1]
		return next
	}
	s.orders++
	return s.fill(Step{
		Order: fmt.Sprintf("%s-%06d", s.run, s.orders), N: 1, Kind: kindCreated,
		Customer: fmt.Sprintf("c%03d", 1+s.rnd.IntN(s.customers)),
	})
}

func (s *Stream) fill(st Step) Step {
	st.Ref = fmt.Sprintf("%s/%d", st.Order, st.N)
	st.Key = fmt.Sprintf("%016x%016x", s.rnd.Uint64(), s.rnd.Uint64())
	if st.Kind != kindCancelled {
		st.SKU = fmt.Sprintf("sku-%04d", 1+s.rnd.IntN(s.goods))
		st.Qty = int64(1 + s.rnd.IntN(5))
		st.Cents = st.Qty * int64(100+s.rnd.IntN(30000))
	}
	return st
}

// answered lets an order go on. One whose request failed stays as it is: what
// became of it is not known to its customer.
func (s *Stream) answered(st Step) {
	if !st.Acknowledged() || st.Kind == kindCancelled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := Step{Order: st.Order, N: st.N + 1, Customer: st.Customer, SKU: st.SKU, Qty: st.Qty, Cents: st.Cents}
	switch p := s.rnd.IntN(100); {
	case p < 30:
		next.Kind = kindChanged
	case p < 38:
		next.Kind = kindCancelled
	default:
		return
	}
	s.ready = append(s.ready, s.fill(next))
}
