package ledger

import (
	"slices"

	"holdfast/internal/continuity"
)

// purse writes the amount of a record into 32 bits of its slot: a number of
// hundredths or ten-thousandths of one of seven currencies. What does not fit,
// which a cap of a million of anything makes impossible, stands in a table, and
// the slot holds its place there. 0 is no amount.
//
//	bit 31       the rest is a place in the table
//	bits 28..30  currency, counted from 1
//	bit 27       ten-thousandths, not hundredths
//	bits 0..26   the number
type purse struct {
	currencies []string
	large      []continuity.Money
	free       []uint32
}

const (
	inTable      = uint32(1) << 31
	currencyBit  = 28
	mostPlain    = 7
	fineBit      = uint32(1) << 27
	mostNumber   = int64(fineBit) - 1
	perHundredth = 100
)

// put returns what stands for an amount.
func (p *purse) put(m continuity.Money) uint32 {
	if m.IsZero() {
		return 0
	}
	i := slices.Index(p.currencies, m.Currency)
	if i < 0 && len(p.currencies) < mostPlain {
		i = len(p.currencies)
		p.currencies = append(p.currencies, m.Currency)
	}
	if i >= 0 {
		code := uint32(i+1) << currencyBit // #nosec G115 -- at most seven
		if n := m.Units / perHundredth; m.Units%perHundredth == 0 && n <= mostNumber {
			return code | uint32(n) // #nosec G115 -- checked above
		}
		if m.Units <= mostNumber {
			return code | fineBit | uint32(m.Units) // #nosec G115 -- checked above
		}
	}
	if n := len(p.free); n > 0 {
		at := p.free[n-1]
		p.free = p.free[:n-1]
		p.large[at] = m
		return inTable | at
	}
	p.large = append(p.large, m)
	return inTable | uint32(len(p.large)-1) // #nosec G115 -- a count of records bounds it
}

// get returns the amount that code stands for.
func (p *purse) get(code uint32) continuity.Money {
	switch {
	case code == 0:
		return continuity.Money{}
	case code&inTable != 0:
		return p.large[code&^inTable]
	}
	m := continuity.Money{Currency: p.currencies[code>>currencyBit-1], Units: int64(code & (fineBit - 1))}
	if code&fineBit == 0 {
		m.Units *= perHundredth
	}
	return m
}

// holds reports whether code stands for anything here.
func (p *purse) holds(code uint32) bool {
	if code&inTable != 0 {
		return int(code&^inTable) < len(p.large)
	}
	return code == 0 || code>>currencyBit >= 1 && int(code>>currencyBit) <= len(p.currencies)
}

// drop gives back the place of an amount.
func (p *purse) drop(code uint32) {
	if code&inTable != 0 {
		p.large[code&^inTable] = continuity.Money{}
		p.free = append(p.free, code&^inTable)
	}
}

func (p *purse) clone() purse {
	return purse{currencies: slices.Clone(p.currencies), large: slices.Clone(p.large)}
}

// restore takes over what a checkpoint holds.
func (p *purse) restore(currencies []string, large []continuity.Money) {
	p.currencies, p.large = currencies, large
	for i := range slices.Backward(large) {
		if large[i].IsZero() {
			p.free = append(p.free, uint32(i)) // #nosec G115 -- as it was
		}
	}
}
