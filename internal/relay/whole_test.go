package relay_test

import (
	"net"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/health"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/relay"
)

// realBooks opens a ledger over a journal on disk.
func realBooks(t *testing.T, dir string, routes ...continuity.Route) (l *ledger.Ledger, shut func()) {
	t.Helper()
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	log, _, err := journal.Open(journal.Options{Dir: dir, Ring: ring, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l, _, err = ledger.Open(ledger.Options{Log: log, Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	shut = sync.OnceFunc(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(shut)
	return l, shut
}

// The live path over the real ledger, through an outage and a restart.
func TestThroughAnOutageWithTheRealLedger(t *testing.T) {
	dir := t.TempDir()
	var books *ledger.Ledger
	var shut func()
	start := func(h *house, o *relay.Options) {
		books, shut = realBooks(t, dir, h.route)
		o.Ledger = books
	}
	watched := func(h *house) *house {
		monitor := health.New(health.Options{
			Route: &h.route, Switches: books, Pending: func() bool { return !books.GateEmpty("orders") },
		})
		h.rebind(monitor)
		return h
	}
	h := watched(open(t, start))
	wantStatus(t, h.post(order("A"), "Idempotency-Key: a1"), 201)
	h.shop.next(func(c net.Conn) { reset(c) })
	lost := wantHeld(t, h.post(order("L"), "Idempotency-Key: l1"))
	h.shop.close()
	h.rebind(h.monitor)
	held := wantHeld(t, h.post(order("A"), "Idempotency-Key: a2"))
	behind := wantHeld(t, h.post(order("A"), "Idempotency-Key: a3"))
	if intake, replay := books.Effective("orders"); intake != continuity.IntakeHold || replay != continuity.ReplayOff {
		t.Errorf("the route is at %s, %s", intake, replay)
	}
	shut()

	// The same journal, another process, and the shop is back.
	h = watched(open(t, start))
	for _, again := range []struct {
		key, no string
		receipt continuity.Receipt
	}{{"l1", "L", lost}, {"a2", "A", held}, {"a3", "A", behind}} {
		if got := wantHeld(t, h.post(order(again.no), "Idempotency-Key: "+again.key)); got != again.receipt {
			t.Errorf("%s: another receipt after the restart", again.key)
		}
		wantProblem(t, h.post(order("X"), "Idempotency-Key: "+again.key), 422, "mismatch")
	}
	if st, _ := books.Status(lost); st.State != continuity.InDoubt || st.Attempts != 1 {
		t.Errorf("the lost one is %s after %d attempts", st.State, st.Attempts)
	}
	if err := books.Switch(continuity.Switch{Route: "orders", Owner: continuity.OwnerHealth, Lift: true}); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, h.post(order("A"), "Idempotency-Key: a4")) // still behind its key
	wantStatus(t, h.post(order("B"), "Idempotency-Key: b1"), 201)

	for range 3 { // the three of key A, in order
		st, ok := books.Claim("orders")
		if !ok {
			t.Fatal("nothing to replay")
		}
		if _, err := books.Attempt(st.Receipt); err != nil {
			t.Fatal(err)
		}
		rec, err := books.Record(st.Position)
		if err != nil {
			t.Fatal(err)
		}
		response := &continuity.Response{Status: 201, Header: []continuity.Field{{Name: "X-Shop", Value: "late"}}, Body: []byte("made " + rec.IdempotencyKey)}
		if _, err := books.Finish(continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: response}); err != nil {
			t.Fatal(err)
		}
	}
	if r := h.post(order("A"), "Idempotency-Key: a2"); r.status != 201 || r.body != "made a2" || r.header.Get("Holdfast-State") != "repeat" {
		t.Errorf("once ended: %s", r)
	}
	if r := h.do("GET", "/.holdfast/receipts/"+behind.String(), ""); r.status != 200 || !strings.Contains(r.body, `"state":"delivered"`) || !strings.Contains(r.body, "made a3") {
		t.Errorf("receipt: %s", r)
	}
	wantStatus(t, h.post(order("A"), "Idempotency-Key: a5"), 201) // key A has left the gate
	wantHeld(t, h.post(order("L"), "Idempotency-Key: l2"))        // key L has not
}

// Copies of one request that come together are one request.
func TestRule5_2_CopiesTogetherWithTheRealLedger(t *testing.T) {
	var books *ledger.Ledger
	h := open(t, func(h *house, o *relay.Options) {
		books, _ = realBooks(t, t.TempDir(), h.route)
		o.Ledger = books
	})
	if err := books.Switch(continuity.Switch{Route: "orders", Owner: "operator", Intake: continuity.IntakeHold}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r, err := read(h.send(request("POST", "/orders", order("A"), "Idempotency-Key: same")), "POST")
			if err != nil || r.status != 202 && r.status != 409 {
				t.Errorf("answered %s, %v", r, err)
			}
		})
	}
	wg.Wait()
	if c := books.Counters("orders"); c.Accepted != 1 || c.Queued != 1 {
		t.Errorf("counters %+v, want one record", c)
	}
}
