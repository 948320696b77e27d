package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/continuity"
)

// driver reads the upstream's list: it gives each row's columns as text, nil
// for NULL, which are valid until give returns.
type driver func(ctx context.Context, cfg continuity.Reconcile, limit time.Duration, give func(columns [][]byte) error) error

var drivers = map[string]driver{
	"sqlite":   readSQLite,
	"postgres": readPostgres,
	"mysql":    readMySQL,
	"http":     readHTTP,
}

// failure says in which step the list could not be read. Its text is for
// people who operate the relay; whatever names the database, its host or its
// user has been taken out.
type failure struct {
	step string // one of those below; error.reconcile has a text for each
	text string // what the database said, cleaned; may be empty
}

func (f *failure) Error() string {
	if f.text == "" {
		return "reconcile: " + f.step
	}
	return "reconcile: " + f.step + ": " + f.text
}

// The steps.
const (
	stepDriver  = "driver"  // unknown
	stepDSN     = "dsn"     // does not parse
	stepConnect = "connect" // the database can't be reached, or does not let us in
	stepQuery   = "query"   // it refused the query, or broke off
	stepColumns = "columns" // not one to three
	stepRows    = "rows"    // more than the limit
	stepTime    = "time"    // longer than the limit

	stepPages = "pages" // of a list over HTTP: one was not as configured

	stepHeading  = "heading"  // of a statement: no line names all columns
	stepEncoding = "encoding" // it is in another one
	stepLine     = "line"     // one can't be read
)

func readList(ctx context.Context, o Options, give func(line)) error {
	if o.Statement != nil {
		return wrap(o, readStatement(ctx, o, give))
	}
	read, ok := drivers[o.Config.Driver]
	if !ok {
		return wrap(o, &failure{step: stepDriver, text: o.Config.Driver})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Time, &failure{step: stepTime, text: o.Time.String()})
	defer cancel()
	var rows int64
	err := read(ctx, o.Config, o.Time, func(columns [][]byte) error {
		if rows++; rows > o.Rows {
			return &failure{step: stepRows, text: fmt.Sprint(o.Rows)}
		}
		l := line{amounts: len(columns) > 1}
		switch len(columns) {
		case 3:
			l.currency = string(columns[2])
			fallthrough
		case 2:
			l.amount = string(columns[1])
			fallthrough
		case 1:
			if columns[0] != nil { // a thing without a key is none of ours
				l.key = string(columns[0])
			}
		default:
			return &failure{step: stepColumns, text: fmt.Sprint(len(columns))}
		}
		give(l)
		return nil
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // whatever the driver made of it
	}
	return wrap(o, err)
}

func readStatement(ctx context.Context, o Options, give func(line)) error {
	var rows int64
	var over error
	err := o.Statement.read(ctx, o.settled, o.Listed, func(l line) {
		if rows++; rows > o.Rows {
			over = &failure{step: stepRows, text: fmt.Sprint(o.Rows)}
			return
		}
		give(l)
	})
	return cmp.Or(err, over)
}

// wrap makes what people meet. Only failures get this far with a text: an error
// of a driver may quote the DSN.
func wrap(o Options, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{step: stepQuery}
	}
	return continuity.E(continuity.CodeReconcile, f, "route", o.Route, "step", f.step, "text", f.text)
}
