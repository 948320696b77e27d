package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	driverlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/internal/continuity"
)

// classify gives a driver's error the code that people and programs go by.
func classify(err error) error {
	var known *continuity.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	var lite *driverlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return continuity.E(continuity.CodeStateFull, err)
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return continuity.E(continuity.CodeDatabase, err, "damaged", true)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			return continuity.E(continuity.CodeDatabase, err)
		}
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case pg.Code == "53100":
			return continuity.E(continuity.CodeStateFull, err)
		case strings.HasPrefix(pg.Code, "XX"):
			return continuity.E(continuity.CodeDatabase, err, "damaged", true)
		}
		for _, class := range []string{"08", "25006", "25P03", "28", "3D", "40", "53", "55P03", "57", "58"} {
			if strings.HasPrefix(pg.Code, class) {
				return continuity.E(continuity.CodeDatabase, err)
			}
		}
		return err
	}
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return continuity.E(continuity.CodeStateFull, err)
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err): // the last: it was closed before anything was sent
		return continuity.E(continuity.CodeDatabase, err)
	}
	return err
}
