package relay_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

func replying(h *house, _ *relay.Options) {
	h.route.Reply = &continuity.Reply{Cache: true, Item: 1000, Stale: time.Hour, After: 90 * time.Second,
		Title: continuity.Said{En: "Paused", Zh: "暂停"},
		Channels: []continuity.Channel{
			{Name: continuity.Said{En: "Hotline", Zh: "热线"}, URL: "tel:+8610123456"},
			{Name: continuity.Said{Zh: "柜台"}, Text: continuity.Said{En: "<any> branch"}},
		}}
}

var cached = continuity.Limits{Replies: 1 << 20}

func with(header, body string) func(net.Conn) {
	return func(c net.Conn) {
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body)
	}
}

func TestReplyGivesReadersTheLastGoodResponse(t *testing.T) {
	o := make(observer, 20)
	h := open(t, func(h *house, options *relay.Options) { replying(h, nil); options.Observer = o })
	h.use(cached)
	h.shop.next(with("ETag: \"1\"\r\nContent-Type: text/plain\r\n", "last good"))
	wantStatus(t, h.do("GET", "/orders/A", ""), 200)
	h.books.set("operator", continuity.IntakeReply)
	for range 2 {
		<-o
		r := h.do("GET", "/orders/A", "")
		wantStatus(t, r, 200)
		if r.body != "last good" || r.header.Get("Holdfast-State") != "stale" || r.header.Get("Age") == "" || !strings.HasPrefix(r.header.Get("Cache-Status"), "holdfast; hit; ttl=") {
			t.Fatalf("answered %s", r)
		}
	}
	if got := <-o; got != relay.Stale {
		t.Errorf("observed %s", got)
	}
	wantStatus(t, h.do("GET", "/orders/A", "", `If-None-Match: W/"1"`), 304)
	if r := h.do("HEAD", "/orders/A", ""); r.status != 200 || r.body != "" {
		t.Errorf("HEAD answered %s", r)
	}
	wantProblem(t, h.do("GET", "/orders/B", ""), 503, "maintenance")
	wantProblem(t, h.do("GET", "/orders/A", "", "Cookie: sid=1"), 503, "maintenance") // it is not said to be public
	wantProblem(t, h.post(order("A")), 503, "maintenance")                            // with reply nothing is held
	h.wantKept(0)
	h.wantSent(1)
}

// What a shared cache may not store or give stale, no reader gets (RFC 9111).
func TestReplyKeepsOnlyWhatASharedCacheMay(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		asks   []string // of the first reader
		reads  []string // of the second
		given  bool
	}{
		"nothing said":           {given: true},
		"private":                {header: "Cache-Control: private\r\n"},
		"no-store":               {header: "Cache-Control: max-age=60, no-store\r\n"},
		"no-cache":               {header: "Cache-Control: no-cache\r\n"},
		"Set-Cookie":             {header: "Set-Cookie: a=b\r\n"},
		"authorized":             {asks: []string{"Authorization: Bearer x"}},
		"authorized, public":     {header: "Cache-Control: public\r\n", asks: []string{"Authorization: Bearer x"}, reads: []string{"Authorization: Bearer y"}, given: true},
		"must-revalidate, stale": {header: "Cache-Control: must-revalidate, max-age=0\r\n"},
		"must-revalidate, fresh": {header: "Cache-Control: must-revalidate, max-age=60\r\n", given: true},
		"s-maxage, stale":        {header: "Age: 20\r\nCache-Control: s-maxage=10\r\n"},
		"stale-if-error":         {header: "Age: 20\r\nCache-Control: max-age=10, stale-if-error=60\r\n", given: true},
		"stale-if-error, over":   {header: "Age: 90\r\nCache-Control: max-age=10, stale-if-error=60\r\n"},
		"too old":                {header: "Age: 4000\r\n"},
		"Vary, same":             {header: "Vary: Accept-Language\r\n", asks: []string{"Accept-Language: zh"}, reads: []string{"Accept-Language: zh"}, given: true},
		"Vary, other":            {header: "Vary: Accept-Language\r\n", asks: []string{"Accept-Language: zh"}, reads: []string{"Accept-Language: en"}},
		"Vary *":                 {header: "Vary: *\r\n"},
		"asked not to store":     {asks: []string{"Cache-Control: no-store"}},
		"malformed":              {header: "Cache-Control: max-age=x\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, replying)
			h.use(cached)
			h.shop.next(with(c.header, "body"))
			wantStatus(t, h.do("GET", "/orders/A", "", c.asks...), 200)
			h.books.set("operator", continuity.IntakeReply)
			r := h.do("GET", "/orders/A", "", c.reads...)
			if given := r.status == 200 && r.body == "body"; given != c.given {
				t.Errorf("answered %s", r)
			}
		})
	}
}

