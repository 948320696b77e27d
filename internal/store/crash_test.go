package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

// A child is this test program as another process, told by its environment what
// to do until it is killed. It writes a line for each thing that it has done.
const (
	childDoes = "HOLDFAST_TEST_CHILD"
	childDSN  = "HOLDFAST_TEST_DSN"
	childName = "HOLDFAST_TEST_NAME"
)

func TestMain(m *testing.M) {
	if does := os.Getenv(childDoes); does != "" {
		if err := beChild(does, os.Getenv(childDSN), os.Getenv(childName)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgtest.Main(m))
}

func beChild(does, dsn, name string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	fmt.Println("open")
	switch does {
	case "write":
		return write(ctx, s, name)
	case "work":
		return work(ctx, s, name)
	}
	return fmt.Errorf("a child can't %s", does)
}

var engine = continuity.Actor{Kind: "engine", ID: "test"}

func mark(id, body string) continuity.Change {
	return continuity.Change{Kind: "mark", ID: id, Body: json.RawMessage(body), Action: "mark.made"}
}

// write makes pairs of marks until it is killed.
func write(ctx context.Context, s *store.Store, name string) error {
	for i := 0; ; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		if _, err := s.Apply(ctx, engine, []continuity.Change{mark(id+"-a", `1`), mark(id+"-b", `1`)}); err != nil {
			return err
		}
		fmt.Println(id)
	}
}

// work does timers until none is left: each makes a mark of its own name, which
// may be made once only, and counts in a shared object. It claims one for each
// line it is given, and goes on by itself once that input ends.
func work(ctx context.Context, s *store.Store, name string) error {
	const lease = 300 * time.Millisecond
	given := bufio.NewScanner(os.Stdin)
	given.Scan()
	for {
		t, ok, err := s.Claim(ctx, name, time.Now(), lease)
		if err != nil {
			return err
		}
		if !ok {
			left, err := s.Timers(ctx)
			if err != nil || left == 0 {
				return err
			}
			<-time.After(20 * time.Millisecond) // others hold what is left
			continue
		}
		fmt.Println("claimed", t.ID)
		sum, err := s.Get(ctx, "count", "sum")
		if err != nil {
			return err
		}
		var n int
		if err := json.Unmarshal(sum.Body, &n); err != nil {
			return err
		}
		_, err = s.Done(ctx, t, continuity.Batch{Actor: engine, Changes: []continuity.Change{
			mark(t.ID, fmt.Sprintf("%q", name)),
			{Kind: "count", ID: "sum", Version: sum.Version, Body: json.RawMessage(fmt.Sprint(n + 1)), Action: "count.raised"},
		}})
		switch continuity.CodeOf(err) {
		case "":
			fmt.Println("done", t.ID)
		case continuity.CodeVersion: // overtaken: by another count, or the timer is lost
			if err := s.Retry(ctx, t, time.Now(), "overtaken"); err != nil && continuity.CodeOf(err) != continuity.CodeVersion {
				return err
			}
		default:
			return err
		}
		given.Scan()
	}
}

type child struct {
	cmd   *exec.Cmd
	give  io.WriteCloser
	lines chan string
}

func startChild(t *testing.T, does, dsn, name string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$") // #nosec G204 -- this program
	cmd.Env = append(os.Environ(), childDoes+"="+does, childDSN+"="+dsn, childName+"="+name)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	give, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, give: give, lines: make(chan string, 1<<16)}
	go func() {
		defer close(c.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			c.lines <- in.Text()
		}
	}()
	return c
}

// allow lets a child that works claim n timers more.
func (c *child) allow(t *testing.T, n int) {
	t.Helper()
	if _, err := io.WriteString(c.give, strings.Repeat("\n", n)); err != nil {
		t.Fatal(err)
	}
}

