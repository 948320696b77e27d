//go:build linux

package probes

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
)

// apart is set where the test runs in a network of its own.
const apart = "HOLDFAST_TEST_APART"

// The addresses of the near side; the far side has farAt.
const (
	controlAt = "10.78.0.1"
	shopAt    = "10.78.0.2"
	anchorAt  = "10.78.0.3"
	farAt     = "10.78.0.9"
)

// TestProbeNodes has three probe nodes look at a shop, one of them from another
// network. It is cut off from everything but the control node, and noticed; the
// shop goes down and comes back meanwhile; the cable is pulled; a probe node is
// killed: the verdict is right all the time, and unknown when too few are left.
func TestProbeNodes(t *testing.T) {
	if os.Getenv(apart) == "" {
		runApart(t)
		return
	}
	w := newWorld(t)
	for _, node := range []string{"north", "south"} {
		w.probe(node)
	}
	w.probe("east", w.far()...)
	w.until("all of them see it up", func(c check) bool {
		return c.State == "up" && c.node("north").up() && c.node("south").up() && c.node("east").up()
	})

	w.run(w.far("ip", "route", "add", "blackhole", shopAt)...)
	w.run(w.far("ip", "route", "add", "blackhole", anchorAt)...)
	w.until("the one that is cut off is noticed", func(c check) bool { return c.node("east").Isolated })
	w.shop.Config.Handler = ill
	w.until("the two others agree that it is down", func(c check) bool { return c.State == "down" && c.Reason.Code == "watch.status" })
	w.shop.Config.Handler = well
	w.until("and that it is up again", func(c check) bool { return c.State == "up" && c.node("east").Isolated })
	w.changed("check.up check.down check.up")

	w.run(w.far("ip", "route", "del", "blackhole", shopAt)...)
	w.run(w.far("ip", "route", "del", "blackhole", anchorAt)...)
	w.until("the one that was cut off is back", func(c check) bool { return c.node("east").up() })
	w.run("ip", "link", "set", "near", "down")
	w.until("what comes no more is unknown", func(c check) bool { return c.State == "up" && c.node("east").State == "unknown" })
	w.nodes["north"].kill(t)
	w.until("one of three is too few", func(c check) bool { return c.State == "unknown" })
	w.probe("north")
	w.until("two are enough", func(c check) bool { return c.State == "up" })
	w.changed("check.up check.down check.up check.unknown check.up")
}

var (
	well = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	ill  = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
)

// world is two networks, a control node, a shop and an anchor.
type world struct {
	t        *testing.T
	ctx      context.Context
	dir      string
	holdfast string
	holder   *exec.Cmd // has the far network
	shop     *httptest.Server
	anchor   net.Listener
	nodes    map[string]*process
	control  string
	token    string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), nodes: map[string]*process{}, holder: exec.Command("sleep", "infinity")}
	w.holdfast = harness.Build(t, w.dir, "holdfast/cmd/holdfast")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	w.ctx = ctx
	w.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := w.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.holder.Process.Kill() // fails only where it has ended
		_ = w.holder.Wait()
	})
	w.run("ip", "link", "set", "lo", "up")
	w.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far")
	w.run("ip", "link", "set", "far", "netns", strconv.Itoa(w.holder.Process.Pid))
	for _, address := range []string{controlAt, shopAt, anchorAt} {
		w.run("ip", "addr", "add", address+"/24", "dev", "near")
	}
	w.run(w.far("ip", "addr", "add", farAt+"/24", "dev", "far")...)
	w.run("ip", "link", "set", "near", "up")
	w.run(w.far("ip", "link", "set", "far", "up")...)

	w.shop = httptest.NewUnstartedServer(nil)
	_ = w.shop.Listener.Close()
	var err error
	if w.shop.Listener, err = net.Listen("tcp", shopAt+":0"); err != nil {
		t.Fatal(err)
	}
	w.shop.Config.Handler = well
	w.shop.Config.SetKeepAlivesEnabled(false)
	w.shop.Start()
	t.Cleanup(w.shop.Close)
	if w.anchor, err = net.Listen("tcp", anchorAt+":0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.anchor.Close() })
	w.serve()
	w.apply()
	return w
}

// far is a command that runs on the far side.
func (w *world) far(command ...string) []string {
	return append([]string{"nsenter", "--net=/proc/" + strconv.Itoa(w.holder.Process.Pid) + "/ns/net", "--"}, command...)
}

func (w *world) run(command ...string) {
	w.t.Helper()
	// #nosec G204 -- constant commands
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}

// process is a running node.
type process struct {
	cmd *exec.Cmd
	log *harness.Log
}

