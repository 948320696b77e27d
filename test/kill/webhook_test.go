package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/test/harness"
)

const (
	hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	told       = 240 // receipts
	hookKills  = 6
)

const hookConfig = `schema: holdfast/relay@1
listen: RELAY
admin: {listen: ADMIN}
data: data
journal: {segment: 1MiB, size: 64MiB}
routes:
  - id: orders
    match: {path: /api/orders/**, methods: [POST]}
    upstream: http://SHOP
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, age: 24h, bytes: 32MiB}
    answer: {status: 202}
    capacity: 400/s
    ramp: {start: 50%, window: 1s}
    timeouts: {connect: 500ms, attempt: 1s}
    settle: 1s
    detect: {check: {path: /healthz, every: 100ms, up: 1}}
    receipt: {webhook: {url: "http://HOOK/hooks", secret: {env: HOLDFAST_TEST_HOOK}}}
`

// endpoint is a client's, and writes down what it is told.
type endpoint struct {
	t       *testing.T
	library *webhooks.Webhook
	more    chan struct{} // something was told

	mu     sync.Mutex
	told   map[string]map[string]int // receipt, state: how often
	tries  int
	repeat int
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	if err := e.library.Verify(body, r.Header); err != nil {
		e.t.Errorf("the library refuses %s: %v", body, err)
	}
	var m struct {
		Type string
		Data struct {
			Receipt, State string
			Status         int
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		e.t.Error(err)
	}
	d := m.Data
	if got, want := r.Header.Get("webhook-id"), d.Receipt+"-"+d.State; got != want || m.Type != "request."+d.State {
		e.t.Errorf("%s is told as %s under the id %s", d.Receipt, m.Type, got)
	}
	if d.State != "delivered" && d.State != "refused" || d.State == "delivered" && d.Status != 201 || d.State == "refused" && d.Status != 422 {
		e.t.Errorf("told %s", body)
	}
	e.mu.Lock()
	if e.told[d.Receipt] == nil {
		e.told[d.Receipt] = map[string]int{}
	}
	if e.told[d.Receipt][d.State]++; e.told[d.Receipt][d.State] > 1 {
		e.repeat++
	}
	e.tries++
	e.mu.Unlock()
	select {
	case e.more <- struct{}{}:
	default:
	}
}

func (e *endpoint) count() (receipts, tries int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.told), e.tries
}

// until waits until so many receipts were told.
func (e *endpoint) until(ctx context.Context, n int, relay *program) {
	e.t.Helper()
	for {
		if got, tries := e.count(); got >= n {
			return
		} else if ctx.Err() != nil {
			e.t.Fatalf("%d receipts of %d told, in %d tries:\n%s", got, n, tries, relay.log.Tail())
		}
		select {
		case <-e.more:
		case <-ctx.Done():
		}
	}
}

// The relay is killed again and again while it tells its clients how their
// requests ended: each end is told, with a signature that holds, and what is
// told twice bears the same id.
func TestRule8_3_KillNineLosesNoWebhook(t *testing.T) {
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 8)) // #nosec G404 -- a test's choice
	t.Setenv("HOLDFAST_TEST_HOOK", hookSecret)
	library, err := webhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	hook := &endpoint{t: t, library: library, more: make(chan struct{}, 1), told: map[string]map[string]int{}}
	hookServer := httptest.NewServer(hook)
	defer hookServer.Close()
	dir := t.TempDir()
	holdfast := harness.Build(t, dir, "holdfast/cmd/holdfast")
	relayAt, adminAt, shopAt := freePort(t), freePort(t), freePort(t)
	text := strings.NewReplacer("RELAY", relayAt, "ADMIN", adminAt, "SHOP", shopAt, "http://HOOK", hookServer.URL).Replace(hookConfig)
	if err := os.WriteFile(filepath.Join(dir, "relay.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	relay := &program{t: t, path: holdfast, args: []string{"relay", "--config", filepath.Join(dir, "relay.yaml")}, url: "http://" + adminAt + "/readyz"}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	defer relay.signal(syscall.SIGKILL)
	relay.start()
	relay.ready(ctx)

	want := map[string]string{} // receipt: how it will end
	client := &http.Client{Timeout: 10 * time.Second}
	for n := range told { // nobody is behind
		end := "delivered"
		if n%10 == 9 {
			end = "refused"
		}
		res, err := client.Post("http://"+relayAt+"/api/orders/", "application/json", strings.NewReader(fmt.Sprintf(`{"order_no":"%s-%d"}`, end, n)))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		at := res.Header.Get("Location")
		if res.StatusCode != http.StatusAccepted || at == "" {
			t.Fatalf("request %d: %d, at %q", n, res.StatusCode, at)
		}
		want[at[strings.LastIndexByte(at, '/')+1:]] = end
	}

	l, err := net.Listen("tcp", shopAt)
	if err != nil {
		t.Fatal(err)
	}
	shop := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method == http.MethodGet: // health
		case strings.Contains(string(body), "refused"):
			w.WriteHeader(http.StatusUnprocessableEntity)
		default:
			w.WriteHeader(http.StatusCreated)
		}
	})}
	go func() { _ = shop.Serve(l) }()
	defer shop.Close()
	for kill := range hookKills {
		hook.until(ctx, (kill*told+rng.IntN(told))/hookKills, relay)
		relay.signal(syscall.SIGKILL)
		relay.start()
		relay.ready(ctx)
	}
	hook.until(ctx, told, relay)
	drained(ctx, t, holdfast, dir, relay)
	relay.signal(syscall.SIGTERM) // what is under way is told

	hook.mu.Lock()
	defer hook.mu.Unlock()
	for receipt, end := range want {
		if got := hook.told[receipt]; len(got) != 1 || got[end] == 0 {
			t.Errorf("%s: %s is told as %v", receipt, end, got)
		}
	}
	if len(hook.told) != told {
		t.Errorf("%d receipts are told, not %d", len(hook.told), told)
	}
	t.Logf("%d receipts in %d tries, %d of them repeats", told, hook.tries, hook.repeat)
}
