package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/command"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/mariatest"
	"holdfast/internal/pgtest"
	"holdfast/internal/secret"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

// A child is this test program as another process: a control node that beats while
// it leads, until it is killed.
const (
	childData  = "HOLDFAST_TEST_DATA"
	childDSN   = "HOLDFAST_TEST_DSN"
	childLease = 2 * time.Second
)

func TestMain(m *testing.M) {
	command.Main()
	if data := os.Getenv(childData); data != "" {
		if err := beatingNode(data); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(mariatest.Main(func() int { return pgtest.Main(m) }))
}

// beatingNode runs a node whose leader commits again and again, fenced, and says
// when it begins to lead.
func beatingNode(data string) error {
	settings, err := controlconfig.Default(data)
	if err != nil {
		return err
	}
	settings.Listen, settings.Lease = "127.0.0.1:0", childLease
	settings.Database = &secret.Ref{Env: childDSN}
	n, err := New(Options{Config: settings, Version: "test", Logger: slog.New(slog.DiscardHandler), engine: func(n *Node) {
		n.whileLeading("beat", func(ctx context.Context, lease *continuity.Lease) {
			beaten := false
			for ctx.Err() == nil {
				body, err := json.Marshal(map[string]any{"node": n.instance, "fence": lease.Fence})
				if err != nil {
					return
				}
				_, err = n.store.Commit(context.WithoutCancel(ctx), continuity.Batch{ // as one whose clock stood still would
					Actor: continuity.Actor{Kind: "engine", ID: "beat"}, Leader: lease,
					Changes: []continuity.Change{{Kind: "beat", ID: "one", Version: continuity.VersionAny, Body: body, Action: "beat.done"}},
				})
				if continuity.CodeOf(err) == continuity.CodeVersion {
					fmt.Println("fenced", lease.Fence)
					return
				}
				if err == nil && !beaten {
					beaten = true
					fmt.Println("leading", lease.Fence)
				}
				pause(ctx, 5*time.Millisecond)
			}
		})
	}})
	if err != nil {
		return err
	}
	if err := n.Start(context.Background()); err != nil {
		return err
	}
	return <-n.Failed()
}

type child struct {
	cmd  *exec.Cmd
	said chan string
}

func startChild(t *testing.T, dsn string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), said: make(chan string, 100)} // #nosec G204 -- this program
	c.cmd.Env = append(os.Environ(), childData+"="+t.TempDir(), childDSN+"="+dsn)
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			c.said <- in.Text()
		}
	}()
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill() // fails only where it has ended
	_ = c.cmd.Wait()         // killed
}

// leads waits until the node says that it leads, and returns how long that took.
func (c *child) leads(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	for said := range c.said {
		if strings.HasPrefix(said, "leading") {
			break
		}
	}
	return time.Since(began)
}

// TestAnotherNodeLeadsWithinTheLease kills the leader of two nodes, and then stops
// the next one for longer than its lease: each time the other leads, and what the
// one that was stopped goes on to write is refused. In the chain of changes each
// leader's come together.
func TestAnotherNodeLeadsWithinTheLease(t *testing.T) {
	// A node may be stopped within a commit, which locks others out until the
	// server ends it.
	dsn := pgtest.Database(t) + "&idle_in_transaction_session_timeout=1000"
	first := startChild(t, dsn)
	first.leads(t)
	second := startChild(t, dsn)
	first.kill()
	// The lease, a quarter of it between two questions, and a busy machine's delay.
	most := childLease + childLease/4 + 3*time.Second
	took := second.leads(t)
	t.Log("after a kill another node led within", took)
	if took > most {
		t.Errorf("after a kill another node led within %s", took)
	}
	third := startChild(t, dsn)
	if err := second.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	took = third.leads(t)
	t.Log("after a stop another node led within", took)
	if took > most+2*time.Second { // it had to start
		t.Errorf("after a stop another node led within %s", took)
	}
	if err := second.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, dsn)
	holdsSequence(t, s, 3)
}

// holdsSequence reads the chain until it has changes of so many leaders and some
// more, and holds them to their order.
func holdsSequence(t *testing.T, s *store.Store, leaders int) {
	t.Helper()
	var fence, seq int64
	owner := map[int64]string{}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for after := 0; after < 20; <-tick.C {
		page, err := s.EventsSince(t.Context(), seq, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			seq = e.Seq
			var beat struct {
				Node  string
				Fence int64
			}
			if err := json.Unmarshal(e.After, &beat); err != nil {
				t.Fatal(err)
			}
			if beat.Fence < fence || owner[beat.Fence] != "" && owner[beat.Fence] != beat.Node {
				t.Fatalf("event %d is of %s under fence %d, after one under %d of %s", e.Seq, beat.Node, beat.Fence, fence, owner[fence])
			}
			fence, owner[beat.Fence] = beat.Fence, beat.Node
			if len(owner) >= leaders {
				after++
			}
		}
	}
}

// dryLease fails as a database does that went away.
type dryLease struct {
	down  chan struct{}
	asked chan struct{}
}

func (d dryLease) Lead(_ context.Context, name, node string, lease time.Duration) (continuity.Lease, bool, error) {
	select {
	case <-d.down:
		return continuity.Lease{}, false, errors.New("down")
	default:
		return continuity.Lease{Name: name, Node: node, Fence: 7, Until: time.Now().Add(lease)}, true, nil
	}
}

func (d dryLease) Resign(context.Context, continuity.Lease) error { close(d.asked); return nil }

// TestDutiesEndBeforeTheLeaseDoes: without its database a leader stops leading
// before another node may begin to.
func TestDutiesEndBeforeTheLeaseDoes(t *testing.T) {
	d := dryLease{make(chan struct{}), make(chan struct{})}
	l := &leader{store: d, instance: "a/1", lease: 400 * time.Millisecond, log: slog.New(slog.DiscardHandler)}
	began, ended := make(chan struct{}), make(chan time.Time, 1)
	l.duties = []duty{{"wait", func(ctx context.Context, lease *continuity.Lease) {
		if lease.Fence != 7 || l.held.Load() == nil {
			t.Error("a duty without its lease", lease)
		}
		close(began)
		<-ctx.Done()
		ended <- time.Now()
	}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go l.run(ctx)
	<-began
	close(d.down)
	down := time.Now()
	if took := (<-ended).Sub(down); took > 400*time.Millisecond {
		t.Errorf("the duties went on for %s", took)
	}
	<-d.asked
	if l.held.Load() != nil {
		t.Error("it still leads")
	}
}
