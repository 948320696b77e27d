package reconcile

import (
	"context"
	"iter"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Record is what is compared of one record.
type Record struct {
	Receipt    continuity.Receipt
	Key        string // as the request had it
	State      continuity.State
	Method     string
	Amount     string // as the request had it; empty: none
	Currency   string // empty: not known
	AcceptedAt time.Time
	Delivered  time.Time // when it was; zero: not, or not known

	// Again is the record that a restored upstream had lost and that this one brings
	// back; zero: it brings back none.
	Again continuity.Receipt
}

// Options say what is compared.
type Options struct {
	Route  string
	Config continuity.Reconcile
	// Statement, if there is one, is compared with instead of the upstream's list;
	// of Config only Methods and Amount count then.
	Statement *Statement
	// Records yields the route's records, in any order. It is read to its end
	// before the upstream is asked, so that what is delivered meanwhile is not
	// found missing.
	Records iter.Seq2[Record, error]
	// Now tells where a record stands by now; it is asked before a record is
	// reported as there though not delivered. It may be nil.
	Now func(continuity.Receipt) (continuity.State, bool)

	Time   time.Duration // for the upstream's query; default 5 min
	Rows   int64         // most rows of the upstream's list; default 10,000,000
	Listed int           // most findings listed of a kind; default 100

	settled *Settled
}

func (o *Options) defaults() {
	if o.Time <= 0 {
		o.Time = 5 * time.Minute
	}
	if o.Rows <= 0 {
		o.Rows = 10_000_000
	}
	if o.Listed <= 0 {
		o.Listed = 100
	}
}

// Run compares. The error has CodeReconcile where the upstream's list could not
// be read whole.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.defaults()
	began := time.Now()
	b := newBook()
	if o.Statement != nil {
		w := o.Statement.Window()
		b.window, o.settled = &w, &Settled{}
	}
	for rec, err := range o.Records {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(o.Config.Methods) == 0 || slices.Contains(o.Config.Methods, rec.Method) {
			b.record(rec, o.Config.Amount != "")
		}
	}
	b.settle()
	if err := readList(ctx, o, b.row); err != nil {
		return nil, err
	}
	r := b.report(o)
	r.Settled = o.settled
	r.Route, r.Began, r.Took = o.Route, began.UTC().Truncate(time.Millisecond), time.Since(began)
	return r, nil
}
