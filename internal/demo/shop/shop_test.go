package shop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"holdfast/internal/pgtest"
)

// TestMain lets the test binary be the shop, so that tests can kill a real one.
func TestMain(m *testing.M) {
	if os.Getenv("SHOP_TEST_MAIN") == "1" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := Run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

// databases lists an option set for each kind of database, freshly made.
func databases(t *testing.T) map[string]options {
	t.Helper()
	return map[string]options{
		"sqlite":     {db: filepath.Join(t.TempDir(), "a shop?.db"), goods: 3, customers: 2},
		"postgresql": {dsn: pgtest.Database(t), goods: 3, customers: 2},
	}
}

// open opens a shop and serves it, until the test ends.
func open(t *testing.T, o options) (*store, *httptest.Server) {
	t.Helper()
	shop, err := openStore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shop.Close)
	server := httptest.NewServer(handler(shop, 0))
	t.Cleanup(server.Close)
	return shop, server
}

type call struct {
	method, path, key, body string
	status                  int
	want                    string // part of the answer
}

func TestEffectsAndRepeats(t *testing.T) {
	const order = `{"order_no":"A1","customer":"c001","sku":"sku-0001","qty":2,"total":"10.00","currency":"CNY","ref":"r1"}`
	const other = `{"order_no":"A1","customer":"c001","sku":"sku-0001","qty":3,"total":"15.00","currency":"CNY"}`
	const change = `{"sku":"sku-0002","qty":5,"total":"25.00","currency":"CNY"}`
	calls := []call{
		{"GET", "/healthz", "", "", 200, "ok"},
		{"GET", "/api/orders/A1", "", "", 404, "unknown-order"},
		{"PUT", "/api/orders/A1", "k0", change, 404, "unknown-order"},
		{"POST", "/api/orders", "k1", order, 201, `"version":1`},
		{"POST", "/api/orders", "k1", order, 201, `"version":1`},
		{"POST", "/api/orders", "k1", other, 422, "idempotency-key-reused"},
		{"POST", "/api/orders", "k2", order, 201, `"version":1`},
		{"POST", "/api/orders", "", order, 201, `"version":1`},
		{"POST", "/api/orders", "", other, 409, "order-exists"},
		{"PUT", "/api/orders/A1", "k3", change, 200, `"qty":5`},
		{"PUT", "/api/orders/A1", "k0", change, 200, `"version":3`}, // the 404 above was not kept
		{"PUT", "/api/orders/A1", "k3", change, 200, `"version":2`},
		{"POST", "/api/orders", "k1", order, 201, `"version":1`}, // the first answer, not the present state
		{"GET", "/api/orders/A1", "", "", 200, `"sku":"sku-0002"`},
		{"GET", "/api/goods?limit=2", "", "", 200, `"stock":1000000},{"sku":"sku-0002"`}, // given back when the SKU changed
		{"DELETE", "/api/orders/A1", "k4", `{"order_no":"A1","ref":"r4"}`, 200, `"state":"cancelled"`},
		{"DELETE", "/api/orders/A1", "k4", `{"order_no":"A1","ref":"r4"}`, 200, `"state":"cancelled"`},
		{"DELETE", "/api/orders/A1", "", "", 200, `"version":4`},
		{"PUT", "/api/orders/A1", "", strings.Replace(change, "{", `{"order_no":"A2",`, 1), 400, "bad-order"},
		{"PUT", "/api/orders/A1", "k5", change, 409, "order-cancelled"},
		{"DELETE", "/api/orders/B9", "", "", 404, "unknown-order"},
		{"POST", "/api/orders", "", strings.Replace(order, "c001", "nobody", 1), 422, "unknown-customer"},
		{"POST", "/api/orders", "", strings.Replace(strings.Replace(order, "A1", "A2", 1), "sku-0001", "sku-9", 1), 422, "unknown-goods"},
		{"POST", "/api/orders", "", strings.Replace(strings.Replace(order, "A1", "A2", 1), `"qty":2`, `"qty":1000000`, 1), 201, "A2"},
		{"POST", "/api/orders", "", strings.Replace(order, "A1", "A3", 1), 409, "out-of-stock"},
		{"GET", "/api/orders/A3", "", "", 404, "unknown-order"},
		{"POST", "/api/orders", "", `{"order_no":"A4"}`, 400, "bad-order"},
		{"POST", "/api/orders", "", `{"surprise":1}`, 400, "bad-order"},
		{"POST", "/api/orders", "", strings.Replace(order, "10.00", "1e9", 1), 400, "bad-order"},
		{"GET", "/api/customers", "", "", 200, `"c002"`},
	}
	wantEvents := "A1/1 created k1 r1, A1/2 changed k3 , A1/3 changed k0 , A1/4 cancelled k4 r4, A2/1 created  r1"

	for _, r := range releases {
		for name, o := range databases(t) {
			t.Run(r.name+" "+name, func(t *testing.T) {
				o.release = r.name
				shop, server := open(t, o)
				for i, c := range calls {
					status, body := send(t, server.URL, c)
					if status != c.status || !strings.Contains(body, c.want) {
						t.Errorf("call %d, %s %s key %q: %d %s, want %d with %s", i, c.method, c.path, c.key, status, body, c.status, c.want)
					}
				}
				if got := eventLine(t, shop); got != wantEvents {
					t.Errorf("events\n%s, want\n%s", got, wantEvents)
				}
				sound(t, shop)
			})
		}
	}
}

