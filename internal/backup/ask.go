package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// LookUp is one statement for restored data, and how much of an answer is wanted at most.
type LookUp struct {
	SQL   string
	Rows  int
	Bytes int
	Time  time.Duration
}

// Answer is what a look-up finds, as text.
type Answer struct {
	Columns []string
	Rows    [][]*string // nil: NULL
	More    bool        // there is more than was wanted

	bytes int
}

// Askable instances answer statements that only read. Whatever a statement tries, it
// changes nothing that the next one sees, and reaches nothing but the restored data.
type Askable interface {
	Ask(ctx context.Context, q LookUp) (Answer, error)
}

// Add takes a row in, and says whether there may be another one.
func (a *Answer) Add(q LookUp, row []*string) bool {
	for _, cell := range row {
		if cell != nil {
			a.bytes += len(*cell)
		}
		a.bytes++ // so that rows of nothing come to an end, too
	}
	if len(a.Rows) >= q.Rows || a.bytes > q.Bytes {
		a.More = true
		return false
	}
	a.Rows = append(a.Rows, row)
	return true
}

// Cell is a value as text; bytes that are none are written as PostgreSQL does.
func Cell(value []byte) *string {
	text := string(value)
	if !utf8.Valid(value) {
		text = `\x` + hex.EncodeToString(value)
	}
	return &text
}

// ErrLong says that a value or a row is longer than a whole answer may be.
var ErrLong = errors.New("a row is longer than an answer may be")

// ErrNoRows says that a statement is none that answers rows.
var ErrNoRows = errors.New("the statement answers no rows")

// Unanswered makes an error of a look-up one for who asked; ctx has the look-up's deadline.
func Unanswered(ctx context.Context, q LookUp, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return continuity.E(continuity.CodeInvalid, err, "detail_id", "backup.ask.slow", "seconds", int(q.Time.Seconds()))
	case errors.Is(err, ErrLong):
		return continuity.E(continuity.CodeInvalid, err, "detail_id", "backup.ask.long", "bytes", q.Bytes)
	case errors.Is(err, ErrNoRows):
		return continuity.E(continuity.CodeInvalid, err, "detail_id", "backup.ask.no-rows")
	case continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled):
		return err
	}
	return continuity.E(continuity.CodeInvalid, err, "detail_id", "backup.ask.refused", "cause", err.Error())
}
