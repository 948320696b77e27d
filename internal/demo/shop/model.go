package shop

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Order is an order as it stands.
type Order struct {
	No       string `json:"order_no"`
	Customer string `json:"customer"`
	SKU      string `json:"sku"`
	Qty      int64  `json:"qty"`
	Total    string `json:"total"` // decimal with two places
	Currency string `json:"currency"`
	State    string `json:"state"`
	Version  int64  `json:"version"` // number of its last event
}

// The states of an order.
const (
	stateOpen      = "open"
	stateCancelled = "cancelled"
)

// input is the body of a request. Only a POST has to name the order, which
// stands in the path of the others. Ref is the client's own reference of the
// request; it is kept with the event.
type input struct {
	No       string `json:"order_no"`
	Customer string `json:"customer"`
	SKU      string `json:"sku"`
	Qty      int64  `json:"qty"`
	Total    string `json:"total"`
	Currency string `json:"currency"`
	Ref      string `json:"ref"`
}

// request is what the store does with one effect.
type request struct {
	Key         string // Idempotency-Key, or empty
	Fingerprint string // of method, path and body
	No          string
	Ref         string
	In          input
}

// answer is what a client gets, now and on every repeat.
type answer struct {
	Status int
	Body   string
}

// refusal is an answer that had no effect and is not kept.
type refusal struct {
	Status int
	Code   string
}

func (r *refusal) Error() string { return r.Code }

// What the shop refuses.
var (
	errUnknownOrder    = &refusal{http.StatusNotFound, "unknown-order"}
	errUnknownGoods    = &refusal{http.StatusUnprocessableEntity, "unknown-goods"}
	errUnknownCustomer = &refusal{http.StatusUnprocessableEntity, "unknown-customer"}
	errOutOfStock      = &refusal{http.StatusConflict, "out-of-stock"}
	errOrderExists     = &refusal{http.StatusConflict, "order-exists"}
	errCancelled       = &refusal{http.StatusConflict, "order-cancelled"}
	errKeyReused       = &refusal{http.StatusUnprocessableEntity, "idempotency-key-reused"}
	errBadOrder        = &refusal{http.StatusBadRequest, "bad-order"}
	errWrongSchema     = &refusal{http.StatusServiceUnavailable, "wrong-schema"}
	errBusy            = &refusal{http.StatusServiceUnavailable, "busy"}
)

var (
	orderNo  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	amount   = regexp.MustCompile(`^[0-9]{1,12}\.[0-9]{2}$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// validate checks a body; a PUT names neither order nor customer.
func (in input) validate(create bool) error {
	if create && (!orderNo.MatchString(in.No) || in.Customer == "") {
		return errBadOrder
	}
	if in.SKU == "" || in.Qty < 1 || in.Qty > 1_000_000 || !amount.MatchString(in.Total) || !currency.MatchString(in.Currency) {
		return errBadOrder
	}
	return nil
}

// minor is the total in minor units.
func (o Order) minor() (int64, error) {
	return strconv.ParseInt(strings.Replace(o.Total, ".", "", 1), 10, 64)
}
