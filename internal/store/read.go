package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

const (
	defaultLimit = 100
	mostLimit    = 1000
)

// limit is how many rows a page has.
func limit(asked int) int {
	if asked <= 0 {
		return defaultLimit
	}
	return min(asked, mostLimit)
}

const objectColumns = `kind, id, service, version, body, updated`

func scanObject(scan func(...any) error) (o continuity.Object, err error) {
	var updated int64
	var body []byte
	err = scan(&o.Kind, &o.ID, &o.Service, &o.Version, &body, &updated)
	o.Body, o.Updated = body, time.UnixMicro(updated).UTC()
	return o, err
}

// Get returns one object, or CodeNotFound.
func (s *Store) Get(ctx context.Context, kind, id string) (continuity.Object, error) {
	o, err := scanObject(s.read().row(ctx, `SELECT `+objectColumns+` FROM object WHERE kind = ? AND id = ?`, kind, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return continuity.Object{}, continuity.E(continuity.CodeNotFound, nil, "kind", kind, "id", id)
	}
	return o, classify(err)
}

// List returns a page of the objects of one kind in the order of their ids, and
// the cursor of the next page, which is empty after the last one. What is there
// from the first page to the last one is listed once.
func (s *Store) List(ctx context.Context, q continuity.Query) (page []continuity.Object, next string, err error) {
	if q.Kind == "" {
		return nil, "", continuity.E(continuity.CodeInvalid, errors.New("a list is of one kind"))
	}
	after, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil || !storable(string(after)) {
		return nil, "", continuity.E(continuity.CodeInvalid, errors.New("the cursor is none of this list"))
	}
	text, args := `SELECT `+objectColumns+` FROM object WHERE kind = ? AND id > ?`, []any{q.Kind, string(after)}
	if q.Service != "" {
		text, args = text+` AND service = ?`, append(args, q.Service)
	}
	n := limit(q.Limit)
	err = s.read().each(ctx, func(scan func(...any) error) error {
		o, err := scanObject(scan)
		page = append(page, o)
		return err
	}, text+` ORDER BY id LIMIT ?`, append(args, n+1)...)
	if err != nil {
		return nil, "", classify(err)
	}
	if len(page) > n {
		page = page[:n]
		next = base64.RawURLEncoding.EncodeToString([]byte(page[n-1].ID))
	}
	return page, next, nil
}
