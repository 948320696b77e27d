package relay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

func TestRule5_1_ScopeAndFingerprint(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	first := wantHeld(t, h.post(order("A"), "Idempotency-Key: k"))
	for name, again := range map[string]func() reply{
		"method": func() reply { return h.do("PUT", "/orders", order("A"), "Idempotency-Key: k") },
		"path":   func() reply { return h.do("POST", "/orders/x", order("A"), "Idempotency-Key: k") },
		"query":  func() reply { return h.do("POST", "/orders?x=1", order("A"), "Idempotency-Key: k") },
		"body":   func() reply { return h.post(order("A")+" ", "Idempotency-Key: k") },
		"large":  func() reply { return h.post(big, "Idempotency-Key: k") },
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, again(), 422, "mismatch") })
	}
	if other := wantHeld(t, h.post(order("A"), "Idempotency-Key: K")); other == first {
		t.Error("keys are compared without regard to case")
	}
	h.wantKept(2)
	// A body that is too large to be read is no empty one.
	h.route.Key = continuity.Selector{}
	h.use(continuity.Limits{})
	wantHeld(t, h.post("", "Idempotency-Key: empty", "Content-Length: 0"))
	wantProblem(t, h.post(big, "Idempotency-Key: empty"), 422, "mismatch")
	// Another route is another scope.
	h.route.ID = "other"
	h.use(continuity.Limits{})
	if other := wantHeld(t, h.post(order("Z"), "Idempotency-Key: k")); other == first {
		t.Error("two routes share an identity")
	}
}

func TestRule5_2_SameKeySameAnswer(t *testing.T) {
	h := open(t)
	t.Run("before the first answer", func(t *testing.T) {
		release := make(chan struct{})
		h.shop.next(func(c net.Conn) { <-release; answer(201, "first")(c) })
		c := h.send(request("POST", "/orders", order("P"), "Idempotency-Key: p"))
		<-h.shop.arrived
		r := h.post(order("P"), "Idempotency-Key: p")
		wantProblem(t, r, 409, "in-flight")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		close(release)
		if r, err := read(c, "POST"); err != nil || r.body != "first" {
			t.Errorf("first copy answered %s, %v", r, err)
		}
		h.books.idle()                                               // the handler returns just after the answer
		wantStatus(t, h.post(order("P"), "Idempotency-Key: p"), 201) // passed requests are not remembered
		h.wantSent(2)
	})
	t.Run("after the 202", func(t *testing.T) {
		h.books.hold("operator")
		first := h.post(order("A"), "Idempotency-Key: a")
		again := h.post(order("A"), "Idempotency-Key: a")
		wantHeld(t, first)
		first.header.Del("Date")
		again.header.Del("Date")
		if !reflect.DeepEqual(first, again) {
			t.Errorf("first %s, then %s", first, again)
		}
		h.wantKept(1)
	})
	t.Run("once ended", func(t *testing.T) {
		receipt := h.wantKept(1)[0].Receipt
		h.books.end(receipt, continuity.Delivered, &continuity.Response{
			Status: 201, Header: []continuity.Field{{Name: "Location", Value: "/orders/A"}, {Name: "Content-Type", Value: "text/x"}}, Body: []byte("done"), Cut: true,
		})
		r := h.post(order("A"), "Idempotency-Key: a")
		if r.status != 201 || r.body != "done" || r.header.Get("Location") != "/orders/A" || r.header.Get("Holdfast-State") != "repeat" ||
			r.header.Get("Holdfast-Receipt") != receipt.String() || r.header.Get("Holdfast-Cut") != "?1" {
			t.Errorf("final response %s", r)
		}
		wantProblem(t, h.post(order("B"), "Idempotency-Key: a"), 422, "mismatch")
		h.wantKept(1)
	})
	t.Run("ended without a response", func(t *testing.T) {
		for to, status := range map[continuity.State]int{continuity.Delivered: 200, continuity.Dead: 410, continuity.Discarded: 410} {
			receipt := wantHeld(t, h.post(order("C"), "Idempotency-Key: "+to.String()))
			h.books.end(receipt, to, nil)
			r := h.post(order("C"), "Idempotency-Key: "+to.String())
			wantStatus(t, r, status)
			if !strings.Contains(r.body, `"state":"`+to.String()+`"`) {
				t.Errorf("%s: %s", to, r)
			}
		}
	})
}

