package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Lead takes or renews a lease, such as the one to lead. ok is false while
// another node holds it. What the holder commits under Batch.Leader happens only
// while nobody has taken over.
func (s *Store) Lead(ctx context.Context, name, node string, lease time.Duration) (l continuity.Lease, ok bool, err error) {
	if name == "" || node == "" || lease <= 0 || !storable(name) || !storable(node) {
		return l, false, continuity.E(continuity.CodeInvalid, errors.New("a lease needs a name, a node and a time"))
	}
	l = continuity.Lease{Name: name, Node: node}
	err = s.write(ctx, func(c conn) error {
		if _, err := c.exec(ctx, `INSERT INTO lease (name, node, fence, until) VALUES (?, '', 0, 0) ON CONFLICT (name) DO NOTHING`, name); err != nil {
			return err
		}
		now, err := s.present(ctx, c)
		if err != nil {
			return err
		}
		l.Until = now.Add(lease)
		err = c.row(ctx, `UPDATE lease SET fence = CASE WHEN node = ? THEN fence ELSE fence + 1 END, node = ?, until = ?
			WHERE name = ? AND (node = ? OR until <= ? OR until > ?) RETURNING fence`,
			node, node, l.Until.UnixMicro(), name, node, now.UnixMicro(), s.unbelievable(now, lease)).Scan(&l.Fence)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		ok = err == nil
		return err
	})
	if err != nil || !ok {
		return continuity.Lease{}, false, err
	}
	return l, true, nil
}

// present is the time by which leases and claims go: of nodes that share a
// PostgreSQL the database's, as one clock serves them all better than each its own.
func (s *Store) present(ctx context.Context, c conn) (time.Time, error) {
	if !s.shared {
		return s.now().UTC().Truncate(time.Microsecond), nil
	}
	var at int64
	err := c.row(ctx, `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`).Scan(&at)
	return time.UnixMicro(at).UTC(), err
}

// unbelievable is from when on the end of a lease is no promise but the word of a
// clock that was ahead: nobody waits for it. A file has one node, and twice its lease
// leaves room for a clock that is set right a little; nodes that share a database may
// have leases of any length, and its clock.
func (s *Store) unbelievable(now time.Time, lease time.Duration) int64 {
	longest := 2 * lease
	if s.shared {
		longest = max(longest, continuity.LongestLease)
	}
	return now.Add(longest).UnixMicro()
}

// Resign gives a lease back before its time.
func (s *Store) Resign(ctx context.Context, l continuity.Lease) error {
	return s.write(ctx, func(c conn) error {
		_, err := c.exec(ctx, `UPDATE lease SET node = '', until = 0 WHERE name = ? AND node = ? AND fence = ?`, l.Name, l.Node, l.Fence)
		return err
	})
}

// unled refuses a database on which a node leads.
func (s *Store) unled(ctx context.Context, c conn) error {
	now, err := s.present(ctx, c)
	if err != nil {
		return err
	}
	var node string
	err = c.row(ctx, `SELECT node FROM lease WHERE until > ? AND until <= ? ORDER BY name`, now.UnixMicro(), s.unbelievable(now, continuity.LongestLease)).Scan(&node)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return continuity.E(continuity.CodeLocked, errors.New("a node leads on the database"), "leader", node)
}

// leads holds a lease until the commit ends, or says that it is lost.
func (w *writing) leads(l *continuity.Lease) error {
	if l == nil {
		return nil
	}
	n, err := w.exec(w.ctx, `UPDATE lease SET fence = fence WHERE name = ? AND node = ? AND fence = ?`, l.Name, l.Node, l.Fence)
	if err == nil && n == 0 {
		return lost("lease", l.Name)
	}
	return err
}
