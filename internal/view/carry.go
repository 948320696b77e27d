package view

import (
	"context"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// carry gives a record the place where its copy stands; its state stays.
func (w *writer) carry(ctx context.Context, s journal.Stored, ev continuity.Event) error {
	return w.with(ctx, ev.Carried.Record.Receipt, func(e *entry) error {
		e.Position, e.Size = s.Position, int64(len(s.Payload))
		w.touch(e)
		return w.record(ctx, e, Event{Position: s.Position, Kind: ev.Kind, Clock: ev.Clock, At: ev.At, State: e.State, Reason: e.Reason})
	})
}
