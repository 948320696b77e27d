package nethttp_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/http2"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/nethttp"
)

// Before a server is shut down its clients learn to open no further streams, and
// those on their way are still answered.
func TestRule11_3_RetiredConnectionsRefuseNothing(t *testing.T) {
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	address, s := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		entered <- struct{}{}
		if x.Request().Target == "/wait" {
			<-leave
		}
		x.Respond(200, nil, []byte("done"))
	})
	ask := func(c *raw, stream uint32, path string) {
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.headers(":path", path), EndHeaders: true, EndStream: true})
	}
	farewell := func(c *raw) {
		t.Helper()
		for {
			f, err := c.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if bye, ok := f.(*http2.GoAwayFrame); ok {
				if bye.LastStreamID != 1<<31-1 || bye.ErrCode != http2.ErrCodeNo {
					t.Errorf("refused what is above %d: %s", bye.LastStreamID, bye.ErrCode)
				}
				return
			}
		}
	}
	busy, idle := dial(t, address), dial(t, address)
	ask(busy, 1, "/wait")
	ask(idle, 1, "/")
	if got := idle.outcome(1); got != "200" {
		t.Fatal(got)
	}
	<-entered
	<-entered
	s.Retire()
	farewell(idle)
	farewell(busy)
	ask(busy, 3, "/") // crossed it
	if got := busy.outcome(3); got != "200" {
		t.Errorf("a request that crossed the farewell: %s", got)
	}
	close(leave)
	if got := busy.outcome(1); got != "200" {
		t.Errorf("the one under way: %s", got)
	}
	late := dial(t, address)
	ask(late, 1, "/")
	if got := late.outcome(1); got != "200" {
		t.Errorf("one that came later: %s", got)
	}
	farewell(late)
}

func TestConnectionsPerAddress(t *testing.T) {
	for _, secured := range []bool{false, true} {
		handler := func(x http1.Exchange) { x.Respond(200, nil, nil) }
		complete := nethttp.New(nethttp.Options{Handler: handler})
		lean := &http1.Server{Handler: handler, HTTP2: complete.Take, Limits: http1.Limits{Conns: 3}}
		lean.SetConnsPerAddress(2, nil)
		address := listen(t, secured, lean, complete)
		ask := func() (io.Closer, error) {
			tr := client(t, secured).Transport.(*http.Transport)
			resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get(map[bool]string{false: "http", true: "https"}[secured] + "://" + address)
			if err != nil {
				return nil, err
			}
			return closer(tr.CloseIdleConnections), resp.Body.Close()
		}
		first, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(); err != nil {
			t.Fatal(err)
		}
		if _, err := ask(); err == nil {
			t.Fatal("a third is served")
		}
		first.Close()
		for { // the server has yet to see it go
			if _, err := ask(); err == nil {
				break
			}
		}
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }

// A handler may use the memory of its answer again as soon as it has given it.
func TestAnswersAreCopied(t *testing.T) {
	address, _ := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		memory := []byte("X-Mine value trail")
		lent := unsafe.String(&memory[0], len(memory))
		header := []continuity.Field{{Name: lent[:6], Value: lent[7:12]}}
		if x.Request().Target == "/stream" {
			x.Stream(200, header, -1, trailed{strings.NewReader("body"), []continuity.Field{{Name: "X-Late", Value: lent[13:]}}})
		} else {
			x.Respond(200, header, []byte("body"))
		}
		copy(memory, bytes.Repeat([]byte{0}, len(memory)))
	})
	c := client(t, false)
	for _, path := range []string{"/", "/stream"} {
		resp, err := c.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		if resp.Header.Get("X-Mine") != "value" || path == "/stream" && resp.Trailer.Get("X-Late") != "trail" {
			t.Errorf("%s: %v, %v", path, resp.Header, resp.Trailer)
		}
	}
}
