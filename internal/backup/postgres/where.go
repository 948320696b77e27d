package postgres

import (
	"context"
	"errors"
	"time"

	"holdfast/internal/backup"
)

// Where implements backup.Locating: up to where the server's log is on its disk.
func (d *Driver) Where(ctx context.Context) (backup.Position, time.Time, error) {
	w, err := findOut(ctx, d.DSN)
	return w.at(w.flushed), w.asked, sourceError(named(d.DSN), err)
}

// Where implements backup.Locating. What is older than archive_timeout stands in segments
// that are over and are archived; of a server that does nothing the newest one never is.
func (d *Repository) Where(ctx context.Context) (backup.Position, time.Time, error) {
	w, err := findOut(ctx, d.o.DSN)
	if err != nil || w.timeout == 0 {
		return w.at(w.flushed), w.asked, sourceError(d.o.Stanza, err)
	}
	return w.at(w.start(w.flushed)), w.asked.Add(-w.timeout), nil
}

// whereabouts are how far a server's log was when it was asked.
type whereabouts struct {
	line
	asked   time.Time // by this machine's clock
	flushed LSN
	timeout time.Duration // after which a segment is over that is not full
}

func findOut(ctx context.Context, dsn string) (w whereabouts, err error) {
	conn, err := connect(ctx, dsn)
	if err != nil {
		return w, err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	s, err := look(ctx, conn)
	if err != nil {
		return w, err
	}
	w.line, w.asked = s.line, time.Now()
	var at string
	var seconds int
	if err := conn.QueryRow(ctx, `SELECT pg_current_wal_flush_lsn()::text, (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout')`).
		Scan(&at, &seconds); err != nil {
		return w, err
	}
	w.timeout = time.Duration(seconds) * time.Second
	w.flushed, err = parseLSN(at)
	return w, err
}
