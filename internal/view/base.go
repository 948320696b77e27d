package view

import (
	"context"
	"errors"
	"iter"
	"time"

	"holdfast/internal/continuity"
)

// Base is the ledger's state at a position. A view that is built after the
// journal's beginning has gone can't know from the rest where a record stands
// that was carried forward; it asks for a base, once.
type Base struct {
	Position continuity.Position // of the next entry
	Clock    continuity.Clock
	Totals   []continuity.Totals
	Pending  int64
	// Standing yields every pending and every dead record, those of one key in
	// their order.
	Standing iter.Seq2[Standing, error]
}

// Standing is where one record stands.
type Standing struct {
	Receipt      continuity.Receipt
	Route        string
	Key          continuity.KeyTag
	State        continuity.State
	Reason       continuity.Reason
	Version      uint16
	Attempts     int
	Position     continuity.Position
	Outcome      continuity.Position
	AcceptedAt   continuity.Clock
	FirstAttempt continuity.Clock
	Size         int64
	Doubted      bool
	Told         bool
}

// errLostTrack says that a record stands in the ledger of which the journal
// says nothing.
var errLostTrack = errors.New("view: a standing record has no entry in the journal")

// settle corrects the rows that the rest of the journal could not tell by what
// stands at its position, in the open transaction, and takes over the totals.
func (w *writer) settle(ctx context.Context, b Base, wall time.Time) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	began := func(c continuity.Clock) time.Time {
		return wall.Add(-time.Duration(b.Clock-min(c, b.Clock)) * time.Millisecond) // #nosec G115 -- lasts centuries
	}
	turn := signed(b.Position) - b.Pending
	for s, err := range b.Standing {
		if err != nil {
			return err
		}
		e, err := w.find(ctx, s.Receipt)
		if err != nil {
			return err
		}
		if e == nil {
			return errLostTrack
		}
		e.State, e.Reason, e.Version, e.Attempts, e.Doubted = s.State, s.Reason, s.Version, s.Attempts, s.Doubted
		e.Told = e.Told || s.Told
		e.Position, e.Outcome, e.Size = s.Position, s.Outcome, s.Size
		if e.AcceptedWall.IsZero() { // carried: its beginning was not seen
			e.AcceptedAt, e.AcceptedWall, e.FirstAttempt = s.AcceptedAt, began(s.AcceptedAt), s.FirstAttempt
		}
		if s.State.Pending() {
			e.turn = turn
			turn++
		}
		w.touch(e)
		if len(w.dirty) >= settleStep {
			if err := w.flush(ctx); err != nil {
				return err
			}
			w.age()
		}
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	_, err := w.conn.ExecContext(ctx, `UPDATE record SET accepted_at = ? - (? - accepted) WHERE accepted_at = 0`, wall.UnixMilli(), signed(b.Clock))
	if err != nil {
		return err
	}
	w.cache, w.older = map[continuity.Receipt]*entry{}, nil // written around them
	return w.takeOver(ctx, b.Totals)
}

const settleStep = 2_000

// takeOver makes what is there and what is gone add up to the ledger's totals,
// which count from the journal's beginning.
func (w *writer) takeOver(ctx context.Context, totals []continuity.Totals) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	either, once, doubt := []bool{false, true}, []bool{false}, []bool{true}
	for _, t := range totals {
		route, err := w.route(ctx, t.Route)
		if err != nil {
			return err
		}
		for _, g := range []struct {
			state   continuity.State
			doubted []bool
			total   int64
		}{
			{continuity.Delivered, once, t.DeliveredAtOnce},
			{continuity.Delivered, doubt, t.DeliveredAfterDoubt},
			{continuity.Refused, either, t.Refused},
			{continuity.Dead, either, t.Dead},
			{continuity.Discarded, either, t.Discarded},
		} {
			there := int64(0)
			for _, d := range g.doubted {
				var n int64
				err := w.conn.QueryRowContext(ctx, `SELECT coalesce(sum(n + gone), 0) FROM tally WHERE route = ? AND state = ? AND doubted = ?`,
					route, int64(g.state), d).Scan(&n)
				if err != nil {
					return err
				}
				there += n
			}
			if there != g.total {
				w.count(tallyKey{route, g.state, g.doubted[0]}, 0, 0, g.total-there)
			}
		}
	}
	return w.flush(ctx)
}