// Where callers prove who they are by other things than RFC 9111 knows of, what
// one of them read is nobody else's unless the upstream says so.
func TestReplyKeepsNothingOfVerifiedCallersButWhatIsPublic(t *testing.T) {
	h := open(t, replying)
	h.caller = &badges{}
	h.route.Caller, h.route.Verify = "verified", &continuity.Verify{}
	h.use(cached)
	h.shop.next(with("Cache-Control: max-age=60\r\n", "alice's orders"), with("Cache-Control: public, max-age=60\r\n", "the menu"))
	wantStatus(t, h.do("GET", "/orders/mine", "", "X-Badge: alice"), 200)
	wantStatus(t, h.do("GET", "/orders/menu", "", "X-Badge: alice"), 200)
	h.books.set("operator", continuity.IntakeReply)
	for _, badge := range []string{"X-Badge: alice", "X-Badge: bob", "X-Other: 1"} {
		wantProblem(t, h.do("GET", "/orders/mine", "", badge), 503, "maintenance")
		if r := h.do("GET", "/orders/menu", "", badge); r.body != "the menu" {
			t.Errorf("%s: %s", badge, r)
		}
	}
}

func TestReplyForgetsWhatAWriteChanged(t *testing.T) {
	h := open(t, replying)
	h.use(cached)
	h.shop.next(with("", "old"))
	h.do("GET", "/orders", "")
	h.post(order("A"))
	h.books.set("operator", continuity.IntakeReply)
	wantProblem(t, h.do("GET", "/orders", ""), 503, "maintenance")
}

// Reads of a route that holds because its upstream is down are answered, too;
// writes are kept as ever.
func TestReplyToReadsWhileHealthHolds(t *testing.T) {
	h := open(t, replying)
	h.use(cached)
	h.shop.next(with("", "last good"), nil)
	h.do("GET", "/orders/A", "")
	if r := h.do("GET", "/orders/A", ""); r.body != "last good" { // a read that is lost is answered as well
		t.Errorf("a lost read was answered %s", r)
	}
	h.books.hold("health")
	if r := h.do("GET", "/orders/A", ""); r.body != "last good" || r.header.Get("Holdfast-State") != "stale" {
		t.Errorf("answered %s", r)
	}
	wantHeld(t, h.post(order("A")))
	h.wantSent(2)
	h.books.hold("operator") // a person who holds lets reads pass
	wantStatus(t, h.do("GET", "/orders/A", ""), 201)
}

func TestMaintenanceAnswerInTheClientsFormAndLanguage(t *testing.T) {
	h := open(t, replying)
	h.books.set("operator", continuity.IntakeReply)
	r := h.post(order("A"), "Accept-Language: zh-CN")
	wantProblem(t, r, 503, "maintenance")
	for _, want := range []string{`"title":"暂停"`, `{"name":"热线","url":"tel:+8610123456"}`, `{"name":"柜台","text":"\u003cany\u003e branch"}`} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is not in %s", want, r.body)
		}
	}
	if r.header.Get("Retry-After") != "90" || r.header.Get("Vary") != "Accept, Accept-Language" {
		t.Errorf("header %v", r.header)
	}
	r = h.do("GET", "/orders/A", "", "Accept: text/html,application/xhtml+xml,*/*;q=0.8")
	for _, want := range []string{`<html lang="en">`, "<h1>Paused</h1>", `<a href="tel:&#43;8610123456">Hotline</a>`, `<span lang="zh">柜台</span>: <span>&lt;any&gt; branch</span>`} {
		if r.status != 503 || !strings.Contains(r.body, want) {
			t.Errorf("%s is not in %s", want, r)
		}
	}
	wantProblem(t, h.do("GET", "/orders/A", "", "Accept: application/json, text/html;q=0.5"), 503, "maintenance")
}

