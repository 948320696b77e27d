package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/store"
)

var now = time.Date(2026, 3, 6, 10, 0, 0, 0, time.UTC)

// world is a store whose commits can fail, an engine that notes what it is shown, and
// a lease that changes.
type world struct {
	*store.Store

	fail   string // "before" or "after" the next commit
	lease  *continuity.Lease
	resets int
	steps  atomic.Int64
	shown  map[string]string
	by     []string
	wants  func() []continuity.Change
	next   time.Time
}

func newWorld(t *testing.T) (*world, *follow.Follower) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &world{Store: s}
	w.lead(t, "a")
	return w, follow.New(follow.Options{
		Store: w, Name: "counter", Node: "a", Kinds: []string{"count"}, Now: func() time.Time { return now },
		Lease: func() (continuity.Lease, bool) {
			if w.lease == nil {
				return continuity.Lease{}, false
			}
			return *w.lease, true
		},
	}, w)
}

func (w *world) lead(t *testing.T, node string) {
	t.Helper()
	if w.lease != nil {
		if err := w.Resign(t.Context(), *w.lease); err != nil {
			t.Fatal(err)
		}
	}
	lease, ok, err := w.Lead(t.Context(), "control", node, time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	w.lease = &lease
}

func (w *world) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	fail := w.fail
	w.fail = ""
	if fail == "before" {
		return nil, errors.New("no database")
	}
	objects, err := w.Store.Commit(ctx, b)
	if err == nil && fail == "after" {
		return nil, errors.New("no answer")
	}
	return objects, err
}

func (w *world) Reset() { w.resets++; w.shown = map[string]string{}; w.by = nil }

func (w *world) Show(_, id string, _ int64, body json.RawMessage, by continuity.Actor) error {
	w.shown[id] = string(body)
	w.by = append(w.by, by.ID)
	return nil
}

func (w *world) Step(context.Context, time.Time) ([]continuity.Change, time.Time, error) {
	w.steps.Add(1)
	if w.wants == nil {
		return nil, w.next, nil
	}
	return w.wants(), w.next, nil
}

func count(id, body string) continuity.Change {
	return continuity.Change{Kind: "count", ID: id, Version: continuity.VersionAny, Body: json.RawMessage(body), Action: "count.set"}
}

// once wants a change until it is shown.
func (w *world) once(id string) {
	w.wants = func() []continuity.Change {
		if w.shown[id] != "" {
			return nil
		}
		return []continuity.Change{count(id, "1")}
	}
}

func TestWhatWasThereIsShownOnceAndThenEvents(t *testing.T) {
	w, f := newWorld(t)
	li := continuity.Actor{Kind: "user", ID: "li.wei"}
	put := func(c continuity.Change) {
		if _, err := w.Store.Commit(t.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{c}}); err != nil {
			t.Fatal(err)
		}
	}
	put(count("a", "1"))
	other := count("x", "1")
	other.Kind = "other"
	put(other)
	if _, err := f.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(count("b", "2"))
	gone := count("a", "")
	gone.Body = nil
	put(gone)
	w.next = now.Add(time.Hour)
	next, err := f.Step(t.Context())
	if err != nil || !next.Equal(w.next) {
		t.Fatal(next, err)
	}
	if w.resets != 1 || w.shown["a"] != "" || w.shown["b"] != "2" || w.shown["x"] != "" || !slices.Equal(w.by, []string{"", "li.wei", "li.wei"}) {
		t.Errorf("%+v", w)
	}
}

func TestWhatItWantsBecomesTrueUnderItsLease(t *testing.T) {
	w, f := newWorld(t)
	w.once("a")
	if _, err := f.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.shown["a"] != "1" || w.by[0] != "counter" || w.resets != 1 {
		t.Errorf("%+v", w)
	}
	// Another node leads: what this one wants does not become true.
	held := *w.lease
	w.lead(t, "b")
	w.lease = &held
	w.once("b")
	if _, err := f.Step(t.Context()); err == nil {
		t.Error("it was committed without the lease")
	}
	if _, err := w.Get(t.Context(), "count", "b"); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error(err)
	}
}

func TestEachTermBeginsWithAnEmptyPicture(t *testing.T) {
	w, f := newWorld(t)
	for _, step := range []func(){func() {}, func() {
		if err := w.Resign(t.Context(), *w.lease); err != nil {
			t.Fatal(err)
		}
		w.lease = nil
	}, func() { w.lead(t, "b") }, func() {}, func() { w.lead(t, "a") }} {
		step()
		if _, err := f.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if w.resets != 3 || w.steps.Load() != 4 {
		t.Errorf("%d terms, %d steps", w.resets, w.steps.Load())
	}
}

// TestAFailedCommitReloads has the engine decide by what is stored, whether the commit
// happened or not.
func TestAFailedCommitReloads(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		w, f := newWorld(t)
		w.once("a")
		w.fail = when
		if _, err := f.Step(t.Context()); err == nil {
			t.Fatal("nothing failed")
		}
		if _, err := f.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		events, err := w.EventsSince(t.Context(), 0, 100)
		if err != nil || w.resets != 2 || w.shown["a"] != "1" || len(slices.DeleteFunc(events, func(e continuity.AuditEvent) bool { return e.Kind != "count" })) != 1 {
			t.Errorf("%s: %+v, %d events, %v", when, w, len(events), err)
		}
	}
}

func TestARestlessEngineEnds(t *testing.T) {
	w, f := newWorld(t)
	w.wants = func() []continuity.Change { return []continuity.Change{count("a", "1")} }
	if _, err := f.Step(t.Context()); err == nil || w.steps.Load() != 1000 {
		t.Errorf("after %d steps: %v", w.steps.Load(), err)
	}
}

// idle is a store in which nothing is, for a bubble that knows no files.
type idle struct{}

func (idle) Commit(context.Context, continuity.Batch) ([]continuity.Object, error) { return nil, nil }

func (idle) List(context.Context, continuity.Query) ([]continuity.Object, string, error) {
	return nil, "", nil
}

func (idle) EventsSince(context.Context, int64, int) ([]continuity.AuditEvent, error) {
	return nil, nil
}

func (idle) LastEvent(context.Context) (seq int64, hash [32]byte, err error) { return 0, hash, nil }

func TestItLooksInTimeAndWhenItIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		wake := make(chan struct{})
		f := follow.New(follow.Options{
			Store: idle{}, Every: time.Minute, Wake: wake, Lease: func() (continuity.Lease, bool) { return continuity.Lease{}, true },
		}, w)
		ctx, cancel := context.WithCancel(t.Context())
		go f.Run(ctx)
		synctest.Wait()
		want := func(steps int) {
			t.Helper()
			synctest.Wait()
			if n := int(w.steps.Load()); n != steps {
				t.Errorf("%d steps, want %d", n, steps)
			}
		}
		want(1)
		time.Sleep(time.Minute)
		want(2)
		w.next = time.Now().Add(time.Minute + 10*time.Second)
		wake <- struct{}{}
		want(3)
		time.Sleep(time.Minute)
		want(4)
		time.Sleep(10 * time.Second)
		want(5)
		cancel()
	})
}
