package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

// tricks are of the data itself: what a look-up must not get to, though the data has it.
const tricks = `
	CREATE FUNCTION shop.grow() RETURNS int LANGUAGE sql AS 'INSERT INTO public.x VALUES (9, ''nine'') RETURNING 1';
	CREATE FUNCTION shop.as_owner() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch PLACE'''; RETURN 'out'; END $$;
	CREATE FUNCTION shop.copies() RETURNS text LANGUAGE plpgsql AS $$
		BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch PLACE'''; RETURN 'out'; END $$;
	CREATE FUNCTION shop.lets() RETURNS text LANGUAGE plpgsql AS $$
		BEGIN SET TRANSACTION READ WRITE; INSERT INTO public.x VALUES (9, 'nine'); RETURN 'in'; END $$;
	CREATE PROCEDURE shop.ends(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN COMMIT; INSERT INTO public.x VALUES (n, 'nine'); END $$;
	CREATE SEQUENCE shop.numbers;
	CREATE VIEW shop.secrets AS SELECT shop.as_owner();
	CREATE FOREIGN DATA WRAPPER elsewhere;
	CREATE SERVER far FOREIGN DATA WRAPPER elsewhere;
	CREATE FOREIGN TABLE shop.far (x int) SERVER far;
	GRANT ALL ON public.x TO PUBLIC;
	GRANT CREATE ON SCHEMA public TO PUBLIC;
	ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
	ALTER TABLE shop.customers FORCE ROW LEVEL SECURITY;
	SELECT lo_from_bytea(4711, 'large')`

