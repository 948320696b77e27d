package query_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backup/query"
	"holdfast/internal/continuity"
	"holdfast/internal/mariatest"
	"holdfast/internal/pgtest"
)

func TestMain(m *testing.M) {
	os.Exit(mariatest.Main(func() int { return pgtest.Main(m) }))
}

// sources are databases with the same content, as far as their types allow it.
func sources(t *testing.T) map[string]query.Options {
	file := filepath.Join(t.TempDir(), "shop 1%.db")
	all := map[string]query.Options{
		query.Postgres: {Kind: query.Postgres, DSN: pgtest.Database(t)},
		query.MySQL:    {Kind: query.MySQL, DSN: mariatest.Database(t)},
		query.SQLite:   {Kind: query.SQLite, DSN: file},
	}
	kinds := map[string][]string{
		query.Postgres: {"bytea", `'\x00ff'`}, query.MySQL: {"varbinary(10)", "x'00ff'"}, query.SQLite: {"blob", "x'00ff'"},
	}
	for kind, o := range all {
		db := connect(t, kind, o.DSN)
		exec(t, db, "CREATE TABLE item (id integer PRIMARY KEY, name varchar(200), price decimal(20,4), seen timestamp NULL, raw "+kinds[kind][0]+")")
		exec(t, db, "INSERT INTO item VALUES (1, '数据 and ''quotes''', 12345678901234.5678, '2026-01-02 03:04:05', "+kinds[kind][1]+"), (2, '', 0, NULL, NULL), (-3, NULL, NULL, NULL, NULL)")
		o.System = "set-" + kind
		o.Questions = []query.Question{
			{Name: "items", SQL: "SELECT id, name, price, seen, raw, id AS \"id\" FROM item"},
			{Name: "one \"half\"", SQL: "SELECT id FROM item WHERE id > 0"},
			{Name: "none", SQL: "SELECT id FROM item WHERE id > 100"},
		}
		if kind == query.MySQL {
			o.Questions[0].SQL = strings.ReplaceAll(o.Questions[0].SQL, `"`, "`")
		}
		all[kind] = o
	}
	return all
}

func connect(t *testing.T, kind, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(map[string]string{query.Postgres: "pgx", query.MySQL: "mysql", query.SQLite: "sqlite"}[kind], dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if kind == query.SQLite {
		exec(t, db, "PRAGMA journal_mode=WAL")
	}
	return db
}

func exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
}

