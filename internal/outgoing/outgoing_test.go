package outgoing

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"holdfast/internal/continuity"
)

func policy(t *testing.T, rules ...string) Policy {
	t.Helper()
	parsed, err := Rules(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return NewPolicy(parsed...)
}

// why is the reason of a refusal, and "" for none.
func why(t *testing.T, err error) string {
	t.Helper()
	var refusal *continuity.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &refusal) || refusal.Code != continuity.CodeOutgoing:
		t.Fatalf("no refusal: %v", err)
	}
	return refusal.Args["why"].(string)
}

func TestCheck(t *testing.T) {
	everything := []string{"0.0.0.0/0", "::/0", "any.example.com"}
	for _, c := range []struct {
		rules         []string
		host, address string
		port          uint16
		want          string
	}{
		{nil, "shop.example.com", "203.0.113.5", 443, Unlisted},
		{[]string{"shop.example.com"}, "shop.example.com", "203.0.113.5", 443, ""},
		{[]string{"shop.example.com"}, "SHOP.example.com.", "203.0.113.5", 443, ""},
		{[]string{"shop.example.com:443"}, "shop.example.com", "203.0.113.5", 80, Unlisted},
		{[]string{"shop.example.com:80,8000-8099"}, "shop.example.com", "203.0.113.5", 8042, ""},
		{[]string{"shop.example.com"}, "ashop.example.com", "203.0.113.5", 443, Unlisted},
		{[]string{"*.example.com"}, "a.b.example.com", "203.0.113.5", 443, ""},
		{[]string{"*.example.com"}, "example.com", "203.0.113.5", 443, Unlisted},
		{[]string{"*.example.com"}, "badexample.com", "203.0.113.5", 443, Unlisted},
		{[]string{"203.0.113.0/24"}, "whatever.example", "203.0.113.5", 443, ""},
		{[]string{"203.0.113.5:443"}, "203.0.113.5", "203.0.113.5", 443, ""},
		{[]string{"203.0.113.5:443"}, "203.0.113.5", "203.0.113.6", 443, Unlisted},
		{[]string{"203.0.113.5"}, "x", "::ffff:203.0.113.5", 443, ""},
		{[]string{"[2001:db8::/32]:443"}, "x", "2001:db8::1", 443, ""},
		{[]string{"[2001:db8::/32]:443"}, "x", "2001:db8::1", 80, Unlisted},

		// A name lets in no private address; a network does.
		{[]string{"shop.example.com"}, "shop.example.com", "127.0.0.1", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "10.0.0.5", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "192.168.1.1", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "100.64.0.9", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "::1", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "fd00::1", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "::ffff:10.0.0.5", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "64:ff9b::a00:5", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "2002:a00:5::1", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "::ffff:0:10.0.0.5", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "2001:db8::5efe:10.0.0.5", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "fec0::1", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "198.18.0.9", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "192.0.0.8", 443, Private},
		{[]string{"shop.example.com"}, "shop.example.com", "2001:db8::5eff:10.0.0.5", 443, ""},
		{[]string{"shop.example.com"}, "shop.example.com", "64:ff9b:1::203.0.113.5", 443, ""},
		{[]string{"shop.example.com"}, "shop.example.com", "64:ff9b:1:cb00:71:500::", 443, ""},
		{[]string{"fec0::/10"}, "shop.example.com", "fec0::1", 443, ""},
		{[]string{"10.0.0.0/8", "shop.example.com"}, "shop.example.com", "10.0.0.5", 443, ""},
		{[]string{"127.0.0.1:9000"}, "localhost", "127.0.0.1", 9000, ""},
		{[]string{"127.0.0.1:9000"}, "localhost", "127.0.0.1", 9001, Unlisted},

		// Nothing lets these in.
		{everything, "any.example.com", "169.254.169.254", 80, Never},
		{everything, "any.example.com", "169.254.0.23", 80, Never},
		{everything, "any.example.com", "169.254.1.1", 80, Never},
		{everything, "any.example.com", "100.100.100.200", 80, Never},
		{everything, "any.example.com", "168.63.129.16", 80, Never},
		{everything, "any.example.com", "192.0.0.192", 80, Never},
		{everything, "any.example.com", "fd00:ec2::254", 80, Never},
		{everything, "any.example.com", "fd20:ce::254", 80, Never},
		{everything, "any.example.com", "fd00:42::42", 80, Never},
		{everything, "any.example.com", "fe80::1", 80, Never},
		{everything, "any.example.com", "fe80::1%eth0", 80, Never},
		{everything, "any.example.com", "0.0.0.0", 80, Never},
		{everything, "any.example.com", "0.1.2.3", 80, Never},
		{everything, "any.example.com", "::", 80, Never},
		{everything, "any.example.com", "224.0.0.1", 80, Never},
		{everything, "any.example.com", "255.255.255.255", 80, Never},
		{everything, "any.example.com", "ff02::1", 80, Never},
		{everything, "any.example.com", "::ffff:169.254.169.254", 80, Never},
		{everything, "any.example.com", "::169.254.169.254", 80, Never},
		{everything, "any.example.com", "64:ff9b::a9fe:a9fe", 80, Never},
		{everything, "any.example.com", "64:ff9b:1::a9fe:a9fe", 80, Never},
		{everything, "any.example.com", "64:ff9b:1:a9fe:a9:fe00::", 80, Never},
		{everything, "any.example.com", "64:ff9b:1:a9:fe:a9fe::", 80, Never},
		{everything, "any.example.com", "64:ff9b:1:0:a9:fea9:fe00:0", 80, Never},
		{everything, "any.example.com", "::ffff:0:169.254.169.254", 80, Never},
		{everything, "any.example.com", "::ffff:0:100.100.100.200", 80, Never},
		{everything, "any.example.com", "2001:db8::5efe:169.254.169.254", 80, Never},
		{everything, "any.example.com", "2001:db8::200:5efe:169.254.169.254", 80, Never},
		{everything, "any.example.com", "240.0.0.1", 80, Never},
		{everything, "any.example.com", "2002:a9fe:a9fe::1", 80, Never},
		{everything, "any.example.com", "2001:0:1:2:3:4:5601:5601", 80, Never},
	} {
		err := policy(t, c.rules...).Check(c.host, netip.MustParseAddr(c.address), c.port)
		if got := why(t, err); got != c.want {
			t.Errorf("%v: %s %s:%d: %q, not %q", c.rules, c.host, c.address, c.port, got, c.want)
		}
	}
}

