package kill

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the shop's database is read as it stands

	"holdfast/test/harness"
)

var (
	cycles = flag.Int("kill.cycles", 15, "how often something is killed")
	seed   = flag.Uint64("kill.seed", uint64(time.Now().UnixNano()), "decides who is killed, and when")
)

const customers = 12

// request is one line of the customers' ledger.
type request struct {
	ref      string
	order    string
	told     int // the status that acknowledged it; 0: never
	receipts []string
	cut      int // connections that broke, or refused
	later    int // 503: ask again
	wrong    string
}

// customer makes one request after the other about an order, and asks again,
// under the same Idempotency-Key, until it has been answered.
type customer struct {
	n        int
	relay    string
	client   *http.Client
	requests []*request
	answered *atomic.Int64
}

func (c *customer) work(ctx context.Context) {
	for order := 0; ; order++ {
		no := fmt.Sprintf("K%d-%d", c.n, order)
		for step := range 4 {
			r := &request{ref: fmt.Sprintf("%s.%d", no, step), order: no}
			method, path := "PUT", "/api/orders/"+no
			if step == 0 {
				method, path = "POST", "/api/orders"
			}
			body := fmt.Sprintf(`{"order_no":%q,"customer":"c%03d","sku":"sku-%04d","qty":1,"total":"%d.00","currency":"CNY","ref":%q}`, no, c.n+1, c.n+1, step+1, r.ref)
			if ctx.Err() != nil {
				return
			}
			c.requests = append(c.requests, r)
			if !c.ask(ctx, r, method, path, body) {
				return
			}
			c.answered.Add(1)
		}
	}
}

