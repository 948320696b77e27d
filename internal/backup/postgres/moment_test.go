package postgres_test

import (
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"

	"holdfast/internal/backup/postgres"
)

// Back to a moment and back to a place in the log: all of before is there, and nothing of
// after.
func TestRestoreToAMomentAndToAPlace(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := newRemote()
	s.follow(t, r, backup.Position{})
	w := s.write(t, 2, 5, 1)
	await(t, "a piece of the log", func() bool { return len(r.all()) > 0 })
	base, _ := s.full(t, "aaaaaaaaaa")
	n := w.count()
	await(t, "orders", func() bool { return w.count() > n+100 })
	moment := time.Now()
	await(t, "orders after the moment", func() bool { return w.count() > n+300 })
	w.end()
	// Exactly here: nobody writes, and then somebody does.
	place := backup.Position{System: base.To.System, Timeline: base.To.Timeline, At: ask[string](t, s.dsn, "SELECT pg_current_wal_insert_lsn()::text")}
	w2 := s.write(t, 1, 6, 1_000_000)
	await(t, "orders after the place", func() bool { return w2.count() > 20 })
	w2.end()
	await(t, "all of the log", func() bool { return r.covers(t, s) })
	pieces := chain(t, base, r.all())
	both := &writer{orders: append(w.known(), w2.known()...)}

	t.Run("moment", func(t *testing.T) {
		i := restored(t, backup.Restore{Pieces: pieces, Until: moment})
		// Acknowledged before is before; sent for good after is after.
		both.compare(t, i.Address(), func(o order) bool { return acknowledged(o) && o.ok.Before(moment) },
			func(o order) bool { return o.sent.Before(moment) })
		if _, newest := i.Reached(); newest.After(moment) || moment.Sub(newest) > time.Minute {
			t.Errorf("it says that it has changes until %s, of %s", newest, moment)
		}
	})
	t.Run("place", func(t *testing.T) {
		i := restored(t, backup.Restore{Pieces: pieces, At: place})
		both.compare(t, i.Address(), func(o order) bool { return acknowledged(o) && o.id < 100_000_000 },
			func(o order) bool { return o.id < 100_000_000 })
	})
	t.Run("before the full piece", func(t *testing.T) {
		_, err := postgres.New(postgres.Options{}).Restore(t.Context(), backup.Restore{Pieces: pieces, Dir: folder(t), Until: base.Taken.Add(-time.Hour)})
		if continuity.CodeOf(err) != continuity.CodeBackupRestore {
			t.Errorf("got %v", err)
		}
	})
	t.Run("behind the log", func(t *testing.T) {
		behind := place
		behind.At = "FF/0"
		_, err := postgres.New(postgres.Options{}).Restore(t.Context(), backup.Restore{Pieces: pieces, Dir: folder(t), At: behind})
		if continuity.CodeOf(err) != continuity.CodeBackupRestore {
			t.Errorf("got %v", err)
		}
	})
}