// kill ends the child at once and returns what it had still said.
func (c *child) kill() (said []string) {
	_ = c.cmd.Process.Kill() // fails only where it has ended
	for line := range c.lines {
		said = append(said, line)
	}
	_ = c.cmd.Wait() // killed
	return said
}

// TestKilledWhileWriting kills writers in the middle of their commits: whatever
// was acknowledged is there, every commit is there whole or not at all, and the
// chain holds.
func TestKilledWhileWriting(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		t.Log("seed", seed)
		acknowledged := map[string]bool{}
		for round := range 6 {
			writers := []*child{startChild(t, "write", dsn, fmt.Sprintf("%d-x", round)), startChild(t, "write", dsn, fmt.Sprintf("%d-y", round))}
			for _, w := range writers {
				for range 1 + random.IntN(8) {
					line, ok := <-w.lines
					if !ok {
						t.Fatal("a writer ended by itself")
					}
					acknowledged[line] = true
				}
			}
			for _, w := range writers {
				for _, line := range w.kill() {
					acknowledged[line] = true
				}
			}
		}
		delete(acknowledged, "open")
		s := storetest.Open(t, dsn)
		for id := range acknowledged {
			for _, half := range []string{"-a", "-b"} {
				if _, err := s.Get(t.Context(), "mark", id+half); err != nil {
					t.Fatalf("%s was acknowledged: %v", id+half, err)
				}
			}
		}
		n, bad, err := s.VerifyEvents(t.Context())
		if err != nil || bad != 0 || n%2 != 0 || n < int64(2*len(acknowledged)) {
			t.Fatal(n, bad, err, len(acknowledged))
		}
		t.Logf("%d commits acknowledged, %d made", len(acknowledged), n/2)
	})
}

// TestTimersOnceOverKilledNodes lets several processes do timers and kills them
// while they hold leases: each timer has its effect once.
func TestTimersOnceOverKilledNodes(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		const timers, kills = 60, 6
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		t.Log("seed", seed)
		s := storetest.Open(t, dsn)
		due := make([]continuity.Timer, timers)
		for i := range due {
			due[i] = continuity.Timer{ID: fmt.Sprintf("timer-%02d", i), Kind: "count", Due: time.Now()}
		}
		if _, err := s.Commit(t.Context(), continuity.Batch{Actor: engine, Schedule: due, Changes: []continuity.Change{
			{Kind: "count", ID: "sum", Body: json.RawMessage(`0`), Action: "count.begun"},
		}}); err != nil {
			t.Fatal(err)
		}
		others := []*child{startChild(t, "work", dsn, "node-a"), startChild(t, "work", dsn, "node-b")}
		// Kill a node right after it has said that it claimed its last timer, while
		// the others have a few of their own to do.
		for i := range kills {
			for _, c := range others {
				c.allow(t, random.IntN(3))
			}
			victim, claims := startChild(t, "work", dsn, fmt.Sprintf("victim-%d", i)), 1+random.IntN(3)
			victim.allow(t, claims)
			for claims > 0 {
				line, ok := <-victim.lines
				if !ok {
					t.Fatal("a node ended by itself")
				}
				if strings.HasPrefix(line, "claimed ") {
					claims--
				}
			}
			victim.kill()
		}
		for _, c := range others {
			if err := c.give.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range others {
			for range c.lines {
			}
			if err := c.cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		for _, timer := range due {
			if _, err := s.Get(t.Context(), "mark", timer.ID); err != nil {
				t.Fatal(timer.ID, err)
			}
		}
		if sum, err := s.Get(t.Context(), "count", "sum"); err != nil || string(sum.Body) != fmt.Sprint(timers) {
			t.Fatalf("counted %s of %d, %v", sum.Body, timers, err)
		}
		if n, bad, err := s.VerifyEvents(t.Context()); err != nil || bad != 0 || n != 1+2*timers {
			t.Fatal(n, bad, err)
		}
	})
}

func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqliteFile(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, pgtest.Database(t)) })
}
