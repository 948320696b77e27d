package relay_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

func TestPassKeepsWhatTheUpstreamSays(t *testing.T) {
	h := open(t)
	r := h.post(order("A"), "X-Mine: 1")
	wantStatus(t, r, 201)
	if r.body != `{"ok":true}` || r.header.Get("X-Shop") != "yes" || r.header.Get("Holdfast-State") != "" {
		t.Errorf("answer changed: %s", r)
	}
	got := h.wantSent(1)[0]
	if h.shop.body(0) != order("A") || got.Header.Get("X-Mine") != "1" || got.Host != "shop.example" {
		t.Errorf("request changed: %v", got)
	}
	h.shop.next(answer(500, "broken"))
	if r := h.post(order("A")); r.status != 500 || r.body != "broken" {
		t.Errorf("a live 5xx is not passed on: %s", r)
	}
	h.wantKept(0)
	if got := h.health.told(); got != "ok 2 clean 0 lost 0" {
		t.Errorf("health heard %q", got)
	}
	wantProblem(t, h.do("GET", "/else", ""), 404, "no-route")
}

func TestRule1_1_AcceptedMeansKept(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	h.books.gate = make(chan struct{})
	c := h.send(request("POST", "/orders", order("A")))
	<-h.books.accepts
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !err.(net.Error).Timeout() {
		t.Fatalf("answered before it was on stable storage: %v", err)
	}
	h.books.gate <- struct{}{}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	r, err := read(c, "POST")
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, r)
	h.wantKept(1)
	h.wantSent(0)
}

func TestRule1_2_FailedSyncAndLatch(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	h.books.fail = continuity.E(continuity.CodeOutcomeUnknown, nil)
	wantProblem(t, h.post(order("A")), 503, "outcome-unknown")
	h.books.fail = nil
	wantHeld(t, h.post(order("A")))
	h.books.fail = continuity.E(continuity.CodeLatched, nil)
	wantProblem(t, h.post(order("B")), 503, "latched")
	h.books.pass()
	h.books.hold("health")
	wantProblem(t, h.post(order("A")), 503, "latched") // in the gate
	wantStatus(t, h.post(order("B")), 201)             // outside it, whatever health's last word was
	h.books.pass()
	wantProblem(t, h.post(order("A")), 503, "latched")
	wantStatus(t, h.post(order("B")), 201)
	h.shop.next(nil)
	wantProblem(t, h.post(order("B")), 502, "upstream") // lost, and can't be kept
	h.shop.close()
	h.use(continuity.Limits{})
	wantProblem(t, h.post(order("B")), 503, "latched")
}

func TestRule3_2_LiveRequestJoinsGate(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	first := wantHeld(t, h.post(order("A")))
	h.books.pass()
	wantHeld(t, h.post(order("A")))        // behind the first
	wantStatus(t, h.post(order("B")), 201) // another key passes
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
	kept := h.wantKept(2)
	if kept[0].Key != kept[1].Key || kept[1].KeyText != "A" || kept[1].Lost {
		t.Errorf("kept %+v", kept[1])
	}
	h.wantSent(2)
	h.books.end(first, continuity.Delivered, nil)
	wantHeld(t, h.post(order("A"))) // the second is still there
	for _, rec := range h.wantKept(3) {
		h.books.end(rec.Receipt, continuity.Delivered, nil)
	}
	wantStatus(t, h.post(order("A")), 201) // the gate is open
	h.wantKept(3)
}

// The key leaves the gate between the look and the append: the request passes.
func TestRule3_2_GateOpensMeanwhile(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	first := wantHeld(t, h.post(order("A")))
	<-h.books.accepts
	h.books.pass()
	h.books.gate = make(chan struct{})
	c := h.send(request("POST", "/orders", order("A")))
	<-h.books.accepts
	h.books.end(first, continuity.Delivered, nil)
	h.books.gate <- struct{}{}
	r, err := read(c, "POST")
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, 201)
	h.wantKept(1)
}

