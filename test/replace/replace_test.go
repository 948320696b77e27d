package replace

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/loopback"
	"holdfast/test/harness"
)

// shop counts what it is sent.
type shop struct {
	address string
	server  *http.Server
	mu      sync.Mutex
	orders  map[string]int
	arrived chan struct{}
	release chan struct{} // what /slow waits for
}

func newShop(t *testing.T) *shop {
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{address: address, orders: map[string]int{}, arrived: make(chan struct{}, 1), release: make(chan struct{})}
	s.open(t)
	t.Cleanup(func() { s.server.Close() })
	return s
}

func (s *shop) open(t *testing.T) {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func(srv *http.Server) { _ = srv.Serve(l) }(s.server)
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Method == http.MethodPost {
		s.mu.Lock()
		s.orders[string(body)]++
		s.mu.Unlock()
	}
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	if r.URL.Path == "/slow" {
		<-s.release
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *shop) times() (distinct, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.orders {
		distinct, all = distinct+1, all+n
	}
	return distinct, all
}

func build(t *testing.T, version string) string {
	t.Helper()
	return harness.Build(t, t.TempDir(), "holdfast/cmd/holdfast", "-ldflags", "-X main.version="+version)
}

const config = `listen:
  - %s
  - {address: "%s", tls: {certificates: [{cert: cert.pem, key: key.pem}]}}
admin: {listen: "%s"}
journal: {segment: 1MiB, size: 64MiB}
routes:
  - id: orders
    upstream: http://%s
    key: json:/customer
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 32MiB}
    answer: {status: 202}
    timeouts: {attempt: 60s}
    capacity: 5000/s
    ramp: {start: 100%%}
    detect: {check: {path: /healthz, every: 100ms, up: 1}}
`

// house is a relay before a shop.
type house struct {
	t       *testing.T
	dir     string
	program string
	listen  string
	sealed  string // with TLS
	shop    *shop
	relay   *exec.Cmd
	log     harness.Log
	ended   chan error
}

func start(t *testing.T, first string) *house {
	t.Helper()
	addresses, err := loopback.Addresses(3)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: t.TempDir(), listen: addresses[0], sealed: addresses[2], shop: newShop(t), ended: make(chan error, 1)}
	h.program = filepath.Join(h.dir, "holdfast")
	h.install(first)
	h.certify(1)
	text := fmt.Sprintf(config, h.listen, h.sealed, addresses[1], h.shop.address)
	if err := os.WriteFile(filepath.Join(h.dir, "relay.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.relay = exec.Command(h.program, "relay", "--config", "relay.yaml")
	h.relay.Dir = h.dir
	h.relay.Stdout, h.relay.Stderr = &h.log, &h.log
	h.relay.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := h.relay.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { h.ended <- h.relay.Wait() }()
	t.Cleanup(func() {
		_ = h.relay.Process.Kill()
		if t.Failed() {
			t.Logf("the relay's log:\n%s", h.log.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		if c, err := net.Dial("tcp", h.listen); err == nil {
			c.Close()
			if _, status := h.tell("status", "--json"); status == 0 {
				return h
			}
		}
		select {
		case err := <-h.ended:
			t.Fatalf("the relay ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the relay does not begin to serve")
		}
	}
}

// install puts a program in the relay's file, in one step, as package managers do.
func (h *house) install(program string) {
	h.t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		h.t.Fatal(err)
	}
	fresh := h.program + ".new"
	if err := os.WriteFile(fresh, text, 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Rename(fresh, h.program); err != nil {
		h.t.Fatal(err)
	}
}

// tell runs a command with the program that the test was given, whatever stands
// in the relay's file.
func (h *house) tell(args ...string) (string, int) {
	cmd := exec.Command(first(h.t), args...)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "HOLDFAST_PERSON=li.wei")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

type status struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	Routes  []struct {
		Counters struct {
			Accepted int64 `json:"accepted"`
			Pending  int64 `json:"pending"`
			Balanced bool  `json:"balanced"`
		} `json:"counters"`
	} `json:"routes"`
}

func (h *house) status() (s status) {
	h.t.Helper()
	out, code := h.tell("status", "--json")
	if err := json.Unmarshal([]byte(out), &s); code != 0 || err != nil {
		h.t.Fatalf("%d %v\n%s", code, err, out)
	}
	return s
}

func (h *house) drained() {
	h.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); h.status().Routes[0].Counters.Pending > 0; {
		if time.Now().After(deadline) {
			h.t.Fatal("not drained")
		}
		<-time.After(50 * time.Millisecond)
	}
}

// clients order until they are told to stop, each with the next number as soon
// as it has an answer.
type clients struct {
	stop   chan struct{}
	all    sync.WaitGroup
	sent   atomic.Int64
	failed atomic.Int64
	mu     sync.Mutex
	first  string // of the failures
}

// way is how clients come to the relay.
type way struct {
	keepAlive, sealed, second bool
}

func (w way) String() string {
	out := "HTTP/1.1"
	if w.second {
		out = "HTTP/2"
	}
	if w.sealed {
		out += " over TLS"
	}
	if w.keepAlive {
		return out + ", kept connections"
	}
	return out + ", new connections"
}

// client is one that comes that way.
func (w way) client() *http.Client {
	tr := &http.Transport{DisableKeepAlives: !w.keepAlive, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!w.second)
	tr.Protocols.SetHTTP2(w.second && w.sealed)
	tr.Protocols.SetUnencryptedHTTP2(w.second && !w.sealed)
	tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func (h *house) url(w way, path string) string {
	if w.sealed {
		return "https://" + h.sealed + path
	}
	return "http://" + h.listen + path
}

func order(h *house, n int, w way) *clients {
	c := &clients{stop: make(chan struct{})}
	client := w.client()
	for i := range n {
		c.all.Go(func() {
			defer client.CloseIdleConnections()
			for number := 0; ; number++ {
				select {
				case <-c.stop:
					return
				default:
				}
				c.one(client, w, h.url(w, "/orders"), fmt.Sprintf(`{"customer":"%v-%d","no":%d}`, w, i, number))
			}
		})
	}
	return c
}

func (c *clients) one(client *http.Client, w way, url, body string) {
	// Over HTTP/1.1 a reader that is no bytes.Reader keeps the client from sending
	// again by itself. Over HTTP/2 it may: only what GOAWAY says was not processed.
	content := io.Reader(strings.NewReader(body))
	if !w.second {
		content = io.MultiReader(content)
	}
	resp, err := client.Post(url, "application/json", content)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusAccepted {
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
	}
	c.sent.Add(1)
	if err != nil {
		c.failed.Add(1)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.first == "" {
			c.first = err.Error()
		}
	}
}

func (c *clients) end() (sent, failed int64, why string) {
	close(c.stop)
	c.all.Wait()
	return c.sent.Load(), c.failed.Load(), c.first
}

func (c *clients) untilSent(t *testing.T, more int64) {
	t.Helper()
	want := c.sent.Load() + more
	for deadline := time.Now().Add(30 * time.Second); c.sent.Load() < want; {
		if time.Now().After(deadline) {
			t.Fatal("the clients stand still")
		}
		<-time.After(5 * time.Millisecond)
	}
}

var versions = struct {
	once          sync.Once
	first, second string
}{}

func programs(t *testing.T) (string, string) {
	versions.once.Do(func() {
		dir, err := os.MkdirTemp("", "replace")
		if err != nil {
			t.Fatal(err)
		}
		for at, version := range map[*string]string{&versions.first: "v1", &versions.second: "v2"} {
			built := build(t, version)
			*at = filepath.Join(dir, version)
			if err := os.Rename(built, *at); err != nil {
				t.Fatal(err)
			}
		}
	})
	return versions.first, versions.second
}

func first(t *testing.T) string {
	one, _ := programs(t)
	return one
}

func TestMain(m *testing.M) {
	code := m.Run()
	if versions.first != "" {
		_ = os.RemoveAll(filepath.Dir(versions.first))
	}
	os.Exit(code)
}

// Clients that open a connection for each order, and clients that keep theirs,
// go on ordering while the program is replaced; nobody meets an error.
func TestRule11_3_TheProgramIsReplacedWithoutARefusedConnection(t *testing.T) {
	v1, v2 := programs(t)
	h := start(t, v1)
	before := h.status()
	fresh, kept := order(h, 4, way{}), order(h, 4, way{keepAlive: true})
	fresh.untilSent(t, 100)
	h.install(v2)
	if out, code := h.tell("relay", "replace"); code != 0 || !strings.Contains(out, "v2") {
		t.Fatalf("%d %s", code, out)
	}
	fresh.untilSent(t, 100)
	kept.untilSent(t, 100)
	after := h.status()
	if before.Version != "v1" || after.Version != "v2" || after.PID != before.PID || after.PID != h.relay.Process.Pid {
		t.Errorf("before %+v, after %+v", before, after)
	}
	var all int64
	for name, c := range map[string]*clients{"new connections": fresh, "kept connections": kept} {
		sent, failed, why := c.end()
		t.Logf("%s: %d orders, %d failed", name, sent, failed)
		if failed > 0 {
			t.Errorf("%s: %d of %d failed: %s", name, failed, sent, why)
		}
		all += sent
	}
	h.drained() // one that was cut on its way is kept and sent again
	if distinct, times := h.shop.times(); int64(distinct) != all || times != distinct {
		t.Errorf("%d orders sent, %d in the shop, %d times", all, distinct, times)
	}
}

// What is kept while the shop is down goes over to the new program.
func TestRule11_3_WhatIsKeptIsKeptOverAReplacement(t *testing.T) {
	v1, v2 := programs(t)
	h := start(t, v1)
	h.shop.server.Close()
	c := order(h, 4, way{})
	c.untilSent(t, 50)
	h.install(v2)
	if err := h.relay.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		if s, code := h.tell("status", "--json"); code == 0 && strings.Contains(s, `"version": "v2"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("not replaced")
		}
		<-time.After(50 * time.Millisecond)
	}
	c.untilSent(t, 50)
	sent, failed, why := c.end()
	if failed > 0 {
		t.Fatalf("%d of %d failed: %s", failed, sent, why)
	}
	if s := h.status(); s.Routes[0].Counters.Accepted != sent || !s.Routes[0].Counters.Balanced {
		t.Errorf("%d sent, %+v", sent, s.Routes[0].Counters)
	}
	h.shop.open(t)
	h.drained()
	if distinct, times := h.shop.times(); int64(distinct) != sent || times != distinct {
		t.Errorf("%d orders sent, %d in the shop, %d times", sent, distinct, times)
	}
}

// A program that can't run here, or does not understand what is there, changes
// nothing.
func TestABadProgramIsNotPutInPlace(t *testing.T) {
	v1, v2 := programs(t)
	h := start(t, v1)
	whole, err := os.ReadFile(v2)
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string][]byte{
		"cut":                 whole[:len(whole)/2],
		"not a program":       []byte("holdfast"),
		"refuses the journal": []byte("#!/bin/sh\n[ \"$1\" != journal ] || { echo 'unknown format' >&2; exit 9; }\n"),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bad")
			if err := os.WriteFile(file, program, 0o700); err != nil {
				t.Fatal(err)
			}
			h.install(file)
			if out, code := h.tell("relay", "replace"); code != 5 || !strings.Contains(out, "nothing was changed") {
				t.Errorf("%d %s", code, out)
			}
			if s := h.status(); s.Version != "v1" {
				t.Errorf("%+v", s)
			}
		})
	}
	c := order(h, 1, way{})
	c.untilSent(t, 5)
	if _, failed, why := c.end(); failed > 0 {
		t.Error(why)
	}
}