// A copy answers what only reads, and whatever else is tried changes nothing and reaches
// nothing outside of it.
func TestACopyAnswersWhatOnlyReads(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	place := filepath.Join(folder(t), "touched")
	pgtest.Exec(t, s.dsn, strings.ReplaceAll(tricks, "PLACE", place))
	piece, _ := s.full(t, "aaaaaaaaaa")
	i := restored(t, backup.Restore{Pieces: []backup.Piece{piece}, At: piece.Exact})
	copied, can := i.(backup.Askable)
	if !can {
		t.Fatal("it can't be asked")
	}
	look := func(sql string) (backup.Answer, error) {
		return copied.Ask(t.Context(), backup.LookUp{SQL: sql, Rows: 3, Bytes: 1 << 20, Time: 10 * time.Second})
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
		`SELECT x, "x.*" AS word FROM public.x ORDER BY x`:                 "x,word;1,one;2,null",
		"SELECT count(*) FROM shop.customers;":                             "count;500", // whatever policies hide from whom
		"SELECT count(*) FROM shop.photos":                                 "count;490",
		"VALUES (true, '\\x00ff'::bytea, 1.50, date '2026-11-23')":         "column1,column2,column3,column4;t,\\x00ff,1.50,2026-11-23",
		"EXPLAIN (COSTS OFF) SELECT 1":                                     "QUERY PLAN;Result",
		"SELECT current_setting('transaction_read_only'), 'a;b' -- ; c":    "current_setting,?column?;on,a;b",
		"SELECT name FROM shop.customers WHERE id = 7 -- and nothing else": "name;customer 7",
	} {
		a, err := look(sql)
		if err != nil || said(a) != want || a.More {
			t.Errorf("%s: %q, more %t, %v", sql, said(a), a.More, err)
		}
	}
	if a, err := look("SELECT generate_series(1, 100000000)"); err != nil || len(a.Rows) != 3 || !a.More {
		t.Errorf("too many rows: %d, more %t, %v", len(a.Rows), a.More, err)
	}
	if a, err := look("SELECT repeat('x', 700000) FROM generate_series(1, 3)"); err != nil || len(a.Rows) != 1 || !a.More {
		t.Errorf("too many bytes: %d, more %t, %v", len(a.Rows), a.More, err)
	}

	before := figures(t, i)
	refused := map[string]string{
		"INSERT INTO public.x VALUES (3, 'three')":                     "backup.ask.no-rows",
		"INSERT INTO public.x VALUES (3, 'three') RETURNING x":         "backup.ask.refused",
		"WITH n AS (DELETE FROM public.x RETURNING x) SELECT * FROM n": "backup.ask.refused",
		"UPDATE shop.customers SET name = '' RETURNING id":             "backup.ask.refused",
		"CREATE TABLE public.mine (x int)":                             "backup.ask.no-rows",
		"SELECT 1 AS x INTO public.mine":                               "backup.ask.no-rows",
		"CREATE TEMP TABLE mine (x int)":                               "backup.ask.no-rows",
		"SELECT 1; SELECT 2":                                           "backup.ask.refused",
		"SELECT 1; COMMIT; INSERT INTO public.x VALUES (3, 'three')":   "backup.ask.refused",
		"COMMIT":                            "backup.ask.no-rows",
		"SET TRANSACTION READ WRITE":        "backup.ask.no-rows",
		"SET SESSION AUTHORIZATION DEFAULT": "backup.ask.no-rows",
		"SELECT set_config('transaction_read_only', 'off', false)": "backup.ask.refused",
		"DO $$ BEGIN COMMIT; END $$":                               "backup.ask.no-rows",
		"CALL shop.ends(9)":                                        "backup.ask.refused",
		"SELECT shop.grow()":                                       "backup.ask.refused",
		"SELECT shop.lets()":                                       "backup.ask.refused",
		"SELECT shop.copies()":                                     "backup.ask.refused",
		"SELECT shop.as_owner()":                                   "backup.ask.refused",
		"SELECT * FROM shop.secrets":                               "backup.ask.refused",
		"SELECT * FROM shop.far":                                   "backup.ask.refused",
		"COPY public.x TO PROGRAM 'touch " + place + "'":           "backup.ask.no-rows",
		"COPY public.x TO STDOUT":                                  "backup.ask.no-rows",
		"COPY (SELECT 1) TO '" + place + "'":                       "backup.ask.no-rows",
		"SELECT pg_read_file('/etc/passwd')":                       "backup.ask.refused",
		"SELECT lo_export(4711, '" + place + "')":                  "backup.ask.refused",
		"SELECT rolpassword FROM pg_catalog.pg_authid":             "backup.ask.refused",
		"SELECT nextval('shop.numbers')":                           "backup.ask.refused",
		"SELECT $1::int":                                           "backup.ask.refused",
		"SELECT * FROM nowhere":                                    "backup.ask.refused",
		"SELECT repeat('x', 100000000)":                            "backup.ask.long",
		"SET ROLE postgres":                                        "backup.ask.no-rows",
		"":                                                         "backup.ask.no-rows",
	}
	for sql, want := range refused {
		a, err := look(sql)
		var e *continuity.Error
		if !errors.As(err, &e) || e.Code != continuity.CodeInvalid || e.Args["detail_id"] != want || len(a.Rows) > 0 {
			t.Errorf("%s: %q, %v, want %s", sql, said(a), err, want)
		}
	}
	if _, err := copied.Ask(t.Context(), backup.LookUp{SQL: "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)", Rows: 1, Bytes: 1000, Time: 300 * time.Millisecond}); err == nil || err.(*continuity.Error).Args["detail_id"] != "backup.ask.slow" {
		t.Errorf("a long one: %v", err)
	}
	if after := figures(t, i); !slices.Equal(before, after) {
		t.Error("something was changed")
	}
	if n := ask[int](t, i.Address(), "SELECT count(*) FROM pg_class WHERE relname = 'mine'"); n != 0 {
		t.Error("a table was made")
	}
	if _, err := os.Stat(place); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program ran: %v", err)
	}
	await(t, "what was too long to be over", func() bool {
		return ask[int](t, i.Address(), "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'holdfast_look_up_%'") == 0
	})
}