func TestRule3_5_KeyIsReadOnlyWhenNeeded(t *testing.T) {
	t.Run("not while all is well", func(t *testing.T) {
		h := open(t)
		for _, body := range []string{"not json", `{"order_no":1,"order_no":2}`, "{}", "\xff"} {
			wantStatus(t, h.post(body), 201)
		}
		h.wantKept(0)
	})
	t.Run("while the gate is not empty", func(t *testing.T) {
		h := open(t)
		h.books.hold("operator")
		wantHeld(t, h.post(order("A")))
		h.books.pass()
		wantProblem(t, h.post("not json"), 400, "bad-body")
		wantProblem(t, h.post(`{"order_no":"B","order_no":"A"}`), 400, "bad-body")
		wantProblem(t, h.post(order("B"), "Content-Encoding: gzip"), 400, "bad-body")
		wantProblem(t, h.post(`{"order":"A"}`), 503, "key-unknown")
		wantProblem(t, h.post(big), 503, "key-unknown")
		h.wantKept(1)
		h.wantSent(0)
	})
	t.Run("while intake holds", func(t *testing.T) {
		h := open(t)
		h.books.hold("operator")
		wantProblem(t, h.post("not json"), 400, "bad-body")
		wantProblem(t, h.post(`{"order_no":null}`), 503, "key-unknown")
		wantProblem(t, h.post(big), 503, "limit-item")
		h.wantKept(0)
	})
	t.Run("after a loss", func(t *testing.T) {
		h := open(t)
		h.shop.next(nil, nil)
		wantHeld(t, h.post(order("A")))
		wantProblem(t, h.post("not json"), 400, "bad-body") // the gate is not empty now
		for _, rec := range h.wantKept(1) {
			h.books.end(rec.Receipt, continuity.Delivered, nil)
		}
		wantProblem(t, h.post("not json"), 502, "upstream")
		h.wantKept(1)
	})
}

func TestRule3_5_LargeBodiesStream(t *testing.T) {
	for name, raw := range map[string]string{
		"known length":   request("POST", "/orders", big),
		"unknown length": chunked("POST", "/orders", big),
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			r, err := read(h.send(raw), "POST")
			if err != nil {
				t.Fatal(err)
			}
			wantStatus(t, r, 201)
			if h.shop.body(0) != big {
				t.Errorf("%d bytes reached the shop, not %d", len(h.shop.body(0)), len(big))
			}
			h.shop.next(nil)
			r, err = read(h.send(raw), "POST")
			if err != nil {
				t.Fatal(err)
			}
			wantProblem(t, r, 502, "upstream")
			h.shop.close()
			h.use(continuity.Limits{})
			r, err = read(h.send(raw), "POST")
			if err != nil {
				t.Fatal(err)
			}
			wantProblem(t, r, 503, "limit-item")
			h.wantKept(0)
		})
	}
	t.Run("small body of unknown length is kept", func(t *testing.T) {
		h := open(t)
		h.books.hold("operator")
		body := order("A") + strings.Repeat(" ", 1000-len(order("A"))) // the limit exactly
		r, err := read(h.send(chunked("POST", "/orders", body)), "POST")
		if err != nil {
			t.Fatal(err)
		}
		wantHeld(t, r)
		if got := string(h.wantKept(1)[0].Body); got != body {
			t.Errorf("kept %q", got)
		}
	})
	t.Run("unknown length around the limit", func(t *testing.T) {
		h := open(t, func(h *house, _ *relay.Options) { h.route.Hold.ItemBytes = 10_000 }) // more than the first piece
		h.books.hold("operator")
		for _, size := range []int{4095, 4096, 4097, 9999, 10_000, 10_001, 20_000} {
			body := order("A") + strings.Repeat(" ", size-len(order("A")))
			r, err := read(h.send(chunked("POST", "/orders", body)), "POST")
			if err != nil {
				t.Fatal(err)
			}
			if size > 10_000 {
				wantProblem(t, r, 503, "key-unknown") // the gate is not empty
				continue
			}
			wantHeld(t, r)
			if kept := h.books.kept(); string(kept[len(kept)-1].Body) != body {
				t.Errorf("%d bytes: kept another body", size)
			}
		}
	})
	t.Run("key in the header", func(t *testing.T) {
		h := open(t, func(h *house, _ *relay.Options) {
			h.route.Key = continuity.Selector{Source: continuity.SourceHeader, Name: "X-Order"}
		})
		h.books.hold("operator")
		wantHeld(t, h.post("anything", "X-Order: A"))
		h.books.pass()
		wantStatus(t, h.post(big, "X-Order: B"), 201)
		wantProblem(t, h.post(big, "X-Order: A"), 503, "limit-item")
	})
}

