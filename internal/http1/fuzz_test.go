package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/http1"
)

// sameFields holds that every field that passed is what net/http read under its
// name, in order, and that none is missing but those that never pass.
func sameFields(t *testing.T, p http1.ParsedHead, theirs http.Header) {
	t.Helper()
	ours := http.Header{}
	for _, f := range p.Request.Header {
		ours.Add(f.Name, f.Value)
	}
	for name, values := range ours {
		if strings.Join(values, "\x00") != strings.Join(theirs[name], "\x00") {
			t.Fatalf("%s: we read %q, net/http %q", name, values, theirs[name])
		}
	}
	for name := range theirs {
		switch name {
		case "Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Content-Length":
			continue
		case "Cache-Control":
			continue // net/http adds it to Pragma
		}
		if strings.HasPrefix(name, "Proxy-") || p.Named {
			continue
		}
		if _, ok := ours[name]; !ok {
			t.Fatalf("%s is missing", name)
		}
	}
}

// What we accept net/http must accept, and read in the same way: we may be
// stricter, never laxer.
func FuzzRequestHead(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /a?b#c HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nX-A:  b c \t\r\nx-a: d\r\n\r\nhello",
		"POST http://b.test/x%41 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nPragma: no-cache\r\n\r\n",
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /\xe4 HTTP/1.1\r\nHost: a\r\nX: \xff\r\nExpect: 100-continue\r\n\r\n",
		"GET http://[::1]:99/ HTTP/1.1\r\nHost: x\r\nProxy-X: 1\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkRequestHead(t, text) })
}

// checkRequestHead reports whether we accepted the text.
func checkRequestHead(t *testing.T, text []byte) bool {
	t.Helper()
	p, rest, err := http1.ParseRequestForTest(text)
	if err != nil {
		return false
	}
	r := bufio.NewReader(bytes.NewReader(text))
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("accepted what net/http refuses: %v: %q", err, text)
	}
	target := p.Request.Target
	if _, after, ok := strings.Cut(req.RequestURI, "://"); ok && req.RequestURI[0] != '/' {
		// Their RequestURI is the absolute form; ours its path and query.
		if !strings.HasSuffix(after, target) && !strings.HasSuffix(after, target[1:]) {
			t.Fatalf("target %q of %q", target, req.RequestURI)
		}
		if target != "*" && req.URL.Path != "" && !strings.HasPrefix(target, req.URL.EscapedPath()) && req.URL.RawPath == "" && req.URL.EscapedPath() == req.URL.Path {
			t.Fatalf("target %q, path %q", target, req.URL.Path)
		}
	} else if target != req.RequestURI {
		t.Fatalf("target %q, net/http %q", target, req.RequestURI)
	}
	if p.Request.Method != req.Method || p.Request.Host != req.Host {
		t.Fatalf("method %q, host %q; net/http %q, %q", p.Request.Method, p.Request.Host, req.Method, req.Host)
	}
	if p.Request.Length != req.ContentLength || p.Chunked != (len(req.TransferEncoding) > 0) {
		t.Fatalf("length %d, chunked %v; net/http %d, %v", p.Request.Length, p.Chunked, req.ContentLength, req.TransferEncoding)
	}
	if p.Persistent && req.Close {
		t.Fatal("we keep the connection, net/http does not")
	}
	sameFields(t, p, req.Header)
	if req.ContentLength == 0 {
		if left, _ := io.ReadAll(r); !bytes.Equal(left, rest) {
			t.Fatalf("the head ends before %q, for net/http before %q", rest, left)
		}
	}
	return true
}

func FuzzResponseHead(f *testing.F) {
	for _, s := range []string{
		okay,
		"HTTP/1.1 200\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nA: b\r\na: c\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkResponseHead(t, text) })
}

// checkResponseHead reports whether we accepted the text.
func checkResponseHead(t *testing.T, text []byte) bool {
	t.Helper()
	p, _, err := http1.ParseResponseForTest(text)
	if err != nil {
		return false
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		t.Fatalf("accepted what net/http refuses: %v: %q", err, text)
	}
	if p.Status != resp.StatusCode {
		t.Fatalf("status %d, net/http %d", p.Status, resp.StatusCode)
	}
	sameFields(t, p, resp.Header)
	if p.Status < 200 || p.Status == 204 || p.Status == 304 {
		return true // no body, whatever the fields say
	}
	want := p.Length
	if p.Chunked {
		want = -1
	}
	if want != resp.ContentLength || p.Chunked != (len(resp.TransferEncoding) > 0) {
		t.Fatalf("length %d, chunked %v; net/http %d, %v", want, p.Chunked, resp.ContentLength, resp.TransferEncoding)
	}
	if p.Persistent && resp.Close && (p.Chunked || p.Length >= 0) {
		t.Fatal("we keep the connection, net/http does not")
	}
	return true
}

// A chunked body that we accept is the same for net/http, ends in the same
// place, and does not depend on how it arrives.
func FuzzChunkedBody(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\nrest",
		"5;a=b\r\nhello\r\n06;c=\"d;e\"\r\n world\r\n0;x\r\nTrailer: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		"0\r\n\r\n",
		"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n000\r\nA:\r\nB: c\r\n\r\n",
		"5\nhello\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s), 3, 4)
	}
	f.Fuzz(func(t *testing.T, text []byte, piece, size int) { checkChunks(t, text, piece, size) })
}

// checkChunks reports whether we accepted the text.
func checkChunks(t *testing.T, text []byte, piece, size int) bool {
	t.Helper()
	piece, size = 1+abs(piece)%5000, 1+abs(size)%5000
	body, left, err := http1.DecodeChunksForTest(text, len(text)+1, 8192)
	again, leftAgain, errAgain := http1.DecodeChunksForTest(text, piece, size)
	if (err == nil) != (errAgain == nil) || err == nil && !(bytes.Equal(body, again) && bytes.Equal(left, leftAgain)) {
		t.Fatalf("in one piece %q, %q, %v; in pieces %q, %q, %v", body, left, err, again, leftAgain, errAgain)
	}
	if err != nil {
		return false
	}
	r := bufio.NewReader(io.MultiReader(strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.NewReader(text)))
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatalf("accepted what net/http refuses: %v: %q", err, text)
	}
	if !bytes.Equal(body, theirs) {
		t.Fatalf("body %q, net/http %q", body, theirs)
	}
	if theirLeft, _ := io.ReadAll(r); !bytes.Equal(left, theirLeft) {
		t.Fatalf("ends before %q, for net/http before %q", left, theirLeft)
	}
	return true
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}
