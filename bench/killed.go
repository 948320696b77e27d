package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/internal/loopback"
)

// The load under which an upstream goes away.
const (
	lossRate  = 500
	lossConns = 1500 // who waits for a time-out of 2 s keeps no other from asking
	lossLimit = 2 * time.Second
	lossBack  = time.Minute // after which the route should pass again by itself
)

const lossCapacity = "    capacity: 2000/s\n" // the drain of the last row has to do without

const lossConfig = `
listen: 127.0.0.1:PORT
admin: {listen: "127.0.0.1:ADMIN"}
data: DATA
routes:
  - id: orders
    match: {path: /orders}
    upstream: http://UPSTREAM
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on}
    answer: {status: 202}
    timeouts: {connect: 1s, attempt: 2s}
    detect:
      check: {path: /healthz, every: 100ms}
`

// loss is one way of losing the upstream, again and again.
type loss struct {
	what string
	down func(*shop) error
	up   func(*shop) error
	most time.Duration // how long it is gone at most; a quarter of it at least
}

var killed = loss{
	what: "upstream killed under 500/s",
	down: func(s *shop) error { s.kill(); return nil },
	up:   (*shop).start,
	most: time.Second,
}

// losses are what the clients met in all of the cycles.
type losses struct {
	healthy, clean, waited []time.Duration // sorted in the end
	asked, errors, cut     int
	said                   map[int]int // errors by status; 0: the connection ended
	back                   []float64   // seconds until the route passed with nothing pending
	left                   []string    // what kept it from it
	most                   float64     // records pending
}

// killedRows kill the upstream, and have a network swallow what is sent to it.
func (b *bench) killedRows() error {
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	addr, err := loopback.Address()
	if err != nil {
		return err
	}
	l, err := b.lose(killed, addr, nil, b.kills, lossCapacity)
	if err != nil {
		return err
	}
	b.lossRows(killed, l)
	if err := b.swallowedApart(); err != nil {
		return err
	}
	if l, err = b.lose(killed, addr, nil, max(2, b.kills/50), ""); err != nil {
		return err
	}
	b.backRow(killed.what+", no capacity stated", l)
	return nil
}

// lose has the upstream go and come back under load.
func (b *bench) lose(how loss, addr string, within []string, times int, more string) (*losses, error) {
	s, err := shopKind{workers: 64, takes: 2 * time.Millisecond, apart: 20 * time.Millisecond, within: within}.start(addr)
	if err != nil {
		return nil, err
	}
	defer func() { s.kill() }()
	relay, err := b.startHoldfast(lossConfig+more, addr)
	if err != nil {
		return nil, err
	}
	defer relay.stop()
	var mu sync.Mutex
	var heard []answered
	dr := &driver{addr: relay.addr, rate: lossRate, last: 24 * time.Hour, note: func(a *answered) {
		mu.Lock()
		heard = append(heard, *a)
		mu.Unlock()
	}}
	done := make(chan error, 1)
	began := time.Now()
	go func() {
		_, err := dr.load(lossConns)
		done <- err
	}()
	take := func() []answered {
		mu.Lock()
		defer mu.Unlock()
		taken := heard
		heard = nil
		return taken
	}
	l := &losses{said: map[int]int{}}
	time.Sleep(2 * time.Second) // all connections made, all pools warm
	take()
	for range times {
		time.Sleep(time.Second)
		down := time.Since(began)
		if err := how.down(s); err != nil {
			return nil, err
		}
		time.Sleep(how.most/4 + rand.N(how.most*3/4))
		up := time.Since(began)
		if err := how.up(s); err != nil {
			return nil, err
		}
		if err := l.watch(relay); err != nil {
			return nil, err
		}
		l.count(take(), down, up)
		select {
		case err := <-done:
			return nil, fmt.Errorf("the load ended: %w", err)
		default:
		}
		if len(l.left) > 0 {
			break // and would only show the same again
		}
	}
	dr.ended.Store(true)
	err = <-done
	l.count(take(), time.Since(began), 0)
	slices.Sort(l.healthy)
	slices.Sort(l.clean)
	slices.Sort(l.waited)
	return l, err
}

