package reconcile

import (
	"time"

	"holdfast/internal/continuity"
)

// Report is what a comparison found.
type Report struct {
	Route string        `json:"route"`
	Began time.Time     `json:"began"`
	Took  time.Duration `json:"took_ns"`

	Records int64   `json:"records"` // compared
	States  []State `json:"states"`  // of them, those that occur

	Upstream   int64 `json:"upstream"`             // rows of its list
	Passed     int64 `json:"passed"`               // of them, under keys that no record has
	Sums       []Sum `json:"sums,omitempty"`       // of the others
	Amounts    bool  `json:"amounts"`              // both sides have amounts, and they were compared
	Unreadable int64 `json:"unreadable,omitempty"` // amounts of the upstream's list that are none

	Found     int64 `json:"found"`     // delivered, and there
	Missing   List  `json:"missing"`   // delivered, and not there
	Doubled   List  `json:"doubled"`   // keys that are there more often than they have records
	Differing List  `json:"differing"` // there, with another amount
	There     List  `json:"there"`     // there, though not delivered as far as is known here

	Settled *Settled `json:"settled,omitempty"` // of a settlement file
}

// Settled is what only a settlement file has.
type Settled struct {
	From time.Time `json:"from"` // what was delivered after it
	To   time.Time `json:"to"`   // and up to it belongs into the file

	Lines      int64 `json:"lines"`
	Below      int64 `json:"below,omitempty"` // lines of totals below, which are not read
	Refunds    int64 `json:"refunds"`         // negative amounts; they are not compared
	RefundSums []Sum `json:"refund_sums,omitempty"`
	Fees       []Sum `json:"fees,omitempty"`
	Net        []Sum `json:"net,omitempty"`

	OtherDays  int64 `json:"other_days"` // delivered on other days, and not in this file
	Nearby     List  `json:"nearby"`     // delivered so near to the end or the beginning that another day's file may have them
	Miscounted List  `json:"miscounted"` // lines whose amount less fee is not the net
}

// State sums up the records in one state.
type State struct {
	State    string `json:"state"`
	Count    int64  `json:"count"`
	Sums     []Sum  `json:"sums,omitempty"`
	NoAmount int64  `json:"no_amount,omitempty"` // records without a readable amount
}

// List is a number of findings, of which the first are named.
type List struct {
	Total    int64     `json:"total"`
	Findings []Finding `json:"findings,omitempty"`
}

// Finding is one thing that does not agree.
type Finding struct {
	Key        string    `json:"key"`
	Receipt    string    `json:"receipt"`
	State      string    `json:"state"`
	AcceptedAt time.Time `json:"accepted_at"`
	Records    int       `json:"records"` // of the key that were delivered
	Rows       int       `json:"rows"`    // of the key in the upstream's list
	Ours       string    `json:"ours,omitempty"`
	Theirs     string    `json:"theirs,omitempty"`
	Currency   string    `json:"currency,omitempty"`
	Line       int       `json:"line,omitempty"` // of a settlement file
}

func (l *List) add(f Finding, most int) {
	l.Total++
	if len(l.Findings) < most {
		l.Findings = append(l.Findings, f)
	}
}

// Clean reports whether nothing is missing, doubled or differing, and nothing
// is there that should not be.
func (r *Report) Clean() bool {
	return r.Missing.Total == 0 && r.Doubled.Total == 0 && r.Differing.Total == 0 && r.There.Total == 0 &&
		(r.Settled == nil || r.Settled.Miscounted.Total == 0)
}

// Pending is how many of the records have not ended.
func (r *Report) Pending() int64 {
	var n int64
	for _, s := range continuity.States() {
		if s.Pending() {
			n += r.Count(s)
		}
	}
	return n
}

// Count is how many of the records are in a state.
func (r *Report) Count(s continuity.State) int64 {
	for _, c := range r.States {
		if c.State == s.String() {
			return c.Count
		}
	}
	return 0
}

func (b *book) report(o Options) *Report {
	r := &Report{Records: b.counted, Upstream: b.listed, Passed: b.passed, Amounts: b.amounts, Unreadable: b.unreadable}
	if b.amounts {
		r.Sums = b.there.list()
	}
	for _, s := range continuity.States() {
		if c := b.states[s]; c.n > 0 {
			r.States = append(r.States, State{State: s.String(), Count: c.n, Sums: c.sums.list(), NoAmount: c.noAmount})
		}
	}
	var items []item
	var rows []row
	for i := range b.groups {
		items, rows = b.collect(&b.groups[i], items[:0], rows[:0])
		b.compare(r, o, &b.groups[i], items, rows)
	}
	return r
}

// absent accounts for what was delivered and is not in the list.
func (b *book) absent(r *Report, it *item, f Finding, o Options) {
	switch {
	case b.window == nil || it.when == within:
		r.Missing.add(f, o.Listed)
	case it.when == near:
		o.settled.Nearby.add(f, o.Listed)
	default:
		o.settled.OtherDays++
	}
}

// compare accounts for one key. Rows go first to records of the same amount,
// delivered ones before others; then, with another amount, to delivered ones
// that are left; then to records that never were delivered as far as is known.
// What is left over is doubled.
func (b *book) compare(r *Report, o Options, g *group, items []item, rows []row) {
	n := 0
	for n < len(items) && items[n].state == continuity.Delivered {
		n++
	}
	found, loose, left := b.match(items[:n], rows)
	there, others, left := b.match(items[n:], left)
	finding := func(it *item, theirs *row) Finding {
		f := Finding{
			Key: g.key, Receipt: it.receipt.String(), State: it.state.String(), AcceptedAt: it.acceptedAt(),
			Records: n, Rows: int(g.n), Ours: it.amount, Currency: b.currencies[it.currency],
		}
		if theirs != nil {
			f.Theirs = theirs.amount
			if f.Currency == "" {
				f.Currency = b.currencies[theirs.currency]
			}
		}
		return f
	}
	r.Found += int64(len(found))
	for i := range loose {
		if len(left) == 0 {
			b.absent(r, &loose[i], finding(&loose[i], nil), o)
			continue
		}
		r.Found++
		r.Differing.add(finding(&loose[i], &left[0]), o.Listed)
		left = left[1:]
	}
	unexplained := func(it *item, theirs *row) {
		if o.Now != nil {
			if now, known := o.Now(it.receipt); known && now == continuity.Delivered {
				r.Found++ // it was delivered while the list was read
				return
			}
		}
		r.There.add(finding(it, theirs), o.Listed)
	}
	for i := range there {
		unexplained(&there[i], nil)
	}
	for i := range others {
		if len(left) == 0 {
			return
		}
		unexplained(&others[i], &left[0])
		left = left[1:]
	}
	if len(left) > 0 {
		r.Doubled.add(finding(&items[0], &left[0]), o.Listed)
	}
}