func TestRule4_2_CleanFailureSwitchesAndKeeps(t *testing.T) {
	t.Run("refused connection", func(t *testing.T) {
		h := open(t)
		h.shop.close()
		wantHeld(t, h.post(order("A"), "X-Mine: 1"))
		rec := h.wantKept(1)[0]
		if rec.Lost || rec.Method != "POST" || rec.Target != "/orders" || rec.Host != "shop.example" || string(rec.Body) != order("A") || rec.Caller != "public" {
			t.Errorf("kept %+v", rec)
		}
		if got := h.health.told(); got != "ok 0 clean 1 lost 0" {
			t.Errorf("health heard %q", got)
		}
		wantProblem(t, h.do("GET", "/orders/A", ""), 503, "not-held")
	})
	t.Run("a status that the route lists", func(t *testing.T) {
		h := open(t, func(h *house, _ *relay.Options) {
			h.route.Verdicts.Clean = []continuity.StatusRange{{Low: 503, High: 503}}
		})
		h.shop.next(answer(503, "busy"))
		wantHeld(t, h.post(order("A")))
		if h.wantKept(1)[0].Lost {
			t.Error("kept in doubt")
		}
	})
	t.Run("unordered route", func(t *testing.T) {
		h := open(t, func(h *house, _ *relay.Options) { h.route.Key = continuity.Selector{} })
		h.shop.close()
		wantHeld(t, h.post("not json"))
		wantHeld(t, h.post("not json"))
		kept := h.wantKept(2)
		if kept[0].Key == kept[1].Key || kept[0].Receipt == kept[1].Receipt {
			t.Error("two records of an unordered route share an identity")
		}
	})
}

