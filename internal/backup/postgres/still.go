package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
)

// still is the source as a snapshot shows it, and where in the log exactly that is so.
type still struct {
	at     LSN
	moment time.Time // everything that was acknowledged before it is in it
	tables []table
	// figures of it; nil where no place was found at which they could be compared.
	figures []backup.Figure
}

// exact is where the figures hold; nowhere where there are none.
func (s still) exact(l line) backup.Position {
	if s.figures == nil {
		return backup.Position{}
	}
	return l.at(s.at)
}

// taking is how figures are taken.
type taking struct {
	dsn string
	log *slog.Logger
}

// take takes them, of the source as it is at a place behind which log begins. Where no
// such place is found, only how far the source is is known: it can be restored, and not
// be proven by figures.
func (t taking) take(ctx context.Context, other *pgx.Conn, log *ends, queries []backup.Query, report backup.Report) (at still, err error) {
	reader, err := connect(ctx, t.dsn)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, closing(ctx, reader)) }()
	at, err = hold(ctx, reader, other, log)
	if errors.Is(err, errBusy) {
		if t.log != nil {
			t.log.WarnContext(ctx, "this backup can be restored, but has no figures to prove it by: capture at another time", "source", named(t.dsn), "error", err)
		}
		return now(ctx, other)
	}
	if err == nil {
		at.figures, err = measure(ctx, reader, at.tables, queries, report)
	}
	return at, err
}

// view is a snapshot that a session holds.
type view struct {
	still                 // at: the log was not further when it was taken
	high  uint64          // the first transaction of those that had not begun to end
	under map[uint64]bool // of those before it, which were under way
	idle  map[uint32]bool // had not begun to end, though they may have begun long ago
}

// shows says that a transaction that ended well is in it. Of its number the log has the
// lower half.
func (v view) shows(of uint32) bool {
	n := v.full(of)
	return n < v.high && !v.under[n]
}

// full is the whole number of a transaction, which is not far from those of now.
func (v view) full(of uint32) uint64 {
	return v.high + uint64(int64(int32(of-uint32(v.high)))) // #nosec G115 -- wanted
}

// errBusy says that no such place was found.
var errBusy = errors.New("transactions end in another order than they become visible in")

// ends are the ends of transactions in a log, from somewhere on.
type ends struct {
	walk  *walk
	first uint64 // this transaction and those after it began behind where the log begins
	// fetch has the log lie in the walk's folder up to a place.
	fetch func(ctx context.Context, to LSN) error
	good  []ending
	wrote map[uint32]bool // transactions, and parts of such, of before first
}

// newEnds begins with the segment that is in dir and begins at from, which the log is
// past.
func newEnds(ctx context.Context, conn *pgx.Conn, l line, dir string, from LSN, fetch func(context.Context, LSN) error) (*ends, error) {
	first, err := number(ctx, conn)
	return &ends{walk: newWalk(l, dir, from, 1<<63), first: first, fetch: fetch, wrote: map[uint32]bool{}}, err
}

type ending struct {
	at LSN
	of uint32
}

// read reads on, up to a place at least.
func (e *ends) read(ctx context.Context, to LSN) error {
	if err := e.fetch(ctx, to); err != nil {
		return err
	}
	e.walk.havePage = false
	for {
		rec, err := e.walk.read()
		var bad *damage
		switch {
		case errors.Is(err, errEnds), errors.As(err, &bad) && (bad.kind == backup.FaultTruncated || bad.kind == backup.FaultMissing):
			if behindHead(e.walk.line, e.walk.last) < to {
				return fmt.Errorf("the log came up to %s only, not %s", e.walk.last, to)
			}
			return nil
		case err != nil:
			return err
		}
		if rec.commit.is {
			e.good = append(e.good, ending{rec.at, rec.commit.of})
		}
		if int32(rec.by-uint32(e.first)) < 0 { // #nosec G115 -- wanted
			e.wrote[rec.by] = true
		}
	}
}

// place finds the place before which exactly those transactions have ended well that a
// view shows. An end becomes visible some time after it was written, and others may do so
// in between: then there is none.
func (e *ends) place(v view) (LSN, error) {
	for n := range v.under {
		of := uint32(n) // #nosec G115 -- wanted
		if n < e.first && !e.wrote[of] && !v.idle[of] {
			return 0, errBusy // its end may have been written before the log begins
		}
	}
	at := v.at
	for _, end := range e.good {
		if end.at >= v.at {
			break // behind the snapshot
		}
		shown := v.shows(end.of)
		if end.of == 0 || shown && at < v.at {
			return 0, errBusy
		}
		if !shown {
			at = min(at, end.at)
		}
	}
	return at, nil
}

