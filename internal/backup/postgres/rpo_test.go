package postgres_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/internal/backup"
)

// The host of the database loses power under load, and its disk is gone: whatever was
// acknowledged more than a second before is in what lies elsewhere.
func TestPowerCutLosesLessThanASecond(t *testing.T) {
	s := newSource(t)
	r := newRemote()
	s.follow(t, r, backup.Position{})
	w := s.write(t, 4, 4, 1)
	await(t, "a piece of the log", func() bool { return len(r.all()) > 0 })
	base, _ := s.full(t, "aaaaaaaaaa")
	// At a moment that has nothing to do with what is handed on when.
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	n := w.count() + 500 + rand.New(rand.NewPCG(seed, 0)).IntN(1000) // #nosec G404 -- repeatable
	await(t, "load", func() bool { return w.count() > n })

	there := r.all() // what is elsewhere at the moment of the cut
	cut := time.Now()
	s.Kill()
	w.end()
	s.Lose()

	i := restored(t, backup.Restore{Pieces: chain(t, base, there)})
	w.compare(t, i.Address(), func(o order) bool { return acknowledged(o) && o.ok.Before(cut.Add(-time.Second)) }, anything)
	var oldest time.Duration
	lost, left := 0, orders(t, i.Address())
	for _, o := range w.known() {
		if _, is := left[o.id]; acknowledged(o) && !is {
			lost, oldest = lost+1, max(oldest, cut.Sub(o.ok))
		}
	}
	t.Logf("measured RPO %s: of %d acknowledged transactions %d are lost; %d pieces of the log", oldest, w.count(), lost, len(there))
}
