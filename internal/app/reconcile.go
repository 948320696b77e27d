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

// Reconcile implements api.Control.
func (d *desk) Reconcile(ctx context.Context, route string) (api.Reconciliation, error) {
	if err := d.usable(); err != nil {
		return api.Reconciliation{}, err
	}
	l := d.lane(route)
	if l == nil {
		return api.Reconciliation{}, d.noRoute(route)
	}
	if l.route.Reconcile == nil {
		return api.Reconciliation{}, invalid("api.invalid.reconcile", "name", route)
	}
	ctx, cancel := context.WithTimeout(ctx, reconcileTime)
	defer cancel()
	report, err := reconcile.Run(ctx, reconcile.Options{
		Route: route, Config: *l.route.Reconcile, Records: d.recorded(&l.route),
		Now: func(r continuity.Receipt) (continuity.State, bool) {
			st, ok := d.ledger.Status(r)
			return st.State, ok
		},
	})
	if err != nil {
		return api.Reconciliation{}, err
	}
	d.log.Info("reconciled", "route", route, "records", report.Records, "clean", report.Clean(), "took", report.Took)
	return api.Reconciliation{Report: *report, Clean: report.Clean()}, nil
}

// recorded reads a route's records out of the journal, with what the ledger
// says of them. What retention has destroyed is not among them.
func (d *desk) recorded(route *continuity.Route) iter.Seq2[reconcile.Record, error] {
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
			if rec == nil || rec.Route != route.ID {
				continue
			}
			st, ok := d.ledger.Status(rec.Receipt)
			if !ok || st.Position != stored.Position { // forgotten, or carried forward
				continue
			}
			if !yield(compared(route, rec, st.State, e.At), nil) {
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

func compared(route *continuity.Route, rec *continuity.Record, state continuity.State, at time.Time) reconcile.Record {
	out := reconcile.Record{Receipt: rec.Receipt, Key: rec.KeyText, State: state, Method: rec.Method, AcceptedAt: at}
	if pointer, err := identity.ParsePointer(route.Reconcile.Amount); err == nil && route.Reconcile.Amount != "" {
		if values, err := identity.JSON(rec.Body, pointer); err == nil {
			out.Amount = values[0].Text
		}
	}
	return out
}
