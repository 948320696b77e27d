package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"holdfast/internal/continuity"
)

// readSQLite opens a file, or a file: URI, for reading only.
func readSQLite(ctx context.Context, cfg continuity.Reconcile, _ time.Duration, give func([][]byte) error) error {
	dsn, path, err := readOnlyDSN(cfg.DSN)
	if err != nil {
		return err
	}
	clean := newCleaner(cfg.DSN, path)
	if _, err := os.Stat(path); err != nil {
		return &failure{step: stepConnect, text: "no such file, or no right to read it"}
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return &failure{step: stepDSN}
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return &failure{step: stepConnect, text: clean.text(err.Error())}
	}
	rows, err := db.QueryContext(ctx, cfg.Query)
	if err != nil {
		return &failure{step: stepQuery, text: clean.text(err.Error())}
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return &failure{step: stepQuery, text: clean.text(err.Error())}
	}
	values := make([]any, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	columns := make([][]byte, len(names))
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return &failure{step: stepQuery, text: clean.text(err.Error())}
		}
		for i, v := range values {
			columns[i] = asText(v)
		}
		if err := give(columns); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return &failure{step: stepQuery, text: clean.text(err.Error())}
	}
	return nil
}

// readOnlyDSN returns a URI that can't write, and the file's path.
func readOnlyDSN(dsn string) (uri, path string, err error) {
	query := url.Values{}
	path = dsn
	if rest, ok := strings.CutPrefix(dsn, "file:"); ok {
		u, err := url.Parse(dsn)
		if err != nil {
			return "", "", &failure{step: stepDSN}
		}
		query = u.Query()
		path, _, _ = strings.Cut(rest, "?")
		if u.Path != "" {
			path = u.Path
		} else if path, err = url.PathUnescape(path); err != nil {
			return "", "", &failure{step: stepDSN}
		}
	}
	query.Set("mode", "ro")
	query.Add("_pragma", "query_only(1)")
	query.Add("_pragma", "busy_timeout(5000)")
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return "file:" + escaped + "?" + query.Encode(), path, nil
}

func asText(v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return v
	case string:
		return []byte(v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case float64:
		return strconv.AppendFloat(nil, v, 'f', -1, 64) // the shortest decimal that stands for it
	case bool:
		return strconv.AppendBool(nil, v)
	case time.Time:
		return v.AppendFormat(nil, time.RFC3339Nano)
	default:
		return fmt.Append(nil, v)
	}
}
