package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

const okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// answering serves every request on every connection with what f returns, and
// closes the connection where that is empty.
func answering(t testing.TB, seen *atomic.Int32, f func(conn, request int) string) string {
	return upstreamOf(t, func(n int, c net.Conn) {
		defer c.Close()
		r := bufio.NewReader(c)
		for i := 0; ; i++ {
			if _, _, err := readRequest(r); err != nil {
				return
			}
			seen.Add(1)
			text := f(n, i)
			if text == "" {
				return
			}
			io.WriteString(c, text)
		}
	})
}

func sentError(t *testing.T, err error) *http1.SentError {
	t.Helper()
	var sent *http1.SentError
	if !errors.As(err, &sent) {
		t.Fatalf("got %v, want a SentError", err)
	}
	return sent
}

// An upstream that took a request and gave no answer does not get it again,
// neither on a new connection nor on a pooled one.
func TestRule4_6_NothingIsSentAgain(t *testing.T) {
	for _, pooled := range []bool{false, true} {
		t.Run(fmt.Sprintf("pooled %v", pooled), func(t *testing.T) {
			var seen atomic.Int32
			pool := http1.NewPool(http1.PoolOptions{Address: answering(t, &seen, func(_, n int) string {
				if pooled && n == 0 {
					return okay
				}
				return ""
			})})
			defer pool.Close()
			want := int32(1)
			if pooled {
				roundTrip(t, pool, get("/"))
				want = 2
			}
			r := post("order")
			r.Header = []continuity.Field{{Name: "Idempotency-Key", Value: "k"}} // no licence to repeat
			_, err := pool.RoundTrip(context.Background(), r)
			if sent := sentError(t, err); !sent.Sent || sent.Timeout() {
				t.Errorf("sent %v, timeout %v: %v", sent.Sent, sent.Timeout(), err)
			}
			if n := seen.Load(); n != want {
				t.Errorf("the upstream saw %d requests, want %d", n, want)
			}
		})
	}
}

// A pooled connection that the upstream has closed is noticed before use.
func TestRule4_6_ClosedConnectionIsNotUsed(t *testing.T) {
	for _, last := range []string{"", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"} {
		closed := make(chan struct{}, 1)
		var seen atomic.Int32
		pool := http1.NewPool(http1.PoolOptions{Address: upstreamOf(t, func(n int, c net.Conn) {
			if _, _, err := readRequest(bufio.NewReader(c)); err != nil {
				return
			}
			seen.Add(1)
			io.WriteString(c, okay)
			if n == 0 {
				io.WriteString(c, last)
				c.Close()
				closed <- struct{}{}
			}
		})})
		defer pool.Close()
		roundTrip(t, pool, get("/"))
		<-closed
		roundTrip(t, pool, post("order"))
		if n := seen.Load(); n != 2 {
			t.Errorf("the upstream saw %d requests, want 2", n)
		}
	}
}

// scriptConn fails writes in a chosen way.
type scriptConn struct {
	net.Conn
	writes int
	fail   func(n int, p []byte) (int, error, bool)
}

func (c *scriptConn) Write(p []byte) (int, error) {
	c.writes++
	if n, err, now := c.fail(c.writes, p); now {
		return n, err
	}
	return c.Conn.Write(p)
}

