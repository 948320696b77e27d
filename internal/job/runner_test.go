package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/job"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

var engine = continuity.Actor{Kind: "engine", ID: "test"}

// bubble runs a test in a time of its own, over a real database.
func bubble(t *testing.T, test func(t *testing.T, s *store.Store)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, storetest.Open(t, filepath.Join(t.TempDir(), "state.db")))
	})
}

// node runs a runner until the test's end, or until stop is called.
func node(t *testing.T, s job.Store, name string, handlers map[string]job.Handler) (r *job.Runner, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r = job.New(job.Options{Store: s, Node: name, Handlers: handlers, Log: slog.New(slog.DiscardHandler)})
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return r, stop
}

func put(t *testing.T, s *store.Store, timers ...continuity.Timer) {
	t.Helper()
	if err := s.Schedule(t.Context(), timers...); err != nil {
		t.Fatal(err)
	}
}

func mark(id string) continuity.Batch {
	return continuity.Batch{Actor: engine, Changes: []continuity.Change{{Kind: "mark", ID: id, Body: json.RawMessage(`1`), Action: "mark.made"}}}
}

func left(t *testing.T, s *store.Store) int64 {
	t.Helper()
	n, err := s.Timers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDoneInTimeAndWithItsEffect(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		begun := time.Now()
		done := make(chan time.Duration, 2)
		node(t, s, "a", map[string]job.Handler{"mark": func(_ context.Context, timer continuity.Timer) (continuity.Batch, error) {
			done <- time.Since(begun)
			return mark(timer.ID), nil
		}})
		put(t, s,
			continuity.Timer{ID: "late", Kind: "mark", Due: begun.Add(5 * time.Minute)},
			continuity.Timer{ID: "soon", Kind: "mark", Due: begun.Add(time.Minute)})
		for _, due := range []time.Duration{time.Minute, 5 * time.Minute} {
			if took := <-done; took < due || took > due+2*time.Second {
				t.Errorf("due after %s, done after %s", due, took)
			}
		}
		synctest.Wait()
		for _, id := range []string{"soon", "late"} {
			if _, err := s.Get(t.Context(), "mark", id); err != nil {
				t.Error(err)
			}
		}
		if n := left(t, s); n != 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}

func TestComesAgainWhereItSchedulesItself(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		rounds := make(chan time.Time)
		node(t, s, "a", map[string]job.Handler{"round": func(_ context.Context, timer continuity.Timer) (continuity.Batch, error) {
			rounds <- time.Now()
			return continuity.Batch{Schedule: []continuity.Timer{{ID: timer.ID, Kind: timer.Kind, Due: timer.Due.Add(time.Minute)}}}, nil
		}})
		begun := time.Now()
		put(t, s, continuity.Timer{ID: "again", Kind: "round", Due: begun})
		for i := range 5 {
			at := <-rounds
			if want := begun.Add(time.Duration(i) * time.Minute); at.Before(want) || at.After(want.Add(2*time.Second)) {
				t.Errorf("round %d at %s, due %s", i, at, want)
			}
		}
	})
}

func TestFailedIsTriedAgainLaterAndLater(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		var at []time.Time
		done := make(chan struct{})
		node(t, s, "a", map[string]job.Handler{"flaky": func(_ context.Context, timer continuity.Timer) (continuity.Batch, error) {
			at = append(at, time.Now())
			switch timer.Attempts {
			case 1, 2:
				return continuity.Batch{}, continuity.E(continuity.CodeUnreachable, nil)
			case 3:
				if timer.Error != string(continuity.CodeUnreachable) {
					t.Errorf("the attempt before failed by %q", timer.Error)
				}
				panic("a faulty job")
			}
			close(done)
			return mark(timer.ID), nil
		}})
		put(t, s, continuity.Timer{ID: "x", Kind: "flaky", Due: time.Now()})
		<-done
		for i := 2; i < len(at); i++ {
			if at[i].Sub(at[i-1]) <= at[i-1].Sub(at[i-2]) {
				t.Errorf("waits do not grow: %v", at)
			}
		}
		synctest.Wait()
		if _, err := s.Get(t.Context(), "mark", "x"); err != nil {
			t.Error(err)
		}
	})
}

