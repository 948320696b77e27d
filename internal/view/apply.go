package view

import (
	"context"
	"fmt"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// apply mirrors the ledger's apply, for states: where an event leaves a record
// here must be where it leaves it there. Compare and the tests hold both to it.
// Events of records that are not known (they were forgotten, or their segment
// is gone) change nothing.
func (w *writer) apply(ctx context.Context, s journal.Stored, ev continuity.Event) error {
	switch ev.Kind {
	case continuity.KindAccepted:
		return w.accept(ctx, s, ev, ev.Accepted)
	case continuity.KindAttempt:
		return w.with(ctx, ev.Attempt.Receipt, func(e *entry) error {
			e.Attempts, e.LastAttempt = ev.Attempt.Number, ev.Clock
			if e.FirstAttempt == 0 {
				e.FirstAttempt = ev.Clock
			}
			return w.move(ctx, e, continuity.Attempting, continuity.ReasonNone, s, ev, Event{Attempt: ev.Attempt.Number})
		})
	case continuity.KindOutcome:
		return w.with(ctx, ev.Outcome.Receipt, func(e *entry) error { return w.outcome(ctx, e, s, ev) })
	case continuity.KindAct:
		return w.acted(ctx, s, ev)
	case continuity.KindRestart:
		return w.restart(ctx, s, ev)
	case continuity.KindCarried:
		return w.carry(ctx, s, ev)
	case continuity.KindProposed:
		return w.with(ctx, ev.Proposed.Act.Receipt, func(e *entry) error { return w.note(ctx, e, s, ev, &ev.Proposed.Act) })
	case continuity.KindSwitch, continuity.KindClock, continuity.KindRecorded, continuity.KindPassed, continuity.KindPrivacy, continuity.KindHorizon: // the follower forgets, in steps
		return nil
	default:
		return fmt.Errorf("view: unknown kind %d at %d", ev.Kind, s.Position)
	}
}

func (w *writer) with(ctx context.Context, r continuity.Receipt, do func(*entry) error) error {
	e, err := w.find(ctx, r)
	if err != nil || e == nil {
		return err
	}
	return do(e)
}

// accept adds a record: the one of an accepted event, or an edited copy.
func (w *writer) accept(ctx context.Context, s journal.Stored, ev continuity.Event, rec *continuity.Record) error {
	if old := w.cached(rec.Receipt); old != nil && old.dirty { // a row that is written already is found by add
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	e, err := w.fresh(ctx, s, rec)
	if err != nil {
		return err
	}
	e.AcceptedAt, e.AcceptedWall = ev.Clock, ev.At
	to, reason, note := continuity.Queued, continuity.ReasonNone, Event{}
	if rec.Lost {
		to, reason = continuity.InDoubt, continuity.ReasonLost
		e.Attempts, e.FirstAttempt, e.LastAttempt = 1, ev.Clock, ev.Clock
		e.Version++ // it was queued for no time
		note.Attempt = 1
	}
	return w.move(ctx, e, to, reason, s, ev, note)
}

func (w *writer) fresh(ctx context.Context, s journal.Stored, rec *continuity.Record) (*entry, error) {
	route, err := w.route(ctx, rec.Route)
	turn := signed(s.Position)
	if !rec.Again.IsZero() {
		turn -= ahead
	}
	return &entry{
		Row: Row{
			Receipt: rec.Receipt, Route: rec.Route, Key: rec.Key, Position: s.Position,
			Size: int64(len(s.Payload)), Method: rec.Method, Replaces: rec.Replaces,
		},
		id: signed(s.Position), turn: turn, route: route,
	}, err
}

// move leaves e in a state, and says so in its history.
func (w *writer) move(ctx context.Context, e *entry, to continuity.State, reason continuity.Reason, s journal.Stored, ev continuity.Event, note Event) error {
	e.State, e.Reason = to, reason
	e.Version++ // as often as the ledger's, and it wraps as that does
	e.Doubted = e.Doubted || to == continuity.InDoubt
	e.Outcome, e.EndedAt, e.EndedWall = 0, 0, time.Time{}
	if to.Ended() {
		e.Outcome, e.EndedAt, e.EndedWall = s.Position, ev.Clock, ev.At
	}
	w.touch(e)
	note.Position, note.Kind, note.Clock, note.At, note.State, note.Reason = s.Position, ev.Kind, ev.Clock, ev.At, to, reason
	return w.record(ctx, e, note)
}

func (w *writer) outcome(ctx context.Context, e *entry, s journal.Stored, ev continuity.Event) error {
	o, note := ev.Outcome, Event{}
	if o.Response != nil {
		e.Status, note.Status = o.Response.Status, o.Response.Status
	}
	if err := w.move(ctx, e, o.To, o.Reason, s, ev, note); err != nil {
		return err
	}
	if o.To.Ended() && o.Reason == continuity.ReasonExpired && w.whole { // else who stands behind is known by settle
		return w.parkBehind(ctx, e, s, ev)
	}
	return nil
}

// parkBehind keeps back what stands behind a record that expired: it may make
// no sense alone, and that is for a person to tell.
func (w *writer) parkBehind(ctx context.Context, e *entry, s journal.Stored, ev continuity.Event) error {
	behind, err := w.behind(ctx, e.Key, e.turn)
	if err != nil || behind == nil || behind.State != continuity.Queued {
		return err
	}
	return w.move(ctx, behind, continuity.Parked, continuity.ReasonBehindExpired, s, ev, Event{})
}

// behind returns a key's first pending record after a turn, or nil.
func (w *writer) behind(ctx context.Context, key continuity.KeyTag, turn int64) (*entry, error) {
	if err := w.flush(ctx); err != nil {
		return nil, err
	}
	return w.keep(scanEntry(w.conn.QueryRowContext(ctx,
		`SELECT `+columns+` FROM record WHERE key = ? AND turn > ? AND state <= 4 ORDER BY turn LIMIT 1`, signed(key), turn), w.names))
}

// acted lets a person's act happen. An edited copy joins even where the record
// that it replaces has been forgotten.
func (w *writer) acted(ctx context.Context, s journal.Stored, ev continuity.Event) error {
	a := ev.Act
	if a.Verb == continuity.VerbEdit && a.Replacement == nil {
		return fmt.Errorf("view: edit without a replacement at %d", s.Position)
	}
	switch a.Verb {
	case continuity.VerbRestore: // the records that it brings back follow
		return nil
	case continuity.VerbReject:
		return w.with(ctx, a.Receipt, func(e *entry) error { return w.note(ctx, e, s, ev, a) })
	case continuity.VerbTold:
		return w.with(ctx, a.Receipt, func(e *entry) error {
			e.Told = true
			return w.note(ctx, e, s, ev, a)
		})
	}
	err := w.with(ctx, a.Receipt, func(e *entry) error { return w.act(ctx, e, s, ev) })
	if err != nil || a.Verb != continuity.VerbEdit {
		return err
	}
	return w.accept(ctx, s, ev, a.Replacement)
}

// note adds an act that leaves the record where it stands to its history.
func (w *writer) note(ctx context.Context, e *entry, s journal.Stored, ev continuity.Event, a *continuity.Act) error {
	w.touch(e)
	return w.record(ctx, e, Event{
		Position: s.Position, Kind: ev.Kind, Clock: ev.Clock, At: ev.At, State: e.State, Reason: e.Reason,
		Verb: a.Verb, Person: by(a), Why: a.Why,
	})
}

// by names who did it, and who approved.
func by(a *continuity.Act) string {
	if a.Approver == "" {
		return a.Person
	}
	return a.Person + " + " + a.Approver
}

func (w *writer) act(ctx context.Context, e *entry, s journal.Stored, ev continuity.Event) error {
	a := ev.Act
	note := Event{Verb: a.Verb, Person: by(a), Why: a.Why}
	switch a.Verb {
	case continuity.VerbRetry:
		if e.State == continuity.Dead { // to the end of its key, and its age begins anew
			e.turn, e.AcceptedAt, e.Told = signed(s.Position), ev.Clock, false
		}
		return w.move(ctx, e, continuity.Queued, continuity.ReasonPerson, s, ev, note)
	case continuity.VerbUnprocessed:
		e.Doubted = false
		return w.move(ctx, e, continuity.Queued, continuity.ReasonPerson, s, ev, note)
	case continuity.VerbDiscard, continuity.VerbErase, continuity.VerbExpire:
		return w.move(ctx, e, continuity.Discarded, continuity.ReasonPerson, s, ev, note)
	case continuity.VerbPark:
		return w.move(ctx, e, continuity.Parked, continuity.ReasonPerson, s, ev, note)
	case continuity.VerbDelivered:
		return w.move(ctx, e, continuity.Delivered, continuity.ReasonPerson, s, ev, note)
	case continuity.VerbEdit:
		e.ReplacedBy = a.Replacement.Receipt
		return w.move(ctx, e, continuity.Discarded, continuity.ReasonReplaced, s, ev, note)
	default:
		return fmt.Errorf("view: unknown verb %q at %d", a.Verb, s.Position)
	}
}

// restart puts in doubt whatever was being attempted.
func (w *writer) restart(ctx context.Context, s journal.Stored, ev continuity.Event) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	attempting, err := w.entries(ctx, `SELECT `+columns+` FROM record INDEXED BY record_rare WHERE state NOT IN (1, 5) AND state = 2`)
	if err != nil {
		return err
	}
	for _, e := range attempting {
		if err := w.move(ctx, e, continuity.InDoubt, continuity.ReasonRestart, s, ev, Event{}); err != nil {
			return err
		}
	}
	return nil
}

// entries reads rows that were flushed before.
func (w *writer) entries(ctx context.Context, query string, args ...any) ([]*entry, error) {
	rows, err := w.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*entry
	for rows.Next() {
		e, err := w.keep(scanEntry(rows, w.names))
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, rows.Err()
}

// forgetStep is how many records one transaction forgets.
const forgetStep = 2_000

// forgetBelow removes some of what ended below a horizon; done says that there
// is no more. Dead letters stay: a person may still send them. What is forgotten needs no order: a kill between two steps leaves
// the horizon's own entry to be applied again.
func (w *writer) forgetBelow(ctx context.Context, horizon continuity.Position) (done bool, err error) {
	if err := w.flush(ctx); err != nil {
		return false, err
	}
	gone, err := w.entries(ctx, `SELECT `+columns+` FROM record WHERE state IN (5, 6, 8) AND outcome < ? ORDER BY outcome LIMIT ?`, signed(horizon), forgetStep)
	if err != nil {
		return false, err
	}
	for _, e := range gone {
		if err := w.forget(ctx, e); err != nil {
			return false, err
		}
	}
	return len(gone) < forgetStep, nil
}
