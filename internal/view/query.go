package view

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Lag says how far the view is behind the log.
type Lag struct {
	Position continuity.Position // the next entry to apply
	End      continuity.Position // the log's
	// Behind is how many bytes of the log the view has yet to read; 0 means that
	// it shows everything.
	Behind uint64
	// Age is for how long the view has not shown everything; 0 if it does.
	Age time.Duration
	// Partial says that the journal's beginning was gone when the view was built:
	// records from before are missing.
	Partial bool
	// Trouble says why the view does not go on; nil while it does.
	Trouble error
}

// Position is the next entry that the view will apply: answers given from now
// on know everything before it.
func (v *View) Position() continuity.Position {
	v.state.Lock()
	defer v.state.Unlock()
	return v.at.position
}

// Lag says how far the view is behind.
func (v *View) Lag() Lag {
	end := v.opt.Log.End()
	v.state.Lock()
	defer v.state.Unlock()
	l := Lag{Position: v.at.position, End: max(end, v.at.position), Trouble: v.trouble}
	if len(v.at.digest) == 0 && v.opt.Log.Start() == end { // nothing to show
		return l
	}
	l.Partial = len(v.at.digest) > 0 && !v.at.whole
	if l.Position < l.End {
		l.Behind = uint64(max(1, v.opt.Between(l.Position, l.End))) // #nosec G115 -- positive
		l.Age = time.Since(latest(v.current, v.at.wall))
	}
	return l
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Wait blocks until the view knows everything before a position. It needs Run.
func (v *View) Wait(ctx context.Context, before continuity.Position) error {
	for {
		v.state.Lock()
		at, moved := v.at.position, v.moved
		v.state.Unlock()
		if at >= before {
			return nil
		}
		select {
		case v.kick <- struct{}{}:
		default: // it is on its way
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// mostFound bounds what an abbreviated receipt may match.
const mostFound = 20

// ErrPrefix says that a text can't begin a receipt, or is too short to try.
var ErrPrefix = errors.New("view: not the beginning of a receipt: want at least 4 letters and digits")

// Find returns the receipts that begin with prefix, at most 20.
func (v *View) Find(ctx context.Context, prefix string) ([]continuity.Receipt, error) {
	low, high, err := receiptRange(prefix)
	if err != nil {
		return nil, err
	}
	var found []continuity.Receipt
	err = v.read(ctx, func(q reader) error {
		rows, err := q.entries(ctx, `SELECT `+columns+` FROM record WHERE receipt BETWEEN ? AND ? ORDER BY receipt LIMIT ?`, low[:], high[:], mostFound)
		for _, r := range rows {
			found = append(found, r.Receipt)
		}
		return err
	})
	return found, err
}

// receiptRange returns the least and the greatest receipt that begin with a text.
func receiptRange(prefix string) (low, high continuity.Receipt, err error) {
	const length = 26 // the last of which has three bits only
	prefix = strings.ToLower(strings.TrimSpace(prefix))
	if len(prefix) < 4 || len(prefix) > length {
		return low, high, ErrPrefix
	}
	fill := length - len(prefix)
	low, err = continuity.ParseReceipt(prefix + strings.Repeat("0", fill))
	if err != nil {
		return low, high, ErrPrefix
	}
	if fill == 0 {
		return low, low, nil
	}
	high, err = continuity.ParseReceipt(prefix + strings.Repeat("z", fill-1) + "w")
	return low, high, err
}

// Show returns a record and its history, oldest first. left is how many events
// between the first and the latest ones were not kept.
func (v *View) Show(ctx context.Context, r continuity.Receipt) (row Row, history []Event, left int, err error) {
	err = v.read(ctx, func(q reader) error {
		e, err := scanEntry(q.tx.QueryRowContext(ctx, `SELECT `+columns+` FROM record WHERE receipt = ?`, r[:]), q.routes)
		if errors.Is(err, sql.ErrNoRows) {
			return continuity.E(continuity.CodeNotFound, nil, "receipt", r.Short())
		}
		if err != nil {
			return err
		}
		row = e.Row
		history, err = q.history(ctx, e.id)
		left = e.events - len(history)
		return err
	})
	return row, history, left, err
}

// Count is how many records of a route are in a state.
type Count struct {
	Route   string
	State   continuity.State
	Doubted bool // were ever in doubt
	N       int64
	Bytes   int64 // of bodies
	Gone    int64 // ended like this, and forgotten since
}

// Counts returns what there is, by route and state, and the position it is true of.
func (v *View) Counts(ctx context.Context) ([]Count, continuity.Position, error) {
	var counts []Count
	var position continuity.Position
	err := v.read(ctx, func(q reader) error {
		var err error
		position = q.position
		counts, err = q.counts(ctx)
		return err
	})
	return counts, position, err
}
