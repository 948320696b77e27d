package view

import (
	"context"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// carry gives a record the place where its copy stands; its state stays. One
// that is not known, as its first place was gone before the view was built, is
// noted: settle tells where it stands, and since when.
func (w *writer) carry(ctx context.Context, s journal.Stored, ev continuity.Event) error {
	e, err := w.find(ctx, ev.Carried.Record.Receipt)
	if err != nil {
		return err
	}
	if e == nil {
		if w.whole {
			return nil
		}
		if e, err = w.fresh(ctx, s, ev.Carried.Record); err != nil {
			return err
		}
		e.State, e.AcceptedAt = continuity.Queued, ev.Clock
	}
	e.Position, e.Size = s.Position, int64(len(s.Payload))
	w.touch(e)
	return w.record(ctx, e, Event{Position: s.Position, Kind: ev.Kind, Clock: ev.Clock, At: ev.At, State: e.State, Reason: e.Reason})
}
