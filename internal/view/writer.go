package view

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/internal/continuity"
)

// generation is how many rows stay in memory at least, and twice as many at
// most, from one batch to the next.
const generation = 20_000

// writer is the one connection that changes the file. It keeps the rows that a
// batch touches in memory and writes each of them once, at the batch's end.
type writer struct {
	db   *sql.DB
	conn *sql.Conn

	get, insert, update, event, remove, history *sql.Stmt

	open    bool // a transaction is
	whole   bool // what is not known was forgotten, not missed
	cache   map[continuity.Receipt]*entry
	older   map[continuity.Receipt]*entry // the generation before; none of it is dirty
	dirty   []*entry
	tallies map[tallyKey]tally
	routes  map[string]int64
	names   map[int64]string
}

type tally struct{ n, bytes, gone int64 }

// progress is how far the file is, and of which journal.
type progress struct {
	position continuity.Position
	last     continuity.Position
	digest   []byte
	clock    continuity.Clock
	wall     time.Time
	horizon  continuity.Position
	whole    bool
	boot     string
}

const columns = `id, receipt, route, key, state, reason, version, attempts, doubted, position, outcome,
	accepted, first, last, ended, accepted_at, ended_at, status, size, method, replaces, replaced_by, events, turn, told`

var writerStatements = []struct {
	to   func(*writer) **sql.Stmt
	text string
}{
	{func(w *writer) **sql.Stmt { return &w.get }, `SELECT ` + columns + ` FROM record WHERE receipt = ?`},
	{func(w *writer) **sql.Stmt { return &w.insert }, `INSERT INTO record (` + columns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`},
	{func(w *writer) **sql.Stmt { return &w.update }, `UPDATE record SET state=?, reason=?, version=?, attempts=?, doubted=?, position=?, outcome=?,
		accepted=?, first=?, last=?, ended=?, ended_at=?, status=?, size=?, replaced_by=?, events=?, turn=?, told=? WHERE id=?`},
	{func(w *writer) **sql.Stmt { return &w.event }, `INSERT OR REPLACE INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`},
	{func(w *writer) **sql.Stmt { return &w.remove }, `DELETE FROM record WHERE id = ?`},
	{func(w *writer) **sql.Stmt { return &w.history }, `DELETE FROM event WHERE record = ?`},
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{db: db, conn: conn, routes: map[string]int64{}, names: map[int64]string{}}
	w.forgetCache()
	for _, s := range writerStatements {
		if *s.to(w), err = conn.PrepareContext(ctx, s.text); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if err := w.loadRoutes(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return w, nil
}

func (w *writer) close() error {
	w.rollback()
	var errs []error
	for _, s := range writerStatements {
		errs = append(errs, (*s.to(w)).Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) loadRoutes(ctx context.Context) error {
	clear(w.routes)
	clear(w.names)
	rows, err := w.conn.QueryContext(ctx, `SELECT id, name FROM route`)
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
		w.routes[name], w.names[id] = id, name
	}
	return rows.Err()
}

func (w *writer) forgetCache() {
	w.cache, w.older = make(map[continuity.Receipt]*entry), nil
	w.tallies = make(map[tallyKey]tally)
	w.dirty = w.dirty[:0]
}

func (w *writer) begin(ctx context.Context) error {
	if w.open {
		return nil
	}
	_, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`)
	w.open = err == nil
	return err
}

// rollback gives up what was not committed.
func (w *writer) rollback() {
	if w.open {
		_, _ = w.conn.ExecContext(context.Background(), `ROLLBACK`) // a connection that fails here is closed and opened anew
		w.open = false
	}
	w.forgetCache()
	w.routes, w.names = map[string]int64{}, map[int64]string{}
	_ = w.loadRoutes(context.Background()) // routes that are missing are looked up again
}

// commit writes what the batch changed, and how far it went, in one step.
func (w *writer) commit(ctx context.Context, p progress) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	_, err := w.conn.ExecContext(ctx, `UPDATE progress SET position=?, last=?, digest=?, clock=?, wall=?, horizon=?, whole=?, boot=?`,
		signed(p.position), signed(p.last), p.digest, signed(p.clock), p.wall.UnixMilli(), signed(p.horizon), p.whole, p.boot)
	if err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, `COMMIT`); err != nil {
		return err
	}
	w.open = false
	w.age()
	return nil
}

