package kill

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/test/harness"
)

// restored is a shop that is put back to an earlier moment.
type restored struct {
	t        *testing.T
	ctx      context.Context
	holdfast string
	dir      string
	database string
	customer *customer
	want     map[string][]string // an order's requests, in order
}

// order makes an order and changes it.
func (r *restored) order(no string, changes int) {
	r.t.Helper()
	for step := range changes + 1 {
		method, path := "PUT", "/api/orders/"+no
		if step == 0 {
			method, path = "POST", "/api/orders"
		}
		r.ask(method, path, no)
	}
}

func (r *restored) ask(method, path, no string) {
	r.t.Helper()
	ref := fmt.Sprintf("%s.%d", no, len(r.want[no]))
	r.want[no] = append(r.want[no], ref)
	body := fmt.Sprintf(`{"order_no":%q,"customer":"c001","sku":"sku-0001","qty":1,"total":"%d.00","currency":"CNY","ref":%q}`, no, len(r.want[no]), ref)
	req := &request{ref: ref, order: no}
	if !r.customer.ask(r.ctx, req, method, path, body) {
		r.t.Fatalf("%s: %s", ref, req.wrong)
	}
}

func (r *restored) run(person string, args ...string) (string, error) {
	args = append(args, "--dir", r.dir, "--person", person, "--why", "restoring the shop")
	out, err := exec.CommandContext(r.ctx, r.holdfast, args...).CombinedOutput() // #nosec G204 -- built by this test
	return string(out), err
}

func (r *restored) must(person string, args ...string) string {
	r.t.Helper()
	out, err := r.run(person, args...)
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

type planned struct {
	Plan              string
	Missing, Appended int
}

func (r *restored) replay(person, since string, more ...string) planned {
	r.t.Helper()
	out := r.must(person, append([]string{"replay", "--route", "orders", "--since", since, "--json"}, more...)...)
	var p planned
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		r.t.Fatalf("%v in %s", err, out)
	}
	return p
}

// has reads what the shop has of each order, in order.
func (r *restored) has() map[string][]string {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+r.database+"?mode=ro")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("select order_no, ref from events order by seq")
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var no, ref string
		if err := rows.Scan(&no, &ref); err != nil {
			r.t.Fatal(err)
		}
		all[no] = append(all[no], ref)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// backUp copies the database while the shop runs.
func (r *restored) backUp(to string) {
	r.t.Helper()
	db, err := sql.Open("sqlite", "file:"+r.database)
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("VACUUM INTO ?", to); err != nil {
		r.t.Fatal(err)
	}
}

// The shop's database is put back to an earlier moment. What it lost is brought
// back, whether it had passed or had been held, although the relay is killed on
// the way; each request is there once, those of an order in their order.
func TestRule12_ARestoredShopGetsBackWhatItLost(t *testing.T) {
	for name, applied := range map[string]string{"by Idempotency-Key": "applied: select idempotency_key from idempotency", "by key": "methods: POST"} {
		t.Run(name, func(t *testing.T) { restoreShop(t, applied) })
	}
}

