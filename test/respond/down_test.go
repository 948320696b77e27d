package respond

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/continuity"
	"holdfast/internal/demo"
	"holdfast/internal/pgtest"
)

// TestDownMigrationsOutliveTheirRunner has upgrades of the shop go back by the migration
// down while customers order, and kills the control node in its midst: before it gets at
// the data, when half of it is done, twice, and when it was committed and nobody knows of
// it yet. What was ordered since the release stays, and where the way down is refused,
// data go back by their backup.
func TestDownMigrationsOutliveTheirRunner(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	n := seed(t)
	w := newWorld(t, demo.Options{Releases: true, ControlDSN: dsn, PerMinute: 1000}, func(w *demo.World) error {
		if err := upgraded(w); err != nil {
			return err
		}
		return w.Edit("shop.tech.yaml", "undo: {data: backup,", "undo: {data: down,")
	})
	w.answering()
	s := w.shopping("down", n)
	s.ordered(50)
	rnd := rand.New(rand.NewPCG(n, 88)) // #nosec G404 -- chance, not secrecy
	l := &led{dying: &dying{world: w, gate: newGate(t, dsn, continuity.KindUpgrade, "{visit}"), rnd: rnd}, s: s}
	courses := []struct {
		name   string
		stop   string // the state in which a person ends it
		locks  string // what the migration waits for
		waits  string // with this statement
		deaths int
		lines  bool // v1 can't hold an order that v2.1 took
		way    string
	}{
		{"before it gets at the data", continuity.UpgradeVerifying, "shop_schema", "LOCK TABLE shop_schema", 1, false, continuity.UpgradeDown},
		{"half done", continuity.UpgradeVerifying, "order_lines", "DROP TABLE order_lines", 1, false, continuity.UpgradeDown},
		{"half done, twice, after customers ordered", continuity.UpgradeBaking, "order_lines", "DROP TABLE order_lines", 2, false, continuity.UpgradeDown},
		{"committed", continuity.UpgradeBaking, "", "", 1, false, continuity.UpgradeDown},
		{"refused", continuity.UpgradeBaking, "", "", 1, true, continuity.UpgradeRestore},
	}
	if *kills < 100 { // one of them, by chance
		i := rnd.IntN(len(courses))
		courses = courses[i : i+1]
	}
	for _, c := range courses {
		lets := func() {}
		l.meets = map[string]func(context.Context, string){
			"back-stop": func(ctx context.Context, _ string) {
				if c.locks != "" {
					lets = w.holds(ctx, c.locks)
				}
				if c.lines {
					pgtest.Exec(t, w.DB.DSN, "INSERT INTO order_lines SELECT order_no, 2, sku, 0, 0 FROM order_lines WHERE line = 1 ORDER BY 1 LIMIT 1 ON CONFLICT DO NOTHING")
				}
			},
			"back-down": func(ctx context.Context, mark string) {
				for n := range c.deaths {
					w.until(late, "it migrates", func(ctx context.Context) (bool, string) {
						switch {
						case c.lines:
							return true, ""
						case c.locks == "":
							return w.asked(ctx, "SELECT version FROM shop_schema") == 1, ""
						}
						return w.asked(ctx, blocked+" AND query LIKE '"+c.waits+"%'") > 0 && w.asked(ctx, blocked) > n, ""
					})
					l.dies(ctx, l.id, mark, c.name)
				}
				lets()
			},
		}
		t.Logf("to be killed: %s", c.name)
		u := l.through("v2.1", c.stop, "")
		if u.State != continuity.UpgradeRolled || u.Back.Way != c.way || u.Rollbacks != 1 {
			t.Fatalf("%s: %s %+v %+v %+v", c.name, u.State, u.Failure, u.Back, u.Asks)
		}
		if down := c.way == continuity.UpgradeDown; down != u.Back.Switched.IsZero() || down && u.Back.Redelivered > 0 {
			t.Errorf("%s: it went back by %+v", c.name, u.Back)
		}
		if schema := w.asked(t.Context(), "SELECT version FROM shop_schema"); schema != 1 {
			t.Errorf("%s: schema %d", c.name, schema)
		}
		out, err := w.Holdfast(t.Context(), "demo", "shop", "version", "--url", w.ShopURL())
		if w.did(err, "version"); strings.TrimSpace(out) != "v1" {
			t.Errorf("%s: %s runs", c.name, out)
		}
		t.Logf("killed at %s", strings.Join(l.died, ", "))
	}
	s.balance()
}

// asked asks the shop's database for a number.
func (w *world) asked(ctx context.Context, query string) (n int) {
	w.t.Helper()
	conn, err := pgx.Connect(ctx, w.DB.DSN)
	w.did(err, "the shop's database")
	defer conn.Close(context.WithoutCancel(ctx))
	w.did(conn.QueryRow(ctx, query).Scan(&n), "%s", query)
	return n
}

// holds has somebody read a table of the shop's, so that nobody changes its form.
func (w *world) holds(ctx context.Context, table string) (lets func()) {
	w.t.Helper()
	conn, err := pgx.Connect(ctx, w.DB.DSN)
	w.did(err, "the shop's database")
	_, err = conn.Exec(ctx, "BEGIN; LOCK TABLE "+pgx.Identifier{table}.Sanitize()+" IN ACCESS SHARE MODE")
	w.did(err, "hold %s", table)
	return func() {
		w.t.Helper()
		w.did(conn.Close(context.WithoutCancel(ctx)), "let %s go", table)
	}
}

// blocked is how many wait for a table of the shop's. That of a node that was killed waits
// on, and whoever comes after it waits for it.
const blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
