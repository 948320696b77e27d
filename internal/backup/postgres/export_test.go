package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
)

// ParseLSN is for tests.
var ParseLSN = parseLSN

// Measure takes the figures of a database.
func Measure(ctx context.Context, conn *pgx.Conn, queries []backup.Query) ([]backup.Figure, error) {
	if err := several(ctx, conn, uniform); err != nil {
		return nil, err
	}
	tables, err := counted(ctx, conn)
	if err != nil {
		return nil, err
	}
	return measure(ctx, conn, tables, queries, nil)
}

// Stills finds a place in the log at which a snapshot is exact, n times. each gets the
// session that has the snapshot.
func Stills(ctx context.Context, o Options, n int, each func(at LSN, reader *pgx.Conn) error) (err error) {
	d := New(o)
	other, err := connect(ctx, d.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, other)) }()
	reader, err := connect(ctx, d.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, reader)) }()
	s, err := look(ctx, other)
	if err != nil {
		return err
	}
	begin, err := now(ctx, other)
	if err != nil {
		return err
	}
	from := s.start(begin.at)
	dir, done, err := d.segments(s.line, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	log, err := newEnds(ctx, other, s.line, dir, from, func(ctx context.Context, to LSN) error { return d.receive(ctx, s, dir, to) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.walk.Close()) }()
	for range n {
		at, err := hold(ctx, reader, other, log)
		if err == nil {
			err = each(at.at, reader)
		}
		if err != nil {
			return err
		}
		if err := several(ctx, reader, "ROLLBACK"); err != nil {
			return err
		}
	}
	return nil
}
