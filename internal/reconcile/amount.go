package reconcile

import (
	"cmp"
	"slices"

	"github.com/cockroachdb/apd/v3"
)

// The bounds of an amount that is taken for one.
const (
	mostDigits   = 64
	mostExponent = 64
)

// parse reads an exact decimal.
func parse(text string) (*apd.Decimal, bool) {
	if text == "" || len(text) > mostDigits {
		return nil, false
	}
	d, _, err := apd.NewFromString(text)
	if err != nil || d.Form != apd.Finite || d.Exponent > mostExponent || d.Exponent < -mostExponent {
		return nil, false
	}
	return d, true
}

// canonical writes equal amounts the same way: no exponent, no trailing zeros.
func canonical(d *apd.Decimal) string {
	var reduced apd.Decimal
	reduced.Reduce(d)
	if reduced.IsZero() {
		return "0"
	}
	return reduced.Text('f')
}

// equal reports whether amount less fee is net.
func equal(amount, fee, net *apd.Decimal) bool {
	var left apd.Decimal
	_, err := apd.BaseContext.Sub(&left, amount, fee)
	return err == nil && left.Cmp(net) == 0
}

// sums adds up by currency. The sum bears as many places as its longest part.
type sums map[string]*apd.Decimal

func (s sums) add(currency string, d *apd.Decimal) {
	sum := s[currency]
	if sum == nil {
		sum = new(apd.Decimal)
		s[currency] = sum
	}
	_, _ = apd.BaseContext.Add(sum, sum, d) // exact: its precision is unlimited, and exponents are bounded
}

// Sum is an amount of one currency; empty where none is named.
type Sum struct {
	Currency string `json:"currency"`
	Amount   string `json:"amount"`
}

func (s sums) list() []Sum {
	list := make([]Sum, 0, len(s))
	for currency, d := range s {
		list = append(list, Sum{currency, d.Text('f')})
	}
	slices.SortFunc(list, func(a, b Sum) int { return cmp.Compare(a.Currency, b.Currency) })
	return list
}
