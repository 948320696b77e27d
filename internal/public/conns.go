package public

import (
	"net"
	"net/netip"
	"sync"
)

// mostPerAddress bounds the connections of one address, so that nobody holds all
// that there are.
const mostPerAddress = 32

// fairly is a listener that gives one address no more connections than its share.
// A server before this one speaks for many, and is not bounded.
type fairly struct {
	net.Listener

	most int
	of   func(net.Addr) (netip.Prefix, bool)

	mu   sync.Mutex
	open map[netip.Prefix]int
}

func newFairly(l net.Listener) *fairly {
	return &fairly{Listener: l, most: mostPerAddress, of: stranger, open: map[netip.Prefix]int{}}
}

// stranger is who a connection is from; ok is false for one of this network.
func stranger(a net.Addr) (netip.Prefix, bool) {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}, false
	}
	address := at.Addr().Unmap()
	return networkOf(address), !address.IsLoopback() && !address.IsPrivate()
}

// Accept implements net.Listener.
func (f *fairly) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, bounded := f.of(conn.RemoteAddr())
		if !bounded {
			return conn, nil
		}
		if f.enter(from) {
			return &counted{Conn: conn, leave: func() { f.leave(from) }}, nil
		}
		_ = conn.Close()
	}
}

func (f *fairly) enter(from netip.Prefix) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[from] >= f.most {
		return false
	}
	f.open[from]++
	return true
}

func (f *fairly) leave(from netip.Prefix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[from]--; f.open[from] <= 0 {
		delete(f.open, from)
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn

	once  sync.Once
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}
