package relay_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

func TestObservePassesEverythingAndReports(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		h.route.Hold.State = continuity.HoldObserve
		h.route.Hold.Except = []continuity.Except{{Pointer: "/kind", In: []string{"limited"}}}
	})
	h.books.hold("operator") // does not concern a route in observe
	for _, body := range []string{
		`{"order_no":"A","user":{"password":"x"},"pay":[{"no":"4111 1111 1111 1111"},{"no":5555555555554444}]}`, // of many bodies at once the first is searched
		order("A"), `{"order":"A"}`, "not json", big, `{"order_no":"A","kind":"limited"}`,
	} {
		wantStatus(t, h.post(body, "User-Agent: shop-app/1.2", "Idempotency-Key: "+strings.Repeat("k", len(body)%50)), 201)
	}
	h.post(order("A"), "Cookie: sid=1", "User-Agent: Mozilla/5.0 (X11)", "Accept: text/html, */*;q=0.1")
	h.post(order("A"), "User-Agent: page/2", "Accept: text/html")
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
	h.shop.next(nil)
	wantProblem(t, h.post(order("A")), 502, "upstream")
	h.shop.close()
	h.use(continuity.Limits{})
	wantProblem(t, h.post(order("A")), 503, "not-held")
	wantProblem(t, h.do("GET", "/orders/A", ""), 503, "not-held")
	h.wantKept(0)
	if got := h.health.told(); got != "ok 0 clean 0 lost 0" {
		t.Errorf("health heard %q of a route in observe", got)
	}
	reports := h.engine.Report()
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	r := reports[0]
	got := []int64{r.Requests, r.Holdable, r.Keepable, r.WouldHold, r.LackKey, r.LackIdentity, r.BadBody, r.TooLarge, r.Excepted, r.Credentials, r.Understanding}
	want := []int64{12, 10, 4, 2, 1, 4, 1, 1, 1, 1, 2}
	for n := range want {
		if got[n] != want[n] {
			t.Fatalf("counts %v, want %v: %+v", got, want, r)
		}
	}
	if len(r.Clients) != 2 || r.Clients[0] != (relay.Seen{Name: "Mozilla", Count: 1}) || r.Clients[1] != (relay.Seen{Name: "page", Count: 1}) {
		t.Errorf("clients %+v", r.Clients)
	}
	if len(r.Sensitive) != 2 || r.Sensitive[0] != (relay.Seen{Name: "/pay/*/no", Kind: "card-number", Count: 1}) || r.Sensitive[1] != (relay.Seen{Name: "/user/password", Kind: "name", Count: 1}) {
		t.Errorf("sensitive %+v", r.Sensitive)
	}
}

// A route that goes back to observe still keeps the order of its keys.
func TestObserveKeepsOrderBehindPendingRecords(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	wantHeld(t, h.post(order("A")))
	h.route.Hold.State = continuity.HoldObserve
	h.use(continuity.Limits{})
	wantHeld(t, h.post(order("A")))
	wantStatus(t, h.post(order("B")), 201)
	wantStatus(t, h.post("not json"), 201)
	h.wantKept(2)
}

func TestKeylessPassesEverythingAndHoldsNothing(t *testing.T) {
	h := open(t, func(_ *house, o *relay.Options) { o.Ledger = nil })
	wantStatus(t, h.post(order("A"), "Idempotency-Key: k"), 201)
	if got := h.wantSent(1)[0].Header.Get("Idempotency-Key"); got != "k" {
		t.Errorf("Idempotency-Key %q", got)
	}
	h.shop.next(nil)
	wantProblem(t, h.post(order("A")), 502, "upstream")
	h.shop.close()
	h.use(continuity.Limits{})
	wantProblem(t, h.post(order("A")), 503, "not-held")
	wantProblem(t, h.do("GET", "/.holdfast/receipts/"+continuity.Receipt{}.String(), ""), 404, "not-found")
}

func TestTrialLetsOneLiveRequestThrough(t *testing.T) {
	h := open(t)
	h.books.hold("health")
	wantHeld(t, h.post(order("A")))
	h.health.trial = true
	wantHeld(t, h.post(order("A"))) // its key is in the gate
	wantStatus(t, h.post(order("B")), 201)
	if got := h.health.told(); got != "ok 1 clean 0 lost 0" {
		t.Errorf("health heard %q", got)
	}
	wantProblem(t, h.post("not json", "X: y"), 400, "bad-body")
	h.books.hold("operator")
	tried := h.health.tried
	wantHeld(t, h.post(order("C"))) // somebody else wants it held
	if h.health.tried != tried {
		t.Error("a trial against an operator's will")
	}
	h.wantSent(1)
}

func TestTrialIsNotSpentOnWhatCantBeKept(t *testing.T) {
	h := open(t)
	h.books.hold("health")
	h.health.trial = true
	wantProblem(t, h.post("not json"), 400, "bad-body")
	if h.health.tried != 0 {
		t.Error("a request that can't be kept was the trial")
	}
}

