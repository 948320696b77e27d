package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/view"
)

// A view that is built when the journal's first segments have gone,
// shows the same as one that was there all the time, and as the ledger.
func TestRule10_3_ViewBuiltAfterRetirement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		ring, err := keyring.New(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		log, _, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "journal"), Ring: ring, SegmentBytes: 64 << 10, Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = log.Close() }()
		route := continuity.Route{ID: "orders", Hold: continuity.Hold{State: continuity.HoldOn, Age: time.Hour}}
		l, _, err := ledger.Open(ledger.Options{Log: log, Checkpoints: log.Checkpoints(), Routes: []continuity.Route{route}, Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- l.Run(ctx) }()
		old := openTestView(t, filepath.Join(dir, "old.db"), log, l)

		began := log.Start()
		rng := rand.New(rand.NewPCG(1, 2))
		n := 0
		for range 90 { // a day and a half
			n = someWork(t, l, rng, n)
			time.Sleep(23 * time.Minute)
			if err := old.CatchUp(ctx); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := errors.Join(<-ended, old.CatchUp(t.Context())); err != nil {
			t.Fatal(err)
		}
		if log.Start() == began {
			t.Fatal("nothing was retired: the test shows nothing")
		}
		late := openTestView(t, filepath.Join(dir, "late.db"), log, l)
		if err := late.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lag := late.Lag(); lag.Partial || lag.Behind != 0 {
			t.Errorf("lag: %+v", lag)
		}
		for _, v := range []*view.View{old, late} {
			sameAsLedger(t, v, l, log.End(), n)
		}
		if err := errors.Join(old.Close(), late.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
}

func openTestView(t *testing.T, path string, log *journal.Files, l *ledger.Ledger) *view.View {
	t.Helper()
	v, err := view.Open(t.Context(), view.Options{
		Path: path, Log: log, Decode: ledger.Decode, Base: base(l), Between: log.Between, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func numbered(n int) (r continuity.Receipt) {
	copy(r[:], fmt.Sprintf("record %08d.", n))
	return r
}

// someWork keeps a few requests and sends a few; some get stuck for days.
func someWork(t *testing.T, l *ledger.Ledger, rng *rand.Rand, n int) int {
	t.Helper()
	var errs []error
	for range 4 {
		n++
		_, _, err := l.Accept(&continuity.Record{
			Receipt: numbered(n), Route: "orders", Key: continuity.KeyTag(rng.IntN(12) + 1), Method: "POST", Body: make([]byte, 2000),
		}, false)
		errs = append(errs, err)
	}
	for range 5 {
		st, ok := l.Claim("orders")
		if !ok {
			break
		}
		_, err := l.Attempt(st.Receipt)
		o := continuity.Outcome{Receipt: st.Receipt, To: []continuity.State{
			continuity.Delivered, continuity.Delivered, continuity.Delivered, continuity.Refused, continuity.Dead, continuity.Parked, continuity.InDoubt,
		}[rng.IntN(7)]}
		_, finish := l.Finish(o)
		errs = append(errs, err, finish)
	}
	for range 3 {
		r := numbered(1 + rng.IntN(n))
		st, _ := l.Status(r)
		a := continuity.Act{Receipt: r, Version: st.Version, Verb: []continuity.Verb{continuity.VerbRetry, continuity.VerbUnprocessed, continuity.VerbDiscard}[rng.IntN(3)], Person: "li.wei"}
		if _, err := l.Act(a); continuity.CodeOf(err) != continuity.CodeState && continuity.CodeOf(err) != continuity.CodeNotFound {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return n
}

func sameAsLedger(t *testing.T, v *view.View, l *ledger.Ledger, at continuity.Position, n int) {
	t.Helper()
	standing := 0
	for i := 1; i <= n; i++ {
		want, known := l.Status(numbered(i))
		if !known || want.Route == "" { // forgotten, or ended: the ledger remembers no more than that
			continue
		}
		standing++
		got, history, _, err := v.Show(t.Context(), numbered(i))
		if err != nil {
			t.Errorf("record %d: %v", i, err)
			continue
		}
		if got.State != want.State || got.Reason != want.Reason || got.Version != want.Version || got.Attempts != want.Attempts ||
			got.Doubted != want.Doubted || got.Position != want.Position || got.Outcome != want.Outcome || got.Key != want.Key || len(history) == 0 {
			t.Errorf("record %d:\n got %+v\nwant %+v", i, got, want)
		}
		if got.AcceptedWall.IsZero() || got.AcceptedAt > want.AcceptedAt || want.AcceptedAt-got.AcceptedAt > 100 {
			t.Errorf("record %d accepted %v at %d, want %d", i, got.AcceptedWall, got.AcceptedAt, want.AcceptedAt)
		}
	}
	if standing < 10 {
		t.Errorf("only %d records stand: the test shows little", standing)
	}
	c := l.Counters("orders")
	differences, ok, err := v.Compare(t.Context(), at, []view.Books{{
		Totals: continuity.Totals{
			Route: "orders", Accepted: c.Accepted, DeliveredAtOnce: c.DeliveredAtOnce, DeliveredAfterDoubt: c.DeliveredAfterDoubt,
			Refused: c.Refused, Dead: c.Dead, Discarded: c.Discarded,
		},
		Queued: c.Queued, Attempting: c.Attempting, InDoubt: c.InDoubt, Parked: c.Parked,
	}})
	if err != nil || !ok || len(differences) > 0 {
		t.Errorf("compare: %v %v %+v", ok, err, differences)
	}
}