func TestRule5_3_RepeatsAreKnownInEveryMode(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	receipt := wantHeld(t, h.post(order("A"), "Idempotency-Key: a"))
	check := func(mode string) {
		t.Helper()
		if got := wantHeld(t, h.post(order("A"), "Idempotency-Key: a")); got != receipt {
			t.Errorf("%s: another receipt", mode)
		}
		wantProblem(t, h.post(order("B"), "Idempotency-Key: a"), 422, "mismatch")
	}
	check("hold")
	h.books.pass()
	check("pass")
	h.route.Hold.State = continuity.HoldObserve
	h.use(continuity.Limits{})
	check("observe")
	h.books.fail = continuity.E(continuity.CodeLatched, nil)
	check("latched")
	h.wantKept(1)
	h.wantSent(0)
	h.books.fail = continuity.E(continuity.CodeIndexFull, nil)
	h.route.Hold.State = continuity.HoldOn
	h.use(continuity.Limits{})
	h.books.hold("operator")
	wantProblem(t, h.post(order("B"), "Idempotency-Key: b"), 503, "index-full")
}

func TestRule5_4_FieldsIdentifyARepeat(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) { h.route.Identity.Fields = []string{"/order_no", "/at"} })
	body := func(no, at string) string { return `{"order_no":"` + no + `","at":` + at + `}` }
	h.books.hold("operator")
	first := wantHeld(t, h.post(body("A", "1")))
	if got := wantHeld(t, h.post(body("A", "1"))); got != first {
		t.Error("a repeat got another receipt")
	}
	if got := wantHeld(t, h.post(body("A", "2"))); got == first {
		t.Error("another request got the same receipt")
	}
	if got := wantHeld(t, h.post(body("A", "1"), "Idempotency-Key: mine")); got == first {
		t.Error("the header does not win over the fields")
	}
	wantProblem(t, h.post(`{"order_no":"A","at":1,"x":2}`), 422, "mismatch")
	lone := wantHeld(t, h.post(order("A")))
	if got := wantHeld(t, h.post(order("A"))); got == lone {
		t.Error("a request that lacks a field is recognised")
	}
	h.wantKept(5)
	h.books.pass()
	wantStatus(t, h.post(body("B", "1")), 201)
	h.books.idle()
	wantStatus(t, h.post(body("B", "1")), 201)
	sent := h.wantSent(2)
	if key := sent[0].Header.Get("Idempotency-Key"); key == "" || key != sent[1].Header.Get("Idempotency-Key") {
		t.Error("a repeat goes upstream under another Idempotency-Key")
	}
}

func TestRule7_2_LimitsRefuseBeforeAnythingIsAccepted(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	for code, status := range map[continuity.Code]int{
		continuity.CodeLimitCount: 503, continuity.CodeLimitBytes: 507, continuity.CodeDiskFull: 507, continuity.CodeIndexFull: 503,
	} {
		h.books.fail = continuity.E(code, nil, "route", "orders", "limit", 5)
		wantProblem(t, h.post(order("A")), status, string(code))
		r := h.post(order("A"), "Accept-Language: zh-CN,zh;q=0.9")
		var d struct{ Type, Title, Detail, Code string }
		if err := json.Unmarshal([]byte(r.body), &d); err != nil || !strings.Contains(d.Title, "请求") || r.header.Get("Content-Language") != "zh" || d.Type == "" {
			t.Errorf("%s in Chinese: %s", code, r)
		}
	}
	h.wantKept(0)
	h.wantSent(0)
}

