package figures_test

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"holdfast/internal/continuity"
	"holdfast/internal/mariatest"
	"holdfast/internal/pgtest"
	"holdfast/internal/upgrade/figures"
	probesql "holdfast/internal/watch/probe/sql"
)

func TestMain(m *testing.M) {
	os.Exit(mariatest.Main(func() int { return pgtest.Main(m) }))
}

// place is a database that a test writes to, and as figures are taken of it.
type place struct {
	kind string
	exec func(statement string)
	open func(context.Context) (*sql.DB, error)
}

func places(t *testing.T) []place {
	t.Helper()
	writes := func(driver, dsn string) func(string) {
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return func(statement string) {
			t.Helper()
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%v\n%s", err, statement)
			}
		}
	}
	dial := (&net.Dialer{}).DialContext
	file, postgres, maria := filepath.Join(t.TempDir(), "shop.db"), pgtest.Database(t), mariatest.Database(t)
	return []place{
		{"sqlite", writes("sqlite", file), func(context.Context) (*sql.DB, error) { return sql.Open("sqlite", file) }},
		{"postgres", writes("pgx", postgres), probesql.Lazily(postgres, dial)},
		{"mysql", writes("mysql", maria), probesql.Lazily("mysql://"+maria, dial)},
	}
}

// Figures stay the same when rows change places and amounts change their type; another
// content changes them.
func TestFiguresKnowAmountsNotTheirForm(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			p.exec("CREATE TABLE orders (no varchar(20), amount numeric(12, 2))")
			p.exec("CREATE TABLE notes (what varchar(20))")
			p.exec("INSERT INTO orders VALUES ('a', 12.50), ('b', 7), ('c', NULL)")
			asked := figures.Asked{Kind: p.kind,
				Tables: []figures.Table{{Name: "orders", Columns: []string{"no"}, Rows: "same"}, {Name: "notes", Rows: "more"}},
				Invariants: []figures.Invariant{{ID: "total", SQL: "SELECT sum(amount) FROM orders"},
					{ID: "nothing", SQL: "SELECT max(what) FROM notes"}, {ID: "negative", SQL: "SELECT count(*) FROM orders WHERE amount < 0", Expect: "0"}}}
			take := func() []continuity.UpgradeFigure {
				t.Helper()
				all, err := figures.Take(t.Context(), p.open, asked)
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			before := take()
			want := []continuity.UpgradeFigure{
				{Of: "orders", Measure: continuity.UpgradeMeasureRows, Value: "3"}, {Of: "orders", Measure: continuity.UpgradeMeasureHash, Value: before[1].Value},
				{Of: "notes", Measure: continuity.UpgradeMeasureMore, Value: "0"},
				{Of: "total", Measure: continuity.UpgradeMeasureInvariant, Value: "19.5"},
				{Of: "nothing", Measure: continuity.UpgradeMeasureInvariant, Value: "null"},
				{Of: "negative", Measure: continuity.UpgradeMeasureInvariant, Value: "0", Expect: "0"},
			}
			if diff := cmp.Diff(want, before); diff != "" {
				t.Errorf("not what is there:\n%s", diff)
			}

			p.exec("CREATE TABLE other (no varchar(20), amount numeric(14, 4))")
			p.exec("INSERT INTO other SELECT no, amount FROM orders ORDER BY no DESC")
			p.exec("DROP TABLE orders")
			p.exec("ALTER TABLE other RENAME TO orders")
			if diff := cmp.Diff(before, take()); diff != "" {
				t.Errorf("another form looks like another content:\n%s", diff)
			}
			p.exec("UPDATE orders SET amount = amount - 0.25 WHERE no = 'b'")
			p.exec("UPDATE orders SET no = 'd' WHERE no = 'c'")
			after := take()
			if after[1] == before[1] || after[3].Value != "19.25" {
				t.Errorf("a change of content is not seen: %v", after)
			}
		})
	}
}

// What the server says to a wrong question may bear data: it is not passed on as text.
func TestAnswersThatAreNoneAreNamed(t *testing.T) {
	for _, p := range places(t) {
		_, err := figures.Take(t.Context(), p.open, figures.Asked{Kind: p.kind, Invariants: []figures.Invariant{{ID: "total", SQL: "SELECT x FROM nowhere"}}})
		if continuity.CodeOf(err) != continuity.CodeUpstream {
			t.Errorf("%s: got %v", p.kind, err)
		}
	}
}
