package sensitive

// issuer is a range of leading digits and the lengths of numbers that begin so.
type issuer struct {
	low, high int // of as many digits as both have
	digits    int
	least     int
	most      int
}

var issuers = []issuer{
	{4, 4, 1, 16, 19},           // Visa; 13 digits are no longer issued
	{51, 55, 2, 16, 16},         // Mastercard
	{2221, 2720, 4, 16, 16},     // Mastercard
	{34, 34, 2, 15, 15},         // American Express
	{37, 37, 2, 15, 15},         // American Express
	{62, 62, 2, 16, 19},         // UnionPay
	{81, 81, 2, 16, 19},         // UnionPay
	{6011, 6011, 4, 16, 19},     // Discover
	{644, 659, 3, 16, 19},       // Discover
	{3528, 3589, 4, 16, 19},     // JCB
	{300, 305, 3, 14, 19},       // Diners Club
	{36, 36, 2, 14, 19},         // Diners Club
	{38, 39, 2, 14, 19},         // Diners Club
	{2200, 2204, 4, 16, 19},     // Mir
	{5018, 5018, 4, 16, 19},     // Maestro
	{5020, 5020, 4, 16, 19},     // Maestro
	{5038, 5038, 4, 16, 19},     // Maestro
	{6304, 6304, 4, 16, 19},     // Maestro
	{6759, 6763, 4, 16, 19},     // Maestro
	{60, 60, 2, 16, 16},         // RuPay
	{9704, 9704, 4, 16, 19},     // NAPAS
	{5019, 5019, 4, 16, 16},     // Dankort
	{636, 636, 3, 16, 19},       // InterPayment
	{506099, 506198, 6, 16, 19}, // Verve
	{650002, 650027, 6, 16, 19}, // Verve
	{979200, 979289, 6, 16, 16}, // Troy
	{356600, 356799, 6, 16, 19}, // UnionPay with JCB
}

// The lengths between which a card number lies.
const (
	leastDigits = 14
	mostDigits  = 19
)

// isCard reports whether digits are those of a card: 14 to 19 of them, an
// issuer's prefix and length, and a right check digit.
func isCard(digits []byte) bool {
	if len(digits) < leastDigits || len(digits) > mostDigits || !luhn(digits) {
		return false
	}
	for _, i := range issuers {
		if len(digits) < i.least || len(digits) > i.most {
			continue
		}
		prefix := 0
		for _, d := range digits[:i.digits] {
			prefix = prefix*10 + int(d-'0')
		}
		if i.low <= prefix && prefix <= i.high {
			return true
		}
	}
	return false
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		n := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// span is where a card number stands in a text.
type span struct{ from, to int }

// run collects digits that stand together, parted by single blanks or hyphens.
type run struct {
	digits [64]byte
	at     [64]span // of each digit in the text
	n      int
	starts [64]bool // a group begins here
	over   bool     // more digits than there is room for
}

// cards calls found with every card number in a text, until found returns
// false. Digits may be grouped by single blanks, hyphens or dots, and may be of
// full width. A number begins and ends where a group does: what stands inside a
// longer row of digits is none.
func cards(text string, found func(span) bool) {
	var r run
	apart := true // the next digit begins a group
	gap := 0      // separators since the last digit
	for i, c := range text {
		d, width := byte(0), 1
		switch {
		case '0' <= c && c <= '9':
			d = byte(c)
		case '０' <= c && c <= '９':
			d, width = byte('0'+c-'０'), 3
		}
		switch {
		case d != 0:
			if gap > 1 {
				if !r.check(found) {
					return
				}
				r = run{}
			}
			if r.n == len(r.digits) {
				r.over = true
			} else {
				r.digits[r.n], r.at[r.n], r.starts[r.n] = d, span{i, i + width}, apart
				r.n++
			}
			apart, gap = false, 0
		case c == ' ' || c == '-' || c == '.' || c == '\u00a0' || c == '\u3000':
			apart = true
			gap++
		default:
			if r.n > 0 {
				if !r.check(found) {
					return
				}
				r = run{}
			}
			apart, gap = true, 0
		}
	}
	r.check(found)
}

func (r *run) check(found func(span) bool) bool {
	for from := 0; from < r.n; from++ {
		if !r.starts[from] {
			continue
		}
		for to := from + leastDigits; to <= r.n && to-from <= mostDigits; to++ {
			if (to == r.n && !r.over || to < r.n && r.starts[to]) && isCard(r.digits[from:to]) {
				if !found(span{r.at[from].from, r.at[to-1].to}) {
					return false
				}
				from = to - 1
				break
			}
		}
	}
	return true
}

func hasCard(text string) bool {
	has := false
	cards(text, func(span) bool {
		has = true
		return false
	})
	return has
}
