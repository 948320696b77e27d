package relay_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/loopback"
	"holdfast/internal/relay"
	"holdfast/internal/upstream"
)

// shop is an upstream on a real socket that does what the test says.
type shop struct {
	t        *testing.T
	listener net.Listener
	mu       sync.Mutex
	script   []func(c net.Conn) // one for each request; then it answers 201
	got      []*http.Request
	bodies   []string
	arrived  chan struct{}
}

func newShop(t *testing.T) *shop {
	address, err := loopback.Address() // it may go away and must not be lent meanwhile
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, listener: l, arrived: make(chan struct{}, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *shop) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got, s.bodies = append(s.got, req), append(s.bodies, string(body))
		do := answer(201, `{"ok":true}`)
		if len(s.script) > 0 {
			do, s.script = s.script[0], s.script[1:]
		}
		s.mu.Unlock()
		s.arrived <- struct{}{}
		if do == nil {
			return // close without a word
		}
		do(c)
	}
}

func (s *shop) next(does ...func(net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, does...)
}

func (s *shop) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.got...)
}

func (s *shop) body(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[n]
}

// close makes the shop refuse connections.
func (s *shop) close() { s.listener.Close() }

func answer(status int, body string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nX-Shop: yes\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	}
}

// raw writes text and closes.
func raw(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		c.Close()
	}
}

// reset ends the connection with RST.
func reset(c net.Conn) {
	if sealed, ok := c.(*tls.Conn); ok {
		c = sealed.NetConn() // without a farewell
	}
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// hang waits until the relay gives up.
func hang(c net.Conn) { io.Copy(io.Discard, c) }

// doctor is a health that remembers what it was told.
type doctor struct {
	mu          sync.Mutex
	ok, bad     int
	lost, tried int
	trial       bool
	then        continuity.Intake // what a clean failure switches to; unset: hold
	books       *books
}

func (d *doctor) Succeeded() { d.mu.Lock(); d.ok++; d.mu.Unlock() }
func (d *doctor) CleanFailed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad++
	if d.then != continuity.IntakeUnset {
		d.books.set("health", d.then)
	} else {
		d.books.hold("health")
	}
	return nil
}
func (d *doctor) LostAttempt() error { d.mu.Lock(); defer d.mu.Unlock(); d.lost++; return nil }
func (d *doctor) TryLive() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tried++
	return d.trial
}

func (d *doctor) told() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("ok %d clean %d lost %d", d.ok, d.bad, d.lost)
}

// house is a relay between a client and the shop.
type house struct {
	t       *testing.T
	shop    *shop
	books   *books
	health  *doctor
	monitor relay.Health // a real one, where the test has it
	engine  *relay.Engine
	route   continuity.Route
	caller  relay.Caller
	second  *shop // the standby's; nil: none
	beside  relay.Standing
	front   *front
}

