package ledger

import (
	"math"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// Sums are the amounts of a route's records in one currency, in
// ten-thousandths, by what became of them.
type Sums struct {
	Currency            string `json:"currency"`
	Accepted            int64  `json:"accepted"`
	DeliveredAtOnce     int64  `json:"delivered_at_once"`
	DeliveredAfterDoubt int64  `json:"delivered_after_doubt"`
	Refused             int64  `json:"refused"`
	Dead                int64  `json:"dead"`
	Discarded           int64  `json:"discarded"`
	Queued              int64  `json:"queued"`
	Attempting          int64  `json:"attempting"`
	InDoubt             int64  `json:"in_doubt"`
	Parked              int64  `json:"parked"`
}

// Pending is the amount of all that still has to end.
func (s Sums) Pending() int64 { return s.Queued + s.Attempting + s.InDoubt + s.Parked }

func (s Sums) balanced() bool {
	return s.Accepted == s.DeliveredAtOnce+s.DeliveredAfterDoubt+s.Refused+s.Dead+s.Discarded+s.Pending()
}

// in returns the sum of a pending state.
func (s *Sums) in(state continuity.State) *int64 {
	switch state {
	case continuity.Queued:
		return &s.Queued
	case continuity.Attempting:
		return &s.Attempting
	case continuity.InDoubt:
		return &s.InDoubt
	default:
		return &s.Parked
	}
}

// sum returns a route's sums of a currency.
func (r *routeState) sum(currency string) *Sums {
	for _, s := range r.sums {
		if s.Currency == currency {
			return s
		}
	}
	s := &Sums{Currency: currency}
	r.sums = append(r.sums, s)
	return s
}

func (r *routeState) sumList() []Sums {
	if len(r.sums) == 0 {
		return nil
	}
	list := make([]Sums, len(r.sums))
	for i, s := range r.sums {
		list[i] = *s
	}
	slices.SortFunc(list, func(a, b Sums) int { return strings.Compare(a.Currency, b.Currency) })
	return list
}

// money returns the sums and the amount that a slot counts in; nil: none.
func (s *State) money(t *slot) (*Sums, int64) {
	if t.money == 0 {
		return nil, 0
	}
	m := s.purse.get(t.money)
	return s.routes[t.route].sum(m.Currency), m.Units
}

// moneyKey is what a cap bounds.
type moneyKey struct{ route, currency string }

// affords reports whether an amount fits under its route's caps beside all that
// is pending or on its way there (rule 2.2), less what goes in the same step.
// l.mu is held.
func (l *Ledger) affords(rec *continuity.Record, less continuity.Money) error {
	amount := l.routes[rec.Route].Hold.Amount
	if amount == nil {
		return nil
	}
	m := rec.Amount
	if m.IsZero() {
		return continuity.E(continuity.CodeNoAmount, nil, "route", rec.Route)
	}
	limit, known := amount.Cap(m.Currency)
	if !known || m.Units > limit.Item {
		return continuity.E(continuity.CodeLimitAmount, nil, "route", rec.Route, "currency", m.Currency, "limit", continuity.Units(limit.Item), "amount", continuity.Units(m.Units))
	}
	pending, accepted := l.flight.money[moneyKey{rec.Route, m.Currency}], int64(0)
	if n, ok := l.state.numbers[rec.Route]; ok {
		for _, s := range l.state.routes[n].sums {
			if s.Currency == m.Currency {
				pending, accepted = pending+s.Pending(), s.Accepted
			}
		}
	}
	if less.Currency == m.Currency {
		pending -= less.Units
	}
	// The books count for ever: what they could not add up is not accepted.
	if pending+m.Units > limit.Total || accepted > math.MaxInt64-pending-m.Units {
		return continuity.E(continuity.CodeLimitAmount, nil, "route", rec.Route, "currency", m.Currency, "limit", continuity.Units(limit.Total), "amount", continuity.Units(m.Units))
	}
	return nil
}
