package app

import (
	"context"

	"holdfast/internal/ledger"
	"holdfast/internal/view"
)

// base tells a view that is built when the journal's beginning has gone where
// records stand.
func base(l *ledger.Ledger) func(context.Context) (view.Base, error) {
	return func(ctx context.Context) (view.Base, error) {
		b := l.Base()
		standing := func(yield func(view.Standing, error) bool) {
			for st := range b.Standing {
				if !yield(view.Standing{
					Receipt: st.Receipt, Route: st.Route, Key: st.Key, State: st.State, Reason: st.Reason, Version: st.Version,
					Attempts: st.Attempts, Position: st.Position, Outcome: st.Outcome, AcceptedAt: st.AcceptedAt,
					// The ledger counts it by outside time. Time away came at some
					// unknown moment; the attempt was not before the acceptance.
					FirstAttempt: max(min(st.AcceptedAt, st.FirstAttempt), st.FirstAttempt-min(b.Away, st.FirstAttempt)),
					Size:         st.Size, Doubted: st.Doubted, Told: st.Told,
				}, ctx.Err()) {
					return
				}
			}
		}
		return view.Base{Position: b.Position, Clock: b.Clock, Totals: b.Totals, Pending: b.Pending(), Standing: standing}, nil
	}
}
