package reconcile

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// book holds the records by key and, of the upstream's rows, those that have
// such a key. Small structs in few slices: a million records and rows take some 220 MB.
type book struct {
	index      map[string]int32
	groups     []group
	items      []item
	rows       []row
	currencies []string // by number; the first is none
	numbers    map[string]uint16

	states     [continuity.Discarded + 1]stateSums
	counted    int64
	listed     int64
	passed     int64
	unreadable int64
	amounts    bool    // both sides have them
	wanted     bool    // the records' are to be read
	there      sums    // amounts of rows that have records
	window     *Window // of a statement; nil: everything delivered must be there

	roots map[continuity.Receipt]continuity.Receipt // of records that bring back what a restored upstream lost: what they bring back
	last  map[continuity.Receipt]*item              // by that: the newest that does
}

type stateSums struct {
	n        int64
	noAmount int64
	sums     sums
}

// group is all that bears one key.
type group struct {
	key  string
	item int32 // the last one given, -1: none
	row  int32
	n    int32 // rows
}

type item struct {
	receipt  continuity.Receipt
	accepted int64 // milliseconds
	amount   string
	next     int32
	currency uint16
	state    continuity.State
	when     when
	gone     bool // a later record brings it back
}

type row struct {
	amount   string
	next     int32
	currency uint16
}

// line is one row of the upstream's list.
type line struct {
	key      string
	amount   string
	currency string
	amounts  bool // the list has a column of them
}

// unread stands for an amount that could not be read: it equals nothing on the
// other side.
const unread = "?"

func newBook() *book {
	return &book{index: make(map[string]int32), currencies: []string{""}, numbers: map[string]uint16{"": 0}, there: sums{}}
}

func (b *book) currency(name string) uint16 {
	n, ok := b.numbers[name]
	if !ok && len(b.currencies) <= 1<<15 { // more are no currencies
		n = uint16(len(b.currencies)) // #nosec G115 -- bounded above
		b.currencies = append(b.currencies, name)
		b.numbers[name] = n
	}
	return n
}

func (b *book) record(r Record, amounts bool) {
	b.wanted = amounts
	i, ok := b.index[r.Key]
	if !ok {
		i = int32(len(b.groups)) // #nosec G115 -- memory bounds them
		b.index[r.Key] = i
		b.groups = append(b.groups, group{key: r.Key, item: -1, row: -1})
	}
	it := item{
		receipt: r.Receipt, accepted: r.AcceptedAt.UnixMilli(), currency: b.currency(r.Currency),
		state: r.State, next: b.groups[i].item,
	}
	if b.window != nil {
		it.when = b.window.of(r.Delivered)
	}
	s := &b.states[r.State]
	s.n++
	b.counted++
	if amounts {
		it.amount = unread
		if d, ok := parse(r.Amount); ok {
			it.amount = canonical(d)
			if s.sums == nil {
				s.sums = sums{}
			}
			s.sums.add(r.Currency, d)
		} else {
			s.noAmount++
		}
	}
	if !r.Again.IsZero() {
		if b.roots == nil {
			b.roots, b.last = map[continuity.Receipt]continuity.Receipt{}, map[continuity.Receipt]*item{}
		}
		b.roots[r.Receipt] = r.Again
		if newest := b.last[r.Again]; newest == nil || cmp.Or(cmp.Compare(newest.accepted, it.accepted), slices.Compare(newest.receipt[:], it.receipt[:])) < 0 {
			kept := it
			b.last[r.Again] = &kept
		}
	}
	b.groups[i].item = int32(len(b.items)) // #nosec G115 -- memory bounds them
	b.items = append(b.items, it)
}

// settle is called once all records are there. What was delivered, lost by a restored
// upstream and brought back by a later record counts by that one alone: there is one row
// of both.
func (b *book) settle() {
	if len(b.last) == 0 {
		return
	}
	for i := range b.items {
		it := &b.items[i]
		root, again := b.roots[it.receipt]
		if !again {
			root = it.receipt
		}
		newest := b.last[root]
		if newest == nil || newest.receipt == it.receipt {
			continue
		}
		it.gone = true
		b.counted--
		s := &b.states[it.state]
		s.n--
		switch d, ok := parse(it.amount); {
		case !b.wanted:
		case !ok:
			s.noAmount--
		default:
			d.Negative = !d.Negative
			s.sums.add(b.currencies[it.currency], d)
		}
	}
}

func (b *book) row(l line) {
	b.listed++
	i, ok := b.index[l.key]
	if !ok {
		b.passed++
		return
	}
	g := &b.groups[i]
	g.n++
	r := row{next: g.row, currency: b.currency(l.currency)}
	if l.amounts && b.wanted {
		b.amounts = true
		r.amount = unread
		if d, ok := parse(l.amount); ok {
			r.amount = canonical(d)
			b.there.add(l.currency, d)
		} else {
			b.unreadable++
		}
	}
	g.row = int32(len(b.rows)) // #nosec G115 -- the limit on rows bounds them
	b.rows = append(b.rows, r)
}

// collect returns a group's items and rows in the order of amounts, so that
// equal ones are found side by side; of equal items the delivered ones and the
// older ones come first.
func (b *book) collect(g *group, items []item, rows []row) ([]item, []row) {
	for i := g.item; i >= 0; i = b.items[i].next {
		if b.items[i].gone {
			continue
		}
		items = append(items, b.items[i])
		if !b.amounts {
			items[len(items)-1].amount = ""
		}
	}
	for i := g.row; i >= 0; i = b.rows[i].next {
		rows = append(rows, b.rows[i])
	}
	slices.SortFunc(items, func(x, y item) int {
		return cmp.Or(cmp.Compare(rank(x.state), rank(y.state)), cmp.Compare(x.amount, y.amount),
			cmp.Compare(x.accepted, y.accepted), slices.Compare(x.receipt[:], y.receipt[:]))
	})
	slices.SortFunc(rows, func(x, y row) int {
		return cmp.Or(cmp.Compare(x.amount, y.amount), cmp.Compare(x.currency, y.currency))
	})
	return items, rows
}

// rank is in which order records are held to account for a row: first what was
// delivered, then what is likeliest to have been.
func rank(s continuity.State) int {
	return slices.Index([]continuity.State{
		continuity.Delivered, continuity.InDoubt, continuity.Attempting, continuity.Parked,
		continuity.Dead, continuity.Queued, continuity.Refused, continuity.Discarded,
	}, s)
}

// match pairs items with rows of the same amount. It returns what is left of
// both, in order, and the items that were paired.
func (b *book) match(items []item, rows []row) (paired, loose []item, left []row) {
	taken := make([]bool, len(rows))
	for _, it := range items {
		at, _ := slices.BinarySearchFunc(rows, it.amount, func(r row, amount string) int { return cmp.Compare(r.amount, amount) })
		found := false
		for ; it.amount != unread && at < len(rows) && rows[at].amount == it.amount; at++ {
			if !taken[at] && (it.currency == 0 || rows[at].currency == 0 || it.currency == rows[at].currency) {
				taken[at], found = true, true
				break
			}
		}
		if found {
			paired = append(paired, it)
		} else {
			loose = append(loose, it)
		}
	}
	for i, r := range rows {
		if !taken[i] {
			left = append(left, r)
		}
	}
	return paired, loose, left
}

func (it *item) acceptedAt() time.Time { return time.UnixMilli(it.accepted).UTC() }
