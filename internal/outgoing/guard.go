package outgoing

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Guard dials where its policy lets it. The policy may be exchanged at any time:
// it counts for connections made from then on, and idle ones of the clients are
// closed.
type Guard struct {
	policy   atomic.Pointer[Policy]
	resolver *net.Resolver

	mu   sync.Mutex
	idle []Idler
}

// New makes a guard. A nil resolver is the system's.
func New(policy Policy, resolver *net.Resolver) *Guard {
	g := &Guard{resolver: resolver}
	g.policy.Store(&policy)
	return g
}

// Set exchanges the policy.
func (g *Guard) Set(policy Policy) {
	g.policy.Store(&policy)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range g.idle {
		i.CloseIdleConnections()
	}
}

// Idler keeps connections for later use.
type Idler interface{ CloseIdleConnections() }

// Keeps tells the guard of connections to close when the policy is exchanged.
func (g *Guard) Keeps(i Idler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle = append(g.idle, i)
}

// dialTimeout bounds a connection whose context has no end.
const dialTimeout = 10 * time.Second

// DialContext connects to "host:port" over tcp, tcp4, tcp6, udp, udp4 or udp6, or
// to a socket over unix.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Resolver: g.resolver}
	switch network {
	case "unix":
		if err := g.policy.Load().CheckSocket(address); err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, address)
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return nil, fmt.Errorf("outgoing: network %q", network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if err := g.policy.Load().mayAsk(host, portOf(port)); err != nil {
		return nil, err
	}
	dialer.ControlContext = func(_ context.Context, _, to string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(to)
		if err != nil {
			return err
		}
		return g.policy.Load().Check(host, ap.Addr(), ap.Port())
	}
	return dialer.DialContext(ctx, network, address)
}

// Lookup returns the addresses of a host that may be reached on a port, for
// what has no connection of its own to judge, such as an echo request (port 0:
// rules with ports don't cover it). Whoever asks sends to what is returned and
// looks nothing up again.
func (g *Guard) Lookup(ctx context.Context, host string, port uint16) ([]netip.Addr, error) {
	resolver := g.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	if err := g.policy.Load().mayAsk(host, port); err != nil {
		return nil, err
	}
	found, err := resolver.LookupNetIP(ctx, "ip", strings.Trim(host, "[]"))
	if err != nil {
		return nil, err
	}
	var allowed []netip.Addr
	for _, a := range found {
		a = a.Unmap()
		if refusal := g.policy.Load().Check(host, a, port); refusal != nil {
			err = refusal
			continue
		}
		allowed = append(allowed, a)
	}
	if len(allowed) == 0 {
		return nil, err
	}
	return allowed, nil
}

// portOf is a port that was written as a number; 0 where it was not: the address
// that comes of it is judged all the same.
func portOf(text string) uint16 {
	n, _ := strconv.ParseUint(text, 10, 16)
	return uint16(n)
}
