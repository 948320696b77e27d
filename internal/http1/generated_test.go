package http1_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Messages put together from pieces that are each nearly right reach deeper
// than random bytes do. What is accepted must be what net/http reads.
func TestGeneratedMessages(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	rounds := 30_000
	if testing.Short() {
		rounds = 5_000 // under the race detector
	}
	accepted := map[string]int{}
	count := func(kind string, ok bool) {
		if ok {
			accepted[kind]++
		}
	}
	for range rounds {
		head := g.requestLine() + g.fields()
		count("requests", checkRequestHead(t, []byte(head)))
		head = g.statusLine() + g.fields()
		count("responses", checkResponseHead(t, []byte(head)))
		count("chunks", checkChunks(t, []byte(g.chunks()), g.IntN(20), g.IntN(20)))
		if t.Failed() {
			return
		}
	}
	for _, kind := range []string{"requests", "responses", "chunks"} {
		if n := accepted[kind]; n < rounds/100 || n > rounds*99/100 {
			t.Errorf("%d of %d %s accepted: the generator no longer tries both sides", n, rounds, kind)
		}
	}
}

type generator struct{ *rand.Rand }

// usually takes the first, seldom one of the others.
func (g generator) usually(good string, others ...string) string {
	if g.IntN(10) > 0 {
		return good
	}
	return others[g.IntN(len(others))]
}

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) end() string { return g.usually("\r\n", "\n", "\r", "\r\r\n", "\r\n\r\n", "\n\r\n") }

func (g generator) requestLine() string {
	return g.one("GET", "POST", "OPTIONS", "HEAD", g.usually("PUT", "G ET", "", "get", "CONNECT", "P\x00ST", "PRI")) +
		g.usually(" ", "  ", "\t", "") +
		g.one("/", "/a/b?c=d", "*", "http://b.test/x", g.usually("/x%20y", "", "a", "//h/p", "/%", "/%zz?%zz", "/a#b", "http://b", "http://b?q",
			"http://b:99/", "http://[::1]/", "http://[::1%25a]/", "http://u@b/", "https://B/", "http:///", "http://b%41/", "/\xff\xfe", "/\x7f", "b:80",
			"http://b:/", "http://b:x/", "http://[1]/", "/a:b", "?", "/?", "/??a?", "http://*/", "http://a!b/", "http://a\"b/", "http://a,b/")) +
		g.usually(" ", "  ", "\t", "") +
		g.usually("HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/1.10", "HTTP/1", "http/1.1", "HTTP/1.1 ", "") + g.end()
}

func (g generator) statusLine() string {
	return g.usually("HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2", "ICY", "") + g.usually(" ", "  ", "\t", "") +
		g.one("200", "204", "304", "500", g.usually("404", "100", "099", "20", "2000", "2x0", "-20", "999", "")) +
		g.one("", " ", " OK", g.usually(" Not Found", "OK", " \x00", " \xff", "\tOK")) + g.end()
}

func (g generator) fields() string {
	var b strings.Builder
	if g.IntN(10) > 0 {
		b.WriteString("Host: a.test\r\n")
	}
	for range g.IntN(4) {
		b.WriteString(g.one("Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Expect", "X-A", "x-a", "Keep-Alive", "TE",
			"Proxy-X", "Pragma", "Cache-Control", "Set-Cookie", "Upgrade", g.usually("x_b", "X A", " X", "X\x01", "", "X\xff", "content-length", "X:")))
		b.WriteString(g.usually(":", " :", "", "\t:", "::"))
		b.WriteString(g.one("", " ", "\t", " \t ", g.usually(" ", "\x0b", "\x0c", "\xa0", "\r\n ")))
		b.WriteString(g.one("5", "chunked", "close", "a, b", "0", "100-continue", "X-A", g.usually("05", "+5", "5, 5", "0x5", "gzip, chunked", "Chunked",
			"identity", "chunked,", "\"chunked\"", "keep-alive, X-A", "close, Host", "a b", "\x00", "a\x7f", "\xe4\xb8\xad", "99999999999999999999",
			"[::1]:80", "a:99999", "no-cache", "Content-Length", "1_0", "5.0", "5 5")))
		b.WriteString(g.one("", " ", "\t"))
		b.WriteString(g.end())
	}
	b.WriteString(g.usually("\r\n", "\n", "", "\r"))
	b.WriteString(g.one("", "hello", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"))
	return b.String()
}

func (g generator) chunks() string {
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(g.one("5", "05", "5;a=b", "5;a=\"b;c\"", g.usually("5 ;a", "5 ", " 5", "0x5", "+5", "5;", "g", "", "6", "4", "fffffffffffffffff", "5\t;x", "5;\xff", "5;a\x00")))
		b.WriteString(g.end() + "hello" + g.end())
	}
	b.WriteString(g.usually("0", "00", "0;x", "0 ", "", "-0") + g.end())
	for range g.IntN(3) {
		b.WriteString(g.usually("A: b", "A", "A : b", " A: b", ": b", "A:\x00", "A:") + g.end())
	}
	b.WriteString(g.end() + g.one("", "GET / HTTP/1.1\r\n\r\n", "\n"))
	return b.String()
}