func open(t *testing.T, change ...func(h *house, o *relay.Options)) *house {
	t.Helper()
	s := newShop(t)
	h := &house{t: t, shop: s, books: newBooks(), route: continuity.Route{
		ID: "orders", Match: continuity.Match{Paths: []string{"/orders/**"}}, Upstream: "http://" + s.listener.Addr().String(),
		Key: continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"}, Caller: "public",
		Identity: continuity.Identity{By: continuity.IdempotentKey}, Settle: time.Hour,
		Hold:     continuity.Hold{State: continuity.HoldOn, Methods: []string{"POST", "PUT"}, ItemBytes: 1000},
		Answer:   &continuity.Answer{Status: 202},
		Timeouts: continuity.Timeouts{Connect: time.Second, Attempt: 300 * time.Millisecond, Idle: time.Second},
	}}
	h.health = &doctor{books: h.books}
	o := relay.Options{Ledger: h.books, Hasher: identity.New([]byte("secret"))}
	for _, c := range change {
		c(h, &o)
	}
	h.engine = relay.New(o)
	h.engine.SetTransport(continuity.Transport{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	h.use(continuity.Limits{})
	h.front = now.serve(t, h.engine.Handle)
	return h
}

// patient has attempts take as long as a test keeps them, on any machine.
func patient(h *house, _ *relay.Options) { h.route.Timeouts.Attempt = time.Minute }

func (h *house) use(limits continuity.Limits) { h.bind(h.health, limits) }

// rebind has another health watch.
func (h *house) rebind(monitor relay.Health) {
	h.monitor = monitor
	h.bind(monitor, continuity.Limits{})
}

func (h *house) bind(health relay.Health, limits continuity.Limits) {
	h.t.Helper()
	sender, err := upstream.New(upstream.Options{URL: h.route.Upstream, Timeouts: h.route.Timeouts})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(sender.Close)
	b := relay.Binding{Route: h.route, Sender: sender, Health: health, Beside: h.beside, Caller: h.caller}
	if h.route.Standby != nil {
		standby, err := upstream.New(upstream.Options{URL: h.route.Standby.Upstream, Timeouts: h.route.Standby.Timeouts})
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(standby.Close)
		b.Standby = standby
	}
	if err := h.engine.SetRoutes([]relay.Binding{b}, limits); err != nil {
		h.t.Fatal(err)
	}
}

// reply is what a client got.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) String() string { return fmt.Sprintf("%d %v %s", r.status, r.header, r.body) }

// dial opens a connection that a request can be written on.
func (h *house) dial() net.Conn {
	h.t.Helper()
	c := h.front.dial(h.t)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func request(method, target, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: shop.example\r\n", method, target)
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	for _, line := range header {
		b.WriteString(line + "\r\n")
	}
	return b.String() + "\r\n" + body
}

func (h *house) send(raw string) net.Conn {
	h.t.Helper()
	c := h.dial()
	if _, err := io.WriteString(c, raw); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func read(c net.Conn, method string) (reply, error) {
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body)}, err
}

func (h *house) do(method, target, body string, header ...string) reply {
	h.t.Helper()
	r, err := read(h.send(request(method, target, body, header...)), method)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, target, err)
	}
	return r
}

func (h *house) post(body string, header ...string) reply {
	h.t.Helper()
	return h.do("POST", "/orders", body, header...)
}

func order(no string) string { return `{"order_no":"` + no + `"}` }

func wantStatus(t *testing.T, r reply, status int) {
	t.Helper()
	if r.status != status {
		t.Fatalf("answered %s, want %d", r, status)
	}
}

// wantProblem checks a problem document.
func wantProblem(t *testing.T, r reply, status int, code string) {
	t.Helper()
	wantStatus(t, r, status)
	if r.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(r.body, `"code":"`+code+`"`) {
		t.Fatalf("answered %s, want problem %s", r, code)
	}
	if r.header.Get("Holdfast-State") == "" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the problem does not say that it is Holdfast's: %v", r.header)
	}
	if (status == 503 || status == 507 || status == 504) && r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", r.header)
	}
}

func wantHeld(t *testing.T, r reply) continuity.Receipt {
	t.Helper()
	wantStatus(t, r, 202)
	token, ok := strings.CutPrefix(r.header.Get("Location"), "/.holdfast/receipts/")
	receipt, err := continuity.ParseReceipt(token)
	if !ok || err != nil || r.header.Get("Holdfast-State") != "held" || r.header.Get("Retry-After") == "" || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("not the answer of a held request: %s", r)
	}
	return receipt
}

func (h *house) wantKept(n int) []*continuity.Record {
	h.t.Helper()
	kept := h.books.kept()
	if len(kept) != n {
		h.t.Fatalf("%d records kept, want %d", len(kept), n)
	}
	return kept
}

func (h *house) wantSent(n int) []*http.Request {
	h.t.Helper()
	got := h.shop.requests()
	if len(got) != n {
		h.t.Fatalf("%d requests reached the shop, want %d", len(got), n)
	}
	return got
}

var big = order("A") + strings.Repeat(" ", 2000)

func chunked(method, target string, body string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n", method, target)
	for len(body) > 0 {
		n := min(len(body), 300)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}