// A field without a value, which some gateway may add, must not hide the
// client's key: its repeat would be another request, here and upstream.
func TestRule4_6_EmptyIdempotencyKeyHidesNoOther(t *testing.T) {
	h := open(t)
	wantStatus(t, h.post(order("A"), "Idempotency-Key:", "Idempotency-Key: k"), 201)
	if got := h.wantSent(1)[0].Header.Values("Idempotency-Key"); len(got) != 1 || got[0] != "k" {
		t.Errorf("the upstream got %q", got)
	}
	h.books.hold("operator")
	first := wantHeld(t, h.post(order("A"), "Idempotency-Key:", "Idempotency-Key: k2"))
	if again := wantHeld(t, h.post(order("A"), "Idempotency-Key: k2")); again != first {
		t.Error("the repeat was kept again")
	}
}

func TestRule7_2_LiveBytesAreBounded(t *testing.T) {
	h := open(t, patient)
	h.use(continuity.Limits{LiveBytes: 100})
	body := order("A") + strings.Repeat(" ", 80-len(order("A")))
	release := make(chan struct{})
	h.shop.next(func(c net.Conn) { <-release; answer(201, "{}")(c) })
	c := h.send(request("POST", "/orders", body))
	<-h.shop.arrived
	wantProblem(t, h.post(body), 507, "limit-bytes")
	r, err := read(h.send(chunked("POST", "/orders", body)), "POST")
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, r, 507, "limit-bytes")
	wantStatus(t, h.post(order("A")), 201)                  // there is room for a small one
	wantStatus(t, h.do("DELETE", "/orders/A", "body"), 201) // and what is not buffered needs none
	wantStatus(t, h.post(big), 201)
	close(release)
	if r, err := read(c, "POST"); err != nil || r.status != 201 {
		t.Fatalf("%s, %v", r, err)
	}
	for r := h.post(body); r.status != 201; r = h.post(body) { // until the first handler has returned
		wantProblem(t, r, 507, "limit-bytes")
	}
	h.wantKept(0)
}

// Connections that state large bodies and send nothing must not take what is
// there for those that do.
func TestRule7_2_WhatHasNotComeTakesNoLiveBytes(t *testing.T) {
	const stated = 64 << 10
	h := open(t, func(h *house, _ *relay.Options) { h.route.Hold.ItemBytes = stated })
	h.use(continuity.Limits{LiveBytes: 3 * stated / 2})
	for range 4 {
		c := h.send(fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: shop.example\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", stated))
		var word [12]byte
		if _, err := io.ReadFull(c, word[:]); err != nil || string(word[:]) != "HTTP/1.1 100" {
			t.Fatalf("%q, %v", word, err) // from here on its body is waited for
		}
	}
	wantStatus(t, h.post(order("A")), 201)
	h.wantSent(1)
}

func TestRule8_1_WaitForTheUpstreamsOwnResponse(t *testing.T) {
	final := &continuity.Response{Status: 201, Header: []continuity.Field{{Name: "X-Shop", Value: "late"}}, Body: []byte("done")}
	for name, tt := range map[string]struct {
		wait   time.Duration
		prefer string
	}{
		"as the route says":   {time.Minute, "X: y"},
		"as the client says":  {0, "Prefer: respond-async, wait=50"},
		"the client has more": {time.Nanosecond, `Prefer: wait="50"; x=y`},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(h *house, _ *relay.Options) { h.route.Answer.Wait = tt.wait })
			h.books.hold("operator")
			c := h.send(request("POST", "/orders", order("A"), tt.prefer))
			<-h.books.accepts
			var receipt continuity.Receipt
			for receipt.IsZero() {
				for _, rec := range h.books.kept() {
					receipt = rec.Receipt
				}
			}
			h.books.end(receipt, continuity.Delivered, final)
			r, err := read(c, "POST")
			if err != nil || r.status != 201 || r.body != "done" || r.header.Get("X-Shop") != "late" || r.header.Get("Holdfast-Receipt") != receipt.String() {
				t.Errorf("answered %s, %v", r, err)
			}
		})
	}
	t.Run("it does not come", func(t *testing.T) {
		h := open(t, func(h *house, _ *relay.Options) { h.route.Answer.Wait = 20 * time.Millisecond })
		h.books.hold("operator")
		wantHeld(t, h.post(order("A")))
	})
}

