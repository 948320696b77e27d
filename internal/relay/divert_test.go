package relay_test

import (
	"net"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

// second gives the house a standby, with a system of its own behind it.
func second(h *house, _ *relay.Options) {
	h.second = newShop(h.t)
	h.route.Standby = &continuity.Standby{Upstream: "http://" + h.second.listener.Addr().String(), Timeouts: h.route.Timeouts}
}

func (h *house) wantDiverted(n int) {
	h.t.Helper()
	if got := len(h.second.requests()); got != n {
		h.t.Fatalf("%d requests reached the standby, want %d", got, n)
	}
}

func TestDivertSendsToTheStandby(t *testing.T) {
	o := make(observer, 10)
	h := open(t, func(h *house, options *relay.Options) { second(h, nil); options.Observer = o })
	h.books.set("operator:li.wei", continuity.IntakeDivert)
	h.second.next(answer(200, "second"))
	r := h.post(order("A"), "Idempotency-Key: k")
	wantStatus(t, r, 200)
	if got := <-o; r.body != "second" || got != relay.Diverted {
		t.Errorf("answered %s, observed %s", r, got)
	}
	if got := h.second.requests()[0]; got.Header.Get("Idempotency-Key") != "k" || got.Host != "shop.example" || h.second.body(0) != order("A") {
		t.Errorf("the standby got %v %q", got, h.second.body(0))
	}
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
	h.wantSent(0)
	h.wantDiverted(2)
	h.wantKept(0)
	if got := h.health.told(); got != "ok 0 clean 0 lost 0" {
		t.Errorf("health of the first upstream heard %q", got)
	}
}

// Interactive payments are never held: they divert, or nothing.
func TestDivertWhereNothingIsHeld(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) { second(h, nil); h.route.Hold.State = continuity.HoldNever })
	h.books.set("health", continuity.IntakeDivert)
	wantStatus(t, h.post(order("A")), 201)
	h.second.next(nil)
	wantProblem(t, h.post(order("B")), 502, "upstream")
	h.second.next(hang)
	wantProblem(t, h.post(order("C")), 504, "timeout")
	h.second.close()
	h.use(continuity.Limits{})
	wantProblem(t, h.post(order("D")), 503, "not-held")
	h.wantSent(0)
	h.wantKept(0)
}

// What was attempted at the first upstream is not diverted, not even after a
// clean failure, and however health has switched meanwhile.
func TestRule4_7_AttemptedRequestIsNeverDiverted(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) { second(h, nil); h.route.Detect.Then = continuity.IntakeDivert })
	h.health.then = continuity.IntakeDivert
	h.shop.next(nil)
	wantHeld(t, h.post(order("A"))) // lost: in doubt, at the first upstream
	if at := h.wantKept(1)[0]; !at.Lost || at.Upstream != h.route.Upstream {
		t.Errorf("kept %+v", at)
	}
	h.shop.close()
	h.use(continuity.Limits{})
	wantHeld(t, h.post(order("B"))) // refused: health diverts from now on, and this one is kept
	h.wantDiverted(0)
	if b := h.wantKept(2)[1]; b.Lost || b.Upstream != "" {
		t.Errorf("kept %+v", b)
	}
	wantStatus(t, h.post(order("C")), 201)
	h.wantDiverted(1)
}

func TestRule4_7_GatedKeyIsNeverDiverted(t *testing.T) {
	for _, state := range []continuity.HoldState{continuity.HoldOn, continuity.HoldObserve, continuity.HoldNever} {
		h := open(t, second)
		h.books.set("operator", continuity.IntakeHold)
		wantHeld(t, h.post(order("A")))
		h.route.Hold.State = state
		h.use(continuity.Limits{})
		h.books.pass()
		h.books.set("operator", continuity.IntakeDivert)
		wantHeld(t, h.post(order("A")))
		h.wantKept(2)
		wantStatus(t, h.post(order("B")), 201)
		wantProblem(t, h.post(`{"x":1}`), 503, "key-unknown")
		wantProblem(t, h.post(big), 503, "key-unknown")
		// Of a method that is never held, too: it would not come behind what is pending.
		wantProblem(t, h.do("PATCH", "/orders/1", order("A")), 503, "not-held")
		wantProblem(t, h.do("DELETE", "/orders/1", ""), 503, "key-unknown")
		wantStatus(t, h.do("PATCH", "/orders/1", order("B")), 201)
		wantStatus(t, h.do("GET", "/orders/A", ""), 201) // reads are not gated
		h.wantDiverted(3)
		h.wantSent(0)
	}
}