func take(t *testing.T, o query.Options) (backup.Piece, []byte) {
	t.Helper()
	d, err := query.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c, err := d.Full(t.Context(), &out, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Exact != c.To || c.To.System != o.System || c.Versions[o.Kind] == "" {
		t.Errorf("captured %+v", c)
	}
	return piece(backup.Manifest{ID: "p", Type: backup.TypeFull, To: c.To, Taken: c.Taken, Figures: c.Figures}, out.Bytes()), out.Bytes()
}

func piece(m backup.Manifest, content []byte) backup.Piece {
	return backup.Piece{Manifest: m, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

func restore(t *testing.T, p backup.Piece) (backup.Instance, *sql.DB) {
	t.Helper()
	d, err := query.New(query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := d.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{p}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	db, err := sql.Open("sqlite", "file:"+i.Address()+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return i, db
}

func value(t *testing.T, db *sql.DB, ask string) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), ask).Scan(&s); err != nil {
		t.Fatalf("%v\n%s", err, ask)
	}
	return s.String
}

func TestResultsComeBack(t *testing.T) {
	for kind, o := range sources(t) {
		t.Run(kind, func(t *testing.T) {
			p, _ := take(t, o)
			i, db := restore(t, p)
			q := backup.Query{ID: "count", SQL: "SELECT count(*) FROM items"}
			got, err := i.Figures(t.Context(), []backup.Query{q}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := append(slices.Clone(p.Figures), backup.Figure{Of: "count", Measure: "result", Value: "3"}); !slices.Equal(got, want) {
				t.Errorf("figures %v, want %v", got, want)
			}
			for ask, want := range map[string]string{
				"SELECT name FROM items WHERE id = 1":                                          "数据 and 'quotes'",
				"SELECT hex(raw) || typeof(raw) FROM items WHERE id = 1":                       "00FFblob",
				"SELECT substr(seen, 1, 10) FROM items WHERE id = 1":                           "2026-01-02",
				"SELECT typeof(name) || typeof(price) || typeof(raw) FROM items WHERE id = -3": "nullnullnull",
				`SELECT typeof(id) || "id:2" FROM items WHERE id = 2`:                          "integer2",
				`SELECT group_concat(id) FROM (SELECT id FROM "one ""half""" ORDER BY id)`:     "1,2",
				"SELECT count(*) FROM none":                                                    "0",
				"SELECT name = '' FROM items WHERE id = 2":                                     "1",
			} {
				if got := value(t, db, ask); got != want {
					t.Errorf("%s: %q, want %q", ask, got, want)
				}
			}
			if kind != query.SQLite { // which has no decimals
				if got := value(t, db, "SELECT price FROM items WHERE id = 1"); got != "12345678901234.5678" {
					t.Errorf("a price became %s", got)
				}
			}
			if at, moment := i.Reached(); at != p.To || !moment.Equal(p.Taken) {
				t.Errorf("reached %v, %v", at, moment)
			}
		})
	}
}

// All queries see one moment, whoever writes meanwhile, and what was acknowledged before.
func TestOneMomentUnderAWriter(t *testing.T) {
	for kind, o := range sources(t) {
		t.Run(kind, func(t *testing.T) {
			db := connect(t, kind, o.DSN)
			db.SetMaxOpenConns(1)
			var acknowledged atomic.Int64
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			mark := "?"
			if kind == query.Postgres {
				mark = "$1"
			}
			go func() {
				for n := int64(10); ctx.Err() == nil; n++ {
					if _, err := db.Exec("INSERT INTO item (id) VALUES ("+mark+")", n); err != nil {
						ended <- err
						return
					}
					acknowledged.Store(n - 9)
				}
				ended <- nil
			}()
			o.Questions = []query.Question{{Name: "a", SQL: "SELECT id FROM item WHERE id >= 10"}, {Name: "b", SQL: "SELECT id FROM item WHERE id >= 10"}}
			for range 10 {
				before := acknowledged.Load()
				p, _ := take(t, o)
				_, db := restore(t, p)
				a, b := value(t, db, "SELECT count(*) FROM a"), value(t, db, "SELECT count(*) FROM b")
				if a != b || value(t, db, "SELECT max(id) - 9 FROM a") != a && a != "0" {
					t.Fatalf("%s rows and %s rows of one moment", a, b)
				}
				var n int64
				if err := db.QueryRow("SELECT count(*) FROM a").Scan(&n); err != nil || n < before {
					t.Fatalf("%d rows, and %d were acknowledged before (%v)", n, before, err)
				}
			}
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		})
	}
}

type failing struct{}

var errTarget = errors.New("the target is gone")

func (failing) Write([]byte) (int, error) { return 0, errTarget }

func TestWhatFailsIsSaid(t *testing.T) {
	all := sources(t)
	good := all[query.SQLite]
	d, err := query.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Full(t.Context(), failing{}, nil, nil); !errors.Is(err, errTarget) {
		t.Errorf("got %v", err)
	}
	p, content := take(t, good)
	for name, bad := range map[string][]byte{"cut": content[:len(content)-1], "empty": nil, "more": append(slices.Clone(content), content...)} {
		dir := t.TempDir()
		if _, err := d.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{piece(p.Manifest, bad)}, Dir: dir}); continuity.CodeOf(err) != continuity.CodeBackupPiece {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]query.Options{
		"kind":    {Kind: "oracle"},
		"query":   {Kind: query.SQLite, DSN: good.DSN, Questions: []query.Question{{Name: "x", SQL: "SELECT nothing FROM nowhere"}}},
		"writing": {Kind: query.SQLite, DSN: good.DSN, Questions: []query.Question{{Name: "x", SQL: "DELETE FROM item RETURNING id"}}},
		"nobody":  {Kind: query.MySQL, DSN: "u:secret-password@tcp(127.0.0.1:1)/x"},
		"dsn":     {Kind: query.MySQL, DSN: "u:secret-password"},
		"pg":      {Kind: query.Postgres, DSN: "postgres://u:secret-password@127.0.0.1:1/x"},
		"pg dsn":  {Kind: query.Postgres, DSN: "postgres://u:secret-password@127.0.0.1:x:y/x"},
	} {
		d, err := query.New(o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Full(t.Context(), io.Discard, nil, nil)
		var told *continuity.Error
		if !errors.As(err, &told) || told.Code != continuity.CodeBackupSource {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if cause, _ := told.Args["cause"].(string); strings.Contains(cause+told.Error(), "secret-password") {
			t.Errorf("%s: the password is told: %v", name, told)
		}
	}
	if got := value(t, connect(t, query.SQLite, good.DSN), "SELECT count(*) FROM item"); got != "3" {
		t.Errorf("%s rows are left", got)
	}
}
