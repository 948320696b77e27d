package respond

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/demo"
	"holdfast/internal/demo/customers"
)

// TestReleasesByHand: the world of an upgrade, in which a person puts v2.1 in the place
// of v1 by the commands that an upgrade has, while customers order.
func TestReleasesByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, demo.Options{Releases: true}, quiet) // else an incident would restart the shop meanwhile
	run := func(args ...string) string {
		t.Helper()
		out, err := w.Holdfast(t.Context(), args...)
		w.did(err, "holdfast %s", strings.Join(args, " "))
		return strings.TrimSpace(out)
	}
	dsn := filepath.Join(w.Folder, "shop.dsn")
	hand := func(args ...string) { run(append([]string{"demo", "hand", w.HandsURL()}, args...)...) }
	shop := func(args ...string) string { return run(append([]string{"demo", "shop"}, args...)...) }

	ledger, err := customers.NewLedger(filepath.Join(w.Folder, "customers.jsonl"))
	w.did(err, "ledger")
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	clients := customers.NewClients(w.CustomersURL(), time.Now(), customers.NewStream("hand", seed, 40, 500), ledger)
	ordering, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- clients.Run(ordering, 40, 10, seed) }()
	ordered := func(more int) {
		t.Helper()
		from := ledger.Count()
		w.until(30*time.Second, "customers order", func(context.Context) (bool, string) { return ledger.Count() >= from+more, "" })
	}

	ordered(100)
	if v := shop("version", "--url", w.ShopURL()); v != "v1" {
		t.Fatalf("%s runs", v)
	}
	run("mode", "orders", "hold", "--why", "upgrade", "--config", "relay.yaml")
	ordered(40)
	for _, release := range []string{"v2.1", "v1", "v2.1"} { // up, down and up again
		how := map[string]string{"v1": "to", "v2.1": "up"}[release]
		hand("stop")
		hand("stop")
		hand("put", release)
		shop("migrate", how, "--release", release, "--dsn-file", dsn)
		hand("start")
		hand("start")
		if v := shop("version", "--url", w.ShopURL()); v != release {
			t.Fatalf("%s runs, want %s", v, release)
		}
		shop("invariants", "--dsn-file", dsn)
	}
	if schema := shop("migrate", "schema", "--dsn-file", dsn); schema != "2" {
		t.Fatalf("schema %s", schema)
	}
	run("mode", "orders", "auto", "--why", "done", "--config", "relay.yaml")
	ordered(100)
	stop()
	w.did(<-ended, "customers")
	w.until(40*time.Second, "everything is delivered", func(ctx context.Context) (bool, string) {
		r, err := w.Route(ctx)
		return err == nil && string(r.Mode) == "pass" && r.Counters.Pending == 0, ""
	})
	books, err := w.DB.Read(t.Context(), "hand")
	w.did(err, "the shop's books")
	tally := customers.Count(ledger.Since(0), books)
	if tally.Errors != 0 || !tally.Books.Clean() || tally.Accepted == 0 || tally.Delivered != tally.Accepted {
		t.Errorf("%+v", tally)
	}
	shop("invariants", "--dsn-file", dsn)
	w.did(ledger.Close(), "ledger")
}