func TestRule4_3_LostLiveRequests(t *testing.T) {
	for name, does := range map[string]func(net.Conn){
		"closed":          nil,
		"reset":           reset,
		"silent":          hang,
		"half a head":     raw("HTTP/1.1 200 OK\r\nContent-"),
		"no HTTP":         raw("hello\r\n\r\n"),
		"interim only":    raw("HTTP/1.1 102 Processing\r\n\r\n"),
		"a listed status": answer(504, "gateway"),
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(h *house, _ *relay.Options) {
				h.route.Verdicts.Lost = []continuity.StatusRange{{Low: 504, High: 504}}
			})
			h.shop.next(does)
			receipt := wantHeld(t, h.post(order("A")))
			rec := h.wantKept(1)[0]
			if !rec.Lost || rec.Receipt != receipt || string(rec.Body) != order("A") {
				t.Errorf("kept %+v, want it in doubt", rec)
			}
			if got := h.health.told(); got != "ok 0 clean 0 lost 1" {
				t.Errorf("health heard %q", got)
			}
			h.wantSent(1)
		})
	}
	for name, does := range map[string]func(net.Conn){
		"an answer that ends too early": raw("HTTP/1.1 201 Created\r\nContent-Length: 200\r\n\r\nhalf"),
		"an answer that is reset":       func(c net.Conn) { raw("HTTP/1.1 201 Created\r\nContent-Length: 200\r\n\r\n")(c); reset(c) },
	} {
		t.Run(name, func(t *testing.T) { // and of which nothing has left yet
			h := open(t)
			h.shop.next(does)
			wantHeld(t, h.post(order("A")))
			if !h.wantKept(1)[0].Lost {
				t.Error("not kept in doubt")
			}
			h.shop.next(raw("HTTP/1.1 409 Conflict\r\nContent-Length: 200\r\n\r\nno"))
			wantProblem(t, h.post(order("B")), 502, "upstream") // refused, whatever the rest would have said
			h.wantKept(1)
		})
	}
	t.Run("cut after the first byte", func(t *testing.T) {
		h := open(t)
		h.shop.next(raw("HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000)))
		r, err := read(h.send(request("POST", "/orders", order("A"))), "POST")
		if err == nil {
			t.Fatalf("the cut answer looks whole: %d bytes", len(r.body))
		}
		h.wantKept(0)
	})
	t.Run("what can't be held", func(t *testing.T) {
		h := open(t)
		h.shop.next(nil, hang)
		wantProblem(t, h.do("DELETE", "/orders/A", ""), 502, "upstream")
		wantProblem(t, h.do("GET", "/orders/A", ""), 504, "timeout")
		h.wantKept(0)
		if got := h.health.told(); got != "ok 0 clean 0 lost 2" {
			t.Errorf("health heard %q", got)
		}
	})
}

func TestRule4_3_ClientLeaves(t *testing.T) {
	h := open(t)
	release := make(chan struct{})
	h.shop.next(func(c net.Conn) { <-release; reset(c) })
	c := h.send(request("POST", "/orders", order("A"), "Idempotency-Key: k1"))
	<-h.shop.arrived
	reset(c)
	close(release)
	<-h.books.accepts // kept in doubt although nobody waits
	r := h.post(order("A"), "Idempotency-Key: k1")
	for r.status == 409 { // the first is not quite through
		r = h.post(order("A"), "Idempotency-Key: k1")
	}
	wantHeld(t, r)
	if !h.wantKept(1)[0].Lost {
		t.Error("not kept in doubt")
	}
	h.wantSent(1)
}

func TestRule4_6_OneIdempotencyKeyForEveryAttempt(t *testing.T) {
	h := open(t)
	h.shop.next(answer(201, "{}"), nil, answer(201, "{}"), nil)
	h.post(order("A"), "idempotency-key: mine")
	h.post(order("A"), "idempotency-key: mine-too")
	kept := h.wantKept(1)
	h.books.end(kept[0].Receipt, continuity.Delivered, nil)
	h.post(order("A"))
	h.post(order("A"))
	kept = h.wantKept(2)
	got := h.wantSent(4)
	made := got[2].Header.Get("Idempotency-Key")
	if got[0].Header.Get("Idempotency-Key") != "mine" || got[1].Header.Get("Idempotency-Key") != "mine-too" || kept[0].IdempotencyKey != "mine-too" {
		t.Error("the client's key was changed")
	}
	if len(made) < 20 || got[3].Header.Get("Idempotency-Key") != kept[1].IdempotencyKey || made == kept[1].IdempotencyKey {
		t.Errorf("made %q, then sent %q and kept %q", made, got[3].Header.Get("Idempotency-Key"), kept[1].IdempotencyKey)
	}
	for _, rec := range kept {
		for _, f := range rec.Header {
			if strings.EqualFold(f.Name, "Idempotency-Key") {
				t.Error("the record's header has the key a second time")
			}
		}
	}
	for _, req := range got {
		if len(req.Header.Values("Idempotency-Key")) != 1 {
			t.Errorf("keys %v", req.Header.Values("Idempotency-Key"))
		}
	}
	wantProblem(t, h.post(order("A"), "Idempotency-Key: a", "Idempotency-Key: b"), 400, "invalid")
	h.do("GET", "/orders/A", "")
	if all := h.wantSent(5); all[4].Header.Get("Idempotency-Key") != "" {
		t.Error("a read got an Idempotency-Key")
	}
}
