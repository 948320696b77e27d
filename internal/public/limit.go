package public

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// mostKnown bounds how many addresses are remembered. While so many ask within a
// short time, further ones share what one address has.
const mostKnown = 10_000

// limiter bounds how often one address may ask.
type limiter struct {
	every rate.Limit
	burst int

	mu     sync.Mutex
	known  map[netip.Prefix]*rate.Limiter
	others *rate.Limiter
}

func newLimiter(every rate.Limit, burst int) *limiter {
	return &limiter{every: every, burst: burst, known: map[netip.Prefix]*rate.Limiter{}, others: rate.NewLimiter(every, burst)}
}

func (l *limiter) allow(from netip.Prefix, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.known[from]
	if one == nil && len(l.known) >= mostKnown {
		l.forget(now)
	}
	switch {
	case one == nil && len(l.known) >= mostKnown:
		one = l.others
	case one == nil:
		one = rate.NewLimiter(l.every, l.burst)
		l.known[from] = one
	}
	return one.AllowN(now, 1)
}

// forget drops those who have all that a new one has.
func (l *limiter) forget(now time.Time) {
	for from, one := range l.known {
		if one.TokensAt(now) >= float64(l.burst) {
			delete(l.known, from)
		}
	}
}

// from is who asks: an address, or the network of one customer. A server before
// this one, on the same machine or network, says for whom it asks.
func from(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	address := at.Addr().Unmap()
	if address.IsLoopback() || address.IsPrivate() {
		said := r.Header.Values("X-Forwarded-For")
		if len(said) > 0 {
			last := said[len(said)-1]
			last = last[strings.LastIndexByte(last, ',')+1:]
			if named, err := netip.ParseAddr(strings.TrimSpace(last)); err == nil {
				address = named.Unmap()
			}
		}
	}
	return networkOf(address)
}

// networkOf is an address, or the network of one customer.
func networkOf(address netip.Addr) netip.Prefix {
	bits := 32
	if address.Is6() {
		bits = 64
	}
	network, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