// A pooled connection that takes no byte may be replaced; one that took a byte
// was an attempt.
func TestRule4_6_ReplacedOnlyBeforeTheFirstByte(t *testing.T) {
	for _, accepted := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d bytes accepted", accepted), func(t *testing.T) {
			var seen atomic.Int32
			address := answering(t, &seen, func(_, _ int) string { return okay })
			dials := 0
			pool := http1.NewPool(http1.PoolOptions{Dial: func(ctx context.Context) (net.Conn, error) {
				dials++
				c, err := net.Dial("tcp", address)
				first := dials == 1
				return &scriptConn{Conn: c, fail: func(n int, p []byte) (int, error, bool) {
					if !first || n == 1 {
						return 0, nil, false
					}
					c.Close()
					return accepted, &net.OpError{Op: "write", Err: syscall.EPIPE}, true
				}}, err
			}})
			defer pool.Close()
			roundTrip(t, pool, get("/"))
			response, err := pool.RoundTrip(context.Background(), post("order"))
			if accepted == 0 {
				if err != nil || dials != 2 || seen.Load() != 2 {
					t.Fatalf("err %v, %d dials, %d requests", err, dials, seen.Load())
				}
				response.Body.Close()
			} else if sent := sentError(t, err); !sent.Sent || dials != 1 || seen.Load() != 1 {
				t.Errorf("err %v, %d dials, %d requests", err, dials, seen.Load())
			}
		})
	}
}

func TestNothingSent(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := refused.Addr().String()
	refused.Close()
	var seen atomic.Int32
	good := answering(t, &seen, func(_, _ int) string { return okay })
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	short := post("order")
	short.Length = 10
	injected := get("/")
	injected.Header = []continuity.Field{{Name: "X", Value: "a\r\nEvil: b"}}
	cases := []struct {
		name    string
		ctx     context.Context
		address string
		r       *http1.Request
		is      error
	}{
		{"connect refused", context.Background(), address, get("/"), syscall.ECONNREFUSED},
		{"cancelled before", cancelled, good, get("/"), context.Canceled},
		{"body shorter than stated", context.Background(), good, short, io.ErrUnexpectedEOF},
		{"line end in a field", context.Background(), good, injected, http1.ErrHeader},
		{"line end in the target", context.Background(), good, get("/ HTTP/1.1\r\nX: y"), http1.ErrHeader},
		{"bad host", context.Background(), good, &http1.Request{Method: "GET", Target: "/", Host: "a\r\nb"}, http1.ErrHeader},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pool := http1.NewPool(http1.PoolOptions{Address: c.address})
			defer pool.Close()
			_, err := pool.RoundTrip(c.ctx, c.r)
			if sent := sentError(t, err); sent.Sent || !errors.Is(err, c.is) {
				t.Errorf("sent %v, err %v, want %v", sent.Sent, err, c.is)
			}
		})
	}
	if n := seen.Load(); n != 0 {
		t.Errorf("the upstream saw %d requests", n)
	}
}

