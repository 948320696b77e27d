package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

var timeouts = continuity.Timeouts{Connect: time.Second, Attempt: 2 * time.Second, Idle: 4 * time.Second}

func order() upstream.Attempt {
	return upstream.Attempt{
		Method: "POST", Target: "/orders", Host: "shop.test",
		Header: []continuity.Field{{Name: "Idempotency-Key", Value: "k-1"}},
		Length: 5, Body: strings.NewReader("order"),
	}
}

// What is known about an attempt, for every way in which it can end.
func TestClasses(t *testing.T) {
	refused := errors.New("refused")
	reads := func(then func(c net.Conn)) func(net.Conn) {
		return func(c net.Conn) {
			req, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				io.Copy(io.Discard, req.Body)
				then(c)
			}
		}
	}
	closes := func(c net.Conn) { c.Close() }
	says := func(text string) func(net.Conn) {
		return func(c net.Conn) { io.WriteString(c, text); c.Close() }
	}
	cases := []struct {
		name      string
		far       func(c net.Conn) // nil: connecting fails with dialErr, or never ends
		dialErr   error
		attempt   func(a *upstream.Attempt)
		ctx       time.Duration // its deadline
		class     upstream.Class
		timeout   bool
		took      time.Duration
		blameless bool
	}{
		{name: "answered", far: reads(says("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")), class: upstream.Answered},
		{name: "refused", dialErr: refused, class: upstream.Clean},
		{name: "connect times out", class: upstream.Clean, timeout: true, took: timeouts.Connect},
		{name: "cancelled while connecting", ctx: time.Millisecond, class: upstream.Clean, timeout: true, took: time.Millisecond},
		{name: "no byte taken", far: func(c net.Conn) {}, class: upstream.Clean, timeout: true, took: timeouts.Attempt},
		{name: "closed before a byte was taken", far: closes, class: upstream.Clean},
		{name: "client delivers no body", far: reads(closes), attempt: func(a *upstream.Attempt) { a.Length = 6 }, class: upstream.Clean, blameless: true},
		{name: "cannot be sent", far: reads(closes), attempt: func(a *upstream.Attempt) { a.Target = "/a b" }, class: upstream.Clean, blameless: true},
		{name: "closed without an answer", far: reads(closes), class: upstream.Lost},
		{name: "half an answer", far: reads(says("HTTP/1.1 200 OK\r\nConte")), class: upstream.Lost},
		{name: "no HTTP", far: reads(says("oops\r\n\r\n")), class: upstream.Lost},
		{name: "only an interim answer", far: reads(says("HTTP/1.1 100 Continue\r\n\r\n")), class: upstream.Lost},
		{name: "one byte taken", far: func(c net.Conn) { c.Read(make([]byte, 1)); c.Close() }, class: upstream.Lost},
		{name: "black hole", far: reads(func(net.Conn) {}), class: upstream.Lost, timeout: true, took: timeouts.Attempt},
		{name: "cancelled while waiting", far: reads(func(net.Conn) {}), ctx: time.Second, class: upstream.Lost, timeout: true, took: time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, err := upstream.New(upstream.Options{URL: "http://shop.test:9001", Timeouts: timeouts, Dial: func(ctx context.Context) (net.Conn, error) {
					if c.dialErr != nil {
						return nil, c.dialErr
					}
					if c.far == nil {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					near, far := net.Pipe()
					go c.far(far)
					return near, nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				ctx := context.Background()
				if c.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.ctx)
					defer cancel()
				}
				a := order()
				if c.attempt != nil {
					c.attempt(&a)
				}
				r := h.Send(ctx, a)
				if r.Class != c.class || r.Timeout != c.timeout || r.Took != c.took || upstream.Blameless(r.Err) != c.blameless {
					t.Errorf("class %d, timeout %v, took %v, blameless %v, err %v", r.Class, r.Timeout, r.Took, upstream.Blameless(r.Err), r.Err)
				}
				if (r.Err == nil) != (r.Class == upstream.Answered) || (r.Body != nil) != (r.Class == upstream.Answered) {
					t.Errorf("err %v, body %v", r.Err, r.Body)
				}
				if r.Body != nil {
					r.Body.Close()
				}
			})
		})
	}
}

// server answers over TCP with f and counts the requests.
func server(t *testing.T, f http.HandlerFunc) (*upstream.HTTP, *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var seen atomic.Int32
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		f(w, r)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	h, err := upstream.New(upstream.Options{URL: "http://" + l.Addr().String(), Timeouts: timeouts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h, &seen
}

func TestHost(t *testing.T) {
	h, _ := server(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) })
	_, response := upstream.SendWhole(context.Background(), h, order(), 100)
	if got := string(response.Body); got != "shop.test" {
		t.Errorf("the client's host became %q", got)
	}
}

func TestSendWhole(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 100)
	h, seen := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "2000")
			w.Write(body)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/gone":
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("X-Status", "done")
		w.WriteHeader(201)
		w.Write(body)
	})
	for _, c := range []struct {
		limit int64
		keep  int
		cut   bool
	}{{0, 0, true}, {999, 999, true}, {1000, 1000, false}, {5000, 1000, false}} {
		result, response := upstream.SendWhole(context.Background(), h, order(), c.limit)
		if result.Class != upstream.Answered || result.Err != nil || response.Status != 201 || len(response.Body) != c.keep || response.Cut != c.cut {
			t.Errorf("limit %d: class %d, err %v, kept %d, cut %v", c.limit, result.Class, result.Err, len(response.Body), response.Cut)
		}
		if len(response.Header) != 3 { // X-Status, Date, Content-Type
			t.Errorf("fields %v", response.Header)
		}
	}
	a := order()
	a.Target = "/cut"
	result, response := upstream.SendWhole(context.Background(), h, a, 5000)
	if result.Class != upstream.Answered || result.Err == nil || response.Status != 200 || !response.Cut {
		t.Errorf("a body that broke off: %+v, %+v", result, response)
	}
	before := seen.Load()
	a = order()
	a.Target = "/gone"
	result, response = upstream.SendWhole(context.Background(), h, a, 5000)
	if result.Class != upstream.Lost || response != nil || seen.Load() != before+1 {
		t.Errorf("no answer: %+v, %+v, seen %d times", result, response, seen.Load()-before)
	}
}

func TestNewRefusesURLs(t *testing.T) {
	for _, u := range []string{"", "shop:80", "ftp://shop", "http://", "http://shop/path", "http://u:p@shop", "http://shop?x", "http://shop:x"} {
		if _, err := upstream.New(upstream.Options{URL: u}); continuity.CodeOf(err) != continuity.CodeConfig {
			t.Errorf("%q: %v", u, err)
		}
	}
	for _, u := range []string{"http://shop", "https://shop", "http://shop:8080/", "http://[::1]:80"} {
		if _, err := upstream.New(upstream.Options{URL: u}); err != nil {
			t.Errorf("%q: %v", u, err)
		}
	}
}
