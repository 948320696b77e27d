package view

import (
	"context"

	"holdfast/internal/continuity"
)

// Books are what the ledger counts of one route.
type Books struct {
	continuity.Totals
	Queued     int64
	Attempting int64
	InDoubt    int64
	Parked     int64
}

// Difference is a number on which the view and the ledger do not agree.
type Difference struct {
	Route  string `json:"route"`
	What   string `json:"what"` // a counter, named as the API names it
	Ledger int64  `json:"ledger"`
	View   int64  `json:"view"`
}

// Compare holds the view's rows, counted one by one and not by its tally,
// against the ledger's books as they were at a position. ok is false where the
// view is not at that position, so that nothing can be said.
func (v *View) Compare(ctx context.Context, at continuity.Position, books []Books) (differences []Difference, ok bool, err error) {
	err = v.read(ctx, func(q reader) error {
		if ok = q.position == at; !ok {
			return nil
		}
		mine, err := q.books(ctx)
		if err != nil {
			return err
		}
		differences = diff(books, mine)
		return nil
	})
	return differences, ok, err
}

// books counts rows, and adds what is gone.
func (q reader) books(ctx context.Context) (map[string]Books, error) {
	rows, err := q.tx.QueryContext(ctx, `SELECT route, state, doubted, sum(n) FROM (
			SELECT route, state, doubted, count(*) AS n FROM record GROUP BY 1, 2, 3
			UNION ALL SELECT route, state, doubted, gone FROM tally)
		GROUP BY 1, 2, 3`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[string]Books)
	for rows.Next() {
		var route, n int64
		var state continuity.State
		var doubted bool
		if err := rows.Scan(&route, &state, &doubted, &n); err != nil {
			return nil, err
		}
		b := all[q.routes[route]]
		b.add(state, doubted, n)
		all[q.routes[route]] = b
	}
	return all, rows.Err()
}

func (b *Books) add(state continuity.State, doubted bool, n int64) {
	b.Accepted += n
	switch state {
	case continuity.Queued:
		b.Queued += n
	case continuity.Attempting:
		b.Attempting += n
	case continuity.InDoubt:
		b.InDoubt += n
	case continuity.Parked:
		b.Parked += n
	case continuity.Delivered:
		if doubted {
			b.DeliveredAfterDoubt += n
		} else {
			b.DeliveredAtOnce += n
		}
	case continuity.Refused:
		b.Refused += n
	case continuity.Dead:
		b.Dead += n
	case continuity.Discarded:
		b.Discarded += n
	}
}

func diff(ledger []Books, mine map[string]Books) []Difference {
	var found []Difference
	known := make(map[string]bool, len(ledger))
	one := func(l, m Books) {
		for _, n := range []struct {
			what   string
			ledger int64
			view   int64
		}{
			{"accepted", l.Accepted, m.Accepted},
			{"delivered_at_once", l.DeliveredAtOnce, m.DeliveredAtOnce},
			{"delivered_after_doubt", l.DeliveredAfterDoubt, m.DeliveredAfterDoubt},
			{"refused", l.Refused, m.Refused},
			{"dead", l.Dead, m.Dead},
			{"discarded", l.Discarded, m.Discarded},
			{"queued", l.Queued, m.Queued},
			{"attempting", l.Attempting, m.Attempting},
			{"in_doubt", l.InDoubt, m.InDoubt},
			{"parked", l.Parked, m.Parked},
		} {
			if n.ledger != n.view {
				found = append(found, Difference{Route: l.Route, What: n.what, Ledger: n.ledger, View: n.view})
			}
		}
	}
	for _, l := range ledger {
		known[l.Route] = true
		one(l, mine[l.Route])
	}
	for route, m := range mine {
		if !known[route] {
			one(Books{Totals: continuity.Totals{Route: route}}, m)
		}
	}
	return found
}