// TestSameOrderAtOnce sends the same requests from many clients at once: one
// effect, one answer.
func TestSameOrderAtOnce(t *testing.T) {
	for name, o := range databases(t) {
		t.Run(name, func(t *testing.T) {
			shop, server := open(t, o)
			var all sync.WaitGroup
			for client := range 8 {
				all.Go(func() {
					for n := range 10 {
						c := call{method: "POST", path: "/api/orders", body: orderBody(n)}
						if client%2 == 0 {
							c.key = fmt.Sprintf("k%d", n)
						}
						if status, body := send(t, server.URL, c); status != 201 {
							t.Errorf("order %d: %d %s", n, status, body)
						}
					}
				})
			}
			all.Wait()
			var events, stock int64
			if err := shop.read.QueryRow(`SELECT count(*) FROM events`).Scan(&events); err != nil {
				t.Fatal(err)
			}
			if err := shop.read.QueryRow(`SELECT stock FROM goods WHERE sku = 'sku-0001'`).Scan(&stock); err != nil {
				t.Fatal(err)
			}
			if events != 10 || stock != 1_000_000-10 {
				t.Errorf("%d events and %d in stock, want 10 and 999990", events, stock)
			}
		})
	}
}

// TestKilledShopKeepsWhatItAnswered kills a real shop under load, starts it
// again on the same database and asks for everything it had acknowledged.
func TestKilledShopKeepsWhatItAnswered(t *testing.T) {
	for name, o := range databases(t) {
		t.Run(name, func(t *testing.T) {
			first := start(t, o)
			var (
				mu    sync.Mutex
				acked []int
				all   sync.WaitGroup
			)
			enough := make(chan struct{})
			for client := range 4 {
				all.Go(func() {
					for n := client; ; n += 4 {
						status, err := post(first.url, n)
						if err != nil {
							return // the shop is dead
						}
						if status != 201 {
							t.Errorf("order %d: %d", n, status)
							return
						}
						mu.Lock()
						acked = append(acked, n)
						if len(acked) == 100 {
							close(enough)
						}
						mu.Unlock()
					}
				})
			}
			<-enough
			if err := first.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			all.Wait()

			second := start(t, o)
			for _, n := range acked {
				if status, body := send(t, second.url, call{method: "GET", path: fmt.Sprintf("/api/orders/N%d", n)}); status != 200 {
					t.Errorf("order %d was acknowledged and is lost: %d %s", n, status, body)
				}
				if status, err := post(second.url, n); status != 201 || err != nil {
					t.Errorf("repeat of order %d: %d %v", n, status, err)
				}
			}
			shop, err := openStore(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer shop.Close()
			var doubled int
			if err := shop.read.QueryRow(`SELECT count(*) FROM (SELECT ref FROM events GROUP BY ref HAVING count(*) > 1) AS twice`).Scan(&doubled); err != nil {
				t.Fatal(err)
			}
			if doubled != 0 {
				t.Errorf("%d orders have two events", doubled)
			}
			if err := second.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := second.cmd.Wait(); err != nil {
				t.Errorf("SIGTERM: %v, want a clean end", err)
			}
		})
	}
}

func TestBeyondCapacityIsRefused(t *testing.T) {
	server := httptest.NewServer(bounded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}), 1)) // one a second: the second request at once would wait longer than it may
	defer server.Close()
	statuses := make([]int, 2)
	for i := range statuses {
		response, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		statuses[i] = response.StatusCode
		if i == 1 && response.Header.Get("Retry-After") != "1" {
			t.Error("no Retry-After")
		}
	}
	if statuses[0] != 204 || statuses[1] != 503 {
		t.Errorf("statuses %v, want 204 and 503", statuses)
	}
}

func orderBody(n int) string {
	return fmt.Sprintf(`{"order_no":"N%d","customer":"c001","sku":"sku-0001","qty":1,"total":"1.00","currency":"CNY","ref":"ref-%d"}`, n, n)
}

func post(url string, n int) (int, error) {
	response, err := http.Post(url+"/api/orders", "application/json", strings.NewReader(orderBody(n)))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	return response.StatusCode, nil
}

func send(t *testing.T, url string, c call) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.key != "" {
		request.Header.Set("Idempotency-Key", c.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	if !json.Valid(body) {
		t.Errorf("%s %s: not JSON: %s", c.method, c.path, body)
	}
	return response.StatusCode, string(body)
}

func eventLine(t *testing.T, shop *store) string {
	t.Helper()
	rows, err := shop.read.Query(`SELECT order_no, order_seq, kind, idempotency_key, ref FROM events ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var events []string
	for rows.Next() {
		var no, kind, key, ref string
		var seq int
		if err := rows.Scan(&no, &seq, &kind, &key, &ref); err != nil {
			t.Fatal(err)
		}
		events = append(events, fmt.Sprintf("%s/%d %s %s %s", no, seq, kind, key, ref))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(events, ", ")
}

type process struct {
	cmd *exec.Cmd
	url string
}

// start runs the shop as a process of its own, with more flags, and waits for its address.
func start(t *testing.T, o options, more ...string) process {
	t.Helper()
	args := []string{"--listen", "127.0.0.1:0", "--db", o.db, "--dsn", o.dsn, "--goods", "3", "--customers", "2"}
	cmd := exec.Command(os.Args[0], append(args, more...)...)
	cmd.Env = append(os.Environ(), "SHOP_TEST_MAIN=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("shop said %q: %v\n%s", line, err, stderr.String())
	}
	return process{cmd, "http://" + strings.Fields(line)[2]}
}
