package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"holdfast/internal/continuity"
)

// Numbers of the server's errors.
const (
	mysqlInterrupted   = 1317
	mysqlTimeExceeded  = 3024 // MySQL's max_execution_time
	mariaTimeExceeded  = 1969 // MariaDB's max_statement_time
	unknownSystemValue = 1193
)

// readMySQL runs the query in a read-only transaction of MySQL or MariaDB. The
// driver takes one statement only, and DDL, which would end the transaction, is
// refused in a read-only one.
func readMySQL(ctx context.Context, cfg continuity.Reconcile, limit time.Duration, give func([][]byte) error) error {
	config, err := mysql.ParseDSN(cfg.DSN)
	if err != nil {
		return &failure{step: stepDSN} // the parser's error may quote the DSN
	}
	config.MultiStatements = false
	config.AllowAllFiles = false // the server can't ask for our files
	config.ParseTime = false     // times as the server writes them
	config.Timeout = connectTime
	config.Logger = &mysql.NopLogger{}
	clean := newCleaner(cfg.DSN, config.Addr, config.User, config.Passwd, config.DBName)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return &failure{step: stepDSN}
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return &failure{step: stepConnect, text: mysqlRefusal(err)}
	}
	defer conn.Close()
	said := func(err error) error {
		var e *mysql.MySQLError
		switch {
		case !errors.As(err, &e):
			return &failure{step: stepQuery, text: "the connection broke off"}
		case e.Number == mysqlTimeExceeded || e.Number == mariaTimeExceeded || e.Number == mysqlInterrupted:
			return &failure{step: stepTime, text: limit.String()}
		}
		return &failure{step: stepQuery, text: clean.text(fmt.Sprintf("%s (error %d)", e.Message, e.Number))}
	}
	if err := limitTime(ctx, conn, limit); err != nil {
		return said(err)
	}
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return said(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	rows, err := tx.QueryContext(ctx, cfg.Query)
	if err != nil {
		return said(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return said(err)
	}
	raw := make([]sql.RawBytes, len(names))
	into := make([]any, len(names))
	columns := make([][]byte, len(names))
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return said(err)
		}
		for i, v := range raw {
			columns[i] = v
		}
		if err := give(columns); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return said(err)
	}
	return nil
}

// limitTime bounds the query at the server too. MySQL and MariaDB have
// different names for it; each knows one.
func limitTime(ctx context.Context, conn *sql.Conn, limit time.Duration) error {
	var err error
	for _, set := range []string{
		fmt.Sprintf("SET SESSION max_execution_time = %d", max(1, limit.Milliseconds())),
		fmt.Sprintf("SET SESSION max_statement_time = %g", max(time.Millisecond, limit).Seconds()),
	} {
		if _, err = conn.ExecContext(ctx, set); err == nil {
			return nil
		}
		var e *mysql.MySQLError
		if !errors.As(err, &e) || e.Number != unknownSystemValue {
			return err
		}
	}
	return err
}

// mysqlRefusal says why a connection was not made, without the driver's text,
// which names host, user and database.
func mysqlRefusal(err error) string {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return strings.TrimSpace(fmt.Sprintf("error %d", e.Number))
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer within " + connectTime.String()
	}
	return "no connection"
}
