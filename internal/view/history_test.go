package view_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"holdfast/internal/continuity"
	"holdfast/internal/view"
)

// world makes histories that the ledger could have written.
type world struct {
	log   *fakeLog
	model *model
	n     uint64
}

func newWorld() *world {
	w := &world{log: newLog(), model: newModel()}
	w.put(continuity.Event{Kind: continuity.KindRestart, First: true})
	return w
}

func (w *world) put(ev continuity.Event) stamp {
	s := w.log.put(ev)
	w.model.apply(s)
	return s
}

func (w *world) record(route string, key continuity.KeyTag) *continuity.Record {
	w.n++
	rec := &continuity.Record{Route: route, Key: key, Method: "POST", Body: []byte("body")}
	binary.BigEndian.PutUint64(rec.Receipt[:], w.n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(rec.Receipt[8:], w.n)
	return rec
}

func (w *world) accept(route string, key continuity.KeyTag, lost bool) continuity.Receipt {
	rec := w.record(route, key)
	rec.Lost = lost
	w.put(continuity.Event{Kind: continuity.KindAccepted, Accepted: rec})
	return rec.Receipt
}

func (w *world) attempt(r continuity.Receipt) {
	w.put(continuity.Event{Kind: continuity.KindAttempt, Attempt: &continuity.Attempt{Receipt: r, Number: w.model.rows[r].Attempts + 1}})
}

func (w *world) outcome(r continuity.Receipt, to continuity.State, reason continuity.Reason, status int) {
	o := &continuity.Outcome{Receipt: r, To: to, Reason: reason}
	if status != 0 {
		o.Response = &continuity.Response{Status: status}
	}
	w.put(continuity.Event{Kind: continuity.KindOutcome, Outcome: o})
}

func (w *world) act(r continuity.Receipt, verb continuity.Verb) {
	a := &continuity.Act{Receipt: r, Version: w.model.rows[r].Version, Verb: verb, Person: "li.wei", Why: "asked by the customer"}
	if verb == continuity.VerbEdit {
		a.Replacement = w.record(w.model.rows[r].Route, w.model.rows[r].Key)
		a.Replacement.Replaces = r
	}
	w.put(continuity.Event{Kind: continuity.KindAct, Act: a})
}

// forget does what the ledger does: carry what is pending or dead, move the
// horizon, retire what is below.
func (w *world) forget(below continuity.Position) {
	for _, receipt := range w.sorted() {
		r := w.model.rows[receipt]
		if (r.State.Pending() || r.State == continuity.Dead) && r.Position < below {
			w.put(continuity.Event{Kind: continuity.KindCarried, Carried: &continuity.Carried{
				Record: &continuity.Record{Receipt: r.Receipt, Route: r.Route, Key: r.Key, Method: r.Method, Replaces: r.Replaces},
			}})
		}
	}
	w.put(continuity.Event{Kind: continuity.KindHorizon, Horizon: below})
}

// base is the model's state as the ledger would tell it.
func (w *world) base(context.Context) (view.Base, error) {
	b := view.Base{Position: w.log.End(), Clock: w.log.clock}
	for _, route := range slices.Sorted(maps.Keys(w.model.books)) {
		b.Totals = append(b.Totals, w.model.books[route].Totals)
	}
	var order []continuity.Receipt
	for _, key := range slices.Sorted(maps.Keys(w.model.keys)) {
		order = append(order, w.model.keys[key]...)
	}
	b.Pending = int64(len(order))
	for _, receipt := range w.sorted() {
		if w.model.rows[receipt].State == continuity.Dead {
			order = append(order, receipt)
		}
	}
	b.Standing = func(yield func(view.Standing, error) bool) {
		for _, receipt := range order {
			r := w.model.rows[receipt]
			if !yield(view.Standing{
				Receipt: r.Receipt, Route: r.Route, Key: r.Key, State: r.State, Reason: r.Reason, Version: r.Version,
				Attempts: r.Attempts, Position: r.Position, Outcome: r.Outcome, AcceptedAt: r.AcceptedAt,
				FirstAttempt: r.FirstAttempt, Size: r.Size, Doubted: r.Doubted,
			}, nil) {
				return
			}
		}
	}
	return b, nil
}

func (w *world) sorted() []continuity.Receipt {
	return slices.SortedFunc(maps.Keys(w.model.rows), func(a, b continuity.Receipt) int { return slices.Compare(a[:], b[:]) })
}

// step lets one thing happen that can.
func (w *world) step(t *rapid.T) {
	var heads, attempting, queued, all []continuity.Receipt
	for _, receipt := range w.sorted() {
		r := w.model.rows[receipt]
		all = append(all, receipt)
		head := r.State.Pending() && w.model.keys[r.Key][0] == receipt
		switch {
		case r.State == continuity.Attempting:
			attempting = append(attempting, receipt)
		case head && (r.State == continuity.Queued || r.State == continuity.InDoubt):
			heads = append(heads, receipt)
		}
		if r.State == continuity.Queued && !r.Doubted {
			queued = append(queued, receipt)
		}
	}
	choose := func(from []continuity.Receipt) continuity.Receipt { return rapid.SampledFrom(from).Draw(t, "record") }
	switch what := rapid.IntRange(0, 19).Draw(t, "what"); {
	case what < 6 || len(all) == 0:
		key := rapid.IntRange(0, 3).Draw(t, "key")
		w.accept(fmt.Sprintf("route-%d", key%2), continuity.KeyTag(key)<<62|7, rapid.IntRange(0, 5).Draw(t, "lost") == 0)
	case what < 10 && len(heads) > 0:
		w.attempt(choose(heads))
	case what < 14 && len(attempting) > 0:
		end := rapid.SampledFrom([]continuity.Outcome{
			{To: continuity.Queued, Reason: continuity.ReasonUnreachable},
			{To: continuity.InDoubt, Reason: continuity.ReasonLost},
			{To: continuity.Parked, Reason: continuity.ReasonPoison},
			{To: continuity.Delivered, Response: &continuity.Response{Status: 201}},
			{To: continuity.Delivered, Response: &continuity.Response{Status: 200}},
			{To: continuity.Refused, Reason: continuity.ReasonRefused, Response: &continuity.Response{Status: 409}},
			{To: continuity.Dead, Reason: continuity.ReasonPoison},
		}).Draw(t, "end")
		end.Receipt = choose(attempting)
		w.put(continuity.Event{Kind: continuity.KindOutcome, Outcome: &end})
	case what == 14 && len(queued) > 0:
		w.outcome(choose(queued), continuity.Dead, continuity.ReasonExpired, 0)
	case what == 15:
		w.put(continuity.Event{Kind: continuity.KindRestart})
		w.log.gap()
	case what == 16:
		w.put(continuity.Event{Kind: continuity.KindClock})
		w.put(continuity.Event{Kind: continuity.KindSwitch, Switch: &continuity.Switch{Route: "route-0", Owner: "health"}})
	case what == 17:
		entries := w.log.entries
		below := entries[rapid.IntRange(0, len(entries)-1).Draw(t, "below")].Position
		w.forget(below)
		if rapid.Bool().Draw(t, "retire") {
			w.log.retire(below)
		}
	default:
		r := choose(all)
		verb := rapid.SampledFrom([]continuity.Verb{
			continuity.VerbRetry, continuity.VerbDiscard, continuity.VerbEdit,
			continuity.VerbPark, continuity.VerbDelivered, continuity.VerbUnprocessed,
		}).Draw(t, "verb")
		if permits(verb, w.model.rows[r]) {
			w.act(r, verb)
		}
	}
}

func (w *world) open(t testing.TB, path string) *view.View {
	t.Helper()
	v, err := view.Open(t.Context(), view.Options{Path: path, Log: w.log, Decode: w.log.decode, Base: w.base, Batch: 7, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// same holds a view, caught up, against the model. From a view that was built
// when the journal began at a position, only what the rest tells is wanted.
func (w *world) same(t interface {
	Helper()
	Fatalf(string, ...any)
}, v *view.View, from continuity.Position) {
	t.Helper()
	ctx := context.Background()
	for _, receipt := range w.sorted() {
		want := *w.model.rows[receipt]
		if want.Position < from {
			continue // it ended, and its beginning is gone
		}
		got, history, _, err := v.Show(ctx, receipt)
		if err != nil {
			t.Fatalf("%s: %v", receipt.Short(), err)
		}
		if from > logBegin && w.model.partly(receipt) {
			want, got = carriedOnly(want), carriedOnly(got)
		} else if !slices.EqualFunc(w.model.events[receipt], history, sameEvent) {
			t.Fatalf("history of %s: -want +got\n%s", receipt.Short(), cmp.Diff(w.model.events[receipt], history))
		}
		if utc(want) != utc(got) {
			t.Fatalf("%s: -want +got\n%s", receipt.Short(), cmp.Diff(want, got))
		}
	}
	for key, want := range w.model.keys {
		page, err := v.Backlog(ctx, view.Filter{Key: key, HasKey: true})
		if err != nil {
			t.Fatalf("%v", err)
		}
		var got []continuity.Receipt
		for _, r := range page.Rows {
			got = append(got, r.Receipt)
		}
		if !slices.Equal(want, got) {
			t.Fatalf("order of key %d: want %v, got %v", key, want, got)
		}
	}
	var books []view.Books
	for _, b := range w.model.books {
		books = append(books, *b)
	}
	differences, ok, err := v.Compare(ctx, v.Position(), books)
	if err != nil || !ok || len(differences) > 0 {
		t.Fatalf("compare: %v %v %+v", err, ok, differences)
	}
	counts, _, err := v.Counts(ctx)
	if err != nil {
		t.Fatalf("%v", err)
	}
	tallied := map[string]int64{}
	for _, c := range counts {
		tallied[c.Route] += c.N + c.Gone
	}
	for route, b := range w.model.books {
		if tallied[route] != b.Accepted {
			t.Fatalf("route %s: tally of %d, accepted %d", route, tallied[route], b.Accepted)
		}
	}
}

// carriedOnly leaves what is known of a record whose first entries are gone;
// of one that has ended since, less.
func carriedOnly(r view.Row) view.Row {
	r.AcceptedWall, r.EndedAt, r.EndedWall, r.LastAttempt, r.Status = time.Time{}, 0, time.Time{}, 0, 0
	r.ReplacedBy = continuity.Receipt{}
	if !r.State.Pending() && r.State != continuity.Dead {
		r.AcceptedAt, r.FirstAttempt, r.Attempts, r.Version, r.Doubted = 0, 0, 0, 0, false
	}
	return r
}

func utc(r view.Row) view.Row {
	r.AcceptedWall, r.EndedWall = r.AcceptedWall.UTC(), r.EndedWall.UTC()
	return r
}

func sameEvent(a, b view.Event) bool {
	a.At, b.At = a.At.UTC(), b.At.UTC()
	return a == b
}

var errStop = errors.New("stopped here")

// A view that was interrupted at any entry, killed at any entry, or built from
// nothing, shows what a plain model of the same events says.
func TestRule2_1_ViewEqualsModelAfterAnyHistoryAndAnyKill(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "view")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := newWorld()
		path := filepath.Join(dir, "a", "view.db")
		v := w.open(t, path)
		defer func() { _ = v.Close() }()
		from := logBegin
		rounds := rapid.IntRange(1, 3).Draw(rt, "rounds")
		for round := range rounds {
			for range rapid.IntRange(1, 40).Draw(rt, "steps") {
				w.step(rt)
			}
			if v.Position() < w.log.first {
				from = w.log.first // what is gone was never seen: it builds anew
			}
			if rapid.Bool().Draw(rt, "interrupt") {
				v = w.interrupt(t, rt, v, path, round)
			}
			if err := v.CatchUp(t.Context()); err != nil {
				rt.Fatal(err)
			}
			w.same(rt, v, from)
		}
		fresh := w.open(t, filepath.Join(dir, "b", "view.db"))
		defer func() { _ = fresh.Close() }()
		if err := fresh.CatchUp(t.Context()); err != nil {
			rt.Fatal(err)
		}
		w.same(rt, fresh, w.log.first)
	})
}

// interrupt stops the view in the middle of a batch: by an error of the log, or
// by going on with what a kill at that moment would have left of its files.
func (w *world) interrupt(t *testing.T, rt *rapid.T, v *view.View, path string, round int) *view.View {
	stopAt := rapid.IntRange(0, 40).Draw(rt, "stop at")
	kill := rapid.Bool().Draw(rt, "kill")
	after := filepath.Join(filepath.Dir(path), fmt.Sprintf("after-%d.db", round))
	stopped := false
	w.log.hook = func(n int, _ continuity.Position) error {
		if n != stopAt {
			return nil
		}
		stopped = true
		if kill {
			copyFiles(rt, path, after)
		}
		return errStop
	}
	defer func() { w.log.hook = nil }()
	if err := v.CatchUp(t.Context()); stopped != errors.Is(err, errStop) {
		rt.Fatalf("stopped %v, but %v", stopped, err)
	}
	w.log.hook = nil
	if !stopped || !kill {
		return v
	}
	if err := v.Close(); err != nil {
		rt.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		rt.Fatal(err)
	}
	copyFiles(rt, after, path)
	return w.open(t, path)
}

func copyFiles(rt *rapid.T, from, to string) {
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(to + suffix)
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, b, 0o600)
		}
		if err != nil {
			rt.Fatal(err)
		}
	}
	_ = os.Remove(to + "-shm")
}
