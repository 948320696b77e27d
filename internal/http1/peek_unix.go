//go:build unix

package http1

import (
	"net"
	"sync"
	"syscall"

	"holdfast/internal/loop"
)

// peeker looks at a socket without blocking and without consuming anything. The
// zero value looks at nothing.
type peeker struct {
	mu   sync.Mutex
	loop *loop.Conn // instead of raw
	raw  syscall.RawConn
	look func(fd uintptr) // kept, so that a look does not allocate
	byte [1]byte
	n    int
	err  error
}

// open must be called at the peeker's final address.
func (p *peeker) open(nc net.Conn) {
	if p.loop, _ = nc.(*loop.Conn); p.loop != nil {
		return
	}
	_, sealed := nc.(sealedConn)
	sc, ok := socket(nc).(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.look = func(fd uintptr) {
		if sealed && hungUp(int(fd)) {
			p.n, p.err = 0, nil
			return
		}
		for {
			p.n, _, p.err = syscall.Recvfrom(int(fd), p.byte[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if p.err != syscall.EINTR {
				return
			}
		}
	}
}

// peek reports whether bytes wait to be read, and whether the peer has closed
// or broken the connection. Of a connection that is no socket it knows neither.
func (p *peeker) peek() (readable, gone bool) {
	if p.loop != nil {
		return p.loop.Peek()
	}
	if p.raw == nil {
		return false, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.raw.Control(p.look); err != nil {
		return false, true
	}
	switch {
	case p.err == syscall.EAGAIN || p.err == syscall.EWOULDBLOCK:
		return false, false
	case p.err != nil || p.n == 0:
		return false, true
	}
	return true, false
}
