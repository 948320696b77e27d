package kinds_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

func site(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			fmt.Fprint(w, `{"status":"UP","queue":[{"length":17}],"ok":true}`)
		case "/text":
			fmt.Fprint(w, "all is well")
		case "/gone":
			http.Error(w, secretWord, http.StatusGone)
		case "/huge":
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 3<<20))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		case "/away":
			http.Redirect(w, r, "http://other.example/"+secretWord, http.StatusFound)
		case "/echo":
			w.Header().Set("X-Held", r.Method+" "+r.Header.Get("X-Sent")+" "+r.Host)
			_, _ = io.Copy(w, r.Body)
		case "/login":
			if r.Header.Get("Authorization") != secretWord {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}
	}))
	t.Cleanup(server.Close)
	return server
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type fields = map[string]*regexp.Regexp

func TestHTTP(t *testing.T) {
	server, tools := site(t), tools(t, nil)
	for name, c := range map[string]struct {
		spec  probe.Spec
		state string
		code  string
	}{
		"well":           {probe.Spec{Target: "/text"}, "up", ""},
		"status":         {probe.Spec{Target: "/gone"}, "down", "watch.status"},
		"status meant":   {probe.Spec{Target: "/gone", Expect: probe.Expect{Status: []probe.StatusRange{{First: 410, Last: 410}}}}, "up", ""},
		"redirect away":  {probe.Spec{Target: "/away"}, "down", "watch.status"},
		"body":           {probe.Spec{Target: "/text", Expect: probe.Expect{Body: pattern("well$")}}, "up", ""},
		"wrong body":     {probe.Spec{Target: "/text", Expect: probe.Expect{Body: pattern("ill$")}}, "down", "watch.body-lacks"},
		"not":            {probe.Spec{Target: "/text", Expect: probe.Expect{Not: pattern("well")}}, "down", "watch.body-has"},
		"huge, unread":   {probe.Spec{Target: "/huge"}, "up", ""},
		"huge":           {probe.Spec{Target: "/huge", Expect: probe.Expect{Not: pattern("x")}}, "down", "watch.too-long"},
		"cut":            {probe.Spec{Target: "/cut"}, "down", "watch.closed"},
		"json":           {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/status", Equals: ref("UP")}}, "up", ""},
		"json bool":      {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/ok", Equals: ref("true")}}, "up", ""},
		"json other":     {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/status", Equals: ref("DOWN")}}, "down", "watch.json-value"},
		"json number":    {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/queue/0/length", Value: probe.Bounds{AtMost: ref(20.0)}}}, "up", ""},
		"json too much":  {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/queue/0/length", Value: probe.Bounds{AtMost: ref(10.0)}}}, "down", "watch.json-value"},
		"json no number": {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/status", Value: probe.Bounds{AtMost: ref(10.0)}}}, "down", "watch.json-value"},
		"json missing":   {probe.Spec{Target: "/json", Expect: probe.Expect{JSON: "/queue/1"}}, "down", "watch.json-lacks"},
		"no json":        {probe.Spec{Target: "/text", Expect: probe.Expect{JSON: "/a"}}, "down", "watch.no-json"},
		"header":         {probe.Spec{Target: "/echo", Method: "PUT", Headers: map[string]string{"X-Sent": "a", "Host": "b"}, Body: "given", Expect: probe.Expect{Headers: fields{"X-Held": pattern("^PUT a b$")}, Body: pattern("^given$")}}, "up", ""},
		"wrong header":   {probe.Spec{Target: "/echo", Expect: probe.Expect{Headers: fields{"X-Held": pattern("^PUT$")}}}, "down", "watch.header"},
		"no header":      {probe.Spec{Target: "/text", Expect: probe.Expect{Headers: fields{"X-Held": nil}}}, "down", "watch.header"},
		"login":          {probe.Spec{Target: "/login", Auth: secret}, "up", ""},
		"no secret":      {probe.Spec{Target: "/login", Auth: func() (string, error) { return "", io.EOF }}, "unknown", "watch.no-secret"},
		"slow":           {probe.Spec{Target: "/text", Slow: 1}, "degraded", "watch.slow"},
	} {
		c.spec.Kind, c.spec.Target = "http", server.URL+c.spec.Target
		r := look(t, tools, c.spec)
		if string(r.State) != c.state || r.Reason.Code != c.code {
			t.Errorf("%s: %s %s, not %s %s", name, r.State, r.Reason.Code, c.state, c.code)
		}
	}
	r := look(t, tools, probe.Spec{Kind: "http", Target: server.URL + "/json", Expect: probe.Expect{JSON: "/queue/0/length"}})
	if r.Values["json"] != 17 {
		t.Errorf("values: %v", r.Values)
	}
}

// TestHTTPNewConnections has a server that answers old connections and accepts
// no new one.
func TestHTTPNewConnections(t *testing.T) {
	var accepted atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Listener = &counting{server.Listener, &accepted}
	server.Start()
	defer server.Close()
	p, err := kinds.New(probe.Spec{ID: "check-1", Kind: "http", Target: server.URL}, tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		expect(t, "well", run(t, p), up, "")
	}
	if n := accepted.Load(); n != 2 { // a new one waits for the next five looks
		t.Errorf("%d connections for 12 looks", n)
	}
	_ = server.Listener.Close()
	seen := 0
	for range 6 {
		if r := run(t, p); r.State == down {
			expect(t, "closed", r, down, "watch.refused")
			seen++
		}
	}
	if seen == 0 {
		t.Error("it looks well for six looks")
	}
}

func TestCertificates(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(100 * 24 * time.Hour)
	for name, c := range map[string]struct {
		config *tls.Config
		within time.Duration
		code   string
	}{
		"good":      {a.issue(t, "127.0.0.1", later), 24 * time.Hour, ""},
		"ends soon": {a.issue(t, "127.0.0.1", later), 101 * 24 * time.Hour, "watch.certificate-ends"},
		"expired":   {a.issue(t, "127.0.0.1", time.Now().Add(-time.Hour)), 0, "watch.certificate-expired"},
		"name":      {a.issue(t, "127.0.0.2", later), 0, "watch.certificate-name"},
		"untrusted": {other.issue(t, "127.0.0.1", later), 0, "watch.certificate-untrusted"},
		"too old": {func() *tls.Config {
			c := a.issue(t, "127.0.0.1", later)
			c.MaxVersion = tls.VersionTLS11
			c.MinVersion = tls.VersionTLS10
			return c
		}(), 0, "watch.tls"},
	} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = c.config
		server.Config.ErrorLog = quiet
		server.StartTLS()
		tools := tools(t, a.roots)
		address := strings.TrimPrefix(server.URL, "https://")
		for _, spec := range []probe.Spec{{Kind: "http", Target: server.URL}, {Kind: "tls", Target: address}, {Kind: "tcp", Target: address, TLS: true}} {
			spec.Expires = c.within
			r := look(t, tools, spec)
			state := map[string]string{"": "up", "watch.certificate-ends": "degraded"}[c.code]
			if state == "" {
				state = "down"
			}
			if r.Reason.Code != c.code || string(r.State) != state {
				t.Errorf("%s: %s: %s %s", name, spec.Kind, r.State, r.Reason.Code)
			}
			if (state != "down") != r.CertExpires.Equal(later.Truncate(time.Second)) {
				t.Errorf("%s: %s: ends %s", name, spec.Kind, r.CertExpires)
			}
		}
		server.Close()
	}
}

func TestWebSocket(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != secretWord || r.URL.Path == "/plain" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if r.URL.Path == "/shut" {
				_ = conn.Close(websocket.StatusGoingAway, secretWord)
				return
			}
			_ = conn.Write(r.Context(), websocket.MessageText, []byte("noise"))
			_ = conn.Write(r.Context(), kind, message)
		}
	}))
	defer server.Close()
	tools := tools(t, nil)
	base := "ws" + strings.TrimPrefix(server.URL, "http")
	talk := probe.Expect{Send: "ping 17", Received: "ping 17"}
	expect(t, "handshake", look(t, tools, probe.Spec{Kind: "websocket", Target: base, Auth: secret}), up, "")
	expect(t, "echo", look(t, tools, probe.Spec{Kind: "websocket", Target: base, Auth: secret, Expect: talk}), up, "")
	expect(t, "no login", look(t, tools, probe.Spec{Kind: "websocket", Target: base}), down, "watch.status")
	expect(t, "plain", look(t, tools, probe.Spec{Kind: "websocket", Target: base + "/plain", Auth: secret}), down, "watch.status")
	expect(t, "other words", look(t, tools, probe.Spec{Kind: "websocket", Target: base, Auth: secret, Timeout: 300 * time.Millisecond, Expect: probe.Expect{Send: "a", Received: "b"}}), down, "watch.timeout")
	if r := look(t, tools, probe.Spec{Kind: "websocket", Target: base + "/shut", Auth: secret, Expect: talk}); r.State != down {
		t.Errorf("shut: %s", r.State)
	}
}

// counting counts what it accepts.
type counting struct {
	net.Listener
	accepted *atomic.Int32
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}