// TestNarrow has a plan that names the private places it concerns.
func TestNarrow(t *testing.T) {
	node := policy(t, "10.0.0.0/8", "shop.example.com", "203.0.113.0/24", "unix:/run/a.sock", "unix:/run/b.sock")
	narrow := node.Narrow("10.1.0.5:5432", "10.0.0.1/8", "127.0.0.1", "unix:/run/a.sock")
	for _, c := range []struct {
		host, address string
		port          uint16
		want          string
	}{
		{"10.1.0.5", "10.1.0.5", 5432, ""},
		{"10.1.0.5", "10.1.0.5", 22, Private},
		{"db", "10.1.0.6", 5432, Private},        // what can't be read lets nothing in
		{"127.0.0.1", "127.0.0.1", 80, Unlisted}, // the node does not allow it
		{"shop.example.com", "198.51.100.1", 443, ""},
		{"shop.example.com", "10.1.0.5", 5432, ""},
		{"x", "203.0.113.9", 443, ""},
		{"x", "::ffff:10.2.0.1", 443, Private},
	} {
		if got := why(t, narrow.Check(c.host, netip.MustParseAddr(c.address), c.port)); got != c.want {
			t.Errorf("%s %s:%d: %q, not %q", c.host, c.address, c.port, got, c.want)
		}
	}
	if narrow.CheckSocket("/run/a.sock") != nil || narrow.CheckSocket("/run/b.sock") == nil {
		t.Error("sockets")
	}
	for host, want := range map[string]bool{"10.1.0.5": true, "10.1.0.6": false, "shop.example.com": true, "192.0.2.1": false} {
		if narrow.Might(host, 5432) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
	if policy(t, "shop.example.com:443").Might("shop.example.com", 80) || policy(t, "a.example.com").Might("b.example.com", 80) {
		t.Error("what no rule names might be reached")
	}
}

func TestBadRules(t *testing.T) {
	for _, text := range []string{
		"", ":443", "*", "*.com", "a..b", "-a.example.com", "a b", "http://example.com", "example.com/path", "example.com:0",
		"example.com:99999", "example.com:9-8", "example.com:", "10.0.0.1/8", "10.0.0", "[::1", "[::1]443", "unix:db.sock", "1.2.3",
	} {
		if rule, err := ParseRule(text); err == nil {
			t.Errorf("%q: %+v", text, rule)
		}
	}
}

// TestRebinding has a name server that says one thing first and another later.
func TestRebinding(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).AddrPort().Port()

	var answer atomic.Pointer[netip.Addr]
	resolver := nameServer(t, &answer)
	g := New(policy(t, "vendor.example"), resolver)
	client := g.Client(Options{Time: 5 * time.Second})
	for address, want := range map[string]string{"127.0.0.1": Private, "169.254.169.254": Never, "100.100.100.200": Never} {
		a := netip.MustParseAddr(address)
		answer.Store(&a)
		_, err := client.Get("http://vendor.example:" + itoa(port))
		if got := why(t, err); got != want {
			t.Errorf("%s: %q, not %q", address, got, want)
		}
		if _, err := g.Lookup(t.Context(), "vendor.example", 0); why(t, err) != want {
			t.Errorf("look-up %s: %v", address, err)
		}
	}

	a := netip.MustParseAddr("127.0.0.1")
	answer.Store(&a)
	g.Set(policy(t, "vendor.example", "127.0.0.0/8"))
	response, err := client.Get("http://vendor.example:" + itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if found, err := g.Lookup(t.Context(), "vendor.example", 0); err != nil || len(found) != 1 || found[0] != a {
		t.Errorf("look-up: %v, %v", found, err)
	}
	g.Set(policy(t, "vendor.example")) // and the connection that waits is closed
	if _, err := client.Get("http://vendor.example:" + itoa(port)); why(t, err) != Private {
		t.Errorf("a connection of the old policy is used: %v", err)
	}
}

// TestNoNameIsAskedFor requires that a host which no rule names is refused before
// its name server hears of it: that the name is not found would be no news of the
// service.
func TestNoNameIsAskedFor(t *testing.T) {
	asked := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name server is asked")
		return nil, net.ErrClosed
	}}
	g := New(policy(t, "vendor.example:443"), asked)
	for _, address := range []string{"other.example:443", "vendor.example:80"} {
		if _, err := g.DialContext(t.Context(), "tcp", address); why(t, err) != Unlisted {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := g.Lookup(t.Context(), "other.example", 0); why(t, err) != Unlisted {
		t.Error(err)
	}
}

func itoa(port uint16) string { return netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[8:] }

// nameServer is a real one, with one answer for all names.
func nameServer(t *testing.T, answer *atomic.Pointer[netip.Addr]) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil {
				continue
			}
			m.Response = true
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: answer.Load().As4()},
				}}
			}
			m.Additionals = nil
			if packed, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	to := conn.LocalAddr().String()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", to)
	}}
}