func (c *customer) ask(ctx context.Context, r *request, method, path, body string) bool {
	for {
		req, err := http.NewRequest(method, "http://"+c.relay+path, strings.NewReader(body))
		if err != nil {
			r.wrong = err.Error()
			return false
		}
		req.GetBody = nil // nobody but us asks again
		req.Header.Set("Idempotency-Key", r.ref)
		req.Header.Set("Content-Type", "application/json")
		res, err := c.client.Do(req)
		if err != nil {
			r.cut++
		} else {
			text, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			switch {
			case res.StatusCode < 300:
				r.told = res.StatusCode
				if at := res.Header.Get("Location"); res.StatusCode == http.StatusAccepted && at != "" {
					r.receipts = append(r.receipts, at)
				}
				return true
			case res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusConflict || res.StatusCode >= 502:
				r.later++
			default:
				r.wrong = fmt.Sprintf("%d %s", res.StatusCode, text)
				return false
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(25 * time.Millisecond):
		}
	}
}

const config = `schema: holdfast/relay@1
listen: RELAY
admin: {listen: ADMIN}
data: data
routes:
  - id: orders
    match: {path: /api/orders/**, methods: [POST, PUT, DELETE]}
    upstream: http://SHOP
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, age: 24h}
    answer: {status: 202}
    capacity: 2000/s
    ramp: {start: 50%, window: 1s}
    timeouts: {connect: 500ms, attempt: 1s}
    settle: 1s
    detect: {follow: 3s, check: {path: /healthz, every: 100ms, up: 1}}
`

// world is a relay before a shop, with customers.
type world struct {
	t           *testing.T
	ctx         context.Context
	dir         string
	holdfast    string // the program
	database    string // the shop's
	relayAt     string
	shop, relay *program

	working  context.Context // done when the customers are to stop
	stop     func()
	answered atomic.Int64
	all      []*customer
	wg       sync.WaitGroup
}

// newWorld starts a relay and a shop at an address; in is what a command begins
// with that is to run where the shop is.
func newWorld(t *testing.T, shopAt string, in ...string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, holdfast: harness.Build(t, dir, "holdfast/cmd/holdfast"), database: filepath.Join(dir, "shop.db"), relayAt: freePort(t)}
	shopPath, adminAt := harness.Build(t, dir, "holdfast/examples/shop"), freePort(t)
	text := strings.NewReplacer("RELAY", w.relayAt, "ADMIN", adminAt, "SHOP", shopAt).Replace(config)
	if err := os.WriteFile(filepath.Join(dir, "relay.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command := append(slices.Clone(in), shopPath, "--listen", shopAt, "--db", w.database)
	w.shop = &program{t: t, path: command[0], args: command[1:], url: "http://" + shopAt + "/healthz"}
	w.relay = &program{t: t, path: w.holdfast, args: []string{"relay", "--config", filepath.Join(dir, "relay.yaml")}, url: "http://" + adminAt + "/readyz"}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	w.ctx = ctx
	t.Cleanup(func() { w.shop.signal(syscall.SIGKILL); w.relay.signal(syscall.SIGKILL) })
	w.shop.start()
	w.relay.start()
	w.shop.ready(ctx)
	w.relay.ready(ctx)
	return w
}

func (w *world) open() {
	w.working, w.stop = context.WithCancel(w.ctx)
	for n := range customers {
		c := &customer{n: n, relay: w.relayAt, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, answered: &w.answered}
		w.all = append(w.all, c)
		w.wg.Go(func() {
			if c.work(w.working); w.working.Err() == nil { // refused: compare tells what
				w.stop()
			}
		})
	}
}

// until waits for n more answers.
func (w *world) until(n int) { until(w.working, w.answered.Load()+int64(n), &w.answered) }

func (w *world) check(when string) {
	w.t.Helper()
	b, err := status(w.ctx, w.holdfast, w.dir)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", when, err, w.relay.log.Tail())
	}
	if !b.balanced() || b.Refused+b.Dead+b.Discarded+b.Parked > 0 {
		w.t.Fatalf("%s: %+v", when, b)
	}
}

// close ends the customers, drains, and compares everything.
func (w *world) close() {
	t := w.t
	t.Helper()
	if w.ctx.Err() != nil {
		t.Errorf("customers were stuck after %d answers", w.answered.Load())
	}
	w.stop()
	w.wg.Wait()
	drained(w.ctx, t, w.holdfast, w.dir, w.relay)
	w.check("at the end")
	compare(t, w.all, w.database)
	receipts(t, w.all, w.relayAt)
	w.relay.signal(syscall.SIGTERM)
	// #nosec G204 -- built by this test
	if out, err := exec.CommandContext(w.ctx, w.holdfast, "journal", "verify", "--dir", w.dir).CombinedOutput(); err != nil {
		t.Errorf("journal verify: %v\n%s", err, out)
	}
}

func TestRules1To4_KillNineLosesDoublesReordersNothing(t *testing.T) {
	t.Logf("seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 9)) // #nosec G404 -- a test's choice
	w := newWorld(t, freePort(t))
	w.open()
	for cycle := 0; cycle < *cycles && w.working.Err() == nil; cycle++ {
		w.until(20 + rng.IntN(120))
		who := rng.IntN(3)
		if who != 0 {
			w.shop.signal(syscall.SIGKILL)
		}
		if who != 1 {
			w.relay.signal(syscall.SIGKILL)
			w.relay.start()
			w.relay.ready(w.ctx)
			w.check(fmt.Sprintf("after recovery %d", cycle))
		}
		if who != 0 { // orders go on while the shop is down
			w.until(rng.IntN(60))
			if rng.IntN(2) == 0 { // and even the relay goes meanwhile
				w.relay.signal(syscall.SIGKILL)
				w.relay.start()
				w.relay.ready(w.ctx)
				w.until(rng.IntN(60))
			}
			w.shop.start()
			w.shop.ready(w.ctx)
		}
	}
	w.close()
}

// until waits until n requests have been answered, or nobody asks any more.
func until(working context.Context, n int64, answered *atomic.Int64) {
	for answered.Load() < n {
		select {
		case <-working.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func drained(ctx context.Context, t *testing.T, holdfast, dir string, relay *program) {
	t.Helper()
	for {
		b, err := status(ctx, holdfast, dir)
		if err == nil && b.pending() == 0 {
			t.Logf("books: %+v", b)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not drained: %+v, %v\n%s", b, err, relay.log.Tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// compare holds the customers' ledger against the shop's database.
func compare(t *testing.T, all []*customer, database string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("select order_no, ref from events order by seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	arrived := map[string][]string{}
	for rows.Next() {
		var order, ref string
		if err := rows.Scan(&order, &ref); err != nil {
			t.Fatal(err)
		}
		arrived[order] = append(arrived[order], ref)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	asked := map[string][]*request{}
	told, held, cut, later := 0, 0, 0, 0
	for _, c := range all {
		for _, r := range c.requests {
			asked[r.order] = append(asked[r.order], r)
			cut += r.cut
			later += r.later
			if r.wrong != "" {
				t.Errorf("%s was answered %s", r.ref, r.wrong)
			}
			if r.told != 0 {
				told++
			}
			if r.told == http.StatusAccepted {
				held++
			}
		}
	}
	t.Logf("%d requests acknowledged, %d of them held; %d connections cut, %d told to come later", told, held, cut, later)
	if held == 0 {
		t.Error("nothing was held: the test has tested nothing")
	}
	for order, requests := range asked {
		var want []string // an unanswered last request may or may not have arrived
		for _, r := range requests {
			if r.told != 0 || slices.Contains(arrived[order], r.ref) {
				want = append(want, r.ref)
			}
		}
		if !slices.Equal(arrived[order], want) {
			t.Errorf("order %s: the shop has %v, customers were told %v", order, arrived[order], want)
		}
	}
}

// receipts asks for every receipt that was given out.
func receipts(t *testing.T, all []*customer, relay string) {
	t.Helper()
	for _, c := range all {
		for _, r := range c.requests {
			for _, at := range r.receipts {
				res, err := http.Get("http://" + relay + at[strings.Index(at, "/."):]) // #nosec G107 -- on loopback
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(`"delivered"`)) {
					t.Errorf("%s: receipt %s says %d %s", r.ref, at, res.StatusCode, text)
				}
			}
		}
	}
}
