package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// Apply changes objects, all or none.
func (s *Store) Apply(ctx context.Context, actor continuity.Actor, changes []continuity.Change) ([]continuity.Object, error) {
	return s.Commit(ctx, continuity.Batch{Actor: actor, Changes: changes})
}

// Commit makes a batch true, as a whole or not at all, and returns the objects
// of its changes in their order; a deleted one has no body.
func (s *Store) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	b.Changes = slices.Clone(b.Changes)
	for i := range b.Changes {
		if err := checkChange(b.Actor, &b.Changes[i]); err != nil {
			return nil, err
		}
	}
	b.Schedule = slices.Clone(b.Schedule)
	for i := range b.Schedule {
		if err := checkTimer(&b.Schedule[i]); err != nil {
			return nil, err
		}
	}
	var objects []continuity.Object
	err := s.commit(ctx, b.Actor, func(w *writing) error {
		if err := w.leads(b.Leader); err != nil {
			return err
		}
		if err := w.timers(b); err != nil {
			return err
		}
		for _, change := range b.Changes {
			o, err := w.change(change)
			if err != nil {
				return err
			}
			objects = append(objects, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return objects, nil
}

// commit runs f while no other commit is under way.
func (s *Store) commit(ctx context.Context, actor continuity.Actor, f func(*writing) error) error {
	return s.write(ctx, func(c conn) error {
		w := writing{ctx: ctx, conn: c, actor: actor}
		if err := w.lock(); err != nil {
			return err
		}
		w.at = s.now().UTC().Truncate(time.Microsecond)
		if err := f(&w); err != nil {
			return err
		}
		return w.unlock()
	})
}

// writing is a commit under way.
type writing struct {
	conn

	ctx   context.Context
	at    time.Time
	actor continuity.Actor
	seq   int64
	hash  [32]byte
	fence int64
}

// lock waits until no other commit is under way, and reads the chain's head.
func (w *writing) lock() error {
	var hash []byte
	err := w.row(w.ctx, `UPDATE head SET seq = seq WHERE one = 1 RETURNING seq, hash, fence`).Scan(&w.seq, &hash, &w.fence)
	copy(w.hash[:], hash)
	return err
}

func (w *writing) unlock() error {
	_, err := w.exec(w.ctx, `UPDATE head SET seq = ?, hash = ?, fence = ? WHERE one = 1`, w.seq, w.hash[:], w.fence)
	return err
}

func (w *writing) change(c continuity.Change) (continuity.Object, error) {
	none := continuity.Object{}
	var version int64
	var service string
	var before []byte
	err := w.row(w.ctx, `SELECT version, service, body FROM object WHERE kind = ? AND id = ?`, c.Kind, c.ID).Scan(&version, &service, &before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return none, err
	}
	there := err == nil
	if c.Version != continuity.VersionAny && c.Version != version {
		return none, continuity.E(continuity.CodeVersion, nil, "kind", c.Kind, "id", c.ID, "version", version)
	}
	if c.Body == nil {
		if !there {
			return none, continuity.E(continuity.CodeNotFound, nil, "kind", c.Kind, "id", c.ID)
		}
		c.Service = service
	}
	e := continuity.AuditEvent{At: w.at, Actor: w.actor, Action: c.Action, Kind: c.Kind, ID: c.ID, Service: c.Service, Reason: c.Reason, Before: before, After: c.Body}
	if err := w.append(&e); err != nil {
		return none, err
	}
	switch {
	case c.Body == nil:
		if _, err = w.exec(w.ctx, `DELETE FROM object WHERE kind = ? AND id = ?`, c.Kind, c.ID); err == nil {
			err = w.unprove(c)
		}
	case there:
		_, err = w.exec(w.ctx, `UPDATE object SET service = ?, version = ?, body = ?, updated = ? WHERE kind = ? AND id = ?`,
			c.Service, e.Seq, string(c.Body), w.at.UnixMicro(), c.Kind, c.ID)
	default:
		_, err = w.exec(w.ctx, `INSERT INTO object (kind, id, service, version, body, updated) VALUES (?, ?, ?, ?, ?, ?)`,
			c.Kind, c.ID, c.Service, e.Seq, string(c.Body), w.at.UnixMicro())
	}
	if err == nil && c.Proof != "" {
		err = w.prove(c)
	}
	return continuity.Object{Kind: c.Kind, ID: c.ID, Service: c.Service, Version: e.Seq, Body: c.Body, Updated: w.at}, err
}

// append puts an event at the end of the chain.
func (w *writing) append(e *continuity.AuditEvent) error {
	e.Seq, e.Prev = w.seq+1, w.hash
	_, _ = rand.Read(e.Salt[:]) // never fails
	e.Seal()
	w.seq, w.hash = e.Seq, e.Hash
	_, err := w.exec(w.ctx, insertEventText, eventValues(e)...)
	return err
}

const insertEventText = `INSERT INTO event (seq, at, actor_kind, actor, via, action, kind, id, service, reason, was, became, salt, was_sum, became_sum, prev, hash)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

func eventValues(e *continuity.AuditEvent) []any {
	return []any{
		e.Seq, e.At.UnixMicro(), e.Actor.Kind, e.Actor.ID, e.Actor.Via, e.Action, e.Kind, e.ID, e.Service, e.Reason,
		nullText(e.Before), nullText(e.After), nullSalt(e), nullSum(e.BeforeSum), nullSum(e.AfterSum), e.Prev[:], e.Hash[:],
	}
}

func nullText(b json.RawMessage) any {
	if b == nil {
		return nil
	}
	return string(b)
}

func nullSum(sum [32]byte) any {
	if sum == [32]byte{} {
		return nil
	}
	return sum[:]
}

func nullSalt(e *continuity.AuditEvent) any {
	if e.Erased {
		return nil
	}
	return e.Salt[:]
}

// checkChange refuses what can't be stored on both databases, and brings a body
// into its stored form.
func checkChange(actor continuity.Actor, c *continuity.Change) error {
	if c.Kind == "" || c.ID == "" || c.Action == "" || actor.Kind == "" || actor.ID == "" {
		return continuity.E(continuity.CodeInvalid, errors.New("a change needs a kind, an id, an action and an actor"))
	}
	if c.Version < continuity.VersionAny {
		return continuity.E(continuity.CodeInvalid, errors.New("there is no such version"))
	}
	for _, s := range []string{c.Kind, c.ID, c.Service, c.Action, c.Reason, c.Proof, actor.Kind, actor.ID, actor.Via} {
		if !storable(s) {
			return continuity.E(continuity.CodeInvalid, errors.New("text that is no UTF-8, or has a zero byte"))
		}
	}
	if c.Body == nil {
		c.Proof = ""
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, c.Body); err != nil || !utf8.Valid(c.Body) {
		return continuity.E(continuity.CodeInvalid, errors.New("a body that is no JSON"))
	}
	c.Body = compact.Bytes()
	return nil
}

func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
