package public

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// TestOneAddressHoldsItsShare has one address open more connections than it may
// have, while another one asks.
func TestOneAddressHoldsItsShare(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := newFairly(inner)
	f.most = 2
	greedy := netip.MustParsePrefix("198.51.100.7/32")
	var other atomic.Bool
	f.of = func(net.Addr) (netip.Prefix, bool) {
		if other.Load() {
			return netip.MustParsePrefix("203.0.113.9/32"), true
		}
		return greedy, true
	}
	accepted := make(chan net.Conn, 8)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := f.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	take := func() net.Conn {
		t.Helper()
		select {
		case conn := <-accepted:
			return conn
		case <-time.After(10 * time.Second):
			t.Fatal("no connection")
			return nil
		}
	}
	dial()
	first := take()
	dial()
	second := take()
	third := dial()
	_ = third.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("more than its share")
	}
	_ = first.Close()
	_ = first.Close() // counts once
	dial()
	fourth := take()
	again := dial()
	_ = again.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := again.Read(make([]byte, 1)); err == nil {
		t.Error("more than its share")
	}
	other.Store(true)
	dial()
	fifth := take()
	_ = inner.Close()
	<-ended
	for _, conn := range []net.Conn{second, fourth, fifth} {
		_ = conn.Close()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.open) != 0 {
		t.Error(f.open)
	}
	for text, want := range map[string]bool{"127.0.0.1:9": false, "10.1.2.3:9": false, "198.51.100.7:9": true, "[2001:db8::7]:9": true, "[::ffff:10.0.0.1]:9": false} {
		if _, got := stranger(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text))); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
