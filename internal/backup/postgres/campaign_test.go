package postgres_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
)

var (
	places   = flag.Int("places", 20, "places of snapshots under writers that never rest, of each kind")
	restores = flag.Int("restores", 2, "restores under a live writer")
	seeded   = flag.Uint64("seed", 0, "of the restores under a live writer; 0: another one each time")
)

// Restored again and again while orders keep coming, to where the figures were taken and
// to moments in between: all that was acknowledged before the moment is there, and
// nothing that was sent after it. The ledger is outside of the database.
func TestRestoresUnderALiveWriter(t *testing.T) {
	t.Parallel()
	seed := *seeded
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	s := newSource(t, "max_wal_size=256MB")
	r := newRemote()
	s.follow(t, r, backup.Position{})
	w := s.write(t, 2, seed, 1)
	w.calmly(5 * time.Millisecond) // or the log of a long campaign would be all that there is
	await(t, "a piece of the log", func() bool { return len(r.all()) > 0 })
	var base backup.Piece
	for n := range *restores {
		if n%4 == 0 {
			base, _ = s.full(t, fmt.Sprintf("base%06d", n))
			r.forget(base.From)
			if base.Exact.At == "" {
				t.Fatalf("full piece %d has no figures", n)
			}
		}
		orders := w.count()
		await(t, "more orders", func() bool { return w.count() > orders+20+random.IntN(100) })
		ask := backup.Restore{Dir: folder(t)}
		must, may := acknowledged, anything
		exact := n%4 == 0
		if exact {
			ask.At = base.Exact
		} else {
			// Between the base and now, and all of it has to have come.
			moment := base.Taken.Add(time.Duration(random.Int64N(int64(time.Since(base.Taken)))))
			await(t, "the log of the moment", func() bool {
				return slices.ContainsFunc(r.all(), func(p backup.Piece) bool { return p.Taken.After(moment) })
			})
			ask.Until = moment
			must = func(o order) bool { return acknowledged(o) && o.ok.Before(moment) }
			may = func(o order) bool { return o.sent.Before(moment) }
		}
		ask.Pieces = chain(t, base, r.all())
		i, err := postgres.New(postgres.Options{}).Restore(t.Context(), ask)
		if err != nil {
			t.Fatalf("restore %d: %v", n, err)
		}
		got := figures(t, i)
		if exact {
			if diff := cmp.Diff(base.Figures, got); diff != "" {
				t.Errorf("restore %d: what was restored is not what was captured:\n%s", n, diff)
			}
			must = func(o order) bool { return acknowledged(o) && o.ok.Before(base.Taken) }
		}
		w.compare(t, i.Address(), must, may)
		for _, f := range got {
			if f.Measure == "orphans" && f.Value != "0" {
				t.Errorf("restore %d: %+v", n, f)
			}
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(filepath.Dir(ask.Dir)); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("restore %d of seed %d failed", n, seed)
		}
	}
	t.Logf("%d restores, %d orders acknowledged", *restores, w.count())
}

// forget drops what is before a place.
func (r *remote) forget(before backup.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pieces = slices.DeleteFunc(r.pieces, func(p backup.Piece) bool {
		gone := p.To.Compare(before) <= 0
		if gone {
			delete(r.content, p.ID)
		}
		return gone
	})
}
