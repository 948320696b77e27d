package nethttp_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"holdfast/internal/http1"
)

// A client that floods a connection with what costs it nothing, or takes no
// answer, costs little, and others are served meanwhile.
func TestRule11_2_HostileClientsOfHTTP2AreBounded(t *testing.T) {
	large := make([]byte, 8<<20)
	address, _ := serve(t, false, http1.Limits{Write: 300 * time.Millisecond}, func(x http1.Exchange) {
		if x.Request().Target == "/large" {
			x.Respond(200, nil, large)
			return
		}
		echo(x)
	})
	good := client(t, false)
	for name, attack := range map[string]func(c *raw, n int) error{
		"ping": func(c *raw, n int) error { return c.WritePing(false, [8]byte{byte(n)}) },
		"settings": func(c *raw, n int) error {
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(n)})
		},
		"empty data": func(c *raw, n int) error {
			if n == 0 {
				return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(), EndHeaders: true})
			}
			return c.WriteData(1, false, nil)
		},
		"window updates": func(c *raw, n int) error { return c.WriteWindowUpdate(0, 1) },
		"priorities": func(c *raw, n int) error {
			return c.WritePriority(uint32(2*n+1), http2.PriorityParam{StreamDep: 0})
		},
		"rapid reset": func(c *raw, n int) error {
			id := uint32(2*n + 1)
			if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.headers(), EndHeaders: true}); err != nil {
				return err
			}
			return c.WriteRSTStream(id, http2.ErrCodeCancel)
		},
		"answers that nobody reads": func(c *raw, n int) error {
			if n == 0 {
				if err := c.WriteWindowUpdate(0, 1<<30); err != nil {
					return err
				}
				if err := c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}); err != nil {
					return err
				}
			}
			if n >= 100 {
				return io.EOF
			}
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: c.headers(":path", "/large"), EndHeaders: true, EndStream: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			goroutines := runtime.NumGoroutine()
			c := dial(t, address)
			c.SetDeadline(time.Now().Add(2 * time.Second)) // a write that finds no room is the end of it
			for n := range 30_000 {
				if attack(c, n) != nil {
					break
				}
				if n%10_000 == 5000 || name == "answers that nobody reads" && n == 50 {
					served(t, good, address)
				}
			}
			served(t, good, address)
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
				t.Errorf("%d MiB more", grown>>20)
			}
			if more := runtime.NumGoroutine() - goroutines; more > 300 {
				t.Errorf("%d goroutines more", more)
			}
		})
	}
}

func served(t *testing.T, c *http.Client, address string) {
	t.Helper()
	resp, err := c.Get("http://" + address + "/")
	if err != nil {
		t.Fatalf("another client: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("another client got %d", resp.StatusCode)
	}
}

// Handshakes that stand still end in time and count by their address meanwhile;
// those of others go on. A client that would negotiate anew is hung up on.
func TestRule11_2_SlowHandshakesAreBounded(t *testing.T) {
	donor := httptest.NewUnstartedServer(nil)
	donor.StartTLS()
	defer donor.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http1.Server{Handler: echo, Limits: http1.Limits{Head: 4 * time.Second}}
	server.SetConnsPerAddress(20, nil)
	go server.Serve(tls.NewListener(plain, &tls.Config{Certificates: donor.TLS.Certificates}))
	t.Cleanup(func() { server.Close() })
	dial := func(from string) net.Conn {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	var slow []net.Conn
	for n := range 20 {
		c := dial("127.0.0.1")
		for range n % 3 { // none, or part of a record's head
			c.Write([]byte{22})
		}
		slow = append(slow, c)
	}
	if n, err := dial("127.0.0.1").Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("one more than the bound is answered: %d, %v", n, err)
	}
	slow[0].SetReadDeadline(time.Now().Add(500 * time.Millisecond)) // far from its end
	if _, err := slow[0].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one more than the bound is waited for as long as the others: %v", err)
	}
	slow[0].SetReadDeadline(time.Now().Add(20 * time.Second))
	c := tls.Client(dial("127.0.0.2"), &tls.Config{InsecureSkipVerify: true})
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if text, err := io.ReadAll(c); err != nil || len(text) == 0 {
		t.Errorf("another address: %q, %v", text, err)
	}
	for _, c := range slow {
		io.Copy(io.Discard, c) // or the test times out
	}
}
