package relay_test

import (
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/admission"
	"holdfast/internal/continuity"
)

// bounded gives the house's route a gate.
func (h *house) bounded(a continuity.Admission, standing func() continuity.Admitting) *admission.Gate {
	h.route.Admission = &a
	g := admission.New(admission.Options{Route: &h.route, Secret: []byte("secret"), Standing: standing})
	h.engine.SetGate(h.route.ID, g)
	return g
}

// Ten times as many requests come as the route lets in: as many as it lets in
// reach the upstream and succeed, all others are turned away before their bodies
// take any room, and afterwards all is as before.
func TestRule7_1_TenfoldOverload(t *testing.T) {
	const most, clients = 8, 80
	h := open(t, patient)
	body := `{"order_no":"A","note":"` + strings.Repeat("x", 850) + `"}`
	h.use(continuity.Limits{LiveBytes: int64(most * len(body))}) // not a byte for those who are turned away
	g := h.bounded(continuity.Admission{Concurrency: most}, nil)
	release := make(chan struct{})
	for range most {
		h.shop.next(func(c net.Conn) { <-release; answer(201, "ok")(c) })
	}
	replies := make(chan reply, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { replies <- h.post(body) })
	}
	for range clients - most { // while the admitted are under way
		r := <-replies
		wantProblem(t, r, 503, "shed")
		if r.header.Get("Holdfast-State") != "shed" || r.header.Get("Retry-After") == "" {
			t.Errorf("shed with %s", r)
		}
	}
	if i := g.Info(); i.OnWay != most || i.Refused[admission.Concurrency] != clients-most {
		t.Errorf("%+v", i)
	}
	close(release)
	all.Wait()
	for range most {
		wantStatus(t, <-replies, 201)
	}
	h.wantSent(most)
	empty(g)
	for range 3 * most {
		wantStatus(t, h.post(body), 201)
	}
	h.wantKept(0)
	empty(g)
}

// empty waits until nothing is under way: an answer is read a little before its
// request has left.
func empty(g *admission.Gate) {
	for g.Info().OnWay != 0 {
		runtime.Gosched()
	}
}

func TestShedRequestsAreHeldWhereTheRouteSaysSo(t *testing.T) {
	h := open(t, patient)
	g := h.bounded(continuity.Admission{Concurrency: 1, Hold: true}, nil)
	release := make(chan struct{})
	h.shop.next(func(c net.Conn) { <-release; answer(201, "ok")(c) })
	c := h.send(request("POST", "/orders", order("A")))
	<-h.shop.arrived
	wantHeld(t, h.post(order("B")))
	wantProblem(t, h.do("GET", "/orders/A", ""), 503, "shed") // a read can't be held
	close(release)
	r, err := read(c, "POST")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, 201)
	empty(g)
	wantHeld(t, h.post(order("B"))) // behind the one that was held
	empty(g)
	wantStatus(t, h.post(order("C")), 201)
	h.wantKept(2)
}

func TestClientLimitIsTheClientsOwn(t *testing.T) {
	h := open(t)
	h.bounded(continuity.Admission{Hold: true, Client: continuity.ClientLimits{Rate: 0.01, Burst: 1}}, nil)
	wantStatus(t, h.post(order("A")), 201)
	r := h.post(order("A"))
	wantProblem(t, r, 429, "client-limit") // never turned into a hold
	if r.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %s", r)
	}
	wantStatus(t, h.post(order("A"), "X-Forwarded-For: 198.51.100.1"), 201) // whom a trusted proxy names
}

func TestWaitingLineAnswers(t *testing.T) {
	h := open(t)
	h.route.Line = &continuity.WaitingLine{Shares: []float64{1}, Hold: 1, Stays: 1 << 40}
	h.use(continuity.Limits{})
	line := &continuity.LineState{}
	h.bounded(continuity.Admission{}, func() continuity.Admitting { return continuity.Admitting{Line: line} })
	r := h.do("GET", "/orders/A", "", "Accept: text/html", "Accept-Language: zh")
	if r.status != 503 || !strings.Contains(r.body, "正在排队") || !strings.Contains(r.body, `http-equiv="refresh"`) || r.header.Get("Retry-After") == "" ||
		!strings.HasPrefix(r.header.Get("Set-Cookie"), "holdfast-line-orders=") || r.header.Get("Holdfast-State") != "waiting" {
		t.Errorf("a browser got %s", r)
	}
	if vary := r.header.Get("Vary"); vary != "Accept, Accept-Language" {
		t.Errorf("Vary: %s", vary)
	}
	wantProblem(t, h.do("GET", "/orders/A", "", "Accept: application/json, text/html;q=0.5"), 503, "waiting") // as it prefers
	wantProblem(t, h.post(order("A"), "Accept: text/html"), 503, "waiting")                                   // no page that would send a form again
	token := r.header.Get("Holdfast-Line")
	line = &continuity.LineState{Step: 1}
	h.bounded(continuity.Admission{}, func() continuity.Admitting { return continuity.Admitting{Line: line} })
	r = h.post(order("A"), "Cookie: a=b; holdfast-line-orders="+token, "Holdfast-Line: "+token)
	wantStatus(t, r, 201)
	if r.header.Get("Holdfast-Line") == "" {
		t.Errorf("nothing to stay in with: %s", r)
	}
	h.shop.next(with("Cache-Control: public\r\n", "for all"), nil)
	if r = h.do("GET", "/orders/A", "", "Holdfast-Line: "+token); r.body != "for all" || r.header.Get("Holdfast-Line") != "" || r.header.Get("Set-Cookie") != "" {
		t.Errorf("what everybody is given bears a token: %s", r)
	}
	if got := h.wantSent(2)[0]; got.Header.Get("Cookie") != "a=b" || got.Header.Get("Holdfast-Line") != "" {
		t.Errorf("the token went upstream: %v", got.Header)
	}
}
