package identity

import "holdfast/internal/continuity"

// money reads what a request is worth: a JSON number, or a string of the same
// form, and where it stands in the body its currency. What is not there, is
// negative or has too many digits is no amount.
func (r *Reader) money(read values) continuity.Money {
	if r.amount == nil {
		return continuity.Money{}
	}
	v := read.value(wanted{continuity.SourceJSON, r.amountAt})
	if v.Kind != Number && v.Kind != String {
		return continuity.Money{}
	}
	units, ok := continuity.ParseUnits(v.Text)
	if !ok {
		return continuity.Money{}
	}
	currency := r.amount.Currency
	if r.amount.In != "" {
		if c := read.value(wanted{continuity.SourceJSON, r.amountAt + 1}); c.Kind == String {
			currency = c.Text
		}
	}
	if !continuity.IsCurrency(currency) {
		return continuity.Money{}
	}
	return continuity.Money{Units: units, Currency: currency}
}
