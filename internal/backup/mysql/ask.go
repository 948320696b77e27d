package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"holdfast/internal/backup"
)

// reader is the user of a private server who may read the data, and nothing else.
const reader = "holdfast_look_up"

// Ask implements backup.Askable. The reader has no right but to select from the one
// database, within a transaction that only reads; the driver takes no second statement.
func (i *instance) Ask(ctx context.Context, q backup.LookUp) (a backup.Answer, err error) {
	admin, err := connect(i.server.config(""))
	if err != nil {
		return a, restoring(err)
	}
	defer admin.Close()
	// An underscore stands for any letter there.
	name := strings.NewReplacer("_", `\_`, "%", `\%`).Replace(i.name)
	for _, statement := range []string{
		"CREATE USER IF NOT EXISTS '" + reader + "'@'localhost'", "GRANT SELECT, SHOW VIEW ON " + quoted(name) + ".* TO '" + reader + "'@'localhost'",
	} {
		if err := execute(ctx, admin, statement); err != nil {
			return a, restoring(err)
		}
	}
	limited, cancel := context.WithTimeout(ctx, q.Time)
	defer cancel()
	c := i.server.config(i.name)
	c.User = reader
	var read atomic.Int64
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &bounded{Conn: conn, read: &read, most: int64(q.Bytes) + 1<<20}, err
	}
	db, err := connect(c)
	if err != nil {
		return a, restoring(err)
	}
	defer db.Close()
	conn, err := db.Conn(limited)
	if err != nil {
		return a, restoring(err)
	}
	defer conn.Close()
	var id int64
	if err = conn.QueryRowContext(limited, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return a, restoring(err)
	}
	// Its own bound is none: a statement can put it off.
	defer func() {
		end, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer stop()
		_ = execute(end, admin, fmt.Sprintf("KILL %d", id)) // it fails where it has ended
	}()
	if _, err = conn.ExecContext(limited, "START TRANSACTION READ ONLY"); err == nil {
		a, err = answer(limited, cancel, conn, q)
	}
	if read.Load() > int64(q.Bytes)+1<<20 {
		err = backup.ErrLong
	}
	return a, backup.Unanswered(limited, q, err)
}

func answer(ctx context.Context, stop context.CancelFunc, conn *sql.Conn, q backup.LookUp) (a backup.Answer, err error) {
	rows, err := conn.QueryContext(ctx, q.SQL)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	if a.Columns, err = rows.Columns(); err != nil {
		return a, err
	}
	if len(a.Columns) == 0 {
		return a, backup.ErrNoRows
	}
	values, into := make([]*[]byte, len(a.Columns)), make([]any, len(a.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return a, err
		}
		row := make([]*string, len(values))
		for i, v := range values {
			if v != nil {
				row[i] = backup.Cell(*v)
			}
		}
		if !a.Add(q, row) {
			stop() // else the rest would be read, however much it is
			return a, nil
		}
	}
	return a, rows.Err()
}

// bounded is a connection over which no more comes than an answer may have.
type bounded struct {
	net.Conn

	read *atomic.Int64
	most int64
}

var errMost = errors.New("more came than an answer may have")

// Read implements net.Conn.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.read.Add(int64(n)) > b.most {
		return 0, errors.Join(errMost, b.Conn.Close())
	}
	return n, err
}
