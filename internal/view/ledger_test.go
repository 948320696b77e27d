package view_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/view"
)

// real is a ledger over a journal on disk, with a view that follows it.
type real struct {
	t    *testing.T
	dir  string
	log  *journal.Files
	l    *ledger.Ledger
	v    *view.View
	rng  *rand.Rand
	n    int
	held []continuity.Receipt // claimed and attempted
}

var realRoutes = []continuity.Route{
	{ID: "orders", Hold: continuity.Hold{State: continuity.HoldOn}},
	{ID: "stock", Hold: continuity.Hold{State: continuity.HoldOn}},
}

func (r *real) open() {
	r.t.Helper()
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.log, _, err = journal.Open(journal.Options{Dir: filepath.Join(r.dir, "journal"), Ring: ring}); err != nil {
		r.t.Fatal(err)
	}
	if r.l, _, err = ledger.Open(ledger.Options{Log: r.log, Routes: realRoutes}); err != nil {
		r.t.Fatal(err)
	}
	r.v, err = view.Open(r.t.Context(), view.Options{
		Path: filepath.Join(r.dir, "view.db"), Log: r.log, Decode: ledger.Decode, Batch: 50, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) close() {
	r.t.Helper()
	if err := errors.Join(r.v.Close(), r.l.Close(), r.log.Close()); err != nil {
		r.t.Fatal(err)
	}
	r.held = nil
}

func (r *real) receipt(n int) (id continuity.Receipt) {
	copy(id[:], fmt.Sprintf("record %08d.", n))
	return id
}

func (r *real) record() *continuity.Record {
	r.n++
	route := realRoutes[r.n%2].ID
	return &continuity.Record{
		Receipt: r.receipt(r.n), Route: route, Key: continuity.KeyTag(r.rng.IntN(5)*2 + r.n%2 + 1), Method: "POST",
		Body: make([]byte, r.rng.IntN(200)), Lost: r.rng.IntN(6) == 0,
	}
}

// step does something that people, clients or replay do.
func (r *real) step() {
	r.t.Helper()
	var err error
	switch r.rng.IntN(12) {
	case 0, 1, 2, 3:
		_, _, err = r.l.Accept(r.record(), false)
	case 4, 5:
		if st, ok := r.l.Claim(realRoutes[r.rng.IntN(2)].ID); ok {
			_, err = r.l.Attempt(st.Receipt)
			r.held = append(r.held, st.Receipt)
		}
	case 6, 7, 8:
		if len(r.held) == 0 {
			return
		}
		i := r.rng.IntN(len(r.held))
		o := continuity.Outcome{Receipt: r.held[i], To: []continuity.State{
			continuity.Queued, continuity.InDoubt, continuity.Parked, continuity.Delivered, continuity.Delivered, continuity.Refused, continuity.Dead,
		}[r.rng.IntN(7)]}
		if o.To == continuity.Dead && r.rng.IntN(2) == 0 {
			o.Reason = continuity.ReasonExpired
		}
		r.held = slices.Delete(r.held, i, i+1)
		_, err = r.l.Finish(o)
	default:
		if r.n == 0 {
			return
		}
		id := r.receipt(1 + r.rng.IntN(r.n))
		st, _ := r.l.Status(id)
		verbs := []continuity.Verb{continuity.VerbRetry, continuity.VerbDiscard, continuity.VerbEdit, continuity.VerbPark, continuity.VerbDelivered, continuity.VerbUnprocessed}
		a := continuity.Act{Receipt: id, Version: st.Version, Verb: verbs[r.rng.IntN(len(verbs))], Person: "li.wei", Why: "test"}
		if a.Verb == continuity.VerbEdit {
			a.Replacement = r.record()
			a.Replacement.Lost, a.Replacement.Route, a.Replacement.Key, a.Replacement.Replaces = false, st.Route, st.Key, id
		}
		if _, err = r.l.Act(a); continuity.CodeOf(err) == continuity.CodeState || continuity.CodeOf(err) == continuity.CodeNotFound {
			err = nil // not every act is possible
		}
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// same holds the view to the ledger: every record, and the books.
func (r *real) same() {
	r.t.Helper()
	ctx := r.t.Context()
	if err := r.v.CatchUp(ctx); err != nil {
		r.t.Fatal(err)
	}
	for n := 1; n <= r.n; n++ {
		want, ok := r.l.Status(r.receipt(n))
		if !ok {
			continue // the act of which it was a part was not possible
		}
		got, _, _, err := r.v.Show(ctx, r.receipt(n))
		if err != nil {
			r.t.Fatalf("record %d, %s: %v", n, want.State, err)
		}
		if got.State != want.State || got.Position != want.Position || got.Outcome != want.Outcome {
			r.t.Errorf("record %d is %s %d %d, want %s %d %d", n, got.State, got.Position, got.Outcome, want.State, want.Position, want.Outcome)
		}
		if want.Route == "" {
			continue // it ended: the ledger remembers no more
		}
		if got.Reason != want.Reason || got.Version != want.Version || got.Attempts != want.Attempts || got.Doubted != want.Doubted ||
			got.Size != want.Size || got.Route != want.Route || got.Key != want.Key {
			r.t.Errorf("record %d:\n got %+v\nwant %+v", n, got, want)
		}
		if d := int64(want.AcceptedAt) - int64(got.AcceptedAt); d < 0 || d >= 100 { // the ledger rounds up to a tenth
			r.t.Errorf("record %d accepted at %d, want %d", n, got.AcceptedAt, want.AcceptedAt)
		}
	}
	var books []view.Books
	for _, route := range r.l.Routes() {
		c := r.l.Counters(route)
		books = append(books, view.Books{
			Totals: continuity.Totals{
				Route: route, Accepted: c.Accepted, DeliveredAtOnce: c.DeliveredAtOnce, DeliveredAfterDoubt: c.DeliveredAfterDoubt,
				Refused: c.Refused, Dead: c.Dead, Discarded: c.Discarded,
			},
			Queued: c.Queued, Attempting: c.Attempting, InDoubt: c.InDoubt, Parked: c.Parked,
		})
	}
	differences, ok, err := r.v.Compare(ctx, r.log.End(), books)
	if err != nil || !ok || len(differences) > 0 {
		r.t.Errorf("compare: %v %v %+v", ok, err, differences)
	}
}

// The view mirrors the ledger's apply by its own code; here both see the same
// journal, over restarts, and over a deletion of the view.
func TestRule2_1_ViewEqualsLedger(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := &real{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 0))}
	r.open()
	for round := range 4 {
		for range 150 {
			r.step()
		}
		r.same()
		r.close()
		if round == 2 {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(filepath.Join(r.dir, "view.db"+suffix)) // not all are there
			}
		}
		r.open()
		r.same()
	}
	r.close()
}
