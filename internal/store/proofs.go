package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Proof returns an object and the hash by which it is proven, as of one moment.
// No other method shows the hash, but for Export.
func (s *Store) Proof(ctx context.Context, kind, id string) (o continuity.Object, hash string, err error) {
	var updated int64
	var body []byte
	err = s.read().row(ctx, `SELECT o.kind, o.id, o.service, o.version, o.body, o.updated, COALESCE(p.hash, '')
		FROM object o LEFT JOIN proof p ON p.kind = o.kind AND p.id = o.id WHERE o.kind = ? AND o.id = ?`, kind, id).
		Scan(&o.Kind, &o.ID, &o.Service, &o.Version, &body, &updated, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return continuity.Object{}, "", continuity.E(continuity.CodeNotFound, nil, "kind", kind, "id", id)
	}
	o.Body, o.Updated = body, time.UnixMicro(updated).UTC()
	return o, hash, classify(err)
}

// Saw notes when something of a kind was last seen. That is no state: there is no
// event of it, and an archive does not have it.
func (s *Store) Saw(ctx context.Context, kind, id string, at time.Time) error {
	return s.write(ctx, func(c conn) error {
		_, err := c.exec(ctx, `INSERT INTO seen (kind, id, at) SELECT kind, id, ? FROM object WHERE kind = ? AND id = ?
			ON CONFLICT (kind, id) DO UPDATE SET at = excluded.at WHERE excluded.at > seen.at`, at.UnixMicro(), kind, id)
		return err
	})
}

// Seen returns when something was last seen; the zero time where it never was.
func (s *Store) Seen(ctx context.Context, kind, id string) (time.Time, error) {
	var at int64
	err := s.read().row(ctx, `SELECT at FROM seen WHERE kind = ? AND id = ?`, kind, id).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return time.UnixMicro(at).UTC(), classify(err)
}

func (w *writing) prove(c continuity.Change) error {
	_, err := w.exec(w.ctx, `INSERT INTO proof (kind, id, hash) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET hash = excluded.hash`, c.Kind, c.ID, c.Proof)
	return err
}

// unprove forgets what was known beside an object.
func (w *writing) unprove(c continuity.Change) error {
	_, err := w.exec(w.ctx, `DELETE FROM proof WHERE kind = ? AND id = ?`, c.Kind, c.ID)
	if err == nil {
		_, err = w.exec(w.ctx, `DELETE FROM seen WHERE kind = ? AND id = ?`, c.Kind, c.ID)
	}
	return err
}
