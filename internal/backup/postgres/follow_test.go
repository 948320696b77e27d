package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/pgtest"
)

// The log goes on without a gap whoever is killed: the program that receives it, the
// server, we ourselves. Nothing that was acknowledged is missing, and nothing is double.
func TestFollowingSurvivesDeaths(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := newRemote()
	stop := s.follow(t, r, backup.Position{})
	w := s.write(t, 2, 2, 1)
	await(t, "a piece of the log", func() bool { return len(r.all()) > 0 })
	base, _ := s.full(t, "aaaaaaaaaa")

	grow := func() {
		n := w.count()
		await(t, "more orders", func() bool { return w.count() > n+50 })
	}
	grow()
	if n := kill(t, "pg_receivewal", s.driver.Spool); n != 1 {
		t.Fatalf("%d programs receive", n)
	}
	grow()
	pgtest.Exec(t, s.dsn, "SELECT pg_switch_wal(); CREATE TABLE big AS SELECT g, md5(g::text) FROM generate_series(1, 400000) g")
	grow()

	w.end()
	n := len(r.all())
	s.Kill()
	s.Start()
	w2 := s.write(t, 2, 3, 1_000_000)
	await(t, "orders after the server's death", func() bool { return w2.count() > 50 && len(r.all()) > n })

	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("following ended with %v", err)
	}
	before := w2.count()
	await(t, "orders while nobody follows", func() bool { return w2.count() > before+50 })
	stop = s.follow(t, r, r.last())
	w2.end()
	await(t, "all of the log", func() bool { return r.covers(t, s) })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("following ended with %v", err)
	}

	pieces := chain(t, base, r.all())
	if faults := s.driver.Check(manifests(pieces)); len(faults) > 0 {
		t.Errorf("faults: %+v", faults)
	}
	i := restored(t, backup.Restore{Pieces: pieces})
	both := &writer{orders: append(w.known(), w2.known()...)}
	both.compare(t, i.Address(), acknowledged, anything)
	const sum = "SELECT count(*) || ' ' || sum(hashtextextended(b::text, 0)) FROM big b"
	if is, was := ask[string](t, i.Address(), sum), ask[string](t, s.dsn, sum); is != was {
		t.Errorf("a big table has %s, and had %s", is, was)
	}
	if _, newest := i.Reached(); time.Since(newest) > time.Minute {
		t.Errorf("the newest change is of %s", newest)
	}
}
