package job_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/job"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

// A child is this test program as another process: a node that works until it is
// killed.
const (
	childName = "HOLDFAST_TEST_NODE"
	childDSN  = "HOLDFAST_TEST_DSN"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childName); name != "" {
		if err := work(name, os.Getenv(childDSN)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgtest.Main(m))
}

// work counts, in one shared object, each timer that this node does; half of them
// schedule another one, once. It says what it begins.
func work(name, dsn string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	count := func(ctx context.Context, t continuity.Timer) (b continuity.Batch, err error) {
		fmt.Println("begun", t.ID)
		sum, err := s.Get(ctx, "count", "sum")
		if err != nil {
			return b, err
		}
		var n int
		if err := json.Unmarshal(sum.Body, &n); err != nil {
			return b, err
		}
		b = mark(t.ID)
		b.Changes[0].Version = continuity.VersionNew
		b.Changes = append(b.Changes, continuity.Change{
			Kind: "count", ID: "sum", Version: sum.Version, Body: json.RawMessage(fmt.Sprint(n + 1)), Action: "count.raised",
		})
		if string(t.Body) == `"parent"` {
			b.Schedule = []continuity.Timer{{ID: t.ID + "-child", Kind: "count", Due: time.Now()}}
		}
		return b, nil
	}
	job.New(job.Options{
		Store: s, Node: name, Handlers: map[string]job.Handler{"count": count}, Log: slog.New(slog.DiscardHandler),
		Lease: 300 * time.Millisecond, Poll: 20 * time.Millisecond, Parallel: 2,
	}).Run(ctx)
	return nil
}

// startNode starts a child that tells begun of each timer it begins.
func startNode(t *testing.T, name, dsn string, begun chan<- string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this program
	cmd.Env = append(os.Environ(), childName+"="+name, childDSN+"="+dsn)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill() // fails only where it has ended
		_ = cmd.Wait()         // killed
	}
	t.Cleanup(kill)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			begun <- in.Text()
		}
	}()
	return kill
}

// TestEachJobOnceOverKilledNodes kills nodes while they work, all of them in
// turn, so that each has led and died: every job has its effect once, and so has
// every job that a job made.
func TestEachJobOnceOverKilledNodes(t *testing.T) {
	databases := map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { return filepath.Join(t.TempDir(), "state.db") },
		"PostgreSQL": func(t testing.TB) string { return pgtest.Database(t) },
	}
	for name, fresh := range databases {
		t.Run(name, func(t *testing.T) {
			const parents, rounds = 20, 5
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 1))
			t.Log("seed", seed)
			dsn := fresh(t)
			s := storetest.Open(t, dsn)
			if _, err := s.Apply(t.Context(), engine, []continuity.Change{{Kind: "count", ID: "sum", Body: json.RawMessage(`0`), Action: "count.begun"}}); err != nil {
				t.Fatal(err)
			}
			batch := func(round int) (timers []continuity.Timer) {
				for i := range parents / rounds {
					timers = append(timers, continuity.Timer{ID: fmt.Sprintf("%d-%d", round, i), Kind: "count", Due: time.Now(), Body: json.RawMessage(`"parent"`)})
				}
				return timers
			}
			for round := range rounds {
				put(t, s, batch(round)...)
				begun := make(chan string, 1000)
				killA := startNode(t, fmt.Sprintf("a-%d", round), dsn, begun)
				killB := startNode(t, fmt.Sprintf("b-%d", round), dsn, begun)
				for range 1 + random.IntN(parents/rounds) {
					<-begun
				}
				killA()
				killB()
			}
			startNode(t, "last", dsn, make(chan string, 1000))
			for left(t, s) > 0 {
				select {
				case <-time.After(10 * time.Millisecond):
				case <-t.Context().Done():
					t.Fatal("timers are left")
				}
			}
			for round := range rounds {
				for _, timer := range batch(round) {
					for _, id := range []string{timer.ID, timer.ID + "-child"} {
						if _, err := s.Get(t.Context(), "mark", id); err != nil {
							t.Error(id, err)
						}
					}
				}
			}
			if sum, err := s.Get(t.Context(), "count", "sum"); err != nil || string(sum.Body) != fmt.Sprint(2*parents) {
				t.Errorf("counted %s of %d, %v", sum.Body, 2*parents, err)
			}
			if n, bad, err := s.VerifyEvents(t.Context()); err != nil || bad != 0 || n != 1+4*parents {
				t.Errorf("%d events, bad %d, %v", n, bad, err)
			}
		})
	}
}