func TestResponses(t *testing.T) {
	cases := []struct {
		name, raw string
		body      string
		length    int64
		reused    bool
		err       error // of reading the body; nil with no status: RoundTrip fails
		bad       bool
	}{
		{name: "sized", raw: okay, body: "ok", length: 2, reused: true},
		{name: "no reason", raw: "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", body: "ok", length: 2, reused: true},
		{name: "empty", raw: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", length: 0, reused: true},
		{name: "chunked", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\no\r\n1\r\nk\r\n0\r\nT: 1\r\n\r\n", body: "ok", length: -1, reused: true},
		{name: "until close", raw: "HTTP/1.1 200 OK\r\n\r\nok", body: "ok", length: -1},
		{name: "1.0", raw: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", body: "ok", length: 2},
		{name: "1.0 kept alive", raw: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", body: "ok", length: 2, reused: true},
		{name: "close", raw: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", body: "ok", length: 2},
		{name: "interim first", raw: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + okay, body: "ok", length: 2, reused: true},
		{name: "no content", raw: "HTTP/1.1 204 No Content\r\n\r\n", length: 0, reused: true},
		{name: "not modified with a length", raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", length: 500, reused: true},
		{name: "bytes behind the end", raw: okay + "HTTP/1.1 200 OK\r\n\r\n", body: "ok", length: 2},

		{name: "cut sized body", raw: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", body: "ok", length: 3, err: io.ErrUnexpectedEOF},
		{name: "cut chunk", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok", body: "ok", length: -1, err: io.ErrUnexpectedEOF},
		{name: "no last chunk", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", body: "ok", length: -1, err: io.ErrUnexpectedEOF},
		{name: "no end of trailers", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n", body: "ok", length: -1, err: io.ErrUnexpectedEOF},
		{name: "bad chunk", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n", body: "ok", length: -1, err: &http1.ProtocolError{}},

		{name: "nothing", raw: "", bad: true},
		{name: "half a head", raw: "HTTP/1.1 200 OK\r\nContent-Le", bad: true},
		{name: "no HTTP", raw: "SSH-2.0-OpenSSH\r\n\r\n", bad: true},
		{name: "HTTP/2", raw: "HTTP/2.0 200 OK\r\n\r\n", bad: true},
		{name: "short status", raw: "HTTP/1.1 20 OK\r\n\r\n", bad: true},
		{name: "long status", raw: "HTTP/1.1 2000 OK\r\n\r\n", bad: true},
		{name: "status below 100", raw: "HTTP/1.1 099 OK\r\n\r\n", bad: true},
		{name: "bare LF", raw: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", bad: true},
		{name: "folded line", raw: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", bad: true},
		{name: "both lengths", raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad: true},
		{name: "differing lengths", raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", bad: true},
		{name: "bad length", raw: "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok", bad: true},
		{name: "unknown coding", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", bad: true},
		{name: "unasked switch", raw: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + okay, bad: true},
		{name: "interim without end", raw: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20) + okay, bad: true},
		{name: "large head", raw: "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n", bad: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var conns atomic.Int32
			pool := http1.NewPool(http1.PoolOptions{Address: upstreamOf(t, func(n int, conn net.Conn) {
				defer conn.Close()
				conns.Add(1)
				r := bufio.NewReader(conn)
				if _, _, err := readRequest(r); err != nil {
					return
				}
				io.WriteString(conn, c.raw)
				if c.reused || c.name == "bytes behind the end" {
					if _, _, err := readRequest(r); err == nil {
						io.WriteString(conn, okay)
					}
				}
			})})
			defer pool.Close()
			response, err := pool.RoundTrip(context.Background(), post("order"))
			if c.bad {
				if sent := sentError(t, err); !sent.Sent {
					t.Errorf("a request that was sent counts as not sent: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			var wrong *http1.ProtocolError
			switch {
			case string(body) != c.body || response.Length != c.length:
				t.Errorf("body %q, length %d", body, response.Length)
			case c.err == nil && err != nil, c.err == io.ErrUnexpectedEOF && err != c.err:
				t.Errorf("reading the body: %v, want %v", err, c.err)
			case errors.As(c.err, &wrong) && !errors.As(err, &wrong):
				t.Errorf("reading the body: %v, want a ProtocolError", err)
			}
			response.Body.Close()
			if len(response.Header) > 0 && c.name != "interim first" {
				t.Errorf("fields left: %v", response.Header)
			}
			if c.err == nil {
				roundTripAny(pool)
				if reused := conns.Load() == 1; reused != c.reused {
					t.Errorf("%d connections, want reuse %v", conns.Load(), c.reused)
				}
			}
		})
	}
}

func roundTripAny(p *http1.Pool) {
	if response, err := p.RoundTrip(context.Background(), get("/")); err == nil {
		response.Body.Close()
	}
}

func TestHeadResponse(t *testing.T) {
	var seen atomic.Int32
	pool := http1.NewPool(http1.PoolOptions{Address: answering(t, &seen, func(_, n int) string {
		return []string{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}[n]
	})})
	defer pool.Close()
	for _, want := range []int64{500, -1} {
		r := get("/")
		r.Method = "HEAD"
		if response, body := roundTrip(t, pool, r); response.Length != want || body != "" {
			t.Errorf("length %d, want %d; body %q", response.Length, want, body)
		}
	}
}

// An answer that refuses a long upload is delivered without its rest.
func TestEarlyAnswer(t *testing.T) {
	var conns atomic.Int32
	pool := http1.NewPool(http1.PoolOptions{Address: upstreamOf(t, func(n int, c net.Conn) {
		conns.Add(1)
		r := bufio.NewReader(c)
		for line := ""; line != "\r\n"; {
			line, _ = r.ReadString('\n')
		}
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
		// And reads no further: the writer would be stuck for ever.
	})})
	defer pool.Close()
	r := post("")
	r.Length = 1 << 40
	r.Body = zeros{}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // less than the attempt's time
	defer cancel()
	response, err := pool.RoundTrip(ctx, r)
	if err != nil || ctx.Err() != nil {
		t.Fatalf("delivered only when time ran out: %v, %v", err, ctx.Err())
	}
	body, err := io.ReadAll(response.Body)
	if response.Status != 413 || string(body) != "big" || err != nil {
		t.Errorf("status %d, body %q, err %v", response.Status, body, err)
	}
	response.Body.Close()
	roundTripAny(pool)
	if conns.Load() != 2 {
		t.Error("the connection was used again in the middle of an upload")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A client that breaks off in the middle of a long body: the upstream must not
// take what it got for the whole.
func TestBrokenRequestBody(t *testing.T) {
	for _, length := range []int64{200_000, -1} {
		whole := make(chan error, 1)
		pool := http1.NewPool(http1.PoolOptions{Address: upstreamOf(t, func(n int, c net.Conn) {
			_, _, err := readRequest(bufio.NewReader(c))
			whole <- err
			c.Close()
		})})
		r := post("")
		r.Length, r.Body = length, &cutReader{strings.NewReader(strings.Repeat("x", 100_000)), errors.New("client gone")}
		_, err := pool.RoundTrip(context.Background(), r)
		var body *http1.BodyError
		if sent := sentError(t, err); !sent.Sent || !errors.As(err, &body) {
			t.Errorf("length %d: sent %v, %v", length, sent.Sent, err)
		}
		if err := <-whole; err == nil {
			t.Errorf("length %d: the upstream took it for a whole request", length)
		}
		pool.Close()
	}
}

func TestPoolBoundsAndOrder(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 10)
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		entered <- struct{}{}
		<-release
		x.Respond(200, nil, nil)
	}})
	pool := http1.NewPool(http1.PoolOptions{Address: address, Conns: 2, Queue: 50 * time.Millisecond})
	defer pool.Close()
	results := make(chan error, 10)
	for range 2 {
		go func() {
			response, err := pool.RoundTrip(context.Background(), get("/"))
			if err == nil {
				response.Body.Close()
			}
			results <- err
		}()
		<-entered
	}
	_, err := pool.RoundTrip(context.Background(), get("/"))
	if sent := sentError(t, err); sent.Sent || !sent.Timeout() || !errors.Is(err, http1.ErrBusy) {
		t.Errorf("a third call: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	_, err = pool.RoundTrip(ctx, get("/"))
	if sent := sentError(t, err); sent.Sent || !errors.Is(err, context.Canceled) && !errors.Is(err, http1.ErrBusy) {
		t.Errorf("a cancelled wait: %v", err)
	}
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	roundTrip(t, pool, get("/"))
}

// pipes dials in-memory connections whose far ends f serves.
func pipes(f func(n int, c net.Conn)) func(context.Context) (net.Conn, error) {
	n := 0
	return func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		go f(n, server)
		n++
		return client, nil
	}
}

// Idle connections go before the upstream's own time is over.
func TestRule4_6_IdleConnectionsRetire(t *testing.T) {
	for name, c := range map[string]struct {
		field string
		after time.Duration
	}{
		"by our time":       {"", 4 * time.Second},
		"by the upstream's": {"Keep-Alive: timeout=3, max=100\r\n", 2 * time.Second},
		"long upstream":     {"Keep-Alive: timeout=60\r\n", 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan time.Time, 1)
				pool := http1.NewPool(http1.PoolOptions{Dial: pipes(func(n int, conn net.Conn) {
					defer conn.Close()
					r := bufio.NewReader(conn)
					for {
						if _, _, err := readRequest(r); err != nil {
							ended <- time.Now()
							return
						}
						io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+c.field+"Content-Length: 0\r\n\r\n")
					}
				})})
				for range 3 { // use starts the time anew
					roundTrip(t, pool, get("/"))
					time.Sleep(c.after / 2)
				}
				last := time.Now().Add(-c.after / 2)
				if took := (<-ended).Sub(last); took != c.after {
					t.Errorf("closed %v after its last use, want %v", took, c.after)
				}
				pool.Close()
			})
		})
	}
}

func TestTimes(t *testing.T) {
	const attempt, body, connect = 2 * time.Second, 5 * time.Second, time.Second
	options := func(f func(int, net.Conn)) http1.PoolOptions {
		return http1.PoolOptions{Attempt: attempt, Body: body, Connect: connect, Dial: pipes(f)}
	}
	t.Run("no answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) { io.Copy(io.Discard, c) }))
			began := time.Now()
			_, err := pool.RoundTrip(context.Background(), post("order"))
			if sent := sentError(t, err); !sent.Sent || !sent.Timeout() || time.Since(began) != attempt {
				t.Errorf("after %v: sent %v, timeout %v, %v", time.Since(began), sent.Sent, sent.Timeout(), err)
			}
		})
	})
	t.Run("no answer to a long body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) { io.Copy(io.Discard, c) }))
			began := time.Now()
			_, err := pool.RoundTrip(context.Background(), post(strings.Repeat("x", 200_000)))
			if sent := sentError(t, err); !sent.Sent || !sent.Timeout() || time.Since(began) != attempt {
				t.Errorf("after %v: sent %v, timeout %v, %v", time.Since(began), sent.Sent, sent.Timeout(), err)
			}
		})
	})
	t.Run("nothing taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) {}))
			_, err := pool.RoundTrip(context.Background(), post("order"))
			if sent := sentError(t, err); sent.Sent || !sent.Timeout() {
				t.Errorf("sent %v, timeout %v, %v", sent.Sent, sent.Timeout(), err)
			}
		})
	})
	t.Run("slow client, patient attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) {
				readRequest(bufio.NewReader(c))
				io.WriteString(c, okay)
				c.Close()
			}))
			r := post("")
			r.Length, r.Body = 100_000, &slowReader{left: 10, piece: 10_000, pause: 3 * time.Second}
			if response, _ := roundTrip(t, pool, r); response.Status != 200 {
				t.Errorf("status %d", response.Status)
			}
			pool.Close()
		})
	})
	t.Run("body stands still", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) {
				readRequest(bufio.NewReader(c))
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
			}))
			response, err := pool.RoundTrip(context.Background(), post("order"))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if b, err := io.ReadAll(response.Body); err == nil || string(b) != "ok" || time.Since(began) != body {
				t.Errorf("after %v: %q, %v", time.Since(began), b, err)
			}
		})
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) { io.Copy(io.Discard, c) }))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			began := time.Now()
			_, err := pool.RoundTrip(ctx, post("order"))
			if sent := sentError(t, err); !sent.Sent || !sent.Timeout() || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	})
	t.Run("cancelled in the body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) {
				readRequest(bufio.NewReader(c))
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
			}))
			ctx, cancel := context.WithCancel(context.Background())
			response, err := pool.RoundTrip(ctx, post("order"))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			time.AfterFunc(time.Second, cancel)
			if _, err := io.ReadAll(response.Body); err == nil || time.Since(began) != time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	})
	t.Run("connect", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(http1.PoolOptions{Connect: connect, Dial: func(ctx context.Context) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}})
			began := time.Now()
			_, err := pool.RoundTrip(context.Background(), post("order"))
			if sent := sentError(t, err); sent.Sent || !sent.Timeout() || time.Since(began) != connect {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	})
}

type slowReader struct {
	left, piece int
	pause       time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	time.Sleep(r.pause)
	return min(len(p), r.piece), nil
}