func TestBlock(t *testing.T) {
	o := make(observer, 20)
	h := open(t, func(h *house, options *relay.Options) {
		h.route.Block = []continuity.Block{{Reason: "scraper", Paths: []string{"/orders/export/**"}, Headers: []continuity.Field{{Name: "User-Agent", Value: "bad*"}}}}
		options.Observer = o
	})
	wantProblem(t, h.do("GET", "/orders/export/1", "", "User-Agent: badger/1"), 403, "blocked")
	if got := <-o; got != relay.Blocked {
		t.Errorf("observed %s", got)
	}
	wantStatus(t, h.do("GET", "/orders/export/1", "", "User-Agent: good"), 201)
	wantStatus(t, h.do("GET", "/orders/1", "", "User-Agent: badger/1"), 201)
	h.books.owners = append(h.books.owners, continuity.Switch{Owner: "operator:li.wei:block:1", Intake: continuity.IntakeBlock,
		Block: &continuity.Block{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	h.books.settings.Add(1)
	wantProblem(t, h.post(order("A")), 403, "blocked")
	h.books.owners[0].Block.Addresses = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	wantStatus(t, h.post(order("A")), 201)
	h.books.set("operator", continuity.IntakeBlock)
	wantProblem(t, h.post(order("A")), 403, "blocked")
}

// TestBlockForATime has a block say what clients are told, and to come again; where
// another one refuses for good, that goes before.
func TestBlockForATime(t *testing.T) {
	o := make(observer, 20)
	h := open(t, func(_ *house, options *relay.Options) { options.Observer = o })
	uploads := &continuity.Block{Paths: []string{"/orders/import/**"}, Say: continuity.Said{En: "Upload later.", Zh: "请稍后上传。"}}
	h.books.owners = append(h.books.owners, continuity.Switch{Owner: "operator:w:block:1", Intake: continuity.IntakeBlock, Block: uploads})
	h.books.settings.Add(1)
	r := h.do("POST", "/orders/import/1", "{}", "Accept-Language: zh")
	wantProblem(t, r, 503, "maintenance")
	if !strings.Contains(r.body, "请稍后上传。") || r.header.Get("Retry-After") == "" {
		t.Errorf("answered %s %v", r, r.header)
	}
	if got := <-o; got != relay.Maintenance {
		t.Errorf("observed %s", got)
	}
	wantStatus(t, h.post(order("A")), 201)
	h.books.owners = append(h.books.owners, continuity.Switch{Owner: "operator:li.wei:block:2", Intake: continuity.IntakeBlock,
		Block: &continuity.Block{Paths: []string{"/orders/**"}}})
	h.books.settings.Add(1)
	wantProblem(t, h.do("POST", "/orders/import/1", "{}"), 403, "blocked")
}

func TestBlockKnowsBothFamilies(t *testing.T) {
	b := continuity.Block{Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}}
	for text, want := range map[string]bool{"192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.3.7": false, "2001:db8::1%eth0": true, "2001:db9::1": false} {
		if got := b.Matches(netip.MustParseAddr(text), "/", nil); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// A share of keys is held, the same ones each time, and a larger share holds
// them all and more.
func TestShareOfKeys(t *testing.T) {
	held := map[string]bool{}
	for _, share := range []float64{0.1, 0.5, 1} {
		h := open(t, func(h *house, _ *relay.Options) { h.route.Hold.Share = share })
		h.books.hold("operator")
		n := 0
		for i := range 100 {
			key := fmt.Sprint("k", i)
			r := h.post(order(key))
			if r.status == 202 {
				n++
				held[key] = true
			} else if wantStatus(t, r, 201); held[key] {
				t.Errorf("%s fell out of the share at %g", key, share)
			}
		}
		if want := int(share * 100); n < want-12 || n > want+12 {
			t.Errorf("share %g holds %d of 100", share, n)
		}
		if report := h.engine.Report(); share < 1 && (len(report) != 1 || report[0].Share != share || report[0].Holdable != int64(100-n)) {
			t.Errorf("share %g is reported as %+v", share, report)
		}
	}
}
