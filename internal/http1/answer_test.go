package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// cutReader gives some bytes and then fails.
type cutReader struct {
	io.Reader
	err error
}

func (r *cutReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		err = r.err
	}
	return n, err
}

// An answer whose body breaks off never looks complete, in any framing.
func TestCutBodyNeverLooksWhole(t *testing.T) {
	broken := errors.New("broken")
	long := strings.Repeat("x", 40_000)
	cases := []struct {
		name, request string
		length        int64
		err           error
	}{
		{"chunked", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", -1, broken},
		{"sized", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 50_000, broken},
		{"shorter than stated", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 50_000, io.EOF},
		{"until close", "GET / HTTP/1.0\r\n\r\n", -1, broken},
		{"sized, 1.0", "GET / HTTP/1.0\r\n\r\n", 50_000, broken},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			result := make(chan error, 1)
			started := make(chan bool, 1)
			address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
				err := x.Stream(200, nil, c.length, &cutReader{strings.NewReader(long), c.err})
				started <- x.Started()
				result <- err
			}})
			conn := dial(t, address)
			io.WriteString(conn, c.request)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil {
				var body []byte
				body, err = io.ReadAll(resp.Body)
				if err == nil {
					t.Errorf("the client took %d bytes for the whole body", len(body))
				}
			}
			if !<-started || <-result == nil {
				t.Error("Stream reported no error, or nothing started")
			}
		})
	}
}

// While nothing was handed to the kernel the handler may still decide.
func TestRule4_3_NothingSentNothingStarted(t *testing.T) {
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		err := x.Stream(200, nil, 100, &cutReader{strings.NewReader("half"), errors.New("lost")})
		if err == nil || x.Started() {
			t.Errorf("err %v, started %v", err, x.Started())
		}
		if err := x.Respond(200, []continuity.Field{{Name: "X", Value: "a\r\nEvil: b"}}, nil); !errors.Is(err, http1.ErrHeader) || x.Started() {
			t.Errorf("a field with a line end: %v", err)
		}
		if err := x.Respond(202, nil, []byte("kept")); err != nil || !x.Started() {
			t.Errorf("err %v, started %v", err, x.Started())
		}
		if err := x.Respond(200, nil, nil); !errors.Is(err, http1.ErrAnswered) {
			t.Errorf("a second answer: %v", err)
		}
	}})
	client := &http.Client{}
	defer client.CloseIdleConnections()
	for range 2 {
		resp, err := client.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 202 || string(body) != "kept" || resp.Close {
			t.Errorf("got %d %q, close %v", resp.StatusCode, body, resp.Close)
		}
	}
}

// One write a message: the peer's first read has all of it.
func TestOneWriteAMessage(t *testing.T) {
	var writes atomic.Int32
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http1.Server{Handler: func(x http1.Exchange) {
		switch x.Request().Target {
		case "/respond":
			x.Respond(200, nil, make([]byte, 200))
		case "/sized":
			x.Stream(200, nil, 200, struct{ io.Reader }{bytes.NewReader(make([]byte, 200))})
		case "/chunked":
			x.Stream(200, nil, -1, bytes.NewReader(make([]byte, 200)))
		}
	}}
	go s.Serve(countingListener{inner, &writes})
	defer s.Close()
	conn := dial(t, inner.Addr().String())
	r := bufio.NewReader(conn)
	for _, c := range []struct {
		target string
		want   int32
	}{{"/respond", 1}, {"/sized", 1}, {"/chunked", 2}} { // a bytes.Reader tells its end only at the next read
		writes.Store(0)
		io.WriteString(conn, "GET "+c.target+" HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 200 {
			t.Fatalf("%s: %d bytes, %v", c.target, len(b), err)
		}
		if n := writes.Load(); n != c.want {
			t.Errorf("%s: %d writes, want %d", c.target, n, c.want)
		}
	}
}

type countingListener struct {
	net.Listener
	writes *atomic.Int32
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countingConn{c, l.writes}, err
}

type countingConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestExpectContinue(t *testing.T) {
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		if x.Request().Target == "/refuse" {
			x.Respond(413, nil, nil)
			return
		}
		echo(x)
	}})
	conn := dial(t, address)
	r := bufio.NewReader(conn)
	io.WriteString(conn, "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n")
	if line, _ := r.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q", line)
	}
	r.ReadString('\n')
	io.WriteString(conn, "hello")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); !strings.HasSuffix(string(body), "length=5\nbody=hello") {
		t.Errorf("got %q", body)
	}
	// Who sends the body at once is not told to continue.
	io.WriteString(conn, "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
	if resp, err = http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%+v, %v", resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	// A body that is not wanted: nobody knows whether it comes, so the connection ends.
	io.WriteString(conn, "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if resp, err = http.ReadResponse(r, nil); err != nil || resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%+v, %v", resp, err)
	}
}

func TestHandlerFailures(t *testing.T) {
	var log bytes.Buffer
	s := &http1.Server{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Handler: func(x http1.Exchange) {
			switch x.Request().Target {
			case "/panic":
				panic("at once")
			case "/late":
				x.Stream(200, nil, -1, &panicReader{n: 3})
			}
		},
	}
	address := serve(t, s)
	if got := talk(t, address, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("panic: %q", got)
	}
	if got := talk(t, address, "GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("no answer: %q", got)
	}
	conn := dial(t, address)
	io.WriteString(conn, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
	}
	if err == nil {
		t.Error("a panic in mid-stream looked like a good end")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "handler panicked") != 2 || strings.Count(text, "handler gave no answer") != 1 {
		t.Errorf("log: %s", text)
	}
}

type panicReader struct{ n int }

func (r *panicReader) Read(p []byte) (int, error) {
	if r.n--; r.n < 0 {
		panic("in mid-stream")
	}
	return copy(p, "some"), nil
}

// An event stream's head and events leave as they come.
func TestStreamDoesNotHoldBack(t *testing.T) {
	pr, pw := io.Pipe()
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) { x.Stream(200, nil, -1, pr) }})
	conn := dial(t, address)
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil) // before the first event
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"one", "two"} {
		io.WriteString(pw, event)
		got := make([]byte, len(event))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != event {
			t.Fatalf("%q, %v", got, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestClientGoneCancelsExchange(t *testing.T) {
	entered := make(chan struct{})
	gone := make(chan struct{})
	address := serve(t, &http1.Server{
		Limits: http1.Limits{Look: time.Millisecond},
		Handler: func(x http1.Exchange) {
			close(entered)
			<-x.Context().Done()
			close(gone)
		},
	})
	conn := dial(t, address)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	select {
	case <-gone:
		t.Fatal("cancelled while the client waits")
	case <-time.After(20 * time.Millisecond):
	}
	conn.Close()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the handler was never told")
	}
}

func TestShutdown(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := &http1.Server{Handler: func(x http1.Exchange) {
		if x.Request().Target == "/slow" {
			close(entered)
			<-leave
		}
		x.Respond(200, nil, nil)
	}}
	address := serve(t, s)
	idle, busy := dial(t, address), dial(t, address)
	idleReader, busyReader := bufio.NewReader(idle), bufio.NewReader(busy)
	io.WriteString(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if resp, err := http.ReadResponse(idleReader, nil); err != nil || resp.Close {
		t.Fatalf("%+v, %v", resp, err)
	}
	io.WriteString(busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered

	short, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with a busy connection: %v", err)
	}
	if _, err := idleReader.ReadByte(); err != io.EOF {
		t.Errorf("the idle connection: %v", err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("still accepting")
	}
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	close(leave)
	resp, err := http.ReadResponse(busyReader, nil)
	if err != nil || resp.StatusCode != 200 || !resp.Close {
		t.Errorf("the running exchange: %+v, %v", resp, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