func TestRule8_2_OnlyWhoDeclaredItIsHeld(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) { h.route.Answer = nil })
	h.books.hold("operator")
	wantProblem(t, h.post(order("A")), 503, "not-held")
	h.wantKept(0)
	r := h.post(order("A"), "Prefer: respond-async")
	wantHeld(t, r)
	if r.header.Get("Preference-Applied") != "respond-async" {
		t.Errorf("answer %s", r)
	}
	h.books.pass()
	wantProblem(t, h.post(order("A")), 503, "not-held") // behind the first
	h.wantKept(1)
	h.shop.next(nil)
	r = h.post(order("B"), "Idempotency-Key: b")
	wantProblem(t, r, 504, "outcome-unknown")
	rec := h.wantKept(2)[1]
	if !rec.Lost || r.header.Get("Location") != "/.holdfast/receipts/"+rec.Receipt.String() || !strings.Contains(r.body, rec.Receipt.String()) {
		t.Errorf("answer %s", r)
	}
	again := h.post(order("B"), "Idempotency-Key: b")
	wantProblem(t, again, 504, "outcome-unknown")
	h.shop.close()
	h.use(continuity.Limits{})
	wantProblem(t, h.post(order("C")), 503, "not-held")
	h.wantKept(2)
}

func TestRule8_2_TheAnswerNeverSaysOrdered(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	if r := h.post(order("A")); !strings.Contains(r.body, "Received, to be confirmed") || r.header.Get("Content-Type") != "application/json" || !json.Valid([]byte(r.body)) {
		t.Errorf("answer %s", r)
	}
	if r := h.post(order("A"), "Accept-Language: zh-CN"); !strings.Contains(r.body, "已收到，待确认") || r.header.Get("Content-Language") != "zh" || !json.Valid([]byte(r.body)) {
		t.Errorf("answer %s", r)
	}
	h.route.Answer = &continuity.Answer{
		Status: 200, ContentType: "text/xml", Body: "<xml><id>{receipt}</id></xml>",
		Header: []continuity.Field{{Name: "X-Receipt", Value: "r-{receipt}"}},
	}
	h.use(continuity.Limits{})
	r := h.post(order("A"))
	receipt := h.wantKept(3)[2].Receipt.String()
	if r.status != 200 || r.body != "<xml><id>"+receipt+"</id></xml>" || r.header.Get("X-Receipt") != "r-"+receipt || r.header.Get("Content-Type") != "text/xml" {
		t.Errorf("a callback's own form: %s", r)
	}
	h.route.Answer = &continuity.Answer{Status: 202, ContentType: "text/plain; charset=utf-8"}
	h.use(continuity.Limits{})
	if r := h.post(order("A")); !strings.HasPrefix(r.body, "Received, to be confirmed") {
		t.Errorf("plain text: %s", r)
	}
}

