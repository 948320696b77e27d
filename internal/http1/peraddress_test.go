package http1_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"holdfast/internal/http1"
)

func TestConnectionsPerAddress(t *testing.T) {
	server := &http1.Server{Handler: func(x http1.Exchange) { _ = x.Respond(200, nil, []byte("ok")) }}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	serves := func(c net.Conn) bool {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
			return false
		}
		n, err := c.Read(make([]byte, 1024))
		return n > 0 && err == nil
	}
	server.SetConnsPerAddress(2, nil)
	first, second := dial("127.0.0.1"), dial("127.0.0.1")
	if !serves(first) || !serves(second) {
		t.Error("two are too many")
	}
	if serves(dial("127.0.0.1")) {
		t.Error("a third is served")
	}
	if !serves(dial("127.0.0.2")) {
		t.Error("another address pays for it")
	}
	first.Close()
	for !serves(dial("127.0.0.1")) { // the server has yet to see it go
	}
	server.SetConnsPerAddress(1, func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.1") })
	for range 2 {
		if !serves(dial("127.0.0.1")) {
			t.Error("an exempt address is bounded")
		}
	}
	server.SetConnsPerAddress(0, nil)
	if !serves(dial("127.0.0.2")) {
		t.Error("bounded without a bound")
	}
}
