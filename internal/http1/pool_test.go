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
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/loopback"
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
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
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
