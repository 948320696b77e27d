package http1_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/http1"
)

// loops is what every server of these tests is given: the tests run once with
// poll loops and once without.
var loops int

// serve starts a server on loopback and returns its address.
func serve(t testing.TB, s *http1.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Loops = loops
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != http1.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// echo answers with everything the server made of a request.
func echo(x http1.Exchange) {
	r := x.Request()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		status := 400
		if wrong, ok := err.(*http1.ProtocolError); ok {
			status = wrong.Status
		}
		x.Respond(status, nil, nil)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s host=%s length=%d\n", r.Method, r.Target, r.Host, r.Length)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s=%s\n", f.Name, f.Value)
	}
	fmt.Fprintf(&b, "body=%s", body)
	x.Respond(200, nil, []byte(b.String()))
}

// talk sends raw bytes on a new connection and returns all that comes back
// until the server closes, which it must do well.
func talk(t testing.TB, address, raw string) string {
	t.Helper()
	c := dial(t, address)
	go io.WriteString(c, raw)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil { // a reset above all: it could have taken the answer along
		t.Fatalf("reading the answer to %.100q: %v", raw, err)
	}
	return string(b)
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// upstreamOf starts a listener whose connections are handled by f, one after
// the other or together.
func upstreamOf(t testing.TB, f func(n int, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go f(n, c)
		}
	}()
	return l.Addr().String()
}

// readRequest consumes one request with its body.
func readRequest(r *bufio.Reader) (*http.Request, string, error) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(req.Body)
	return req, string(body), err
}

func get(target string) *http1.Request {
	return &http1.Request{Method: "GET", Target: target, Host: "shop.test"}
}

func post(body string) *http1.Request {
	return &http1.Request{Method: "POST", Target: "/orders", Host: "shop.test", Length: int64(len(body)), Body: strings.NewReader(body)}
}

func roundTrip(t testing.TB, p *http1.Pool, r *http1.Request) (*http1.Response, string) {
	t.Helper()
	response, err := p.RoundTrip(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
