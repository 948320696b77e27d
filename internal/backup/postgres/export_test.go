package postgres

import (
	"context"

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
