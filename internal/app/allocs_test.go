//go:build linux && !race

package app

import (
	"bytes"
	"errors"
	"net"
	gauges "runtime/metrics"
	"strings"
	"sync"
	"testing"
)

// Passing a request on takes no memory, sockets and all: not the heads, not the
// connections, not the books. What the program does beside is allowed for.
func TestPassingAllocatesNothing(t *testing.T) {
	const clients, warm, each = 8, 200, 2500
	for name, hold := range map[string]string{
		"never":        "hold: {state: never}",
		"never, known": "hold: {state: never}\n    idempotency: {by: key, remembers: 72h}\n    caller: public",
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, write(t, t.TempDir(), `schema: holdfast/relay@1
listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
journal: {segment: 1MiB, size: 16MiB}
routes:
  - id: orders
    upstream: http://`+dull(t)+`
    `+hold+"\n"))
			var conns []net.Conn
			for range clients {
				c, err := net.Dial("tcp", a.Addresses()[0])
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				conns = append(conns, c)
			}
			ask := func(times int) {
				var all sync.WaitGroup
				for _, c := range conns {
					all.Go(func() {
						if err := askFor(c, times); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
			}
			ask(warm)
			// What goes on beside passes by, or is little by the request.
			least := 1.0
			for try := 0; try < 5 && least >= 0.02; try++ {
				before := allocated()
				ask(each)
				least = min(least, float64(allocated()-before)/(clients*each))
			}
			if least >= 0.02 {
				t.Errorf("%.3f allocations a request", least)
			}
		})
	}
}

// allocated is how many objects this program has allocated so far.
func allocated() uint64 {
	s := []gauges.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	gauges.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64()
}

// askFor sends the same order over and over.
func askFor(c net.Conn, times int) error {
	body := strings.Repeat("x", 999) + "z"
	order := []byte("POST /orders HTTP/1.1\r\nHost: shop.test\r\nContent-Type: text/plain\r\nUser-Agent: till/1.0 (branch 7)\r\nIdempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324\r\nContent-Length: 1000\r\n\r\n" + body)
	in := make([]byte, 4<<10)
	for range times {
		if _, err := c.Write(order); err != nil {
			return err
		}
		for got := 0; !bytes.HasSuffix(in[:got], answerEnd); {
			n, err := c.Read(in[got:])
			if err != nil {
				return err
			}
			got += n
		}
		if !bytes.HasPrefix(in, []byte("HTTP/1.1 200 ")) {
			return errors.New(string(in[:20]))
		}
	}
	return nil
}

var (
	orderEnd  = []byte("xz")
	answerEnd = bytes.Repeat([]byte("y"), 200)
)

// dull is an upstream that answers whatever ends as those orders do, and
// allocates nothing for it.
func dull(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	answer := append([]byte("HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n"), answerEnd...)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := make([]byte, 4<<10)
				for got := 0; ; {
					n, err := c.Read(in[got:])
					if err != nil {
						return
					}
					if got += n; bytes.HasSuffix(in[:got], orderEnd) {
						got = 0
						if _, err := c.Write(answer); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