// hold finds a place in the log before which exactly those transactions have ended that a
// snapshot shows, and leaves reader in a transaction that has this snapshot. What is
// restored up to there, and no further, has exactly its rows. Nobody has to wait for it.
func hold(ctx context.Context, reader, other *pgx.Conn, log *ends) (still, error) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		v, err := attempt(ctx, reader, other)
		if err == nil {
			if err = log.read(ctx, v.at); err == nil {
				v.at, err = log.place(v)
			}
			if err == nil {
				return v.still, nil
			}
			err = errors.Join(err, several(context.WithoutCancel(ctx), reader, "ROLLBACK"))
		}
		if !errors.Is(err, errBusy) {
			return still{}, err
		}
		if time.Now().After(deadline) {
			break
		}
		if err := pause(ctx, rand.N(40*time.Millisecond)); err != nil { // #nosec G404 -- not to meet the same job each time
			return still{}, err
		}
	}
	return still{}, errBusy
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// attempt takes a snapshot.
func attempt(ctx context.Context, reader, other *pgx.Conn) (v view, err error) {
	if v.tables, err = counted(ctx, other); err != nil {
		return v, err
	}
	var names, views []string
	for _, t := range v.tables {
		if t.View {
			views = append(views, "SELECT FROM ONLY "+t.quoted()+" LIMIT 0")
		} else {
			names = append(names, t.quoted())
		}
	}
	// Before the snapshot, so that no table is emptied or rewritten behind its back.
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '300ms'; "
	if len(names) > 0 {
		begin += "LOCK TABLE ONLY " + strings.Join(names, ", ONLY ") + " IN ACCESS SHARE MODE; "
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, several(context.WithoutCancel(ctx), reader, "ROLLBACK"))
		}
	}()
	if err := several(ctx, reader, begin); err != nil {
		return v, busy(err)
	}
	if err := other.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&v.moment); err != nil {
		return v, err
	}
	var high int64
	var under []int64
	if err := reader.QueryRow(ctx, `SELECT txid_snapshot_xmax(s), ARRAY(SELECT txid_snapshot_xip(s)) FROM txid_current_snapshot() s`).
		Scan(&high, &under); err != nil {
		return v, err
	}
	v.high, v.under = uint64(high), map[uint64]bool{} // #nosec G115 -- not negative
	for _, n := range under {
		v.under[uint64(n)] = true // #nosec G115 -- the same
	}
	if v.at, err = v.behind(ctx, other); err != nil {
		return v, err
	}
	if err := several(ctx, reader, strings.Join(append(views, "SET LOCAL lock_timeout = 0"), "; ")); err != nil {
		return v, busy(err)
	}
	same, err := unmoved(ctx, reader, v.tables)
	if err == nil && !same {
		err = errBusy
	}
	return v, err
}

// behind is a place in the log that is behind the snapshot. It also asks who had not
// begun to end: a session that waits for its client has not, nor what was prepared, unless
// ends are held up until a replica has them. The log is written past the place.
func (v *view) behind(ctx context.Context, conn *pgx.Conn) (LSN, error) {
	var idle []int64
	if err := conn.QueryRow(ctx, `SELECT ARRAY(SELECT backend_xid::text::bigint FROM pg_stat_activity
			WHERE state LIKE 'idle in transaction%' AND backend_xid IS NOT NULL
		UNION ALL SELECT transaction::text::bigint FROM pg_prepared_xacts
			WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'))`).Scan(&idle); err != nil {
		return 0, err
	}
	v.idle = map[uint32]bool{}
	for _, n := range idle {
		v.idle[uint32(n)] = true // #nosec G115 -- of 32 bits
	}
	at, err := now(ctx, conn)
	if err == nil {
		_, err = number(ctx, conn)
	}
	return at.at, err
}

// unmoved says that a snapshot shows these tables, and that materialized views were not
// filled anew since: that is a new file, in which everything is visible to everybody.
func unmoved(ctx context.Context, reader *pgx.Conn, tables []table) (bool, error) {
	seen, err := counted(ctx, reader)
	if err != nil {
		return false, err
	}
	if !slices.EqualFunc(seen, tables, func(a, b table) bool { return a.String() == b.String() }) {
		return false, nil
	}
	var same bool
	err = reader.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_class
		WHERE relkind = 'm' AND relpersistence = 'p' AND relfilenode <> pg_relation_filenode(oid))`).Scan(&same)
	return same, err
}

// number takes the next number of a transaction.
func number(ctx context.Context, conn *pgx.Conn) (uint64, error) {
	var n int64
	err := conn.QueryRow(ctx, `SELECT txid_current()`).Scan(&n)
	return uint64(n), err // #nosec G115 -- not negative
}

// busy tells a lock that was not had from what is worse.
func busy(err error) error {
	if code(err) == "55P03" || code(err) == "42P01" || code(err) == "40P01" { // no lock, dropped meanwhile, deadlock
		return errors.Join(errBusy, err)
	}
	return err
}