func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed to another host") }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/within":
			http.Redirect(w, r, "/here", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	}))
	defer server.Close()
	client := New(policy(t, "127.0.0.1"), nil).Client(Options{})
	for path, want := range map[string]int{"/away": 302, "/within": 200, "/loop": 302} {
		response, err := client.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
	for _, c := range []struct {
		from, to string
		same     bool
	}{
		{"http://a.example/", "https://a.example/x", true},
		{"http://a.example:80/", "https://A.example.:443/x", true},
		{"https://a.example/", "http://a.example/", false},
		{"http://a.example:8080/", "https://a.example/", false},
		{"http://a.example/", "http://a.example:8080/", false},
		{"http://a.example/", "http://b.a.example/", false},
		{"http://a.example/", "ftp://a.example/", false},
	} {
		from, _ := url.Parse(c.from)
		to, _ := url.Parse(c.to)
		if sameHost(from, to) != c.same {
			t.Errorf("%s -> %s: %v", c.from, c.to, !c.same)
		}
	}
}

func TestBounds(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 10<<20))
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 80<<10))
		case "/hang":
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
	}))
	defer server.Close()
	defer close(hang)
	g := New(policy(t, "127.0.0.1"), nil)
	client := g.Client(Options{Body: 1000})
	response, err := client.Get(server.URL + "/body")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	var long *http.MaxBytesError
	if !errors.As(err, &long) || len(body) != 1000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if _, err := client.Get(server.URL + "/header"); err == nil {
		t.Error("80 KiB of headers are read")
	}
	var timeout net.Error
	if _, err := g.Client(Options{Time: 50 * time.Millisecond}).Get(server.URL + "/hang"); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("no end: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestNoProxyOfTheEnvironment(t *testing.T) {
	transport := New(Policy{}, nil).Transport(Options{}).(*bounded)
	if transport.Proxy != nil {
		t.Error("a proxy is asked")
	}
}

func TestSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := New(policy(t, "0.0.0.0/0"), nil).DialContext(t.Context(), "unix", path); why(t, err) != Unlisted {
		t.Error(err)
	}
	conn, err := New(policy(t, "unix:"+path), nil).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if _, err := New(policy(t, "0.0.0.0/0"), nil).DialContext(t.Context(), "ip4:icmp", "127.0.0.1"); err == nil {
		t.Error("raw packets leave unchecked")
	}
}
