package reconcile

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/internal/continuity"
)

const (
	connectTime   = 10 * time.Second
	queryCanceled = "57014" // SQLSTATE: by the statement time-out
)

// readPostgres runs the query in a read-only transaction. The extended protocol
// takes one statement only, so that a query can't end the transaction and go on.
func readPostgres(ctx context.Context, cfg continuity.Reconcile, limit time.Duration, give func([][]byte) error) error {
	config, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return &failure{step: stepDSN} // the parser's error quotes the DSN
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	config.RuntimeParams["statement_timeout"] = strconv.FormatInt(max(1, limit.Milliseconds()), 10)
	config.RuntimeParams["application_name"] = "holdfast reconcile"
	config.ConnectTimeout = connectTime
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {} // a notice is nobody's finding
	clean := newCleaner(cfg.DSN, config.Host, config.User, config.Password, config.Database)

	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return &failure{step: stepConnect, text: refusal(err)}
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // nothing was written
	}()
	said := func(err error) error {
		var e *pgconn.PgError
		if errors.As(err, &e) && e.Code == queryCanceled {
			return &failure{step: stepTime, text: limit.String()}
		}
		if e != nil {
			return &failure{step: stepQuery, text: clean.text(e.Message + " (SQLSTATE " + e.Code + ")")}
		}
		return &failure{step: stepQuery, text: "the connection broke off"}
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return said(err)
	}
	rows, err := tx.Query(ctx, cfg.Query, pgx.QueryExecModeDescribeExec, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return said(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := give(rows.RawValues()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return said(err)
	}
	return nil
}

// refusal says why a connection was not made, without the driver's text, which
// names host, user and database.
func refusal(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return "SQLSTATE " + e.Code
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer within " + connectTime.String()
	}
	return "no connection"
}
