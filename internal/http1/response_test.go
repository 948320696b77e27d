package http1_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/http1"
)

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
