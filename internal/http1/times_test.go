package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/http1"
)

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
			if _, err := io.ReadAll(response.Body); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	})
	t.Run("cancelled by the caller", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pool := http1.NewPool(options(func(_ int, c net.Conn) { io.Copy(io.Discard, c) }))
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			_, err := pool.RoundTrip(ctx, post("order"))
			if sent := sentError(t, err); !sent.Sent || sent.Timeout() || !errors.Is(err, context.Canceled) {
				t.Errorf("sent %v, timeout %v, %v", sent.Sent, sent.Timeout(), err)
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
	<-time.After(r.pause)
	return min(len(p), r.piece), nil
}
