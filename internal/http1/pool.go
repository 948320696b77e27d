package http1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// PoolOptions describe a Pool. Zero fields take the defaults.
type PoolOptions struct {
	Address string // host:port
	Conns   int    // at once, idle ones included; 512
	Idle    int    // idle ones kept; as many as Conns

	Connect time.Duration // for a dial; 1 s
	Queue   time.Duration // how long a call waits for one of Conns; as Connect
	Attempt time.Duration // from the first byte written to the response head; 30 s
	Body    time.Duration // how long a response body may stand still; 60 s
	// Retire is how long a connection may idle. It must be shorter than the
	// upstream's own time; 4 s, as several common servers close after 5 s. A
	// Keep-Alive field of the upstream shortens it.
	Retire time.Duration

	Head int // bytes of a response head; 64 KiB

	// Dial connects; nil dials Address over TCP.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Pool keeps connections to one upstream. It is safe for concurrent use.
type Pool struct {
	o PoolOptions

	mu      sync.Mutex
	idle    []*clientConn // the last one was used last
	total   int           // connections, and dials under way
	waiters []*waiter     // the first one waits longest
	pruning bool          // a timer is set
	closed  bool
}

// waiter is a call that waits for a connection. It gets one, or nil: leave to
// dial.
type waiter struct{ ch chan *clientConn }

// Errors of a Pool before anything was sent.
var (
	ErrBusy       = errors.New("http1: every connection to the upstream is in use")
	ErrPoolClosed = errors.New("http1: pool closed")
)

// NewPool makes a Pool; connections are made as they are needed.
func NewPool(o PoolOptions) *Pool {
	o.Conns = cmp.Or(o.Conns, 512)
	o.Idle = cmp.Or(o.Idle, o.Conns)
	o.Connect = cmp.Or(o.Connect, time.Second)
	o.Queue = cmp.Or(o.Queue, o.Connect)
	o.Attempt = cmp.Or(o.Attempt, 30*time.Second)
	o.Body = cmp.Or(o.Body, time.Minute)
	o.Retire = cmp.Or(o.Retire, 4*time.Second)
	o.Head = cmp.Or(o.Head, 64<<10)
	if o.Dial == nil {
		address := o.Address
		dialer := new(net.Dialer)
		o.Dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }
	}
	return &Pool{o: o}
}

// acquire returns a pooled connection that looks alive or, with fresh or
// without one, a new one.
func (p *Pool) acquire(ctx context.Context, fresh bool) (cc *clientConn, reused bool, err error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, false, ErrPoolClosed
		}
		if n := len(p.idle); n > 0 && !fresh {
			cc := p.idle[n-1]
			p.idle[n-1] = nil
			p.idle = p.idle[:n-1]
			p.mu.Unlock()
			if cc.alive() {
				return cc, true, nil
			}
			p.discard(cc)
			continue
		}
		if p.total >= p.o.Conns && len(p.idle) > 0 { // fresh wanted: one idle makes room
			cc := p.idle[0]
			p.idle = slices.Delete(p.idle, 0, 1)
			p.total--
			cc.nc.Close()
		}
		if p.total < p.o.Conns {
			p.total++
			p.mu.Unlock()
			break
		}
		w := &waiter{make(chan *clientConn, 1)}
		p.waiters = append(p.waiters, w)
		p.mu.Unlock()
		cc, err := p.wait(ctx, w)
		if err != nil {
			return nil, false, err
		}
		if cc == nil {
			break
		}
		if !fresh && cc.alive() {
			return cc, true, nil
		}
		p.discard(cc)
	}
	cc, err = p.dial(ctx)
	return cc, false, err
}

// wait returns a connection, or nil with leave to dial.
func (p *Pool) wait(ctx context.Context, w *waiter) (*clientConn, error) {
	timer := time.NewTimer(p.o.Queue)
	defer timer.Stop()
	var err error
	select {
	case cc := <-w.ch:
		return cc, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = ErrBusy
	}
	p.mu.Lock()
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
		p.mu.Unlock()
		return nil, err
	}
	p.mu.Unlock()
	return <-w.ch, nil // it came at the last moment
}

// dial makes a connection; the caller has counted it in total.
func (p *Pool) dial(ctx context.Context) (*clientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.Connect)
	defer cancel()
	nc, err := p.o.Dial(ctx)
	if err == nil && ctx.Err() != nil {
		nc.Close()
		err = ctx.Err()
	}
	if err != nil {
		p.free()
		return nil, fmt.Errorf("http1: connect: %w", err)
	}
	cc := &clientConn{pool: p}
	cc.nc = nc
	cc.peeker.open(nc)
	return cc, nil
}

// put takes a connection back that can carry another request.
func (p *Pool) put(cc *clientConn) {
	retire := p.o.Retire
	if cc.patience > 0 {
		retire = min(retire, cc.patience)
	}
	cc.retires = time.Now().Add(retire)
	p.mu.Lock()
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters = slices.Delete(p.waiters, 0, 1)
		p.mu.Unlock()
		w.ch <- cc
		return
	}
	if p.closed || len(p.idle) >= p.o.Idle {
		p.mu.Unlock()
		p.discard(cc)
		return
	}
	p.idle = append(p.idle, cc)
	if !p.pruning {
		p.pruning = true
		time.AfterFunc(retire, p.prune)
	}
	p.mu.Unlock()
}

// discard closes a connection.
func (p *Pool) discard(cc *clientConn) {
	cc.nc.Close()
	p.free()
}

// free takes one connection out of the count and lets the next waiter dial.
func (p *Pool) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters = slices.Delete(p.waiters, 0, 1)
		w.ch <- nil
		return
	}
	p.total--
}

// prune closes the connections whose time is over, before the upstream does.
func (p *Pool) prune() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var next time.Time
	p.idle = slices.DeleteFunc(p.idle, func(cc *clientConn) bool {
		if !cc.retires.After(now) {
			cc.nc.Close()
			p.total--
			return true
		}
		if next.IsZero() || cc.retires.Before(next) {
			next = cc.retires
		}
		return false
	})
	if p.pruning = !next.IsZero(); p.pruning {
		time.AfterFunc(next.Sub(now), p.prune)
	}
}

// Close closes the idle connections; those in use end with their responses.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, cc := range p.idle {
		cc.nc.Close()
		p.total--
	}
	p.idle = nil
}
