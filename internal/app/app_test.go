package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
	"holdfast/internal/loopback"
)

const patience = 20 * time.Second

// shop is an upstream that can go away and come back at the same address.
type shop struct {
	t        *testing.T
	address  string
	srv      *httptest.Server
	requests chan string // bodies, in the order of arrival
	status   atomic.Int64
	hold     chan struct{} // if not nil, answers wait for it
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, requests: make(chan string, 100)}
	s.status.Store(http.StatusCreated)
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *shop) open() {
	s.t.Helper()
	if s.address == "" {
		address, err := loopback.Address()
		if err != nil {
			s.t.Fatal(err)
		}
		s.address = address
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.requests <- string(body)
		if s.hold != nil {
			<-s.hold
		}
		w.WriteHeader(int(s.status.Load()))
		fmt.Fprint(w, "done")
	}))
	s.srv.Listener.Close()
	s.srv.Listener = l
	s.srv.Start()
}

func (s *shop) close() {
	if s.srv != nil {
		s.srv.CloseClientConnections()
		s.srv.Close()
		s.srv = nil
	}
}

func (s *shop) next() string {
	s.t.Helper()
	select {
	case body := <-s.requests:
		return body
	case <-time.After(patience):
		s.t.Fatal("the shop was not asked")
		return ""
	}
}

