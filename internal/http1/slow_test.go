package http1_test

import (
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

// pipeListener hands out the ends of in-memory connections, so that time can be
// the bubble's.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

func TestRule11_2_SlowClients(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
	cases := []struct {
		name   string
		conns  int // at most
		send   func(c net.Conn)
		answer string        // how it begins; empty: none
		from   time.Duration // the connection ends within this span
		to     time.Duration
	}{
		{"says nothing", 4, func(c net.Conn) {}, "", 60 * time.Second, 70 * time.Second},
		{"says nothing in a crowd", 2, func(c net.Conn) {}, "", 10 * time.Second, 12 * time.Second},
		{"stops within the head", 0, func(c net.Conn) { io.WriteString(c, "GET / HT") }, "HTTP/1.1 408 ", 10 * time.Second, 11 * time.Second},
		{"drips the head", 0, func(c net.Conn) { drip(c, "GET / HTTP/1.1\r\nHost: "+strings.Repeat("a", 100), 1, time.Second) },
			"HTTP/1.1 408 ", 10 * time.Second, 11 * time.Second},
		{"stops within the body", 0, func(c net.Conn) { io.WriteString(c, head+"hello") }, "HTTP/1.1 408 ", 10 * time.Second, 11 * time.Second},
		{"drips the body", 0, func(c net.Conn) { io.WriteString(c, head); drip(c, strings.Repeat("x", 100_000), 1, time.Second) },
			"HTTP/1.1 408 ", 10 * time.Second, 12 * time.Second},
		{"sends the body slowly but well", 0, func(c net.Conn) { io.WriteString(c, head); drip(c, strings.Repeat("x", 100_000), 2000, time.Second) },
			"HTTP/1.1 200 ", 49 * time.Second, 120 * time.Second},
		{"idles after a request", 0, func(c net.Conn) { io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
			"HTTP/1.1 200 ", 60 * time.Second, 70 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				s := &http1.Server{Limits: http1.Limits{Conns: c.conns}, Handler: func(x http1.Exchange) {
					_, err := io.Copy(io.Discard, x.Request().Body)
					var wrong *http1.ProtocolError
					switch {
					case errors.As(err, &wrong):
						x.Respond(wrong.Status, nil, nil)
					case err != nil:
						x.Respond(400, nil, nil)
					default:
						x.Respond(200, nil, nil)
					}
				}}
				go s.Serve(l)
				conn := l.dial()
				began := time.Now()
				sent := make(chan struct{})
				go func() { c.send(conn); close(sent) }()
				b, _ := io.ReadAll(conn)
				took := time.Since(began)
				if c.answer == "" && len(b) > 0 || !strings.HasPrefix(string(b), c.answer) {
					t.Errorf("answer %q, want %q", b, c.answer)
				}
				if took < c.from || took > c.to {
					t.Errorf("ended after %v, want %v to %v", took, c.from, c.to)
				}
				conn.Close()
				s.Close()
				<-sent
				synctest.Wait()
			})
		})
	}
}

func drip(c net.Conn, text string, piece int, every time.Duration) {
	for text != "" {
		n := min(piece, len(text))
		if _, err := io.WriteString(c, text[:n]); err != nil {
			return
		}
		text = text[n:]
		<-time.After(every)
	}
}

// A client that does not read its answer is cut.
func TestRule11_2_SlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		result := make(chan error, 1)
		s := &http1.Server{Handler: func(x http1.Exchange) { result <- x.Respond(200, nil, make([]byte, 100_000)) }}
		go s.Serve(l)
		conn := l.dial()
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		began := time.Now()
		if err := <-result; err == nil {
			t.Error("the answer was written to nobody")
		}
		if took := time.Since(began); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("cut after %v", took)
		}
		s.Close()
		synctest.Wait()
	})
}

// One that reads slowly but steadily gets all of it, however long it takes.
func TestPatientWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s := &http1.Server{Handler: func(x http1.Exchange) { x.Respond(200, nil, make([]byte, 1_000_000)) }}
		go s.Serve(l)
		conn := l.dial()
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		total := 0
		for buf := make([]byte, 10_000); ; <-time.After(time.Second) {
			n, err := conn.Read(buf)
			total += n
			if err != nil {
				break
			}
		}
		if total < 1_000_000 {
			t.Errorf("cut after %d bytes", total)
		}
		s.Close()
		synctest.Wait()
	})
}

// Shutdown in virtual time: an idle connection that never spoke gets a moment.
func TestShutdownSparesTheNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		s := &http1.Server{Handler: func(x http1.Exchange) { x.Respond(200, nil, nil) }}
		go s.Serve(l)
		conn := l.dial()
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(context.Background()) }()
		time.Sleep(500 * time.Millisecond)
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		b, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 ") || !strings.Contains(string(b), "Connection: close") {
			t.Errorf("%q, %v", b, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		conn.Close()
		synctest.Wait()
	})
}