// age bounds the cache, of which nothing is dirty.
func (w *writer) age() {
	if len(w.cache) > generation {
		w.cache, w.older = make(map[continuity.Receipt]*entry, generation), w.cache
	}
}

func (w *writer) progress(ctx context.Context) (progress, error) {
	return readProgress(w.conn.QueryRowContext(ctx, selectProgress))
}

const selectProgress = `SELECT position, last, digest, clock, wall, horizon, whole, boot FROM progress`

func readProgress(row *sql.Row) (progress, error) {
	var p progress
	var position, last, clock, wall, horizon int64
	err := row.Scan(&position, &last, &p.digest, &clock, &wall, &horizon, &p.whole, &p.boot)
	p.position, p.last, p.horizon = unsigned[continuity.Position](position), unsigned[continuity.Position](last), unsigned[continuity.Position](horizon)
	p.clock, p.wall = unsigned[continuity.Clock](clock), time.UnixMilli(wall)
	if errors.Is(err, sql.ErrNoRows) {
		err = errUseless{"the file does not say how far it is"}
	}
	return p, err
}

// route returns the number of a route, giving it one if it has none.
func (w *writer) route(ctx context.Context, name string) (int64, error) {
	if id, ok := w.routes[name]; ok {
		return id, nil
	}
	var id int64
	err := w.conn.QueryRowContext(ctx, `INSERT INTO route (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id`, name).Scan(&id)
	if err != nil {
		return 0, err
	}
	w.routes[name], w.names[id] = id, name
	return id, nil
}

// find returns the record, or nil where it is not known.
func (w *writer) find(ctx context.Context, r continuity.Receipt) (*entry, error) {
	if e := w.cached(r); e != nil {
		return e, nil
	}
	return w.keep(scanEntry(w.get.QueryRowContext(ctx, r[:]), w.names))
}

func (w *writer) cached(r continuity.Receipt) *entry {
	if e, ok := w.cache[r]; ok {
		return e
	}
	e, ok := w.older[r]
	if ok {
		delete(w.older, r)
		w.cache[r] = e
	}
	return e
}

// keep puts what was read from the file in the cache, unless the cache already
// has a newer state of it.
func (w *writer) keep(e *entry, err error) (*entry, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if cached := w.cached(e.Receipt); cached != nil {
		return cached, nil
	}
	w.cache[e.Receipt] = e
	return e, nil
}

// touch says that e changed, or is new.
func (w *writer) touch(e *entry) {
	if !e.dirty {
		e.dirty = true
		w.dirty = append(w.dirty, e)
		w.cache[e.Receipt] = e
	}
}

// flush writes the changed rows and tallies into the open transaction.
func (w *writer) flush(ctx context.Context) error {
	for _, e := range w.dirty {
		if err := w.write(ctx, e); err != nil {
			return err
		}
	}
	w.dirty = w.dirty[:0]
	for k, t := range w.tallies {
		_, err := w.conn.ExecContext(ctx, `INSERT INTO tally VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE
			SET n = n + excluded.n, bytes = bytes + excluded.bytes, gone = gone + excluded.gone`,
			k.route, int64(k.state), k.doubted, t.n, t.bytes, t.gone)
		if err != nil {
			return err
		}
	}
	clear(w.tallies)
	return nil
}

func (w *writer) write(ctx context.Context, e *entry) error {
	var err error
	if e.stored {
		_, err = w.update.ExecContext(ctx, int64(e.State), string(e.Reason), int64(e.Version), e.Attempts, e.Doubted,
			signed(e.Position), signed(e.Outcome), signed(e.AcceptedAt), signed(e.FirstAttempt), signed(e.LastAttempt), signed(e.EndedAt),
			millis(e.EndedWall), e.Status, e.Size, receiptOrNull(e.ReplacedBy), e.events, e.turn, e.Told, e.id)
	} else {
		err = w.add(ctx, e)
	}
	if err != nil {
		return err
	}
	if now := e.tallied(); !e.stored || now != e.before {
		if e.stored {
			w.count(e.before.tallyKey, -1, -e.before.size, 0)
		}
		w.count(now.tallyKey, 1, now.size, 0)
		e.before = now
	}
	e.stored, e.dirty = true, false
	return nil
}

