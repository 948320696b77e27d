package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	engine "modernc.org/sqlite"

	"holdfast/internal/backup"
)

// Limits of SQLite, by its own numbers.
const (
	limitLength   = 0
	limitAttached = 7
)

// looks are pragmas that only tell of tables.
var looks = []string{"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}

var (
	errSecond = errors.New("there is more than one statement")
	errNoText = errors.New("the statement is no text")
)

// Ask implements backup.Askable.
func (i *instance) Ask(ctx context.Context, q backup.LookUp) (backup.Answer, error) {
	return Ask(ctx, i.path, q)
}

// Ask has a statement answered that only reads a database that nobody writes to. The
// database works within this program: what is not reading is refused before it is begun,
// and no value may be longer than an answer.
func Ask(ctx context.Context, path string, q backup.LookUp) (a backup.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, q.Time)
	defer cancel()
	a, err = ask(ctx, path, q)
	return a, backup.Unanswered(ctx, q, err)
}

func ask(ctx context.Context, path string, q backup.LookUp) (a backup.Answer, err error) {
	if err := single(q.SQL); err != nil {
		return a, err
	}
	db, err := open(path, untouched+"&_pragma=query_only(1)&_pragma=trusted_schema(0)")
	if err != nil {
		return a, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	for limit, value := range map[int]int{limitLength: q.Bytes, limitAttached: 0} {
		if _, err := engine.Limit(conn, limit, value); err != nil {
			return a, err
		}
	}
	err = conn.Raw(func(c any) error {
		r, can := c.(engine.AuthorizerRegisterer)
		if !can {
			return errors.ErrUnsupported
		}
		return r.RegisterAuthorizer(reads)
	})
	if err != nil {
		return a, err
	}
	rows, err := conn.QueryContext(ctx, q.SQL)
	if err != nil {
		return a, tooLong(err)
	}
	defer rows.Close()
	if a.Columns, err = rows.Columns(); err != nil {
		return a, err
	}
	if len(a.Columns) == 0 {
		return a, backup.ErrNoRows
	}
	return a, tooLong(collect(&a, rows, q))
}

func collect(a *backup.Answer, rows *sql.Rows, q backup.LookUp) error {
	values, into := make([]*[]byte, len(a.Columns)), make([]any, len(a.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := make([]*string, len(values))
		for i, v := range values {
			if v != nil {
				row[i] = backup.Cell(*v)
			}
		}
		if !a.Add(q, row) {
			return nil
		}
	}
	return rows.Err()
}

func tooLong(err error) error {
	const tooBig = 18 // SQLITE_TOOBIG
	var e *engine.Error
	if errors.As(err, &e) && e.Code() == tooBig {
		return backup.ErrLong
	}
	return err
}

// reads lets a statement read, and nothing else: neither another file nor a setting.
func reads(action engine.AuthorizerActionCode, arg1, arg2, _, _ string) engine.AuthorizerReturnCode {
	switch action {
	case engine.AuthSelect, engine.AuthRead, engine.AuthRecursive:
		return engine.AuthorizerOK
	case engine.AuthFunction:
		if !strings.EqualFold(arg2, "load_extension") {
			return engine.AuthorizerOK
		}
	case engine.AuthPragma:
		if slices.Contains(looks, strings.ToLower(arg1)) {
			return engine.AuthorizerOK
		}
	}
	return engine.AuthorizerDeny
}

// single says whether a text is one statement, as SQLite parts them.
func single(text string) error {
	if strings.ContainsRune(text, 0) {
		return errNoText
	}
	ended := false
	for at := 0; at < len(text); {
		rest := text[at:]
		switch c := rest[0]; {
		case strings.HasPrefix(rest, "--"):
			at += through(rest, "\n", 2)
		case strings.HasPrefix(rest, "/*"):
			at += through(rest, "*/", 2)
		case strings.IndexByte(" \t\r\n\f", c) >= 0:
			at++
		case c == ';':
			ended = true
			at++
		case ended:
			return errSecond
		case c == '\'' || c == '"' || c == '`': // one that is doubled begins again at once
			at += through(rest, string(c), 1)
		case c == '[':
			at += through(rest, "]", 1)
		default:
			at++
		}
	}
	return nil
}

// through is how much of a text goes up to an end, which is looked for after so much.
func through(text, end string, after int) int {
	if i := strings.Index(text[after:], end); i >= 0 {
		return after + i + len(end)
	}
	return len(text)
}