// watch waits until the route passes with nothing pending.
func (l *losses) watch(relay *holdfast) error {
	began := time.Now()
	for {
		passes, err1 := relay.metric(`holdfast_relay_mode{mode="pass",route="orders"} `)
		pending, err2 := relay.metric(`holdfast_relay_backlog_records{route="orders",state="queued"} `, `holdfast_relay_backlog_records{route="orders",state="attempting"} `, `holdfast_relay_backlog_records{route="orders",state="in-doubt"} `)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		l.most = max(l.most, pending)
		switch took := time.Since(began); {
		case passes == 1 && pending == 0:
			l.back = append(l.back, took.Seconds())
			return nil
		case took > lossBack:
			allowed, _ := relay.metric(`holdfast_relay_drain_allowed{`) // only to tell
			l.left = append(l.left, fmt.Sprintf("%.0f pending after %v, %.0f/s allowed", pending, lossBack, allowed))
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// count sorts what clients met while the upstream was there, gone from down to
// up, and coming back.
func (l *losses) count(all []answered, down, up time.Duration) {
	for i := range all {
		a := &all[i]
		l.asked++
		switch {
		case a.cut && a.begun:
			l.cut++
			continue
		case a.cut || a.status != 200 && a.status != 202:
			l.errors++
			l.said[a.status]++
			continue
		}
		switch ended := a.sent + a.took; {
		case ended < down:
			l.healthy = append(l.healthy, a.took)
		case a.sent < down, a.status == 200:
			l.waited = append(l.waited, a.took) // on its way, or tried in the dark
		case a.sent < up:
			l.clean = append(l.clean, a.took)
		}
	}
}

func (l *losses) at(of []time.Duration, p float64) float64 {
	return millis(figures{latency: of}.percentile(p))
}

func (b *bench) lossRows(how loss, l *losses) {
	told := ""
	if l.errors > 0 {
		var all []string
		for status, n := range l.said {
			all = append(all, fmt.Sprintf("%d x %d", n, status))
		}
		told = " (" + strings.Join(all, ", ") + ")"
	}
	what := fmt.Sprintf("%s, %d times", how.what, len(l.back)+len(l.left))
	b.row(what+": client errors on holdable requests", fmt.Sprintf("%d%s of %d; %d responses cut after their first byte", l.errors, told, l.asked, l.cut), "0")
	if how.most <= time.Second {
		b.row(what+": answered while it is down", fmt.Sprintf("p99 %.1f ms, most %.1f ms; p99 while healthy %.1f ms", l.at(l.clean, 0.99), l.at(l.clean, 1), l.at(l.healthy, 0.99)), "<= healthy p99 + 5 ms")
	} else {
		all := append(slices.Clone(l.clean), l.waited...)
		slices.Sort(all)
		beyond := lossLimit + figures{latency: l.healthy}.percentile(0.99)
		late, _ := slices.BinarySearch(all, beyond)
		b.row(what+": longest wait of a client", fmt.Sprintf("%.0f ms; %d waited for longer than %v and the p99 while healthy, %.1f ms; p99 of those who came meanwhile %.0f ms", l.at(all, 1), len(all)-late, lossLimit, l.at(l.healthy, 0.99), l.at(l.clean, 0.99)), "<= 2 s, the attempt's time-out")
	}
	b.backRow(what, l)
}

func (b *bench) backRow(what string, l *losses) {
	slices.Sort(l.back)
	got := fmt.Sprintf("%d of %d times; at most %.0f records pending", len(l.back), len(l.back)+len(l.left), l.most)
	if len(l.back) > 0 {
		got += fmt.Sprintf("; within %.1f s, at most %.1f s", median(slices.Clone(l.back)), l.back[len(l.back)-1])
	}
	b.row(what+": back to pass by itself, with nothing pending, under the same load", strings.Join(append([]string{got}, l.left...), "; "), "each time")
}

// Two networks, joined by a cable that can be pulled.
const (
	farAt   = "10.77.0.2"
	farShop = farAt + ":9001"
)

// swallowedApart has the rows about a black hole measured in networks of their
// own.
func (b *bench) swallowedApart() error {
	const what = "upstream in a black hole under 500/s"
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-swallowed", "-kills", strconv.Itoa(b.kills), "-holdfast", b.binary, "-dir", b.dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if err != nil {
		b.row(what, "not measured: "+oneLine(err)+" (it takes ip, tc, nsenter and a network of its own)", "<= 2 s, the attempt's time-out")
		return nil
	}
	var rows [][3]string
	if err := json.Unmarshal(out, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		b.row(r[0], r[1], r[2])
	}
	return nil
}

// swallowed runs in a network of its own, and makes another for the shop.
func (b *bench) swallowed() error {
	holder := exec.Command("sleep", "infinity") // has the shop's network
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := holder.Start(); err != nil {
		return err
	}
	defer func() {
		_ = holder.Process.Kill() // fails only where it has ended
		_ = holder.Wait()
	}()
	far := []string{"nsenter", "--net=/proc/" + strconv.Itoa(holder.Process.Pid) + "/ns/net", "--"}
	run := func(commands ...string) error {
		for _, line := range commands {
			args := strings.Fields(line)
			if args[0] == "far" {
				args = append(slices.Clone(far), args[1:]...)
			}
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w %s", line, err, out)
			}
		}
		return nil
	}
	if err := run("ip link set lo up", "ip link add near type veth peer name far",
		fmt.Sprintf("ip link set far netns %d", holder.Process.Pid),
		"ip addr add 10.77.0.1/24 dev near", "far ip addr add "+farAt+"/24 dev far",
		"far ip link set lo up", "ip link set near up", "far ip link set far up"); err != nil {
		return err
	}
	const full = "root tbf rate 8bit burst 1b latency 1ms" // nothing fits through
	hole := loss{
		what: "upstream in a black hole under 500/s",
		down: func(*shop) error { return run("tc qdisc add dev near "+full, "far tc qdisc add dev far "+full) },
		up:   func(*shop) error { return run("tc qdisc del dev near root", "far tc qdisc del dev far root") },
		most: 4 * time.Second,
	}
	l, err := b.lose(hole, farShop, far, b.kills, lossCapacity)
	if err != nil {
		return err
	}
	quiet := &bench{silent: true}
	quiet.lossRows(hole, l)
	return json.NewEncoder(os.Stdout).Encode(quiet.cells)
}