func TestRule8_3_Receipts(t *testing.T) {
	h := open(t)
	h.books.hold("operator")
	location := h.post(order("A")).header.Get("Location")
	receipt := h.wantKept(1)[0].Receipt
	get := func(header ...string) (relay.Receipt, reply) {
		t.Helper()
		r := h.do("GET", location, "", header...)
		wantStatus(t, r, 200)
		var told relay.Receipt
		if err := json.Unmarshal([]byte(r.body), &told); err != nil || r.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %v", r, err)
		}
		return told, r
	}
	told, r := get()
	if told.State != "queued" || told.Receipt != receipt.String() || !strings.Contains(told.Message, "to be confirmed") || told.Response != nil || r.header.Get("Retry-After") == "" {
		t.Errorf("pending: %s", r)
	}
	if told, _ := get("Accept-Language: zh"); !strings.Contains(told.Message, "待确认") {
		t.Errorf("in Chinese: %q", told.Message)
	}
	h.books.end(receipt, continuity.Delivered, &continuity.Response{Status: 201, Header: []continuity.Field{{Name: "Content-Type", Value: "text/plain"}}, Body: []byte("done"), Cut: true})
	told, r = get()
	if want := (relay.Outcome{Status: 201, ContentType: "text/plain", Body: "done", Cut: true}); told.Response == nil || *told.Response != want || r.header.Get("Retry-After") != "" {
		t.Errorf("ended: %s", r)
	}
	h.books.end(receipt, continuity.Refused, &continuity.Response{Status: 400, Body: []byte{0xff}})
	if told, r = get(); told.State != "refused" || told.Response.Encoding != "base64" || told.Response.Body != "/w==" {
		t.Errorf("bytes: %s", r)
	}
	if r := h.do("HEAD", location, ""); r.status != 200 || r.body != "" {
		t.Errorf("HEAD: %s", r)
	}
	var unknown []string
	for _, target := range []string{
		"/.holdfast/receipts/" + continuity.Receipt{1}.String(), "/.holdfast/receipts/" + receipt.String() + "x", "/.holdfast/receipts/", "/.holdfast/x",
		strings.ToUpper(location),
	} {
		r := h.do("GET", target, "")
		wantProblem(t, r, 404, map[bool]string{true: "not-found", false: "no-route"}[strings.HasPrefix(target, "/.h")])
		if strings.HasPrefix(target, "/.h") {
			unknown = append(unknown, r.body)
		}
	}
	for _, body := range unknown {
		if body != unknown[0] {
			t.Errorf("an unknown receipt can be told from none: %s, %s", body, unknown[0])
		}
	}
	wantProblem(t, h.do("DELETE", location, ""), 404, "not-found")
	h.wantSent(0)
}

func TestRule11_2_Trail(t *testing.T) {
	h := open(t)
	h.post(order("A"), "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 5", "TE: trailers")
	h.post(order("A"), "Via: 1.0 front", "via: 1.1 side", "X-Forwarded-For: 203.0.113.7", "x-forwarded-for: 10.0.0.1",
		"X-Forwarded-Proto: https", "X-Forwarded-Host: www.example")
	sent := h.wantSent(2)
	for name, want := range map[string][2]string{
		"Via":               {"1.1 holdfast", "1.0 front, 1.1 side, 1.1 holdfast"},
		"X-Forwarded-For":   {"127.0.0.1", "203.0.113.7, 10.0.0.1, 127.0.0.1"},
		"X-Forwarded-Proto": {now.scheme(), "https"},
		"X-Forwarded-Host":  {"shop.example", "www.example"},
	} {
		for n, req := range sent {
			if got := req.Header.Values(name); len(got) != 1 || got[0] != want[n] {
				t.Errorf("%s: %q, want %q", name, got, want[n])
			}
		}
	}
	for _, name := range []string{"X-Hop", "Keep-Alive"} {
		if sent[0].Header.Get(name) != "" {
			t.Errorf("%s went through", name)
		}
	}
	h.books.hold("operator")
	h.post(order("A"), "X-Forwarded-For: 203.0.113.7", "Connection: X-Hop", "X-Hop: 1")
	var trail string
	for _, f := range h.wantKept(1)[0].Header {
		if f.Name == "X-Forwarded-For" {
			trail = f.Value
		}
		if f.Name == "X-Hop" || f.Name == "Connection" || f.Name == "Content-Length" {
			t.Errorf("%s is kept", f.Name)
		}
	}
	if trail != "203.0.113.7, 127.0.0.1" {
		t.Errorf("kept trail %q", trail)
	}
}
