package http1

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// perAddress counts connections by client address: an IPv4 address, or the
// first 64 bits of an IPv6 one. It remembers only addresses that have some.
type perAddress struct {
	bound atomic.Pointer[addressBound] // nil: nothing is counted

	mu    sync.Mutex
	conns map[uint64]int
}

type addressBound struct {
	most   int
	exempt func(netip.Addr) bool
}

// SetConnsPerAddress bounds the connections of one client address from now on;
// 0 lifts the bound. Further ones are closed at once. Those from exempt
// addresses, behind which many clients are, are not counted.
func (s *Server) SetConnsPerAddress(most int, exempt func(netip.Addr) bool) {
	if most <= 0 {
		s.addresses.bound.Store(nil)
		return
	}
	s.addresses.bound.Store(&addressBound{most, exempt})
}

// enter counts a connection; key is to be given back to leave, 0: it was not
// counted.
func (p *perAddress) enter(from net.Addr) (key uint64, ok bool) {
	bound := p.bound.Load()
	if bound == nil {
		return 0, true
	}
	if key = addressKey(from, bound.exempt); key == 0 {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[key] >= bound.most {
		return 0, false
	}
	if p.conns == nil {
		p.conns = make(map[uint64]int)
	}
	p.conns[key]++
	return key, true
}

func (p *perAddress) leave(key uint64) {
	if key == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[key]--; p.conns[key] == 0 {
		delete(p.conns, key)
	}
}

// addressKey tells client addresses apart; 0: none that counts. No IPv6 address
// in use begins with 31 zero bits, as the keys of IPv4 do.
func addressKey(a net.Addr, exempt func(netip.Addr) bool) uint64 {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return 0
	}
	ip, ok := netip.AddrFromSlice(tcp.IP)
	if !ok {
		return 0
	}
	if ip = ip.Unmap(); exempt != nil && exempt(ip) {
		return 0
	}
	if ip.Is4() {
		b := ip.As4()
		return uint64(binary.BigEndian.Uint32(b[:])) | 1<<32
	}
	b := ip.As16()
	return binary.BigEndian.Uint64(b[:])
}