// add inserts a row. A receipt names one record: one of the same name that is
// still there was forgotten by the ledger, and goes.
func (w *writer) add(ctx context.Context, e *entry) error {
	insert := func() error {
		_, err := w.insert.ExecContext(ctx, e.id, e.Receipt[:], e.route, signed(e.Key), int64(e.State), string(e.Reason),
			int64(e.Version), e.Attempts, e.Doubted, signed(e.Position), signed(e.Outcome), signed(e.AcceptedAt),
			signed(e.FirstAttempt), signed(e.LastAttempt), signed(e.EndedAt), millis(e.AcceptedWall), millis(e.EndedWall),
			e.Status, e.Size, e.Method, receiptOrNull(e.Replaces), receiptOrNull(e.ReplacedBy), e.events, e.turn, e.Told)
		return err
	}
	err := insert()
	var already *sqlite.Error
	if !errors.As(err, &already) || already.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return err
	}
	old, err := scanEntry(w.get.QueryRowContext(ctx, e.Receipt[:]), w.names)
	if err != nil {
		return err
	}
	if err := w.forget(ctx, old); err != nil {
		return err
	}
	w.cache[e.Receipt] = e
	return insert()
}

func (w *writer) count(k tallyKey, n, bytes, gone int64) {
	t := w.tallies[k]
	w.tallies[k] = tally{t.n + n, t.bytes + bytes, t.gone + gone}
}

// record adds an event to the history of e.
func (w *writer) record(ctx context.Context, e *entry, ev Event) error {
	_, err := w.event.ExecContext(ctx, e.id, slot(e.events), signed(ev.Position), int64(ev.Kind), signed(ev.Clock),
		millis(ev.At), int64(ev.State), string(ev.Reason), ev.Attempt, ev.Status,
		textOrNull(string(ev.Verb)), textOrNull(ev.Person), textOrNull(ev.Why))
	e.events++
	return err
}

// forget removes a row that was flushed before, and its history.
func (w *writer) forget(ctx context.Context, e *entry) error {
	if _, err := w.history.ExecContext(ctx, e.id); err != nil {
		return err
	}
	if _, err := w.remove.ExecContext(ctx, e.id); err != nil {
		return err
	}
	w.count(e.before.tallyKey, -1, -e.before.size, 1)
	delete(w.cache, e.Receipt)
	delete(w.older, e.Receipt)
	return nil
}

func scanEntry(row interface{ Scan(...any) error }, routes map[int64]string) (*entry, error) {
	e := &entry{stored: true}
	var receipt, replaces, replacedBy []byte
	var key, position, outcome, accepted, first, last, ended, acceptedAt, endedAt int64
	var reason string
	err := row.Scan(&e.id, &receipt, &e.route, &key, &e.State, &reason, &e.Version, &e.Attempts, &e.Doubted, &position, &outcome,
		&accepted, &first, &last, &ended, &acceptedAt, &endedAt, &e.Status, &e.Size, &e.Method, &replaces, &replacedBy, &e.events, &e.turn, &e.Told)
	if err != nil {
		return nil, err
	}
	copy(e.Receipt[:], receipt)
	copy(e.Replaces[:], replaces)
	copy(e.ReplacedBy[:], replacedBy)
	e.Route, e.Key, e.Reason = routes[e.route], unsigned[continuity.KeyTag](key), continuity.Reason(reason)
	e.Position, e.Outcome = unsigned[continuity.Position](position), unsigned[continuity.Position](outcome)
	e.AcceptedAt, e.FirstAttempt = unsigned[continuity.Clock](accepted), unsigned[continuity.Clock](first)
	e.LastAttempt, e.EndedAt = unsigned[continuity.Clock](last), unsigned[continuity.Clock](ended)
	e.AcceptedWall, e.EndedWall = fromMillis(acceptedAt), fromMillis(endedAt)
	e.before = e.tallied()
	return e, nil
}

// A column holds 64 bits with a sign; numbers without one keep their bits.
func signed[T ~uint64](v T) int64   { return int64(v) } // #nosec G115 -- as said
func unsigned[T ~uint64](v int64) T { return T(v) }     // #nosec G115 -- as said

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func receiptOrNull(r continuity.Receipt) any {
	if r.IsZero() {
		return nil
	}
	return r[:]
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
