package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

const eventColumns = `seq, at, actor_kind, actor, via, action, kind, id, service, reason, was, became, salt, was_sum, became_sum, prev, hash`

func scanEvent(scan func(...any) error) (e continuity.AuditEvent, err error) {
	var at int64
	var before, after, salt, beforeSum, afterSum, prev, hash []byte
	err = scan(&e.Seq, &at, &e.Actor.Kind, &e.Actor.ID, &e.Actor.Via, &e.Action, &e.Kind, &e.ID, &e.Service, &e.Reason,
		&before, &after, &salt, &beforeSum, &afterSum, &prev, &hash)
	e.At, e.Before, e.After, e.Erased = time.UnixMicro(at).UTC(), before, after, salt == nil
	copy(e.Salt[:], salt)
	copy(e.BeforeSum[:], beforeSum)
	copy(e.AfterSum[:], afterSum)
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return e, err
}

// Events returns a page of events in the order of their times, and the cursor of
// the next page, which is empty after the last one. Pages neither repeat nor
// skip what was there when the first one was read.
func (s *Store) Events(ctx context.Context, q continuity.EventQuery) (page []continuity.AuditEvent, next string, err error) {
	where, args, err := conditions(q)
	if err != nil {
		return nil, "", err
	}
	order := ` ORDER BY at DESC, seq DESC LIMIT ?`
	if q.Oldest {
		order = ` ORDER BY at, seq LIMIT ?`
	}
	n := limit(q.Limit)
	page, err = s.events(ctx, `SELECT `+eventColumns+` FROM event`+where+order, append(args, n+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(page) > n {
		page = page[:n]
		next = fmt.Sprintf("%d.%d", page[n-1].At.UnixMicro(), page[n-1].Seq)
	}
	return page, next, nil
}

// EventsSince returns the events after a number in the order of their numbers.
// Who goes on at the last one misses none, whatever the nodes' clocks say.
func (s *Store) EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error) {
	return s.events(ctx, `SELECT `+eventColumns+` FROM event WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit(most))
}

// LastEvent is the newest event's number and hash; 0 where there is none. Written
// down elsewhere, it shows a chain that was cut off or made anew.
func (s *Store) LastEvent(ctx context.Context) (seq int64, hash [32]byte, err error) {
	var b []byte
	err = s.read().row(ctx, `SELECT seq, hash FROM head WHERE one = 1`).Scan(&seq, &b)
	copy(hash[:], b)
	return seq, hash, classify(err)
}

func (s *Store) events(ctx context.Context, text string, args ...any) (page []continuity.AuditEvent, err error) {
	err = s.read().each(ctx, func(scan func(...any) error) error {
		e, err := scanEvent(scan)
		page = append(page, e)
		return err
	}, text, args...)
	if err != nil {
		return nil, classify(err)
	}
	return page, nil
}

// conditions makes a query's WHERE. Each filter has an index that gives the order
// of times, too. Of several, the one that leaves least decides; the others are
// kept from being chosen, as without statistics a database may take a bad one.
func conditions(q continuity.EventQuery) (where string, args []any, err error) {
	if q.ID != "" && q.Kind == "" {
		return "", nil, continuity.E(continuity.CodeInvalid, errors.New("an id goes with a kind"))
	}
	var all []string
	decided := false
	add := func(column, value string, index bool) {
		if value == "" {
			return
		}
		if !index || decided {
			column = "(" + column + " || '')"
		}
		decided = decided || index
		all, args = append(all, column+" = ?"), append(args, value)
	}
	if (q.Under == "") != (len(q.Kinds) == 0) || q.Under != "" && q.Kind != "" {
		return "", nil, continuity.E(continuity.CodeInvalid, errors.New("what is under an id goes with kinds, and with no other"))
	}
	if q.Under != "" {
		all = append(all, "kind IN (?"+strings.Repeat(", ?", len(q.Kinds)-1)+")", "id >= ? AND id < ? AND (id = ? OR id >= ?)")
		for _, kind := range q.Kinds {
			args = append(args, kind)
		}
		// The byte after the dot is the slash.
		args, decided = append(args, q.Under, q.Under+"/", q.Under, q.Under+"."), true
	}
	if q.ID != "" {
		all, args, decided = append(all, "kind = ? AND id = ?"), append(args, q.Kind, q.ID), true
	}
	add("service", q.Service, true)
	add("actor", q.Actor, true)
	add("action", q.Action, true)
	if q.ID == "" {
		add("kind", q.Kind, false)
	}
	if !q.After.IsZero() {
		all, args = append(all, "at >= ?"), append(args, q.After.UnixMicro())
	}
	if !q.Before.IsZero() {
		all, args = append(all, "at < ?"), append(args, q.Before.UnixMicro())
	}
	if q.Cursor != "" {
		at, seq, ok := parseCursor(q.Cursor)
		if !ok {
			return "", nil, continuity.E(continuity.CodeInvalid, errors.New("the cursor is none of these events"))
		}
		compare := "(at, seq) < (?, ?)"
		if q.Oldest {
			compare = "(at, seq) > (?, ?)"
		}
		all, args = append(all, compare), append(args, at, seq)
	}
	if len(all) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(all, " AND "), args, nil
}

func parseCursor(cursor string) (at, seq int64, ok bool) {
	first, second, found := strings.Cut(cursor, ".")
	at, err1 := strconv.ParseInt(first, 10, 64)
	seq, err2 := strconv.ParseInt(second, 10, 64)
	return at, seq, found && err1 == nil && err2 == nil
}
