package mysql

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// A copy answers what only reads, and whatever else is tried changes nothing.
func TestACopyAnswersWhatOnlyReads(t *testing.T) {
	db, dsn := source(t)
	run(t, db, "INSERT INTO customer VALUES (1, '数据'), (2, NULL)", "INSERT INTO `order` (id, customer, amount, note) VALUES (1, 1, 10.50, x'00ff')",
		"CREATE FUNCTION grow() RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO customer VALUES (9, 'nine'); RETURN 1; END",
		"CREATE PROCEDURE empty() DELETE FROM customer")
	i, copied := restore(t, backup.Restore{Pieces: []backup.Piece{take(t, open(t, Options{DSN: dsn, Spool: t.TempDir()}))}})
	asked, can := i.(backup.Askable)
	if !can {
		t.Fatal("it can't be asked")
	}
	look := func(sql string) (backup.Answer, error) {
		return asked.Ask(t.Context(), backup.LookUp{SQL: sql, Rows: 3, Bytes: 1 << 20, Time: 10 * time.Second})
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
	for sql, want := range map[string]string{
		"SELECT id, name FROM customer ORDER BY id": "id,name;1,数据;2,null",
		"SELECT amount, note FROM `order`;":         `amount,note;10.50,\x00ff`,
		"SELECT 'a;b', 1.5e0 -- ; c":                "a;b,1.5e0;a;b,1.5",
	} {
		a, err := look(sql)
		if err != nil || said(a) != want || a.More {
			t.Errorf("%s: %q, more %t, %v", sql, said(a), a.More, err)
		}
	}
	numbers := "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 900) SELECT a.x FROM n a, n b, n c"
	if a, err := look(numbers); err != nil || len(a.Rows) != 3 || !a.More {
		t.Errorf("too many rows: %d, more %t, %v", len(a.Rows), a.More, err)
	}
	before, err := i.Figures(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(t.TempDir(), "out")
	for sql, want := range map[string]string{
		"INSERT INTO customer VALUES (3, 'three')":           "backup.ask.refused",
		"DELETE FROM customer":                               "backup.ask.refused",
		"CREATE TABLE mine (x INT)":                          "backup.ask.refused",
		"CREATE TEMPORARY TABLE mine (x INT)":                "backup.ask.refused",
		"SELECT 1; SELECT 2":                                 "backup.ask.refused",
		"COMMIT; DELETE FROM customer":                       "backup.ask.refused",
		"COMMIT":                                             "backup.ask.no-rows",
		"SET TRANSACTION READ WRITE":                         "backup.ask.refused",
		"BEGIN NOT ATOMIC COMMIT; DELETE FROM customer; END": "backup.ask.refused",
		"CALL empty()":                                       "backup.ask.refused",
		"SELECT grow()":                                      "backup.ask.refused",
		"SELECT 1 INTO OUTFILE '" + place + "'":              "backup.ask.refused",
		"SELECT * FROM mysql.global_priv":                    "backup.ask.refused",
		"SET GLOBAL max_connections = 1":                     "backup.ask.refused",
		"SELECT * FROM nowhere":                              "backup.ask.refused",
		"SELECT REPEAT('x', 100000000)":                      "backup.ask.long",
		"GRANT ALL ON *.* TO holdfast_look_up@localhost":     "backup.ask.refused",
	} {
		a, err := look(sql)
		var e *continuity.Error
		if !errors.As(err, &e) || e.Code != continuity.CodeInvalid || e.Args["detail_id"] != want || len(a.Rows) > 0 {
			t.Errorf("%s: %q, %v, want %s", sql, said(a), err, want)
		}
	}
	_, err = asked.Ask(t.Context(), backup.LookUp{SQL: "SELECT SLEEP(60)", Rows: 1, Bytes: 1000, Time: 300 * time.Millisecond})
	var e *continuity.Error
	if !errors.As(err, &e) || e.Args["detail_id"] != "backup.ask.slow" {
		t.Errorf("a long one: %v", err)
	}
	same(t, i, before)
	if _, err := os.Stat(place); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
	ctx, again := soon(t), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for value(t, copied, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'holdfast_look_up'") != "0" {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("what was too long goes on")
		}
	}
}