func restoreShop(t *testing.T, applied string) {
	dir := t.TempDir()
	holdfast, shopPath := harness.Build(t, dir, "holdfast/cmd/holdfast"), harness.Build(t, dir, "holdfast/examples/shop")
	relayAt, adminAt, shopAt := freePort(t), freePort(t), freePort(t)
	database := filepath.Join(dir, "shop.db")
	text := strings.NewReplacer("RELAY", relayAt, "ADMIN", adminAt, "SHOP", shopAt).Replace(config) + fmt.Sprintf(`    record: all
    keep: 7d
    reconcile:
      driver: sqlite
      dsn: {value: %s}
      query: select order_no from orders
      %s
`, database, applied)
	if err := os.WriteFile(filepath.Join(dir, "relay.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := &program{t: t, path: shopPath, args: []string{"--listen", shopAt, "--db", database}, url: "http://" + shopAt + "/healthz"}
	relay := &program{t: t, path: holdfast, args: []string{"relay", "--config", filepath.Join(dir, "relay.yaml")}, url: "http://" + adminAt + "/readyz"}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	defer shop.signal(syscall.SIGKILL)
	defer relay.signal(syscall.SIGKILL)
	shop.start()
	relay.start()
	shop.ready(ctx)
	relay.ready(ctx)
	c := &customer{relay: relayAt, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, answered: &atomic.Int64{}}
	r := &restored{t: t, ctx: ctx, holdfast: holdfast, dir: dir, database: database, customer: c, want: map[string][]string{}}

	for n := range 8 { // before the backup
		r.order(fmt.Sprint("old-", n), 1)
	}
	since := time.Now().UTC().Format(time.RFC3339Nano)
	backup := filepath.Join(dir, "backup.db")
	r.backUp(backup)
	for n := range 8 { // passed
		r.order(fmt.Sprint("passed-", n), 2)
		r.ask("PUT", fmt.Sprint("/api/orders/old-", n), fmt.Sprint("old-", n))
		if n == 4 {
			relay.signal(syscall.SIGKILL)
			relay.start()
			relay.ready(ctx)
		}
	}
	shop.signal(syscall.SIGKILL)
	for n := range 8 { // held, and delivered
		r.order(fmt.Sprint("held-", n), 1)
	}
	shop.start()
	shop.ready(ctx)
	drained(ctx, t, holdfast, dir, relay)
	shop.signal(syscall.SIGKILL)
	for n := range 8 { // they wait, behind what will be missing
		r.ask("PUT", fmt.Sprint("/api/orders/passed-", n), fmt.Sprint("passed-", n))
	}
	r.must("li.wei", "mode", "orders", "hold")

	for _, name := range []string{database, database + "-wal", database + "-shm"} {
		_ = os.Remove(name)
	}
	if err := os.Rename(backup, database); err != nil {
		t.Fatal(err)
	}
	shop.start()
	shop.ready(ctx)

	p := r.replay("li.wei", since)
	if p.Plan == "" || p.Missing < 40 {
		t.Fatalf("%+v", p)
	}
	if out, err := r.run("li.wei", "replay", "--route", "orders", "--since", since, "--approve", p.Plan); err == nil {
		t.Fatalf("one person approved their own plan:\n%s", out)
	}
	killed := make(chan struct{})
	go func() { // on the way
		defer close(killed)
		<-time.After(time.Duration(rand.IntN(60)) * time.Millisecond) // #nosec G404 -- any moment must do
		relay.signal(syscall.SIGKILL)
	}()
	_, _ = r.run("wang.fang", "replay", "--route", "orders", "--since", since, "--approve", p.Plan)
	<-killed
	relay.start()
	relay.ready(ctx)
	if p = r.replay("li.wei", since); p.Missing > 0 {
		p = r.replay("wang.fang", since, "--approve", p.Plan)
		t.Logf("%d were left to bring back", p.Appended)
	}
	if p = r.replay("li.wei", since, "--dry-run"); p.Missing != 0 || p.Plan != "" {
		t.Fatalf("after all was brought back: %+v", p)
	}
	r.order("live", 0) // held behind the person's setting
	r.must("li.wei", "mode", "orders", "auto")
	drained(ctx, t, holdfast, dir, relay)
	has := r.has()
	for _, no := range slices.Sorted(maps.Keys(r.want)) {
		if !slices.Equal(has[no], r.want[no]) {
			t.Errorf("%s: the shop has %v, its customer asked for %v", no, has[no], r.want[no])
		}
	}
	if len(has) != len(r.want) {
		t.Errorf("the shop has %d orders, not %d", len(has), len(r.want))
	}
	if t.Failed() {
		t.Log(relay.log.Tail())
	}
}
