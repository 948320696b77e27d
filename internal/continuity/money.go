package continuity

import (
	"strconv"
	"strings"
)

// Money is an exact amount: Units of a ten-thousandth of its currency. The
// zero value is no amount at all.
type Money struct {
	Units    int64
	Currency string
}

// Amounts have at most four digits behind the point and stay below
// a hundred thousand million.
const (
	moneyDecimals = 4
	moneyUnit     = 10_000
	// MostUnits is the largest amount of one record.
	MostUnits    = int64(100_000_000_000) * moneyUnit
	mostMoney    = 32 // characters of an amount that are looked at
	leastDigits  = 2  // behind the point, where there are any
	mostExponent = 12
)

// IsZero reports whether there is no amount.
func (m Money) IsZero() bool { return m.Currency == "" }

// String writes the amount with its currency.
func (m Money) String() string { return Units(m.Units) + " " + m.Currency }

// Units writes a number of ten-thousandths as a decimal: without a point where
// it is whole, else with two digits at least.
func Units(n int64) string {
	sign, u := "", uint64(n) // #nosec G115 -- negated below
	if n < 0 {
		sign, u = "-", uint64(-n) // #nosec G115 -- right for the least one, too
	}
	whole := sign + strconv.FormatUint(u/moneyUnit, 10)
	rest := u % moneyUnit
	if rest == 0 {
		return whole
	}
	digits := strconv.FormatUint(moneyUnit+rest, 10)[1:]
	for len(digits) > leastDigits && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return whole + "." + digits
}

// ParseUnits reads an amount that is not negative, as JSON writes a number or a
// person a decimal: digits, a point and at most four digits behind it that are
// not zero, perhaps an exponent. Nothing is rounded; what does not fit is no
// amount.
func ParseUnits(text string) (int64, bool) {
	if text == "" || len(text) > mostMoney {
		return 0, false
	}
	number, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.Atoi(text[i+1:])
		if err != nil || e > mostExponent || e < -mostExponent {
			return 0, false
		}
		number, exponent = text[:i], e
	}
	whole, part, point := strings.Cut(number, ".")
	if whole == "" || point && part == "" || len(whole) > 1 && whole[0] == '0' {
		return 0, false
	}
	digits, behind := whole+part, len(part)-exponent
	var n int64
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > MostUnits {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	for ; behind < moneyDecimals; behind++ {
		if n > MostUnits {
			return 0, false
		}
		n *= 10
	}
	for ; behind > moneyDecimals; behind-- {
		if n%10 != 0 {
			return 0, false
		}
		n /= 10
	}
	return n, n <= MostUnits
}

// IsCurrency reports whether a text names a currency: three capital letters.
func IsCurrency(text string) bool {
	if len(text) != 3 {
		return false
	}
	for i := range len(text) {
		if text[i] < 'A' || text[i] > 'Z' {
			return false
		}
	}
	return true
}

// Amount says where a route's requests name their amount, and how much of it
// may be pending.
type Amount struct {
	Pointer  string // JSON pointer into the body
	Currency string // of every request; empty: In says where it stands
	In       string // JSON pointer to the currency
	Caps     []Cap  // by currency; one without a cap is not held
}

// Cap bounds the amounts of one currency.
type Cap struct {
	Currency string
	Item     int64 // units of one record
	Total    int64 // units of all that is pending
}

// Cap returns the bounds of a currency.
func (a *Amount) Cap(currency string) (Cap, bool) {
	for _, c := range a.Caps {
		if c.Currency == currency {
			return c, true
		}
	}
	return Cap{}, false
}

// SignOff is a named person's word that a route with amounts may hold.
type SignOff struct{ Person, Date, Why string }
