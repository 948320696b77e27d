package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// Filter chooses records. Zero fields choose all.
type Filter struct {
	Route  string
	States []continuity.State // none: the pending ones
	Key    continuity.KeyTag  // looked at if HasKey
	HasKey bool
	Limit  int    // at most 1,000; 0: 100
	After  string // Page.Next of the page before
}

// Page is one part of a list.
type Page struct {
	Rows     []Row
	Next     string              // for the next page; empty: this was the last
	Position continuity.Position // what the rows are true of
}

const (
	defaultLimit = 100
	mostRows     = 1_000
)

func bounded(limit int) int {
	if limit <= 0 {
		limit = defaultLimit
	}
	return min(limit, mostRows)
}

// cursor is a place in a list: the age (of a key's list: the turn), then the id.
type cursor struct{ by, id int64 }

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return cursor{-1 << 63, 0}, nil
	}
	if n, err := fmt.Sscanf(s, "%d.%d", &c.by, &c.id); n != 2 || err != nil {
		return c, continuity.E(continuity.CodeInvalid, err, "field", "after")
	}
	return c, nil
}

func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.by, c.id) }

// Backlog lists records, those that were accepted first at the front; those of
// one key in the order in which they are sent. Delivered ones, the bulk of what
// was ever accepted, are listed by key only.
func (v *View) Backlog(ctx context.Context, f Filter) (Page, error) {
	after, err := parseCursor(f.After)
	if err != nil {
		return Page{}, err
	}
	if len(f.States) == 0 {
		f.States = []continuity.State{continuity.Queued, continuity.Attempting, continuity.InDoubt, continuity.Parked}
	}
	if slices.Contains(f.States, continuity.Delivered) && !f.HasKey {
		return Page{}, continuity.E(continuity.CodeInvalid, nil, "field", "state")
	}
	f.Limit = bounded(f.Limit)
	var page Page
	err = v.read(ctx, func(q reader) error {
		page.Position = q.position
		var found []entry
		for _, part := range f.parts(q) {
			rows, err := q.entries(ctx, part.query, append(part.args, after.by, after.id, f.Limit+1)...)
			if err != nil {
				return err
			}
			found = append(found, rows...)
		}
		page.fill(found, f)
		return nil
	})
	return page, err
}

func (f Filter) cursor(e *entry) cursor {
	if f.HasKey {
		return cursor{e.turn, e.id}
	}
	return cursor{signed(e.AcceptedAt), e.id}
}

// fill merges the parts of a list.
func (p *Page) fill(found []entry, f Filter) {
	slices.SortFunc(found, func(a, b entry) int {
		x, y := f.cursor(&a), f.cursor(&b)
		return cmp.Or(cmp.Compare(x.by, y.by), cmp.Compare(x.id, y.id))
	})
	if len(found) > f.Limit {
		found = found[:f.Limit]
		p.Next = f.cursor(&found[f.Limit-1]).String()
	}
	for _, e := range found {
		p.Rows = append(p.Rows, e.Row)
	}
}

type part struct {
	query string
	args  []any
}

// parts are queries that each walk one index in the list's order and stop at
// the limit, however long the backlog is.
func (f Filter) parts(q reader) []part {
	if f.HasKey {
		where, args := "", []any{signed(f.Key)}
		if f.Route != "" {
			where, args = " AND route = ?", append(args, q.number(f.Route))
		}
		return []part{{`SELECT ` + columns + ` FROM record WHERE key = ?` + where + ` AND state IN (` + list(f.States) + `)
			AND (turn, id) > (?, ?) ORDER BY turn, id LIMIT ?`, args}}
	}
	var parts []part
	var pending, rare []continuity.State
	for _, s := range f.States {
		if s.Pending() {
			pending = append(pending, s)
		} else {
			rare = append(rare, s)
		}
	}
	if !slices.Contains(pending, continuity.Queued) {
		rare, pending = append(rare, pending...), nil
	}
	for id, name := range q.routes {
		if f.Route != "" && f.Route != name {
			continue
		}
		if len(pending) > 0 {
			parts = append(parts, part{`SELECT ` + columns + ` FROM record INDEXED BY record_pending WHERE state <= 4 AND state IN (` + list(pending) + `)
				AND route = ? AND (accepted, id) > (?, ?) ORDER BY accepted, id LIMIT ?`, []any{id}})
		}
		for _, s := range rare {
			parts = append(parts, part{`SELECT ` + columns + ` FROM record INDEXED BY record_rare WHERE state NOT IN (1, 5) AND state = ` + list([]continuity.State{s}) + `
				AND route = ? AND (accepted, id) > (?, ?) ORDER BY accepted, id LIMIT ?`, []any{id}})
		}
	}
	return parts
}

// list writes states as the numbers that the partial indexes are declared with.
func list(states []continuity.State) string {
	text := make([]string, len(states))
	for i, s := range states {
		text[i] = fmt.Sprint(uint8(s))
	}
	return strings.Join(text, ", ")
}

// Dead lists the dead letters of a route, or of all ("").
func (v *View) Dead(ctx context.Context, route string, limit int, after string) (Page, error) {
	return v.Backlog(ctx, Filter{Route: route, States: []continuity.State{continuity.Dead}, Limit: limit, After: after})
}

// ByKey lists the latest records of a key, whatever their state, in the key's
// order.
func (v *View) ByKey(ctx context.Context, key continuity.KeyTag, limit int) (Page, error) {
	var page Page
	err := v.read(ctx, func(q reader) error {
		found, err := q.entries(ctx, `SELECT `+columns+` FROM record WHERE key = ? ORDER BY turn DESC, id DESC LIMIT ?`, signed(key), bounded(limit))
		slices.Reverse(found)
		page.Position = q.position
		page.fill(found, Filter{HasKey: true, Limit: mostRows})
		return err
	})
	return page, err
}

// Oldest returns the pending record of a route, or of all (""), that was
// accepted first.
func (v *View) Oldest(ctx context.Context, route string) (Row, bool, error) {
	page, err := v.Backlog(ctx, Filter{Route: route, Limit: 1})
	if err != nil || len(page.Rows) == 0 {
		return Row{}, false, err
	}
	return page.Rows[0], true, nil
}