func (w *world) start(command ...string) *process {
	w.t.Helper()
	p := &process{cmd: exec.Command(command[0], command[1:]...), log: &harness.Log{}} // #nosec G204 -- built by this test
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails only where it has ended
		_ = p.cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("%s\n%s", strings.Join(command, " "), p.log.Tail())
		}
	})
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
}

func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) serve() {
	port, err := net.Listen("tcp", controlAt+":0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.control = port.Addr().String()
	_ = port.Close() // in a network of its own nobody else takes it
	file := w.write("control.yaml", "schema: holdfast/control@1\nnode: control\nlisten: "+w.control+"\ndata: data\n")
	p := w.start(w.holdfast, "control", "--config", file)
	w.wait("the control node serves", func() bool {
		response, err := http.Get("http://" + w.control + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, p.log.Tail)
	token, err := os.ReadFile(filepath.Join(w.dir, "data", "admin.token"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.token = strings.TrimSpace(string(token))
}

func (w *world) probe(node string, through ...string) {
	w.t.Helper()
	w.nodes[node] = w.start(append(through, w.holdfast, "probe", "--name", node, "--control", "http://"+w.control,
		"--token-file", filepath.Join(w.dir, "data", "admin.token"), "--allow", shopAt, "--allow", anchorAt, "--anchor", w.anchor.Addr().String())...)
}

// call asks the control node, and returns false where it does not answer well.
func (w *world) call(method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(w.ctx, method, "http://"+w.control+"/api/v1"+path, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+w.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 {
		var problem any
		_ = json.NewDecoder(response.Body).Decode(&problem)
		return fmt.Errorf("%s %s: %d %v", method, path, response.StatusCode, problem)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

type check struct {
	State  string
	Reason struct{ Code string }
	Nodes  []view
}

type view struct {
	Node     string
	State    string
	Isolated bool
}

func (c check) node(name string) view {
	for _, v := range c.Nodes {
		if v.Node == name {
			return v
		}
	}
	return view{}
}

func (v view) up() bool { return v.State == "up" && !v.Isolated }

func (w *world) until(what string, is func(check) bool) {
	w.t.Helper()
	var last check
	began := time.Now()
	w.wait(what, func() bool {
		last = check{}
		return w.call(http.MethodGet, "/checks/shop/web", nil, &last) == nil && is(last)
	}, func() string { return fmt.Sprintf("%+v", last) })
	w.t.Logf("%s, after %s", what, time.Since(began).Round(time.Millisecond))
}

func (w *world) wait(what string, is func() bool, otherwise func() string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("not in time: %s\n%s", what, otherwise())
		case <-tick.C:
		}
	}
}

// changed waits until the changes are the ones that are wanted. Whether the check
// was unknown at first hangs on how soon the nodes began.
func (w *world) changed(want string) {
	w.t.Helper()
	got := ""
	w.wait("the verdict's changes", func() bool {
		got = strings.TrimPrefix(w.changes(), "check.unknown ")
		return got == want
	}, func() string { return got + ", not " + want })
}

// changes are what was written of the check, in their order.
func (w *world) changes() string {
	w.t.Helper()
	var page struct{ Items []struct{ Action string } }
	if err := w.call(http.MethodGet, "/events?kind=check&id=shop/web&order=oldest", nil, &page); err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, e := range page.Items {
		all = append(all, e.Action)
	}
	return strings.Join(all, " ")
}

func (w *world) apply() {
	w.t.Helper()
	business, err := os.ReadFile("../../internal/plan/testdata/good/small.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	tech := "schema: holdfast/plan-tech@1\nallow: [" + shopAt + "]\nchecks:\n  - {id: web, http: " + w.shop.URL +
		"/, every: 300ms, timeout: 250ms, nodes: [north, south, east]}\n"
	people := []map[string]any{{"id": "li.wei", "names": map[string]string{"en": "Li Wei"}}, {"id": "zhang.min", "names": map[string]string{"en": "Zhang Min"}}}
	if err := w.call(http.MethodPost, "/people/import", map[string]any{"people": people}, nil); err != nil {
		w.t.Fatal(err)
	}
	body := map[string]any{"base": -1, "plan": strings.Replace(string(business), "id: shop\n", "id: shop\ncomponents: [{id: web, checks: [web]}]\n", 1), "tech": tech}
	if err := w.call(http.MethodPost, "/plans/shop/versions", body, nil); err != nil {
		w.t.Fatal(err)
	}
}

// runApart runs the test again in a network of its own, as another user who may
// do anything there if this one may not.
func runApart(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m") // #nosec G204 -- this test
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
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
