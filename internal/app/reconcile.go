package app

import (
	"context"
	"iter"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/ledger"
	"holdfast/internal/reconcile"
)

// reconcileTime bounds one reconciliation.
const reconcileTime = 10 * time.Minute

// mostListed bounds the findings of a kind that are named where all are wanted.
const mostListed = 100_000

// Reconcile implements api.Control.
func (d *desk) Reconcile(ctx context.Context, q api.ReconcileQuery) (api.Reconciliation, error) {
	if err := d.usable(); err != nil {
		return api.Reconciliation{}, err
	}
	l := d.lane(q.Route)
	if l == nil {
		return api.Reconciliation{}, d.noRoute(q.Route)
	}
	o := reconcile.Options{
		Route: q.Route,
		Now: func(r continuity.Receipt) (continuity.State, bool) {
			st, ok := d.ledger.Status(r)
			return st.State, ok
		},
	}
	if q.All {
		o.Listed = mostListed
	}
	amount := continuity.Reconcile{}
	switch {
	case q.Statement != nil && l.route.Settlement == nil:
		return api.Reconciliation{}, invalid("api.invalid.settlement", "name", q.Route)
	case q.Statement != nil:
		s := l.route.Settlement
		amount = continuity.Reconcile{Amount: s.RecordAmount, Currency: s.RecordCurrency, Methods: s.Methods}
		o.Config, o.Statement = amount, &reconcile.Statement{Config: *s, Day: q.Day, File: q.Statement}
	case l.route.Reconcile == nil:
		return api.Reconciliation{}, invalid("api.invalid.reconcile", "name", q.Route)
	default:
		amount, o.Config = *l.route.Reconcile, *l.route.Reconcile
	}
	read, err := newAmounts(amount)
	if err != nil {
		return api.Reconciliation{}, err
	}
	o.Records = d.recorded(&l.route, read, q.Statement != nil)
	ctx, cancel := context.WithTimeout(ctx, reconcileTime)
	defer cancel()
	report, err := reconcile.Run(ctx, o)
	if err != nil {
		return api.Reconciliation{}, err
	}
	d.log.Info("reconciled", "route", q.Route, "records", report.Records, "clean", report.Clean(), "took", report.Took)
	return api.Reconciliation{Report: *report, Clean: report.Clean()}, nil
}

// recorded reads a route's records out of the journal, with what the ledger
// says of them. What retention has destroyed is not among them. With delivered,
// each tells when it was.
func (d *desk) recorded(route *continuity.Route, read amounts, delivered bool) iter.Seq2[reconcile.Record, error] {
	return func(yield func(reconcile.Record, error) bool) {
		for stored, err := range d.journal.All(0) {
			if err != nil {
				yield(reconcile.Record{}, continuity.E(continuity.CodeDamaged, err))
				return
			}
			switch stored.Kind {
			case continuity.KindAccepted, continuity.KindCarried, continuity.KindAct:
			default:
				continue
			}
			e, err := ledger.Decode(stored)
			if err != nil {
				yield(reconcile.Record{}, err)
				return
			}
			rec := requestOf(&e)
			if rec == nil || rec.Erased || rec.Route != route.ID {
				continue
			}
			st, ok := d.ledger.Status(rec.Receipt)
			if !ok || st.Position != stored.Position { // forgotten, or carried forward
				continue
			}
			out := reconcile.Record{Receipt: rec.Receipt, Key: rec.KeyText, State: st.State, Method: rec.Method, AcceptedAt: e.At, Again: rec.Again}
			out.Amount, out.Currency = read.of(rec.Body)
			if delivered && st.State == continuity.Delivered {
				out.Delivered = d.endedAt(st.Outcome)
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

func requestOf(e *continuity.Event) *continuity.Record {
	switch {
	case e.Accepted != nil:
		return e.Accepted
	case e.Carried != nil:
		return e.Carried.Record
	case e.Act != nil:
		return e.Act.Replacement
	default:
		return nil
	}
}

// endedAt is when the outcome at a position was written; zero where it can't be
// read any more.
func (d *desk) endedAt(at continuity.Position) time.Time {
	stored, err := d.journal.Read(at)
	if err != nil {
		return time.Time{}
	}
	e, err := ledger.Decode(stored)
	if err != nil {
		return time.Time{}
	}
	return e.At
}

// amounts reads what records are about.
type amounts struct {
	pointers []identity.Pointer // to the amount, and to its currency
	code     string
	amount   bool
}

func newAmounts(c continuity.Reconcile) (amounts, error) {
	a := amounts{code: c.Currency.Code, amount: c.Amount != ""}
	for _, text := range []string{c.Amount, c.Currency.Pointer} {
		if text == "" {
			break
		}
		p, err := identity.ParsePointer(text)
		if err != nil {
			return amounts{}, err
		}
		a.pointers = append(a.pointers, p)
	}
	return a, nil
}

// of returns the amount and the currency; empty where they are not.
func (a amounts) of(body []byte) (amount, currency string) {
	if !a.amount {
		return "", ""
	}
	values, err := identity.JSON(body, a.pointers...)
	if err != nil {
		return "", a.code
	}
	if len(values) > 1 {
		return values[0].Text, values[1].Text
	}
	return values[0].Text, a.code
}
