package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/sqlite"
	"holdfast/internal/continuity"
)

// A database answers what only reads; whatever else is tried changes nothing and reaches no
// other file.
func TestACopyAnswersWhatOnlyReads(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "shop 1%.db"), filepath.Join(dir, "other.db")
	for _, name := range []string{path, other} {
		db, err := sql.Open("sqlite", name)
		if err == nil {
			_, err = db.ExecContext(t.Context(), `CREATE TABLE orders (no TEXT, amount REAL, note BLOB); CREATE TABLE [a;b] (x); INSERT INTO orders VALUES ('A-1', 10.5, x'00ff'), ('数据', NULL, NULL)`)
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(path) // #nosec G304 -- of the test
	if err != nil {
		t.Fatal(err)
	}
	look := func(text string) (backup.Answer, error) {
		return sqlite.Ask(t.Context(), path, backup.LookUp{SQL: text, Rows: 3, Bytes: 100_000, Time: 10 * time.Second})
	}
	said := func(a backup.Answer) string {
		text := strings.Join(a.Columns, ",")
		for _, row := range a.Rows {
			text += ";"
			for n, cell := range row {
				if n > 0 {
					text += ","
				}
				if cell == nil {
					text += "null"
				} else {
					text += *cell
				}
			}
		}
		return text
	}
	for text, want := range map[string]string{
		"SELECT no, amount, note FROM orders ORDER BY no; -- all":     `no,amount,note;A-1,10.5,\x00ff;数据,null,null`,
		"SELECT count(*) AS n, 'it''s; so' AS \"a;\"\"b\" FROM [a;b]": `n,a;"b;0,it's; so`,
		"/* ; */ SELECT 1 AS x":                     "x;1",
		"SELECT name FROM pragma_table_info('a;b')": "name;x",
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION SELECT x + 1 FROM c WHERE x < 3) SELECT max(x) AS m FROM c": "m;3",
	} {
		a, err := look(text)
		if err != nil || said(a) != want || a.More {
			t.Errorf("%s: %q, more %t, %v", text, said(a), a.More, err)
		}
	}
	if a, err := look("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"); err != nil || len(a.Rows) != 3 || !a.More {
		t.Errorf("too many rows: %d, more %t, %v", len(a.Rows), a.More, err)
	}
	for text, want := range map[string]string{
		"INSERT INTO orders VALUES ('B', 1, NULL)":              "backup.ask.refused",
		"INSERT INTO orders VALUES ('B', 1, NULL) RETURNING no": "backup.ask.refused",
		"DELETE FROM orders":                                    "backup.ask.refused",
		"CREATE TEMP TABLE mine (x)":                            "backup.ask.refused",
		"SELECT 1; SELECT 2":                                    "backup.ask.refused",
		"SELECT 1;;/* */ DELETE FROM orders":                    "backup.ask.refused",
		"SELECT 'a\x00'; DELETE FROM orders":                    "backup.ask.refused",
		"PRAGMA query_only = 0":                                 "backup.ask.refused",
		"PRAGMA journal_mode = wal":                             "backup.ask.refused",
		"BEGIN":                                                 "backup.ask.refused",
		"ATTACH '" + other + "' AS o":                           "backup.ask.refused",
		"VACUUM INTO '" + filepath.Join(dir, "out.db") + "'":    "backup.ask.refused",
		"SELECT load_extension('x')":                            "backup.ask.refused",
		"SELECT * FROM nowhere":                                 "backup.ask.refused",
		"SELECT hex(zeroblob(100000000))":                       "backup.ask.long",
		"":                                                      "backup.ask.no-rows",
		"-- nothing":                                            "backup.ask.no-rows",
	} {
		a, err := look(text)
		var e *continuity.Error
		if !errors.As(err, &e) || e.Code != continuity.CodeInvalid || e.Args["detail_id"] != want || len(a.Rows) > 0 {
			t.Errorf("%s: %q, %v, want %s", text, said(a), err, want)
		}
	}
	endless := backup.LookUp{SQL: "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c", Rows: 1, Bytes: 1000, Time: 300 * time.Millisecond}
	_, err = sqlite.Ask(t.Context(), path, endless)
	var e *continuity.Error
	if !errors.As(err, &e) || e.Args["detail_id"] != "backup.ask.slow" {
		t.Errorf("a long one: %v", err)
	}
	after, err := os.ReadFile(path) // #nosec G304 -- of the test
	if err != nil || string(after) != string(before) {
		t.Errorf("the file was changed: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}
