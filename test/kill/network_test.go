//go:build linux

package kill

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var networkCycles = flag.Int("kill.network", 6, "how often the network fails")

// apart is set where the test runs in network namespaces of its own.
const apart = "HOLDFAST_TEST_APART"

const (
	nearAt = "10.77.0.1"
	farAt  = "10.77.0.2"
)

// cable joins the relay's network to the shop's.
type cable struct {
	t      *testing.T
	holder *exec.Cmd // has the shop's network
}

// plug makes the two networks. A cable that is out swallows what is sent, as
// one does: nobody is told that nobody is there.
func plug(t *testing.T) *cable {
	t.Helper()
	c := &cable{t: t, holder: exec.Command("sleep", "infinity")}
	c.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := c.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.holder.Process.Kill() // fails only where it has ended
		_ = c.holder.Wait()
	})
	ip := func(args ...string) { c.run(append([]string{"ip"}, args...)...) }
	far := func(args ...string) { c.run(append(c.far("ip"), args...)...) }
	ip("link", "set", "lo", "up")
	ip("link", "add", "near", "type", "veth", "peer", "name", "far")
	ip("link", "set", "far", "netns", strconv.Itoa(c.holder.Process.Pid))
	ip("addr", "add", nearAt+"/24", "dev", "near")
	far("addr", "add", farAt+"/24", "dev", "far")
	ip("link", "set", "near", "up")
	far("link", "set", "far", "up")
	return c
}

// far is a command that runs on the shop's side.
func (c *cable) far(command ...string) []string {
	return append([]string{"nsenter", "--net=/proc/" + strconv.Itoa(c.holder.Process.Pid) + "/ns/net", "--"}, command...)
}

func (c *cable) run(command ...string) {
	c.t.Helper()
	// #nosec G204 -- constant commands
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// out pulls the cable: each side drops whatever it would send.
func (c *cable) out() {
	c.run("tc", "qdisc", "add", "dev", "near", "root", "tbf", "rate", "8bit", "burst", "1b", "latency", "1ms")
	c.run(c.far("tc", "qdisc", "add", "dev", "far", "root", "tbf", "rate", "8bit", "burst", "1b", "latency", "1ms")...)
	if conn, err := net.DialTimeout("tcp", farAt+":9001", 50*time.Millisecond); !os.IsTimeout(err) {
		if err == nil {
			_ = conn.Close()
		}
		c.t.Fatalf("the cable is not out: %v", err)
	}
}

func (c *cable) in() {
	c.run("tc", "qdisc", "del", "dev", "near", "root")
	c.run(c.far("tc", "qdisc", "del", "dev", "far", "root")...)
}

// calm waits until requests pass again; not for ever, as each fault makes health
// more careful.
func (w *world) calm() {
	ctx, cancel := context.WithTimeout(w.working, 8*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if b, err := status(ctx, w.holdfast, w.dir); err == nil && b.pending() < customers {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A network that swallows everything, connections of which only one side knows
// that they are gone, a network that comes and goes, and a shop that listens and
// says nothing: customers meet no more than a moment's waiting.
func TestRules3And4_ANetworkThatFailsLosesDoublesReordersNothing(t *testing.T) {
	if os.Getenv(apart) == "" {
		runApart(t, syscall.CLONE_NEWNET)
		return
	}
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 10)) // #nosec G404 -- a test's choice
	c := plug(t)
	w := newWorld(t, farAt+":9001", c.far()...)
	w.open()
	faults := []struct {
		name string
		do   func()
	}{
		{"a black hole", func() {
			c.out()
			w.until(20 + rng.IntN(60))
			c.in()
		}},
		{"half-open connections", func() {
			c.out()
			w.shop.signal(syscall.SIGKILL) // and nobody hears of it
			w.until(rng.IntN(40))
			w.shop.start()
			c.in()
			w.shop.ready(w.ctx)
		}},
		{"flapping", func() {
			for range 5 {
				c.out()
				w.until(1 + rng.IntN(5))
				c.in()
				w.until(1 + rng.IntN(20))
			}
		}},
		{"a shop that hangs", func() {
			w.shop.send(syscall.SIGSTOP)
			w.until(20 + rng.IntN(60))
			w.shop.send(syscall.SIGCONT)
		}},
	}
	for cycle := 0; cycle < *networkCycles && w.working.Err() == nil; cycle++ {
		if rng.IntN(3) > 0 { // most faults are to meet requests that pass
			w.calm()
		}
		w.until(20 + rng.IntN(100))
		fault := faults[cycle%len(faults)]
		if cycle >= len(faults) {
			fault = faults[rng.IntN(len(faults))]
		}
		began := time.Now()
		fault.do()
		w.check(fmt.Sprintf("after %s", fault.name))
		t.Logf("%s, for %s", fault.name, time.Since(began).Round(time.Millisecond))
	}
	w.close()
}

// runApart runs the test again in namespaces of its own, as another user who
// may do anything there if this one may not.
func runApart(t *testing.T, flags uintptr) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m", // #nosec G204 -- this test
		fmt.Sprintf("-kill.seed=%d", *seed), fmt.Sprintf("-kill.network=%d", *networkCycles))
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
