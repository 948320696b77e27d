package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// When a timer is due goes by the nodes' clocks, as whoever set it went by them: one
// that is ahead takes work early. Leases bound how long a dead node's work waits.
// That the effect is had once does not hang on any clock but on fences.

const timerColumns = `id, kind, due, body, attempts, node, fence, until, error`

func scanTimer(scan func(...any) error) (t continuity.Timer, err error) {
	var due, until int64
	var body []byte
	err = scan(&t.ID, &t.Kind, &due, &body, &t.Attempts, &t.Node, &t.Fence, &until, &t.Error)
	t.Due, t.Until, t.Body = time.UnixMicro(due).UTC(), time.UnixMicro(until).UTC(), body
	return t, err
}

// Schedule makes timers, or sets those anew whose ids are known; who has claimed
// such a one loses it.
func (s *Store) Schedule(ctx context.Context, timers ...continuity.Timer) error {
	_, err := s.Commit(ctx, continuity.Batch{Schedule: timers})
	return err
}

// Claim gives node the timer that is due longest and that nobody holds; it is the
// node's for the time of the lease. ok is false where there is none.
func (s *Store) Claim(ctx context.Context, node string, now time.Time, lease time.Duration) (t continuity.Timer, ok bool, err error) {
	if node == "" || lease <= 0 {
		return t, false, continuity.E(continuity.CodeInvalid, errors.New("a claim needs a node and a lease"))
	}
	err = s.write(ctx, func(c conn) error {
		at, err := s.present(ctx, c)
		if err != nil {
			return err
		}
		// What this node holds itself it knows to be true, whatever its clock did.
		// Who claims locks the row that it found; others pass it by.
		found, err := scanTimer(c.row(ctx, `SELECT `+timerColumns+` FROM timer WHERE due <= ? AND (until <= ? OR until > ? AND node <> ?) ORDER BY due, id LIMIT 1 FOR UPDATE SKIP LOCKED`,
			now.UnixMicro(), at.UnixMicro(), s.unbelievable(at, lease), node).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		t, ok = found, true
		t.Attempts, t.Node, t.Fence, t.Until = t.Attempts+1, node, t.Fence+1, at.Add(lease)
		_, err = c.exec(ctx, `UPDATE timer SET attempts = ?, node = ?, fence = ?, until = ? WHERE id = ?`, t.Attempts, t.Node, t.Fence, t.Until.UnixMicro(), t.ID)
		return err
	})
	if err != nil || !ok {
		return continuity.Timer{}, false, err
	}
	return t, true, nil
}

// Extend holds a claimed timer for a lease from now on; CodeVersion where it is lost.
func (s *Store) Extend(ctx context.Context, t continuity.Timer, lease time.Duration) error {
	return s.write(ctx, func(c conn) error {
		at, err := s.present(ctx, c)
		if err != nil {
			return err
		}
		return c.held(ctx, t, `UPDATE timer SET until = ? WHERE id = ? AND fence = ?`, at.Add(lease).UnixMicro())
	})
}

// Retry gives a claimed timer back to be done later; reason is a code, no secret.
func (s *Store) Retry(ctx context.Context, t continuity.Timer, due time.Time, reason string) error {
	if !storable(reason) {
		return continuity.E(continuity.CodeInvalid, errors.New("text that is no UTF-8, or has a zero byte"))
	}
	return s.write(ctx, func(c conn) error {
		return c.held(ctx, t, `UPDATE timer SET until = 0, node = '', due = ?, error = ? WHERE id = ? AND fence = ?`, due.UnixMicro(), reason)
	})
}

// Done ends a claimed timer together with what it did: b happens as a whole, or,
// where the timer is lost, not at all.
func (s *Store) Done(ctx context.Context, t continuity.Timer, b continuity.Batch) ([]continuity.Object, error) {
	b.Done = &t
	return s.Commit(ctx, b)
}

// Timer returns one timer, claimed or not.
func (s *Store) Timer(ctx context.Context, id string) (continuity.Timer, error) {
	t, err := scanTimer(s.read().row(ctx, `SELECT `+timerColumns+` FROM timer WHERE id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return continuity.Timer{}, continuity.E(continuity.CodeNotFound, nil, "kind", "timer", "id", id)
	}
	return t, classify(err)
}

// Timers counts all timers, claimed or not.
func (s *Store) Timers(ctx context.Context) (n int64, err error) {
	err = s.read().row(ctx, `SELECT COUNT(*) FROM timer`).Scan(&n)
	return n, classify(err)
}

// held runs a statement that ends in the conditions of a claim.
func (c conn) held(ctx context.Context, t continuity.Timer, text string, args ...any) error {
	n, err := c.exec(ctx, text, append(args, t.ID, t.Fence)...)
	if err == nil && n == 0 {
		return lost("timer", t.ID)
	}
	return err
}

func lost(kind, id string) error {
	return continuity.E(continuity.CodeVersion, errors.New("lost to another node"), "kind", kind, "id", id)
}

// timers does what a batch says of timers.
func (w *writing) timers(b continuity.Batch) error {
	if b.Done != nil {
		n, err := w.exec(w.ctx, `DELETE FROM timer WHERE id = ? AND fence = ?`, b.Done.ID, b.Done.Fence)
		if err != nil {
			return err
		}
		if n == 0 {
			return lost("timer", b.Done.ID)
		}
	}
	for _, id := range b.Cancel {
		if _, err := w.exec(w.ctx, `DELETE FROM timer WHERE id = ?`, id); err != nil {
			return err
		}
	}
	for _, t := range b.Schedule {
		// Fences of all timers come from one counter: a timer that is made anew
		// under an old id does not fall to who held the old one.
		w.fence += fenceStep
		_, err := w.exec(w.ctx, `INSERT INTO timer (id, kind, due, body, attempts, node, fence, until, error) VALUES (?, ?, ?, ?, 0, '', ?, 0, '')
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, due = excluded.due, body = excluded.body, attempts = 0, node = '', fence = excluded.fence, until = 0, error = ''`,
			t.ID, t.Kind, t.Due.UnixMicro(), nullText(t.Body), w.fence)
		if err != nil {
			return err
		}
	}
	return nil
}

// fenceStep is how many claims a timer may see before its fence would meet that
// of a timer made later.
const fenceStep = 1 << 20

func checkTimer(t *continuity.Timer) error {
	if t.ID == "" || t.Kind == "" || t.Due.IsZero() || !storable(t.ID) || !storable(t.Kind) {
		return continuity.E(continuity.CodeInvalid, errors.New("a timer needs an id, a kind and a time"))
	}
	if t.Body == nil {
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, t.Body); err != nil || !storable(string(t.Body)) {
		return continuity.E(continuity.CodeInvalid, errors.New("a body that is no JSON"))
	}
	t.Body = compact.Bytes()
	return nil
}
