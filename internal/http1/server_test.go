package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/http1"
)

// What the RFCs leave in doubt is refused, before the handler sees it, and the
// connection ends.
func TestRule11_2_RefusesDoubtfulMessages(t *testing.T) {
	const ok = "GET / HTTP/1.1\r\nHost: a\r\n"
	long := strings.Repeat("x", 9<<10)
	cases := []struct {
		name, raw string
		status    int
	}{
		{"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400},
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		{"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400},
		{"bare LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\nGET /evil HTTP/1.1\r\n\r\n", 400},
		{"bare CR in a value", ok + "X: a\rb\r\n\r\n", 400},
		{"CR CR LF", ok + "X: a\r\r\n\r\n", 400},
		{"folded line", ok + "X: a\r\n b\r\n\r\n", 400},
		{"folded line with a tab", ok + "X: a\r\n\tb\r\n\r\n", 400},
		{"folded first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{"space before the colon", ok + "X : a\r\n\r\n", 400},
		{"tab before the colon", ok + "X\t: a\r\n\r\n", 400},
		{"empty name", ok + ": a\r\n\r\n", 400},
		{"no colon", ok + "X\r\n\r\n", 400},
		{"control character in a name", ok + "X\x01: a\r\n\r\n", 400},
		{"NUL in a value", ok + "X: a\x00b\r\n\r\n", 400},
		{"DEL in a value", ok + "X: a\x7f\r\n\r\n", 400},
		{"vertical tab before Content-Length's value", ok + "Content-Length:\x0b5\r\n\r\nhello", 400},
		{"high byte in a name", ok + "X\xe4: a\r\n\r\n", 400},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", ok + "Host: a\r\n\r\n", 400},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"list in Host", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
		{"space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
		{"path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"bad port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
		{"open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
		{"bad address", "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", 400},
		{"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"bad method", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"tab between", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"fragment in the target", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"control character in the target", "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"broken escape in the path", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target without a host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"absolute target without Host", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
		{"HTTP/0.9", "GET /\r\n\r\n", 400},
		{"lower case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
		{"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501},
		{"two empty lines first", "\r\n\r\n" + ok + "\r\n", 400},

		{"both lengths", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"both lengths, other order", ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
		{"differing lengths", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
		{"doubled length", ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
		{"list of lengths", ok + "Content-Length: 5, 5\r\n\r\nhello", 400},
		{"signed length", ok + "Content-Length: +5\r\n\r\nhello", 400},
		{"negative length", ok + "Content-Length: -5\r\n\r\nhello", 400},
		{"hexadecimal length", ok + "Content-Length: 0x5\r\n\r\nhello", 400},
		{"empty length", ok + "Content-Length:\r\n\r\n", 400},
		{"huge length", ok + "Content-Length: 99999999999999999999\r\n\r\n", 400},
		{"unknown coding", ok + "Transfer-Encoding: gzip\r\n\r\n", 400},
		{"two codings", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunked twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunked twice in a list", ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
		{"quoted coding", ok + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400},
		{"vertical tab before chunked", ok + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
		{"identity", ok + "Transfer-Encoding: identity\r\n\r\n", 400},
		{"empty coding", ok + "Transfer-Encoding:\r\n\r\n", 400},
		{"coding under 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"length in Trailer", ok + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"bad Connection", ok + "Connection: a b\r\n\r\n", 400},

		{"bad expectation", ok + "Expect: 200-ok\r\n\r\n", 417},
		{"long target", "GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"endless target", "GET /" + strings.Repeat(long, 8), 414},
		{"large head", ok + strings.Repeat("X: "+long+"\r\n", 8) + "\r\n", 431},
		{"endless head", ok + strings.Repeat("X: "+long+"\r\n", 8), 431},
		{"many fields", ok + strings.Repeat("X: a\r\n", 100) + "\r\n", 431},
	}
	called := make(chan string, 1)
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) {
		select {
		case called <- x.Request().Target:
		default:
		}
		x.Respond(200, nil, nil)
	}})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := talk(t, address, c.raw)
			if want := fmt.Sprintf("HTTP/1.1 %d ", c.status); !strings.HasPrefix(got, want) {
				t.Errorf("answered %.60q, want %s", got, want)
			}
			if !strings.Contains(got, "\r\nConnection: close\r\n") || strings.Count(got, "HTTP/1.1 ") != 1 {
				t.Errorf("the connection went on: %q", got)
			}
			select {
			case target := <-called:
				t.Errorf("the handler was called for %s", target)
			default:
			}
		})
	}
}

// Bodies that are broken reach the handler as an error, never as an end.
func TestRule11_2_RefusesDoubtfulChunks(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	cases := []struct {
		name, body string
		status     int
	}{
		{"no size", "\r\nhello\r\n0\r\n\r\n", 400},
		{"signed size", "+5\r\nhello\r\n0\r\n\r\n", 400},
		{"negative size", "-5\r\nhello\r\n0\r\n\r\n", 400},
		{"prefixed size", "0x5\r\nhello\r\n0\r\n\r\n", 400},
		{"size too large", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400},
		{"space after the size", "5 \r\nhello\r\n0\r\n\r\n", 400},
		{"space before the size", " 5\r\nhello\r\n0\r\n\r\n", 400},
		{"bare LF after the size", "5\nhello\r\n0\r\n\r\n", 400},
		{"bare LF in an extension", "5;a\nb\r\nhello\r\n0\r\n\r\n", 400},
		{"bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", 400},
		{"empty extension", "5;\r\nhello\r\n0\r\n\r\n", 400},
		{"extension without a semicolon", "5 a=b\r\nhello\r\n0\r\n\r\n", 400},
		{"long extension", "5;a=" + strings.Repeat("b", 600) + "\r\nhello\r\n0\r\n\r\n", 400},
		{"data longer than the size", "5\r\nhello!\r\n0\r\n\r\n", 400},
		{"bare LF after the data", "5\r\nhello\n0\r\n\r\n", 400},
		{"other bytes after the data", "5\r\nhelloXX0\r\n\r\n", 400},
		{"bare LF after the last chunk", "5\r\nhello\r\n0\n\n", 400},
		{"trailer without a colon", "0\r\nevil\r\n\r\n", 400},
		{"trailer with a space before the colon", "0\r\nevil : 1\r\n\r\n", 400},
		{"folded trailer", "0\r\nA: 1\r\n 2\r\n\r\n", 400},
		{"too large trailers", "0\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 9) + "\r\n", 400},
		{"nothing but overhead", strings.Repeat("1;"+strings.Repeat("a", 400)+"\r\nx\r\n", 100) + "0\r\n\r\n", 400},
		{"over the server's limit", strings.Repeat("400\r\n"+strings.Repeat("x", 0x400)+"\r\n", 101) + "0\r\n\r\n", 413},
	}
	address := serve(t, &http1.Server{Handler: echo, Limits: http1.Limits{Body: 100 << 10}})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := talk(t, address, head+c.body)
			if want := fmt.Sprintf("HTTP/1.1 %d ", c.status); !strings.HasPrefix(got, want) || strings.Count(got, "HTTP/1.1 ") != 1 {
				t.Errorf("answered %.200q, want one %s", got, want)
			}
		})
	}
	if got := talk(t, address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 102401\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
		t.Errorf("a stated length over the limit: %q", got)
	}
}

func TestServerReadsGoodMessages(t *testing.T) {
	cases := []struct{ name, raw, want string }{
		{"plain", "GET /a?b=%zz HTTP/1.1\r\nHost: a.test:80\r\nX-A:1\r\nx-b: \t two words \t\r\nEmpty:\r\n\r\n",
			"GET /a?b=%zz host=a.test:80 length=0\nX-A=1\nx-b=two words\nEmpty=\nbody="},
		{"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST / host=a length=5\nbody=hello"},
		{"length with zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhello", "POST / host=a length=5\nbody=hello"},
		{"chunks", "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n006;x=\"y\"\r\n world\r\n0\r\n\r\n",
			"POST / host=a length=-1\nbody=hello world"},
		{"trailers are dropped", "POST / HTTP/1.1\r\nHost: a\r\nTrailer: Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 1\r\nOther:\r\n\r\n",
			"POST / host=a length=-1\nbody=hello"},
		{"an empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a length=0\nbody="},
		{"1.0", "GET / HTTP/1.0\r\n\r\n", "GET / host= length=0\nbody="},
		{"absolute target", "GET HTTP://b.test:8080/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x?y host=b.test:8080 length=0\nbody="},
		{"absolute target without a path", "GET http://b?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?y host=b length=0\nbody="},
		{"OPTIONS of everything", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * host=a length=0\nbody="},
		{"OPTIONS of an absolute target", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * host=b length=0\nbody="},
		{"IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / host=[::1]:80 length=0\nbody="},
		{"bytes above ASCII", "GET /\xe4\xb8\xad HTTP/1.1\r\nHost: a\r\nX: \xe6\x96\x87\r\n\r\n", "GET /\xe4\xb8\xad host=a length=0\nX=\xe6\x96\x87\nbody="},
		{"hop by hop", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop, upgrade\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-Stay: 2\r\n" +
			"TE: trailers\r\nUpgrade: websocket\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nproxy-anything: x\r\n\r\n",
			"GET / host=a length=0\nX-Stay=2\nbody="},
		{"Connection cannot take the meaning away", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nCookie: c\r\nIdempotency-Key: k\r\nContent-Type: t\r\nX-Forwarded-For: f\r\n" +
			"Connection: Host, Authorization, Cookie, idempotency-key, Content-Type, Content-Length, X-Forwarded-For\r\nContent-Length: 2\r\n\r\nhi",
			"GET / host=a length=2\nAuthorization=b\nCookie=c\nIdempotency-Key=k\nContent-Type=t\nX-Forwarded-For=f\nbody=hi"},
	}
	address := serve(t, &http1.Server{Handler: echo})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, address)
			// In one piece, and byte by byte.
			for _, step := range []int{len(c.raw), 1} {
				for raw := c.raw; raw != ""; raw = raw[min(step, len(raw)):] {
					io.WriteString(conn, raw[:min(step, len(raw))])
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 200 || string(body) != c.want {
					t.Errorf("status %d, err %v, got\n%s\nwant\n%s", resp.StatusCode, err, body, c.want)
				}
				if resp.Close {
					break // 1.0
				}
			}
		})
	}
}

// Requests sent ahead are answered in order, and none is read as part of
// another.
func TestPipeline(t *testing.T) {
	address := serve(t, &http1.Server{Handler: echo})
	got := talk(t, address, ""+
		"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst"+
		"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nsecond\r\n0\r\n\r\n"+
		"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"+
		"GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"+
		"GET /5 HTTP/1.1\r\nHost: a\r\n\r\n")
	r := bufio.NewReader(strings.NewReader(got))
	for i, want := range []string{"body=first", "body=second", "body=", "body="} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i+1, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if !strings.Contains(string(body), fmt.Sprintf(" /%d ", i+1)) || !strings.HasSuffix(string(body), want) {
			t.Errorf("answer %d: %q", i+1, body)
		}
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("after Connection: close: %q", rest)
	}
}

// A body that the handler ignores is not taken for the next request.
func TestUnreadBody(t *testing.T) {
	address := serve(t, &http1.Server{Handler: func(x http1.Exchange) { x.Respond(200, nil, []byte(x.Request().Target)) }})
	const next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	small := "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n"
	if got := talk(t, address, small[:len(small)-2]+next); strings.Count(got, "200 OK") != 2 || strings.Contains(got, "evil") || !strings.HasSuffix(got, "/next") {
		t.Errorf("a small body: %q", got)
	}
	chunked := "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	if got := talk(t, address, chunked+next); strings.Count(got, "200 OK") != 2 || !strings.HasSuffix(got, "/next") {
		t.Errorf("a chunked body: %q", got)
	}
	large := "POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000)
	if got := talk(t, address, large+next); strings.Count(got, "200 OK") != 1 || !strings.Contains(got, "Connection: close") {
		t.Errorf("a large body: %q", got)
	}
}