// What is lost at the standby is in doubt there, and nowhere else.
func TestRule4_7_LostAtTheStandbyIsKeptForTheStandby(t *testing.T) {
	for name, then := range map[string]func(net.Conn){"cut": nil, "hang": hang, "reset": reset} {
		h := open(t, second)
		h.books.set("operator", continuity.IntakeDivert)
		h.second.next(then)
		wantHeld(t, h.post(order("A")))
		kept := h.wantKept(1)[0]
		if !kept.Lost || kept.Upstream != h.route.Standby.Upstream {
			t.Errorf("%s: kept %+v", name, kept)
		}
		wantHeld(t, h.post(order("A"))) // behind it
		h.wantDiverted(1)
		h.wantSent(0)
		if got := h.health.told(); got != "ok 0 clean 0 lost 0" {
			t.Errorf("%s: health of the first upstream heard %q", name, got)
		}
	}
}

func TestStandbyDownToo(t *testing.T) {
	h := open(t, second)
	h.second.close()
	h.use(continuity.Limits{})
	h.books.set("operator", continuity.IntakeDivert)
	wantHeld(t, h.post(order("A"))) // known as not processed: kept, for the first upstream
	if kept := h.wantKept(1)[0]; kept.Lost || kept.Upstream != "" {
		t.Errorf("kept %+v", kept)
	}
	wantProblem(t, h.do("GET", "/orders/A", ""), 503, "not-held")
	h.route.Reply = &continuity.Reply{}
	h.use(continuity.Limits{})
	wantProblem(t, h.do("GET", "/orders/A", ""), 503, "maintenance")
	h.wantSent(0)
}

type down struct{}

func (down) Up() bool { return false }

// A standby that fails its checks is not asked.
func TestStandbyThatIsKnownToBeDown(t *testing.T) {
	h := open(t, second)
	h.books.set("operator", continuity.IntakeDivert)
	h.beside = down{}
	h.use(continuity.Limits{})
	wantHeld(t, h.post(order("A")))
	wantProblem(t, h.do("GET", "/orders/A", ""), 503, "not-held")
	h.wantDiverted(0)
}

// The way back: one live request at a time tries the first upstream.
func TestDivertByHealthEndsByTrial(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		second(h, nil)
		h.route.Hold.State = continuity.HoldNever
		h.route.Detect.Then = continuity.IntakeDivert
	})
	h.books.set("health", continuity.IntakeDivert)
	wantStatus(t, h.post(order("A")), 201)
	h.health.trial = true
	wantStatus(t, h.post(order("A")), 201)
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
	h.wantSent(2)
	h.wantDiverted(1)
	if got := h.health.told(); got != "ok 2 clean 0 lost 0" {
		t.Errorf("health heard %q", got)
	}
	h.books.set("operator", continuity.IntakeDivert) // by somebody's will
	wantStatus(t, h.post(order("A")), 201)
	h.wantDiverted(2)
}

// A setting that outlives the standby does not lose requests.
func TestDivertWithoutAStandby(t *testing.T) {
	h := open(t)
	h.books.set("operator", continuity.IntakeDivert)
	wantHeld(t, h.post(order("A")))
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
}

func TestStandbysCleanStatusesCount(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		second(h, nil)
		h.route.Verdicts = continuity.Verdicts{Clean: []continuity.StatusRange{{Low: 503, High: 503}}}
	})
	h.books.set("operator", continuity.IntakeDivert)
	h.second.next(answer(503, "busy"), answer(500, strings.Repeat("x", 10)))
	wantHeld(t, h.post(order("A")))
	wantStatus(t, h.post(order("B")), 500)
}
