package store

import (
	"context"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Answers are no state: they are in no event and in no export, and go after their
// time. They tell a caller who repeats a request what became of it.

const answerColumns = `caller, name, request, begun, until, status, type, etag, place, body, withheld`

func scanAnswer(scan func(...any) error) (a continuity.APIAnswer, err error) {
	var begun, until, withheld int64
	var request []byte
	err = scan(&a.Caller, &a.Key, &request, &begun, &until, &a.Status, &a.Type, &a.ETag, &a.Place, &a.Body, &withheld)
	copy(a.Request[:], request)
	a.Begun, a.Until = time.UnixMicro(begun).UTC(), time.UnixMicro(until).UTC()
	a.Ended, a.Withheld = a.Status != 0, withheld != 0
	return a, err
}

// BeginAnswer notes that a request is being answered. first is false where its
// caller sent one under this key since the time given; then it returns what is
// known of that one.
func (s *Store) BeginAnswer(ctx context.Context, a continuity.APIAnswer, since time.Time) (known continuity.APIAnswer, first bool, err error) {
	if a.Caller == "" || a.Key == "" || !storable(a.Caller) || !storable(a.Key) {
		return known, false, continuity.E(continuity.CodeInvalid, errors.New("an answer needs a caller and a key"))
	}
	err = s.write(ctx, func(c conn) error {
		if _, err := c.exec(ctx, `DELETE FROM answer WHERE caller = ? AND name = ? AND begun < ?`, a.Caller, a.Key, since.UnixMicro()); err != nil {
			return err
		}
		r, err := c.exec(ctx, `INSERT INTO answer (`+answerColumns+`) VALUES (?, ?, ?, ?, ?, 0, '', '', '', NULL, 0) ON CONFLICT (caller, name) DO NOTHING`,
			a.Caller, a.Key, a.Request[:], a.Begun.UnixMicro(), a.Until.UnixMicro())
		if err != nil {
			return err
		}
		if first = r == 1; first {
			known = a
			return nil
		}
		known, err = scanAnswer(c.row(ctx, `SELECT `+answerColumns+` FROM answer WHERE caller = ? AND name = ?`, a.Caller, a.Key).Scan)
		return err
	})
	return known, first, err
}

// EndAnswer keeps what was answered.
func (s *Store) EndAnswer(ctx context.Context, a continuity.APIAnswer) error {
	withheld := 0
	if a.Withheld {
		withheld = 1
	}
	return s.write(ctx, func(c conn) error {
		_, err := c.exec(ctx, `UPDATE answer SET status = ?, type = ?, etag = ?, place = ?, body = ?, withheld = ? WHERE caller = ? AND name = ? AND begun = ?`,
			a.Status, a.Type, a.ETag, a.Place, a.Body, withheld, a.Caller, a.Key, a.Begun.UnixMicro())
		return err
	})
}

// DropAnswer forgets a request of which it is known that nothing was done.
func (s *Store) DropAnswer(ctx context.Context, a continuity.APIAnswer) error {
	return s.write(ctx, func(c conn) error {
		_, err := c.exec(ctx, `DELETE FROM answer WHERE caller = ? AND name = ? AND begun = ?`, a.Caller, a.Key, a.Begun.UnixMicro())
		return err
	})
}

// ForgetAnswers removes those that were begun before a time.
func (s *Store) ForgetAnswers(ctx context.Context, before time.Time) error {
	return s.write(ctx, func(c conn) error {
		_, err := c.exec(ctx, `DELETE FROM answer WHERE begun < ?`, before.UnixMicro())
		return err
	})
}
