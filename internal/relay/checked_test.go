package relay_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

var marks = bytes.Repeat([]byte("k"), checkmark.LeastKey)

// mark is the field of a check's request.
func mark(t *testing.T, key []byte, method, target, body string, at time.Time) string {
	t.Helper()
	r, err := http.NewRequest(method, "http://shop.example"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	checkmark.Set(r, key, "place-order", at)
	return checkmark.Header + ": " + r.Header.Get(checkmark.Header)
}

// believing opens a relay that believes marks.
func believing(t *testing.T, change ...func(h *house, o *relay.Options)) *house {
	h := open(t, change...)
	h.engine.SetTransport(continuity.Transport{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Marks: continuity.Secret(marks)})
	return h
}

func (h *house) check(method, target, body string) reply {
	h.t.Helper()
	return h.do(method, target, body, mark(h.t, marks, method, target, body, time.Now()))
}

// A check's request goes as a customer's does, and leaves nothing behind.
func TestChecksPassAndLeaveNothing(t *testing.T) {
	o := make(observer, 20)
	h := believing(t, func(h *house, options *relay.Options) {
		replying(h, nil)
		h.route.Reply.Cache = true
		options.Observer = o
	})
	h.use(cached)
	heard := func(want relay.What) {
		t.Helper()
		if got := <-o; got != want {
			t.Errorf("observed %q, want %q", got, want)
		}
	}
	r := h.check("POST", "/orders", order("A"))
	wantStatus(t, r, 201)
	heard("check: passed")
	if got := h.wantSent(1)[0].Header; got.Get(checkmark.Header) == "" || got.Get("Idempotency-Key") == "" {
		t.Errorf("the shop can't know the check: %v", got)
	}
	h.shop.next(with("ETag: \"1\"\r\n", "of the test account"))
	wantStatus(t, h.check("GET", "/orders/A", ""), 200)
	heard("check: passed")
	if h.engine.Latency("orders") != 0 {
		t.Error("the upstream's latency counts checks")
	}

	h.books.set("operator", continuity.IntakeReply)
	if r := h.do("GET", "/orders/A", ""); r.status != 503 {
		t.Errorf("a reader got a check's answer: %s", r)
	}
	heard(relay.Maintenance)
	wantProblem(t, h.check("POST", "/orders", order("A")), 503, "maintenance")
	heard("check: maintenance")
	h.books.pass()

	h.shop.next(nil)
	wantProblem(t, h.check("POST", "/orders", order("A")), 502, "upstream")
	heard("check: refused")
	h.shop.close()
	h.use(continuity.Limits{})
	wantProblem(t, h.check("PUT", "/orders/A", order("A")), 503, "maintenance")
	heard("check: maintenance")
	h.wantKept(0)
	if got := h.health.told(); got != "ok 0 clean 0 lost 0" || h.health.tried != 0 {
		t.Errorf("health heard of checks: %q, %d trials", got, h.health.tried)
	}
}

// What would be kept of a customer is not kept of a check, which is told so.
func TestChecksAreNeverKept(t *testing.T) {
	h := believing(t)
	h.books.hold("health")
	h.health.trial = true
	holding := func(r reply) {
		t.Helper()
		wantProblem(t, r, 503, "not-held")
		if r.header.Get("Holdfast-State") != "holding" || !strings.Contains(r.body, `"check":true`) {
			t.Errorf("answered %s", r)
		}
	}
	holding(h.check("POST", "/orders", order("A")))
	wantStatus(t, h.check("GET", "/orders/A", ""), 201) // as customers' reads
	h.wantKept(0)
	h.wantSent(1)
	if h.health.tried != 0 {
		t.Error("a check was health's trial")
	}
	h.health.trial = false
	wantHeld(t, h.post(order("A")))
	h.books.pass()
	holding(h.check("POST", "/orders", order("A"))) // behind what is pending
	wantStatus(t, h.check("POST", "/orders", order("B")), 201)
	h.wantKept(1)
	h.wantSent(2)
}

// A check whose word holds the route is the one that finds the system well again:
// it would never be, were its own requests refused. Beneath a word nobody is
// health's trial, so that what health and other checks hold lets it pass, too.
func TestACheckPassesItsOwnWord(t *testing.T) {
	h := believing(t)
	h.books.hold(continuity.OwnerCheck + "place-order")
	wantHeld(t, h.post(order("A")))
	wantStatus(t, h.check("POST", "/orders", order("B")), 201)
	wantProblem(t, h.check("POST", "/orders", order("A")), 503, "not-held") // behind what is pending
	h.wantKept(1)

	h.books.hold("health")
	h.books.hold(continuity.OwnerCheck + "another")
	wantStatus(t, h.check("POST", "/orders", order("B")), 201)
	wantProblem(t, h.check("POST", "/orders", order("A")), 503, "not-held") // behind what is pending
	wantHeld(t, h.post(order("C")))
	h.wantKept(2)
	h.wantSent(2)

	refused := func(owners ...string) {
		t.Helper()
		h.books.pass()
		for _, owner := range owners {
			h.books.hold(owner)
		}
		wantProblem(t, h.check("POST", "/orders", order("B")), 503, "not-held")
	}
	refused("operator", continuity.OwnerCheck+"place-order")
	refused("operator", "health", continuity.OwnerCheck+"place-order")
	refused(continuity.OwnerCheck + "another")
	refused("health", continuity.OwnerCheck+"another")
	refused("health")
	h.wantSent(2)
	h.wantKept(2)
}

// A mark that was seen passes nothing but what it was made for.
func TestAMarkPassesNoOtherBody(t *testing.T) {
	h := believing(t)
	h.books.hold(continuity.OwnerCheck + "place-order")
	now := time.Now()
	seen := mark(t, marks, "POST", "/orders", order("B"), now)
	wantProblem(t, h.do("POST", "/orders", order("C"), seen), 503, "not-held")
	wantProblem(t, h.do("POST", "/orders", "", seen), 503, "not-held")
	wantStatus(t, h.do("POST", "/orders", order("B"), seen), 201)

	h.books.pass()
	h.books.set(continuity.OwnerCheck+"place-order", continuity.IntakeReply) // and where the method is never kept
	seen = mark(t, marks, "REPORT", "/orders", order("B"), now)
	wantProblem(t, h.do("REPORT", "/orders", order("C"), seen), 503, "maintenance")
	wantStatus(t, h.do("REPORT", "/orders", order("B"), seen), 201)
	h.wantSent(2)
	h.wantKept(0)
}

// Beneath a check's word nobody is health's trial; and a word that a latched
// journal can't end keeps nobody out.
func TestACheckHoldsAsHealthDoes(t *testing.T) {
	h := believing(t)
	h.books.hold("health")
	h.books.hold(continuity.OwnerCheck + "place-order")
	h.health.trial = true
	wantHeld(t, h.post(order("A")))
	if h.health.tried != 0 {
		t.Error("a customer's request was health's trial though a check holds")
	}
	h.books.fail = continuity.E(continuity.CodeLatched, nil)
	wantStatus(t, h.post(order("B")), 201)
	h.wantSent(1)
	h.books.hold("operator")
	wantProblem(t, h.post(order("C")), 503, "latched")
}

// Who has no good mark is a customer.
func TestMarksThatNobodyBelieves(t *testing.T) {
	h := believing(t)
	h.books.hold("operator")
	now := time.Now()
	good := mark(t, marks, "POST", "/orders", order("A"), now)
	for name, fields := range map[string][]string{
		"forged":     {mark(t, bytes.Repeat([]byte("x"), 32), "POST", "/orders", order("A"), now)},
		"old":        {mark(t, marks, "POST", "/orders", order("A"), now.Add(-2*time.Minute))},
		"of a later": {mark(t, marks, "POST", "/orders", order("A"), now.Add(3*time.Minute))},
		"of another": {mark(t, marks, "POST", "/orders/B", order("A"), now)},
		"bare":       {checkmark.Header + ": place-order"},
		"empty":      {checkmark.Header + ":"},
		"two":        {good, good},
		"lower case": {"holdfast-check: x;1;y"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(h.books.kept())
			wantHeld(t, h.post(order("A"), fields...))
			kept := h.wantKept(before + 1)
			for _, f := range kept[before].Header {
				if strings.EqualFold(f.Name, checkmark.Header) {
					t.Errorf("the mark is still there: %v", f)
				}
			}
		})
	}
	wantProblem(t, h.post(order("A"), good), 503, "not-held")

	// Without a key nothing is believed, and nothing changed.
	h.engine.SetTransport(continuity.Transport{})
	wantHeld(t, h.post(order("A"), good))
	h.books.set("operator", continuity.IntakePass)
	wantStatus(t, h.post(order("C"), good), 201)
	if got := h.wantSent(1)[0].Header.Get(checkmark.Header); !strings.Contains(good, got) || got == "" {
		t.Errorf("the shop got %q", got)
	}
}

// A route in observe does not count checks in its report.
func TestObserveLeavesChecksOut(t *testing.T) {
	h := believing(t, func(h *house, _ *relay.Options) { h.route.Hold.State = continuity.HoldObserve })
	h.books.hold("operator") // does not concern it
	wantStatus(t, h.check("POST", "/orders", order("A")), 201)
	wantStatus(t, h.check("GET", "/orders", ""), 201)
	h.shop.next(func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n") })
	wantStatus(t, h.check("POST", "/orders", order("A")), 503)
	if r := h.engine.Report()[0]; r.Requests != 0 || r.WouldHold != 0 {
		t.Errorf("%+v", r)
	}
	wantStatus(t, h.post(order("A")), 201)
	if r := h.engine.Report()[0]; r.Requests != 1 {
		t.Errorf("%+v", r)
	}
}
