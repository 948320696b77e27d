package respond

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"

	"holdfast/internal/pgtest"
)

// kills is at how many of a hundred places a node is killed.
var kills = flag.Int("kills", 20, "of a hundred stages of upgrades and restores, at how many the control node is killed; 100: at each, and all else on each kind of database")

// gate keeps objects of a kind from leaving where they are, in the control node's own
// database, until the test lets them: the node that leads them can be killed at each
// place that they come to, and dies of a place that it has not left.
type gate struct {
	t    *testing.T
	lock *sql.Conn // holds what whoever would leave waits for
	db   *sql.DB
	kind string
	mark string // path in an object's body to what tells its places apart
}

const gates = `
CREATE TABLE gate_passed (kind text, id text, mark text, PRIMARY KEY (kind, id, mark));
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE was text := OLD.body::jsonb #>> TG_ARGV[0]::text[];
BEGIN
	IF was IS NOT NULL AND was IS DISTINCT FROM NEW.body::jsonb #>> TG_ARGV[0]::text[]
	AND NOT EXISTS (SELECT FROM gate_passed p WHERE p.kind = OLD.kind AND p.id = OLD.id AND p.mark = was) THEN
		PERFORM pg_advisory_xact_lock_shared(85);
	END IF;
	RETURN NEW;
END $$;`

// newGate shuts the objects of a kind in. The node has to have made its tables.
func newGate(t *testing.T, dsn, kind, mark string) *gate {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &gate{t: t, db: db, kind: kind, mark: mark}
	if g.lock, err = db.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.lock.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
			t.Error(err)
		}
	})
	g.do("SELECT pg_advisory_lock(85)")
	pgtest.Exec(t, dsn, gates+fmt.Sprintf(`
		CREATE TRIGGER gate BEFORE UPDATE ON object FOR EACH ROW WHEN (OLD.kind = '%s') EXECUTE FUNCTION gate('%s');`, kind, mark))
	return g
}

func (g *gate) do(statement string, args ...any) {
	g.t.Helper()
	if _, err := g.lock.ExecContext(g.t.Context(), statement, args...); err != nil {
		g.t.Fatal(err)
	}
}

// at is where an object is; empty: nowhere.
func (g *gate) at(ctx context.Context, id string, into any) string {
	g.t.Helper()
	var (
		mark sql.NullString
		body string
	)
	err := g.db.QueryRowContext(ctx, "SELECT body::jsonb #>> $3::text[], body FROM object WHERE kind = $1 AND id = $2", g.kind, id, g.mark).Scan(&mark, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return ""
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), into)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	return mark.String
}

// pass lets an object leave a place, and whoever waits there go on. Asked again it lets
// those on who came to wait in between.
func (g *gate) pass(id, mark string) {
	g.t.Helper()
	g.do("INSERT INTO gate_passed VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", g.kind, id, mark)
	g.do("SELECT pg_advisory_unlock(85)")
	g.do("SELECT pg_advisory_lock(85)")
}

// died has what a node that was killed waited for come to nothing.
func (g *gate) died() {
	g.t.Helper()
	g.do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory' AND pid <> pg_backend_pid()`)
}

// dying is a world whose control node dies where the objects that it leads come to.
type dying struct {
	*world

	gate *gate
	rnd  *rand.Rand
	died []string // there
}

// mayDie kills the node at a place, by chance, and by chance once more while it recovers.
func (d *dying) mayDie(ctx context.Context, id, mark, name string) {
	d.t.Helper()
	if d.rnd.IntN(100) >= *kills {
		return
	}
	for most := 400 * time.Millisecond; ; most = 3 * time.Second {
		<-time.After(time.Duration(d.rnd.Float64() * float64(most))) // in the midst of anything
		d.dies(ctx, id, mark, name)
		if d.rnd.IntN(5) > 0 {
			return
		}
	}
}

// dies kills the node at a place, and starts it anew.
func (d *dying) dies(ctx context.Context, id, mark, name string) {
	d.t.Helper()
	d.did(d.Control.Kill(), "kill")
	d.gate.died()
	if at := d.gate.at(ctx, id, &json.RawMessage{}); at != mark {
		d.t.Fatalf("%s was at %s when its node was killed, not at %s", id, at, mark)
	}
	d.died = append(d.died, name)
	d.again()
}
