package relay_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/relay"
)

// asked is an exchange of a chosen peer's that notes its answer.
type asked struct {
	http1.Exchange
	request http1.Request
	status  int
}

func (a *asked) Request() *http1.Request { return &a.request }
func (a *asked) Respond(status int, _ []continuity.Field, _ []byte) error {
	a.status = status
	return nil
}

func fields(lines ...string) []continuity.Field {
	var out []continuity.Field
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		out = append(out, continuity.Field{Name: name, Value: value})
	}
	return out
}

// The client is who the last trusted proxy names; what anybody else says about
// it is not even passed on.
func TestRule11_2_OnlyTrustedProxiesAreBelieved(t *testing.T) {
	e := relay.New(relay.Options{})
	e.SetTransport(continuity.Transport{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	for _, c := range []struct {
		peer   string
		header []continuity.Field
		want   string
		left   int // fields
	}{
		{"192.0.2.1:5", fields("X-Forwarded-For: 1.1.1.1", "x-forwarded-PROTO: https", "X-Forwarded-Port: 1", "Forwarded: for=1.1.1.1", "X-Real-Ip: 1.1.1.1", "X-Other: 1"), "192.0.2.1:5", 1},
		{"10.0.0.1:5", fields("X-Forwarded-For: 203.0.113.7"), "203.0.113.7:0", 1},
		{"10.0.0.1:5", fields("X-Forwarded-For: 1.1.1.1, 203.0.113.7"), "203.0.113.7:0", 1},
		{"10.0.0.1:5", fields("X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.0.0.2,10.0.0.3"), "203.0.113.7:0", 1},
		{"10.0.0.1:5", fields("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.7:99"), "203.0.113.7:99", 2},
		{"10.0.0.1:5", fields("X-Forwarded-For: 10.0.0.2, 10.0.0.3"), "10.0.0.2:0", 1},
		{"10.0.0.1:5", fields("X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.3"), "10.0.0.3:0", 1},
		{"10.0.0.1:5", fields("X-Forwarded-For: "), "10.0.0.1:5", 1},
		{"[::ffff:10.0.0.1]:5", fields("X-Forwarded-For: 2001:db8::7"), "[2001:db8::7]:0", 1},
		{"[::1]:5", fields("X-Forwarded-For: [2001:db8::7]:80"), "[2001:db8::7]:80", 1},
		{"10.0.0.1:5", fields(`Forwarded: for=1.1.1.1, for="[2001:db8::7]:47";proto=https;by="a,b"`), "[2001:db8::7]:47", 1},
		{"10.0.0.1:5", fields("Forwarded: for=_hidden"), "10.0.0.1:5", 1},
		{"10.0.0.1:5", fields("Forwarded: for=1.1.1.1", "X-Forwarded-For: 2.2.2.2"), "2.2.2.2:0", 2},
		{"pipe", fields("X-Forwarded-For: 1.1.1.1"), "pipe", 0},
	} {
		x := &asked{request: http1.Request{Method: "GET", Target: "/", Remote: c.peer, Header: c.header}}
		e.Handle(x)
		if r := &x.request; r.Remote != c.want || r.Peer != c.peer || len(r.Header) != c.left || x.status != 404 {
			t.Errorf("%s %v: client %s, peer %s, left %v", c.peer, c.header, r.Remote, r.Peer, r.Header)
		}
	}
}

func TestRule11_2_ForwardedGoesOn(t *testing.T) {
	h := open(t)
	h.post(order("A"), `Forwarded: for=203.0.113.7;proto=https`)
	if got := h.wantSent(1)[0].Header.Get("Forwarded"); got != `for=203.0.113.7;proto=https, for=127.0.0.1;host="shop.example";proto=`+now.scheme() {
		t.Error(got)
	}
	h.engine.SetTransport(continuity.Transport{})
	h.post(order("A"), "Forwarded: for=203.0.113.7", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")
	sent := h.wantSent(2)[1].Header
	if sent.Get("Forwarded") != "" || sent.Get("X-Forwarded-For") != "127.0.0.1" || sent.Get("X-Forwarded-Proto") != now.scheme() {
		t.Errorf("a stranger was believed: %v", sent)
	}
}

func TestRule11_2_Trace(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	form := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`)
	for _, wished := range []bool{false, true} {
		h := open(t)
		h.engine.SetTransport(continuity.Transport{MakeTrace: wished})
		for n, c := range []struct {
			lines []string
			want  string // "" none, "new", or as it is
		}{
			{nil, map[bool]string{true: "new"}[wished]},
			{[]string{"traceparent: " + good, "tracestate: a=b"}, good},
			{[]string{"traceparent: cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what"}, "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what"},
			{[]string{"traceparent: " + good + "-x", "tracestate: a=b"}, "new"},
			{[]string{"traceparent: " + good, "Traceparent: " + good, "tracestate: a=b"}, "new"},
			{[]string{"traceparent: ff" + good[2:]}, "new"},
			{[]string{"traceparent: " + strings.ToUpper(good)}, "new"},
			{[]string{"traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-00"}, "new"},
			{[]string{"traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00"}, "new"},
			{[]string{"traceparent: "}, "new"},
		} {
			h.post(order(fmt.Sprint(n)), c.lines...)
			sent := h.wantSent(n + 1)[n].Header
			got := sent.Values("Traceparent")
			switch {
			case c.want == "" && len(got) == 0:
			case len(got) != 1, c.want == "new" && !form.MatchString(got[0]), c.want != "new" && got[0] != c.want:
				t.Errorf("wished %v, %q: %q", wished, c.lines, got)
			case c.want == "new" && sent.Get("Tracestate") != "":
				t.Errorf("%q: the state of another trace", c.lines)
			}
		}
		// A kept request bears its trace to every attempt.
		h.books.hold("operator")
		h.post(order("A"), "traceparent: "+good)
		trace := ""
		for _, f := range h.wantKept(1)[0].Header {
			if strings.EqualFold(f.Name, "traceparent") {
				trace = f.Value
			}
		}
		if trace != good {
			t.Errorf("kept with %q", trace)
		}
	}
}

const webSocket = "GET /orders/live HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\n\r\n"

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"

// read101 consumes the head of the answer.
func read101(t *testing.T, c net.Conn) {
	t.Helper()
	var head []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); {
		if _, err := c.Read(b); err != nil {
			t.Fatalf("%q, %v", head, err)
		}
		head = append(head, b...)
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101 ") || !strings.Contains(string(head), "Sec-WebSocket-Accept: x") {
		t.Fatalf("answered %q", head)
	}
}

func TestRule11_1_WebSocketPassesWhileTheRoutePasses(t *testing.T) {
	if now.second {
		return // clients leave HTTP/1.1 for a WebSocket only
	}
	h := open(t)
	echo := func(c net.Conn) {
		io.WriteString(c, switching)
		io.Copy(c, c)
		c.(*net.TCPConn).CloseWrite()
	}
	h.shop.next(echo)
	c := h.send(webSocket)
	read101(t, c)
	for _, text := range []string{"one", "two"} {
		io.WriteString(c, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	c.(interface{ CloseWrite() error }).CloseWrite() // the other direction goes on until the shop ends it
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
	// A shop that refuses it answers for itself.
	h.shop.next(answer(403, "no"))
	if r, err := read(h.send(webSocket), "GET"); err != nil || r.status != 403 {
		t.Errorf("%s, %v", r, err)
	}
	// The relay stops: a silent tunnel does not keep it.
	h.shop.next(echo)
	c = h.send(webSocket)
	read101(t, c)
	h.engine.EndWaits()
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("a silent tunnel at the end: %v", err)
	}
	h.books.hold("operator")
	before := len(h.shop.requests())
	r, err := read(h.send(webSocket), "GET")
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, r, 503, "not-held")
	if len(h.shop.requests()) != before || len(h.books.kept()) != 0 {
		t.Error("it was sent or kept")
	}
}

func TestRule11_1_TrailersOfAHoldableRequestPass(t *testing.T) {
	h := open(t)
	raw := "POST /orders HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n10\r\n{\"order_no\":\"A\"}\r\n0\r\nX-Sum: 1\r\n\r\n"
	if r, err := read(h.send(raw), "POST"); err != nil || r.status != 201 {
		t.Fatalf("%s, %v", r, err)
	}
	if got := h.wantSent(1)[0].Trailer.Get("X-Sum"); got != "1" {
		t.Errorf("trailer %q", got)
	}
}