func TestLongJobKeepsItsClaim(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		works, began := map[string]job.Handler{}, make(chan string, 9)
		works["long"] = func(ctx context.Context, timer continuity.Timer) (continuity.Batch, error) {
			began <- timer.Node
			select {
			case <-time.After(2 * time.Minute):
			case <-ctx.Done():
				return continuity.Batch{}, ctx.Err()
			}
			return mark(timer.ID), nil
		}
		node(t, s, "a", works)
		node(t, s, "b", works)
		put(t, s, continuity.Timer{ID: "x", Kind: "long", Due: time.Now()})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if len(began) != 1 || left(t, s) != 0 {
			t.Fatalf("begun %d times, %d timers left", len(began), left(t, s))
		}
	})
}

// stuck is a node whose database is out of its reach once it has claimed.
type stuck struct {
	*store.Store

	cut chan struct{}
}

func (s stuck) gone() error {
	select {
	case <-s.cut:
		return continuity.E(continuity.CodeDatabase, errors.New("cut off"))
	default:
		return nil
	}
}

func (s stuck) Claim(ctx context.Context, node string, now time.Time, lease time.Duration) (continuity.Timer, bool, error) {
	if err := s.gone(); err != nil {
		return continuity.Timer{}, false, err
	}
	return s.Store.Claim(ctx, node, now, lease)
}

func (s stuck) Extend(ctx context.Context, t continuity.Timer, lease time.Duration) error {
	if err := s.gone(); err != nil {
		return err
	}
	return s.Store.Extend(ctx, t, lease)
}

func TestWhoIsCutOffStopsAndAnotherTakesOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		cut := make(chan struct{})
		claimed, stopped := make(chan time.Time, 1), make(chan time.Time, 1)
		_, stopA := node(t, stuck{s, cut}, "a", map[string]job.Handler{"x": func(ctx context.Context, timer continuity.Timer) (continuity.Batch, error) {
			close(cut)
			claimed <- time.Now()
			<-ctx.Done()
			stopped <- time.Now()
			return mark(timer.ID), nil // it does not know that it has lost
		}})
		put(t, s, continuity.Timer{ID: "x", Kind: "x", Due: time.Now()})
		began := <-claimed
		node(t, s, "b", map[string]job.Handler{"x": func(_ context.Context, timer continuity.Timer) (continuity.Batch, error) {
			select {
			case <-stopped:
			default:
				t.Error("two nodes work at one timer")
			}
			if waited := time.Since(began); waited > 33*time.Second {
				t.Errorf("taken over after %s", waited)
			}
			return mark(timer.ID), nil
		}})
		time.Sleep(time.Minute)
		synctest.Wait()
		stopA()
		events, _, err := s.Events(t.Context(), continuity.EventQuery{Kind: "mark"})
		if err != nil || len(events) != 1 {
			t.Fatalf("%d marks, %v", len(events), err)
		}
	})
}

func TestStoppingNodeGivesItsTimersBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		claimed := make(chan struct{})
		_, stop := node(t, s, "a", map[string]job.Handler{"x": func(ctx context.Context, _ continuity.Timer) (continuity.Batch, error) {
			close(claimed)
			<-ctx.Done()
			return continuity.Batch{}, ctx.Err()
		}})
		put(t, s, continuity.Timer{ID: "x", Kind: "x", Due: time.Now()})
		<-claimed
		stop()
		if _, ok, err := s.Claim(t.Context(), "b", time.Now(), time.Minute); !ok || err != nil {
			t.Fatal("the timer is still held", err)
		}
	})
}

func TestUnknownKindIsLeftToOthers(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		node(t, s, "old", nil)
		put(t, s, continuity.Timer{ID: "x", Kind: "new", Due: time.Now()})
		time.Sleep(3 * time.Second)
		done := make(chan struct{})
		node(t, s, "new", map[string]job.Handler{"new": func(_ context.Context, timer continuity.Timer) (continuity.Batch, error) {
			close(done)
			return mark(timer.ID), nil
		}})
		<-done
	})
}

func TestOneNodeWorksAtManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *store.Store) {
		const many = 8
		all := make(chan struct{})
		var mu sync.Mutex
		at := 0
		node(t, s, "a", map[string]job.Handler{"x": func(ctx context.Context, _ continuity.Timer) (continuity.Batch, error) {
			mu.Lock()
			if at++; at == many {
				close(all)
			}
			mu.Unlock()
			select {
			case <-all:
				return continuity.Batch{}, nil
			case <-time.After(time.Hour):
				return continuity.Batch{}, fmt.Errorf("only %d at once", at)
			}
		}})
		for i := range many {
			put(t, s, continuity.Timer{ID: fmt.Sprint(i), Kind: "x", Due: time.Now()})
		}
		<-all
		time.Sleep(time.Second)
		synctest.Wait()
		if n := left(t, s); n != 0 {
			t.Errorf("%d timers are left", n)
		}
	})
}
