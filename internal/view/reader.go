package view

import (
	"context"
	"database/sql"
	"errors"

	"holdfast/internal/continuity"
)

// reader is one consistent look at the file.
type reader struct {
	tx       *sql.Tx
	position continuity.Position
	routes   map[int64]string
}

// errClosed says that the file could not be opened, for now.
var errClosed = errors.New("view: not open")

// read looks at the file. If it turns out to be damaged, Run builds another.
func (v *View) read(ctx context.Context, do func(reader) error) error {
	err := v.look(ctx, do)
	if damaged(err) {
		v.suspect.Store(true)
	}
	return err
}

func (v *View) look(ctx context.Context, do func(reader) error) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.readers == nil {
		return errClosed
	}
	tx, err := v.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	p, err := readProgress(tx.QueryRowContext(ctx, selectProgress))
	if err != nil {
		return err
	}
	q := reader{tx: tx, position: p.position, routes: map[int64]string{}}
	rows, err := tx.QueryContext(ctx, `SELECT id, name FROM route`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		q.routes[id] = name
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return do(q)
}

// number returns a route's number, or one that no route has.
func (q reader) number(route string) int64 {
	for id, name := range q.routes {
		if name == route {
			return id
		}
	}
	return -1
}

func (q reader) entries(ctx context.Context, query string, args ...any) ([]entry, error) {
	rows, err := q.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []entry
	for rows.Next() {
		e, err := scanEntry(rows, q.routes)
		if err != nil {
			return nil, err
		}
		found = append(found, *e)
	}
	return found, rows.Err()
}

func (q reader) history(ctx context.Context, id int64) ([]Event, error) {
	rows, err := q.tx.QueryContext(ctx, `SELECT position, kind, clock, at, state, reason, number, status,
		coalesce(verb, ''), coalesce(person, ''), coalesce(why, '') FROM event WHERE record = ? ORDER BY position, slot`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Event
	for rows.Next() {
		var ev Event
		var position, clock, at int64
		err := rows.Scan(&position, &ev.Kind, &clock, &at, &ev.State, (*string)(&ev.Reason), &ev.Attempt, &ev.Status,
			(*string)(&ev.Verb), &ev.Person, &ev.Why)
		if err != nil {
			return nil, err
		}
		ev.Position, ev.Clock, ev.At = unsigned[continuity.Position](position), unsigned[continuity.Clock](clock), fromMillis(at)
		found = append(found, ev)
	}
	return found, rows.Err()
}

func (q reader) counts(ctx context.Context) ([]Count, error) {
	rows, err := q.tx.QueryContext(ctx, `SELECT route, state, doubted, n, bytes, gone FROM tally WHERE n <> 0 OR gone <> 0 ORDER BY route, state, doubted`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var counts []Count
	for rows.Next() {
		var c Count
		var route int64
		if err := rows.Scan(&route, &c.State, &c.Doubted, &c.N, &c.Bytes, &c.Gone); err != nil {
			return nil, err
		}
		c.Route = q.routes[route]
		counts = append(counts, c)
	}
	return counts, rows.Err()
}
