package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
)

const diskConfig = `schema: holdfast/relay@1
listen: RELAY
admin: {listen: ADMIN}
data: data
journal: {segment: 1MiB, size: 1GiB}
routes:
  - id: orders
    match: {path: /api/orders/**, methods: [POST]}
    upstream: http://SHOP
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, age: 24h, bytes: 512MiB}
    answer: {status: 202}
    capacity: 2000/s
    ramp: {start: 50%, window: 1s}
    timeouts: {connect: 500ms, attempt: 1s}
    settle: 1s
    detect: {check: {path: /healthz, every: 100ms, up: 1}}
  - id: other
    match: {path: /other/**}
    upstream: http://OTHER
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, age: 24h, bytes: 256MiB}
    answer: {status: 202}
    timeouts: {connect: 500ms, attempt: 1s}
    settle: 1s
`

// till is a shop that remembers what it got, and can close.
type till struct {
	t       *testing.T
	address string
	srv     *http.Server
	mu      sync.Mutex
	got     map[string][]int // of each order, in the order of arrival
}

func (s *till) open() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.srv = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: s}
	go func(srv *http.Server) { _ = srv.Serve(l) }(s.srv)
}

func (s *till) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var order struct {
		No string `json:"order_no"`
		N  int    `json:"n"`
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
			return // cut by a kill
		}
		s.mu.Lock()
		if !slices.Contains(s.got[order.No], order.N) { // it dedupes, as its Idempotency-Key says
			s.got[order.No] = append(s.got[order.No], order.N)
		}
		s.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	}
}

// buyer asks, and remembers which requests were kept or done.
type buyer struct {
	t     *testing.T
	relay string
	next  map[string]int
	told  map[string][]int
}

// buy makes a request of about a size and returns the status of its answer.
func (b *buyer) buy(path, no string, size int) int {
	b.t.Helper()
	b.next[no]++
	n := b.next[no]
	body := fmt.Sprintf(`{"order_no":%q,"n":%d,"note":%q}`, no, n, strings.Repeat("x", size))
	res, err := http.Post("http://"+b.relay+path, "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	switch res.StatusCode {
	case http.StatusAccepted, http.StatusCreated:
		b.told[no] = append(b.told[no], n)
	case http.StatusInsufficientStorage, http.StatusServiceUnavailable:
		if res.Header.Get("Retry-After") == "" || res.Header.Get("Content-Type") != "application/problem+json" || !bytes.Contains(text, []byte(`"disk-full"`)) {
			b.t.Errorf("on a full disk: %d %v %s", res.StatusCode, res.Header, text)
		}
	default:
		b.t.Errorf("%s %s %d: %d %s", path, no, n, res.StatusCode, text)
	}
	return res.StatusCode
}

// fill takes what is left of the disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// eventually asks until the answer is the one wanted.
func eventually(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// A disk that is full, really: requests are refused before anything is accepted,
// others pass, a sudden end changes nothing, and when there is room again, or
// what is kept was sent, all is well by itself.
func TestRules1_2And7_2_AFullDiskLosesNothing(t *testing.T) {
	if os.Getenv(apart) == "" {
		runApart(t, syscall.CLONE_NEWNS)
		return
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "data")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil { // nobody else is to see it
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m,mode=0700"); err != nil {
		t.Fatal("a small disk can't be mounted here: ", err)
	}
	defer func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) }()
	holdfast := harness.Build(t, dir, "holdfast/cmd/holdfast")
	relayAt, adminAt := freePort(t), freePort(t)
	shop := &till{t: t, address: freePort(t), got: map[string][]int{}}
	other := &till{t: t, address: freePort(t), got: map[string][]int{}}
	other.open()
	defer other.srv.Close()
	text := strings.NewReplacer("RELAY", relayAt, "ADMIN", adminAt, "SHOP", shop.address, "OTHER", other.address).Replace(diskConfig)
	if err := os.WriteFile(filepath.Join(dir, "relay.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	relay := &program{t: t, path: holdfast, args: []string{"relay", "--config", filepath.Join(dir, "relay.yaml")}, url: "http://" + adminAt + "/readyz"}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	defer func() {
		if t.Failed() {
			t.Log(relay.log.Tail())
		}
	}()
	defer relay.signal(syscall.SIGKILL)
	b := &buyer{t: t, relay: relayAt, next: map[string]int{}, told: map[string][]int{}}
	check := func(when string, pending bool) {
		t.Helper()
		books, err := status(ctx, holdfast, dir)
		if err != nil || !books.balanced() || books.Refused+books.Dead+books.Discarded+books.Parked > 0 || pending != (books.pending() > 0) {
			t.Fatalf("%s: %+v %v", when, books, err)
		}
	}
	buyUntilFull := func() {
		t.Helper()
		full := 0
		for n := 0; full < 20; n++ {
			if ctx.Err() != nil {
				t.Fatal("the disk never was full")
			}
			if b.buy("/api/orders/", fmt.Sprint("K", n%7), 40_000) != http.StatusAccepted {
				full++
			}
		}
	}
	passes := func(when string) {
		t.Helper()
		for n := range 5 {
			if got := b.buy("/other/", fmt.Sprint("O", n), 100); got != http.StatusCreated {
				t.Errorf("%s, what would pass is answered %d", when, got)
			}
		}
	}
	refused := func(when string) {
		t.Helper()
		for n := range 5 {
			if got := b.buy("/api/orders/", fmt.Sprint("K", n), 400_000); got == http.StatusAccepted || got == http.StatusCreated {
				t.Errorf("%s: %d", when, got)
			}
		}
	}
	roomAgain := func(when string) {
		t.Helper()
		eventually(ctx, t, when, func() bool { return b.buy("/api/orders/", "K0", 40_000) == http.StatusAccepted })
	}

	ballast, rest := filepath.Join(disk, "ballast"), filepath.Join(disk, "rest")
	if err := os.WriteFile(ballast, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	relay.start()
	relay.ready(ctx)
	passes("with room")
	buyUntilFull()
	fill(t, rest)
	refused("on a full disk")
	passes("on a full disk")
	check("on a full disk", true)

	relay.signal(syscall.SIGKILL)
	fill(t, rest) // nobody makes room for what comes up
	relay.start()
	relay.ready(ctx)
	refused("after kill -9 on a full disk")
	passes("after kill -9 on a full disk")
	check("after kill -9 on a full disk", true)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	roomAgain("requests are kept once there is room again")
	buyUntilFull()
	fill(t, rest)
	refused("on the disk that is full again")

	shop.open()
	defer shop.srv.Close()
	drained(ctx, t, holdfast, dir, relay)
	check("after the drain", false)
	passes("after the drain")
	_ = shop.srv.Close()
	roomAgain("requests are kept in the room of those that were sent")
	shop.open()
	drained(ctx, t, holdfast, dir, relay)
	relay.signal(syscall.SIGTERM)

	for _, s := range []*till{shop, other} {
		for no, got := range s.got {
			if !slices.Equal(got, b.told[no]) {
				t.Errorf("order %s: the shop has %v, its buyer was told %v", no, got, b.told[no])
			}
			delete(b.told, no)
		}
	}
	if len(b.told) > 0 {
		t.Errorf("the shop never got %v", b.told)
	}
	// #nosec G204 -- built by this test
	if out, err := exec.CommandContext(ctx, holdfast, "journal", "verify", "--dir", dir).CombinedOutput(); err != nil {
		t.Errorf("journal verify: %v\n%s", err, out)
	}
}