func TestExceptedAndCredentialsAreNeverHeld(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		h.route.Hold.Except = []continuity.Except{{Pointer: "/kind", In: []string{"limited"}}}
	})
	limited := `{"order_no":"A","kind":"limited"}`
	wantStatus(t, h.post(limited), 201)
	h.shop.next(nil, nil, nil)
	wantProblem(t, h.post(limited), 502, "upstream")
	wantProblem(t, h.post(order("A"), "Authorization: Bearer x"), 502, "upstream")
	wantProblem(t, h.post(order("A"), "cookie: sid=x"), 502, "upstream")
	h.books.hold("operator")
	wantProblem(t, h.post(limited), 503, "not-held")
	wantProblem(t, h.post(order("A"), "Authorization: Bearer x"), 503, "not-held")
	wantHeld(t, h.post(order("A")))
	h.books.pass()
	wantProblem(t, h.post(limited), 503, "not-held") // would overtake what is pending
	wantStatus(t, h.post(`{"order_no":"B","kind":"limited"}`), 201)
	h.wantKept(1)
	h.route.Hold.Credentials = true
	h.use(continuity.Limits{})
	wantHeld(t, h.post(order("A"), "Authorization: Bearer x"))
	for _, f := range h.wantKept(2)[1].Header {
		if f == (continuity.Field{Name: "Authorization", Value: "Bearer x"}) {
			return
		}
	}
	t.Error("the credentials were not kept")
}

func TestClientThatLeavesBeforeAnythingWasSentIsDropped(t *testing.T) {
	if now.second {
		return // a stream of HTTP/2 ends otherwise
	}
	h := open(t)
	c := h.send("POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
	c.(interface{ CloseWrite() error }).CloseWrite()
	if r, err := read(c, "POST"); err == nil && r.status != 400 {
		t.Errorf("half a body answered %s", r)
	}
	r, err := read(h.send("POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "POST")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, 400)
	h.wantSent(0)
	h.wantKept(0)
	h.books.idle()
}

func TestSetRoutesKeepsTheOldOnesOnError(t *testing.T) {
	h := open(t)
	bad := h.route
	bad.Key.Name = "no pointer"
	if err := h.engine.SetRoutes([]relay.Binding{{Route: bad}}, continuity.Limits{}); continuity.CodeOf(err) != continuity.CodeConfig {
		t.Errorf("error %v", err)
	}
	wantStatus(t, h.post(order("A")), 201)
}

func TestUpstreamAnswerThatBreaksOffUnseen(t *testing.T) {
	h := open(t)
	h.shop.next(raw("HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nabc"))
	wantProblem(t, h.do("GET", "/orders/A", ""), 502, "upstream") // rule 4.3 is about what can be held
	h.wantKept(0)
}

func TestStreamsLongAnswers(t *testing.T) {
	h := open(t)
	long := strings.Repeat("0123456789", 100_000)
	h.shop.next(answer(200, long), raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), raw("HTTP/1.1 204 No Content\r\n\r\n"))
	if r := h.do("GET", "/orders/all", ""); r.body != long {
		t.Errorf("%d bytes of %d", len(r.body), len(long))
	}
	if r := h.do("GET", "/orders/all", ""); r.body != "abc" {
		t.Errorf("chunked: %s", r)
	}
	if r := h.do("GET", "/orders/all", ""); r.status != 204 {
		t.Errorf("empty: %s", r)
	}
}

// observer passes on what it is told.
type observer chan relay.What

func (o observer) Observe(route string, what relay.What, status int, took time.Duration) {
	if route != "orders" || status == 0 || took < 0 {
		what += "?"
	}
	o <- what
}

func (o observer) Checked(_ string, what relay.What, _ int) { o <- "check: " + what }

func TestObserverHearsHowRequestsEnd(t *testing.T) {
	o := make(observer, 10)
	h := open(t, func(_ *house, options *relay.Options) { options.Observer = o })
	expect := func(want relay.What) {
		t.Helper()
		if got := <-o; got != want {
			t.Fatalf("heard %s, want %s", got, want)
		}
	}
	h.post(order("A"))
	expect(relay.Passed)
	h.shop.next(nil)
	h.post(order("A"), "Idempotency-Key: k")
	expect(relay.Late)
	h.post(order("A"), "Idempotency-Key: k")
	expect(relay.Repeated)
	h.post(order("A"))
	expect(relay.Held)
	h.post("not json")
	expect(relay.Refused)
	h.shop.next(raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000)))
	io.Copy(io.Discard, h.send(request("GET", "/orders", "")))
	expect(relay.Cut)
	if h.engine.Latency("orders") <= 0 || h.engine.Latency("none") != 0 || h.engine.Live("none") != 0 {
		t.Error("latency is wrong")
	}
}

// TestWhoeverHoldsKnowsWhatIsStillOnItsWay holds a route while a request is at its
// upstream: it counts as passing until that has answered.
func TestWhoeverHoldsKnowsWhatIsStillOnItsWay(t *testing.T) {
	h := open(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	h.shop.next(func(c net.Conn) {
		close(asked)
		<-answer
		raw("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")(c)
	})
	ended := make(chan reply, 1)
	go func() { ended <- h.post(order("A")) }()
	<-asked
	h.books.hold("operator")
	wantHeld(t, h.post(order("B")))
	if n := h.engine.Passing("orders"); n != 1 {
		t.Errorf("%d on their way", n)
	}
	close(answer)
	wantStatus(t, <-ended, 201)
	if n := h.engine.Passing("orders"); n != 0 || h.engine.Passing("none") != 0 {
		t.Errorf("%d on their way afterwards", n)
	}
}
