package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// through serves a handler that passes everything on to back, as a relay does.
func through(t *testing.T, back string) string {
	t.Helper()
	pool := http1.NewPool(http1.PoolOptions{Address: back})
	t.Cleanup(pool.Close)
	return serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		r := *x.Request()
		r.Interim = func(status int, h []continuity.Field) { x.(http1.Informer).Inform(status, h) }
		response, err := pool.RoundTrip(x.Context(), &r)
		if err != nil {
			x.Respond(502, nil, []byte(err.Error()))
			return
		}
		defer response.Body.Close()
		if response.Status != 101 {
			x.Stream(response.Status, response.Header, response.Length, response.Body)
			return
		}
		client, err := x.(http1.Switcher).Switch(response.Header)
		if err != nil {
			t.Error(err)
			return
		}
		far := response.Body.(http1.Tunnel)
		done := make(chan struct{})
		go func() {
			defer close(done)
			io.Copy(far, client)
			far.CloseWrite()
		}()
		io.Copy(client, far)
		client.CloseWrite()
		<-done
	}})
}

func TestRule11_1_TrailersPassBothWays(t *testing.T) {
	got := make(chan http.Header, 1)
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got <- r.Trailer
		w.Header().Set("Trailer", "X-Sum, Set-Cookie")
		w.Header()[http.TrailerPrefix+"X-Late"] = []string{"yes"}
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", "abc")
		w.Header().Set("Set-Cookie", "a=b")
	}))
	defer back.Close()
	front := through(t, strings.TrimPrefix(back.URL, "http://"))
	for _, te := range []string{"trailers", "gzip;q=0.5, trailers", "", "trailers;q=0"} {
		head := "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, TE\r\nTransfer-Encoding: chunked\r\n"
		if te != "" {
			head += "TE: " + te + "\r\n"
		}
		answer := talk(t, front, head+"\r\n3\r\nabc\r\n0\r\nX-Check: 1\r\nAuthorization: evil\r\nHost: evil\r\nContent-Length: 7\r\n\r\n")
		if h := <-got; h.Get("X-Check") != "1" || len(h) != 1 {
			t.Errorf("the upstream saw the trailers %v", h)
		}
		takes := strings.HasSuffix(te, "trailers")
		if strings.Contains(answer, "\r\n0\r\nX-Late: yes\r\nX-Sum: abc\r\n\r\n") != takes && strings.Contains(answer, "\r\n0\r\nX-Sum: abc\r\nX-Late: yes\r\n\r\n") != takes {
			t.Errorf("TE %q: %q", te, answer)
		}
		if strings.Contains(strings.ToLower(answer), "cookie") {
			t.Errorf("a forbidden trailer passed: %q", answer)
		}
	}
}

func TestMayTrail(t *testing.T) {
	for _, name := range []string{"Grpc-Status", "Server-Timing", "ETag", "Digest", "X-Anything"} {
		if !http1.MayTrail(name) {
			t.Errorf("%s is dropped", name)
		}
	}
	for _, name := range []string{
		"Transfer-Encoding", "Content-Length", "Host", "Trailer", "TE", "Connection", "Keep-Alive", "Upgrade", "Proxy-Authorization",
		"Authorization", "Cookie", "Set-Cookie", "Content-Type", "Content-Encoding", "Cache-Control", "Expect", "Max-Forwards", "Range",
		"If-Match", "Age", "Date", "Expires", "Location", "Retry-After", "Vary", "Warning", "Idempotency-Key", "Prefer",
		"X-Forwarded-For", "Forwarded", "Traceparent", "X-Request-Id", "WWW-Authenticate", "Holdfast-State", "", "a b",
	} {
		if http1.MayTrail(name) {
			t.Errorf("%s passes", name)
		}
	}
}

func TestRule11_1_EarlyHintsPass(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "done")
	}))
	defer back.Close()
	front := through(t, strings.TrimPrefix(back.URL, "http://"))
	answer := talk(t, front, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n") {
		t.Errorf("%q", answer)
	}
	if answer := talk(t, front, "GET / HTTP/1.0\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("to HTTP/1.0: %q", answer)
	}
}

func TestRule11_1_WebSocketLeavesHTTP(t *testing.T) {
	back := upstreamOf(t, func(_ int, c net.Conn) {
		defer c.Close()
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if req.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(req.Header.Get("Connection"), "Upgrade") || req.Header.Get("Sec-WebSocket-Key") != "k" {
			io.WriteString(c, "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
		all, _ := io.ReadAll(r) // until the client has closed its side
		slices.Reverse(all)
		c.Write(all)
	})
	front := through(t, back)
	c := dial(t, front)
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\nearly ")
	io.WriteString(c, "late")
	c.(*net.TCPConn).CloseWrite()
	all, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n") ||
		!strings.HasSuffix(string(all), "\r\n\r\nhelloetal ylrae") || !strings.Contains(string(all), "Sec-WebSocket-Accept: x") {
		t.Errorf("%q, %v", all, err)
	}
}

// Only a WebSocket's request leaves HTTP, and only by an upstream's leave.
func TestRule11_2_NothingElseIsAnUpgrade(t *testing.T) {
	upgrade := make(chan string, 1)
	front := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		upgrade <- x.Request().Upgrade
		if _, err := x.(http1.Switcher).Switch(nil); !errors.Is(err, http1.ErrHeader) || x.Started() {
			t.Errorf("switched unasked: %v", err)
		}
		x.Respond(200, nil, nil)
	}})
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
		"GET / HTTP/1.0\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n",
	} {
		if answer := talk(t, front, text); !strings.HasPrefix(answer, "HTTP/1.1 200") || <-upgrade != "" {
			t.Errorf("%q: %q", text, answer)
		}
	}
	back := upstreamOf(t, func(_ int, c net.Conn) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	})
	pool := http1.NewPool(http1.PoolOptions{Address: back})
	defer pool.Close()
	if _, err := pool.RoundTrip(context.Background(), get("/")); !sentError(t, err).Sent {
		t.Errorf("an unasked 101: %v", err)
	}
}

func TestPrefaceIsHandedOver(t *testing.T) {
	got := make(chan string, 1)
	s := &http1.Server{Handler: func(x http1.Exchange) { x.Respond(200, nil, nil) }, HTTP2: func(c net.Conn, closed func()) {
		defer closed()
		defer c.Close()
		b := make([]byte, 27)
		io.ReadFull(c, b)
		got <- string(b)
		io.WriteString(c, "bye")
	}}
	front := serve(t, s)
	if answer := talk(t, front, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest"); answer != "bye" {
		t.Errorf("%q", answer)
	}
	if text := <-got; text != "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nres" {
		t.Errorf("%q", text)
	}
	// Behind a request it is none.
	if answer := talk(t, front, "GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); strings.Count(answer, "HTTP/1.1 ") != 2 || !strings.Contains(answer, "HTTP/1.1 505 ") {
		t.Errorf("%q", answer)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	bare := serve(t, &http1.Server{Handler: echo})
	if answer := talk(t, bare, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 505 ") {
		t.Errorf("%q", answer)
	}
}