func write(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func orders(upstream string) string {
	return fmt.Sprintf(`schema: holdfast/relay@1
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
journal: {segment: 1MiB, size: 16MiB}
routes:
  - id: orders
    match: {path: /orders/**}
    upstream: http://%s
    key: json:/no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 8MiB}
    answer: {status: 202}
    settle: 1s
    timeouts: {connect: 500ms, attempt: 1s}
    poison: {attempts: 1, then: dead}
`, upstream)
}

// patient lets the upstream take its time.
func patient(config string) string {
	return strings.NewReplacer("attempt: 1s", "attempt: 15s", "settle: 1s", "settle: 20s").Replace(config)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func start(t *testing.T, file string) *App {
	t.Helper()
	a := New(Options{ConfigFile: file, Version: "test", Logger: quiet()})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	return a
}

func stop(t *testing.T, a *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), StopWithin)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func place(t *testing.T, a *App, no, body string) (int, continuity.Receipt) {
	t.Helper()
	resp, err := http.Post("http://"+a.Addr()+"/orders/"+no, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	location := resp.Header.Get("Location")
	receipt, _ := continuity.ParseReceipt(location[strings.LastIndexByte(location, '/')+1:])
	return resp.StatusCode, receipt
}

func client(t *testing.T, a *App) *api.Client {
	t.Helper()
	at, err := endpoint.Read(a.home.DataDir, endpoint.Relay)
	if err != nil {
		t.Fatal(err)
	}
	token, err := endpoint.ReadToken(at.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	return api.NewClient(at.Address, token, "li.wei", catalogue.En)
}

func ended(t *testing.T, a *App, r continuity.Receipt) continuity.State {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return a.ledger.Wait(ctx, r).State
}

func TestHeldOverARestart(t *testing.T) {
	s := newShop(t)
	file := write(t, t.TempDir(), orders(s.address))
	a := start(t, file)
	if status, _ := place(t, a, "1", `{"no":"A","n":0}`); status != http.StatusCreated || s.next() != `{"no":"A","n":0}` {
		t.Fatalf("passing: %d", status)
	}
	s.close()
	var receipts []continuity.Receipt
	for n := range 3 {
		status, r := place(t, a, "1", fmt.Sprintf(`{"no":"A","n":%d}`, n+1))
		if status != http.StatusAccepted || r.IsZero() {
			t.Fatalf("holding: %d %s", status, r)
		}
		receipts = append(receipts, r)
	}
	stop(t, a)
	if _, err := endpoint.Read(filepath.Join(filepath.Dir(file), "data"), endpoint.Relay); err == nil {
		t.Error("a stopped relay still says where it is")
	}

	b := start(t, file) // a second one in the same process
	status, r := place(t, b, "1", `{"no":"A","n":4}`)
	if status != http.StatusAccepted {
		t.Errorf("after the restart, behind the others: %d", status)
	}
	receipts = append(receipts, r)
	s.open()
	for n := range 4 {
		if got, want := s.next(), fmt.Sprintf(`{"no":"A","n":%d}`, n+1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, r := range receipts {
		if state := ended(t, b, r); state != continuity.Delivered {
			t.Errorf("%s is %s", r.Short(), state)
		}
	}
	seen, err := client(t, b).Status(t.Context())
	if err != nil || len(seen.Routes) != 1 {
		t.Fatal(seen, err)
	}
	if n := seen.Routes[0].Counters; !n.Balanced || n.Accepted != 4 || n.DeliveredAtOnce != 4 {
		t.Errorf("the books: %+v", n)
	}
}

func TestTwoRelaysInOneProcess(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	b := start(t, write(t, t.TempDir(), orders(s.address)))
	for _, relay := range []*App{a, b} {
		if status, _ := place(t, relay, "1", `{"no":"A"}`); status != http.StatusCreated {
			t.Errorf("%d", status)
		}
	}
	stop(t, a)
	if status, _ := place(t, b, "1", `{"no":"A"}`); status != http.StatusCreated {
		t.Errorf("after the other one stopped: %d", status)
	}
}

func TestStopIsIdempotentAndStartFailsCleanly(t *testing.T) {
	s := newShop(t)
	file := write(t, t.TempDir(), orders(s.address))
	a := start(t, file)
	b := New(Options{ConfigFile: file, Logger: quiet()})
	if err := b.Start(t.Context()); continuity.CodeOf(err) != continuity.CodeLocked {
		t.Errorf("a second relay on the same data: %v", err)
	}
	if status, _ := place(t, a, "1", `{"no":"A"}`); status != http.StatusCreated {
		t.Errorf("the first one suffered: %d", status)
	}
	if _, err := client(t, a).Status(t.Context()); err != nil {
		t.Errorf("the first one's admin API suffered: %v", err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { stop(t, a) })
	}
	all.Wait()
}

func TestTakenAddress(t *testing.T) {
	s := newShop(t)
	fresh, used := t.TempDir(), t.TempDir()
	start(t, write(t, used, orders(s.address)))
	other := newShop(t)
	taken := strings.Replace(orders(s.address), `{listen: "127.0.0.1:0"}`, `{listen: "`+other.address+`"}`, 1)
	for dir, want := range map[string]continuity.Code{fresh: continuity.CodeAddress, used: continuity.CodeLocked} {
		b := New(Options{ConfigFile: write(t, dir, taken), Logger: quiet()})
		if err := b.Start(t.Context()); continuity.CodeOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Cut off without an answer, the client of a kept request would send it again.
func TestRule8_1_StopAnswersWhoeverWaits(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	// With replay on, the record could be delivered before anybody looks.
	if _, err := client(t, a).Switch(t.Context(), api.SwitchRequest{Route: "orders", Intake: "hold", Replay: "off", Person: "li.wei", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+"/orders/1", strings.NewReader(`{"no":"A"}`))
		if err != nil {
			answered <- err
			return
		}
		req.Header.Set("Prefer", "wait=50")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				err = fmt.Errorf("answered with %d", resp.StatusCode)
			}
		}
		answered <- err
	}()
	for a.ledger.Counters("orders").Pending() == 0 {
		select {
		case err := <-answered:
			t.Fatalf("answered before the stop: %v; %+v", err, a.ledger.Counters("orders"))
		default:
			runtime.Gosched()
		}
	}
	began := time.Now()
	stop(t, a)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > StopWithin/3 {
		t.Errorf("stopping took %s", took)
	}
}

func TestStopAtAnyMoment(t *testing.T) {
	s := newShop(t)
	file := write(t, t.TempDir(), orders(s.address))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 15 {
		a := New(Options{ConfigFile: file, Logger: quiet()})
		begun := make(chan error, 1)
		go func() { begun <- a.Start(t.Context()) }()
		for range random.IntN(2000) { // some time, the length of which does not matter
			runtime.Gosched()
		}
		stop(t, a)
		if err := <-begun; err != nil && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "stopped before") {
			t.Fatal(err)
		}
		if err := a.Ready(); err == nil {
			t.Fatal("it serves although it was stopped")
		}
	}
	a := start(t, file) // nothing was left open
	if status, _ := place(t, a, "1", `{"no":"A"}`); status != http.StatusCreated {
		t.Errorf("%d", status)
	}
	if err := a.Start(t.Context()); err == nil {
		t.Error("it started twice")
	}
}

func TestStopFinishesExchanges(t *testing.T) {
	s := newShop(t)
	s.hold = make(chan struct{})
	a := start(t, write(t, t.TempDir(), patient(orders(s.address))))
	answered := make(chan int, 1)
	go func() {
		status, _ := place(t, a, "1", `{"no":"A"}`)
		answered <- status
	}()
	s.next()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop(t, a)
	}()
	for { // until it accepts no more
		conn, err := net.Dial("tcp", a.Addr())
		if err != nil {
			break
		}
		conn.Close()
	}
	close(s.hold)
	if status := <-answered; status != http.StatusCreated {
		t.Errorf("the exchange under way got %d", status)
	}
	<-stopped
}

func TestKeyless(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"missing":            os.Remove,
		"readable by others": func(path string) error { return os.Chmod(path, 0o644) },
		"another one": func(path string) error {
			return os.WriteFile(path, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			file := write(t, t.TempDir(), orders(s.address))
			a := start(t, file)
			key := a.home.MasterKeyFile
			stop(t, a)
			if err := spoil(key); err != nil {
				t.Fatal(err)
			}
			b := start(t, file)
			if status, _ := place(t, b, "1", `{"no":"A"}`); status != http.StatusCreated {
				t.Errorf("it does not pass: %d", status)
			}
			s.close()
			if status, _ := place(t, b, "1", `{"no":"A"}`); status < 500 {
				t.Errorf("it seems to hold: %d", status)
			}
			status, err := client(t, b).Status(t.Context())
			if err != nil || status.State != api.StateKeyless || status.Routes[0].Mode != continuity.ModeKeyless || len(status.Warnings) == 0 || status.Warnings[0].ID != "keyless" {
				t.Errorf("%+v %v", status, err)
			}
			_, err = client(t, b).Switch(t.Context(), api.SwitchRequest{Route: "orders", Intake: "hold", Person: "li.wei", Why: "x"})
			if continuity.CodeOf(err) != continuity.CodeNoKey {
				t.Errorf("a switch: %v", err)
			}
			if got := scrape(t, b); !strings.Contains(got, "holdfast_relay_keyless 1") {
				t.Error("the metrics don't tell")
			}
		})
	}
}

func scrape(t *testing.T, a *App) string {
	t.Helper()
	resp, err := http.Get("http://" + a.AdminAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMetrics(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	place(t, a, "1", `{"no":"A"}`)
	s.close()
	place(t, a, "1", `{"no":"A"}`)
	got := scrape(t, a)
	for _, want := range []string{
		`holdfast_relay_ready 1`,
		`holdfast_relay_latched 0`,
		`holdfast_relay_requests_total{class="2xx",outcome="passed",route="orders"} 1`,
		`holdfast_relay_requests_total{class="2xx",outcome="held",route="orders"} 1`,
		`holdfast_relay_records_total{route="orders",what="accepted"} 1`,
		`holdfast_relay_mode{mode="hold",route="orders"} 1`,
		`holdfast_relay_health{route="orders",state="down"} 1`,
		`holdfast_relay_ledger_balanced{route="orders"} 1`,
		`holdfast_relay_config_reloads_total{result="refused"} 0`,
		`holdfast_relay_journal_bytes{kind="used"}`,
		`holdfast_relay_journal_sync_seconds_count`,
		`holdfast_relay_view_lag_seconds`,
		`holdfast_relay_gate_keys 1`,
		`holdfast_relay_capacity{route="orders"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

func TestRunBySignals(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	file := write(t, dir, orders(s.address))
	logs := &watcher{seen: make(chan string, 100)}
	signals := make(chan os.Signal, 4)
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Options{ConfigFile: file, Logger: slog.New(slog.NewTextHandler(logs, nil))}, signals)
	}()
	logs.wait(t, "relay ready")
	signals <- syscall.SIGHUP
	logs.wait(t, "configuration reloaded")
	write(t, dir, "listen: nowhere\n")
	signals <- syscall.SIGHUP
	logs.wait(t, "configuration not reloaded")
	signals <- syscall.SIGTERM
	logs.wait(t, "relay stopped")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	s := newShop(t)
	s.hold = make(chan struct{})
	dir := t.TempDir()
	file := write(t, dir, patient(orders(s.address)))
	logs := &watcher{seen: make(chan string, 100)}
	signals := make(chan os.Signal, 4)
	done := make(chan error, 1)
	go func() {
		done <- Run(t.Context(), Options{ConfigFile: file, Logger: slog.New(slog.NewTextHandler(logs, nil))}, signals)
	}()
	ready := logs.wait(t, "relay ready")
	_, rest, _ := strings.Cut(ready, "listen=")
	address, _, _ := strings.Cut(rest, " ")
	go func() {
		resp, err := http.Post("http://"+address+"/orders/1", "application/json", strings.NewReader(`{"no":"A"}`))
		if err == nil {
			resp.Body.Close()
		}
	}()
	s.next()
	signals <- os.Interrupt
	logs.wait(t, "stopping")
	signals <- os.Interrupt
	if err := <-done; !errors.Is(err, ErrHurried) {
		t.Errorf("got %v", err)
	}
	close(s.hold)
	logs.wait(t, "relay stopped")
}

// watcher lets a test wait for a line of the log.
type watcher struct{ seen chan string }

func (w *watcher) Write(p []byte) (int, error) {
	select {
	case w.seen <- string(p):
	default:
	}
	return len(p), nil
}

func (w *watcher) wait(t *testing.T, text string) string {
	t.Helper()
	for {
		select {
		case line := <-w.seen:
			if strings.Contains(line, text) {
				return line
			}
		case <-time.After(patience):
			t.Fatalf("the log never said %q", text)
		}
	}
}
