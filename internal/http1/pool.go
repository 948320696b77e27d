package http1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/loop"
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
	o       PoolOptions
	onLoops bool // tasks get connections of their own loop

	mu      sync.Mutex
	idle    []*clientConn // the last one was used last
	total   int           // connections, and dials under way
	waiters []*waiter     // the first one waits longest
	closed  atomic.Bool

	pruning atomic.Bool              // a timer is set
	waiting atomic.Int32             // how many waiters there are
	shelves atomic.Pointer[[]*shelf] // each loop's; exchanged under mu
}

// waiter is a call that waits for a connection. It gets one, or nil: leave to
// dial.
type waiter struct {
	ch   chan *clientConn
	task *loop.Task // nil: an ordinary goroutine
}

// give ends the wait.
func (w *waiter) give(cc *clientConn) {
	w.ch <- cc
	if w.task != nil {
		w.task.Wake()
	}
}

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
	onLoops := o.Dial == nil
	if onLoops {
		address := o.Address
		dialer := new(net.Dialer)
		o.Dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }
	}
	return &Pool{o: o, onLoops: onLoops}
}

// acquire returns a pooled connection that looks alive or, with fresh or
// without one, a new one. A task gets one of its own loop.
func (p *Pool) acquire(ctx context.Context, t *loop.Task, fresh bool) (cc *clientConn, reused bool, err error) {
	if t != nil && p.onLoops {
		return p.acquireOnLoop(ctx, t, fresh)
	}
	for {
		p.mu.Lock()
		if p.closed.Load() {
			p.mu.Unlock()
			return nil, false, ErrPoolClosed
		}
		if n := len(p.idle); n > 0 && !fresh {
			cc := p.idle[n-1]
			p.idle[n-1] = nil
			p.idle = p.idle[:n-1]
			p.mu.Unlock()
			if cc.alive() {
				cc.task = t
				return cc, true, nil
			}
			p.discard(cc)
			continue
		}
		w := p.makeRoom(nil)
		p.mu.Unlock()
		if w == nil {
			break
		}
		if t != nil {
			t.Block()
		}
		cc, err := p.wait(ctx, w)
		if err != nil {
			return nil, false, err
		}
		if cc == nil {
			break
		}
		if !fresh && cc.alive() {
			cc.task = t
			return cc, true, nil
		}
		p.discard(cc)
	}
	if t != nil {
		t.Block()
	}
	cc, err = p.dial(ctx)
	if err == nil {
		cc.task = t
	}
	return cc, false, err
}

// makeRoom counts a connection that will be dialled, for which an idle one has
// to go where there are as many as may be; where none is idle it returns whom
// to wait as. p.mu is held.
func (p *Pool) makeRoom(t *loop.Task) *waiter {
	if p.total < p.o.Conns {
		p.total++
		return nil
	}
	if p.evict() {
		return nil
	}
	w := &waiter{make(chan *clientConn, 1), t}
	p.waiters = append(p.waiters, w)
	p.waiting.Add(1)
	// Whoever puts one on a shelf from now on sees that somebody waits; one that
	// was put there just before is found here.
	if p.evict() {
		p.waiters = p.waiters[:len(p.waiters)-1]
		p.waiting.Add(-1)
		return nil
	}
	return w
}

// evict closes an idle connection; p.mu is held.
func (p *Pool) evict() bool {
	if len(p.idle) > 0 {
		cc := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		cc.nc.Close()
		return true
	}
	for _, s := range p.allShelves() {
		if cc := s.oldest(); cc != nil {
			cc.nc.Close()
			return true
		}
	}
	return false
}

// firstWaiter takes out who waits longest; p.mu is held.
func (p *Pool) firstWaiter() *waiter {
	if len(p.waiters) == 0 {
		return nil
	}
	w := p.waiters[0]
	p.waiters = slices.Delete(p.waiters, 0, 1)
	p.waiting.Add(-1)
	return w
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
	if p.giveUp(w) {
		return nil, err
	}
	return <-w.ch, nil // it came at the last moment
}

// giveUp takes a waiter out; false: it has got something.
func (p *Pool) giveUp(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiters, w)
	if i < 0 {
		return false
	}
	p.waiters = slices.Delete(p.waiters, i, i+1)
	p.waiting.Add(-1)
	return true
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
	cc.task = nil
	if cc.onLoop != nil {
		p.putOnShelf(cc, retire)
		return
	}
	cc.retires = time.Now().Add(retire)
	p.mu.Lock()
	if w := p.firstWaiter(); w != nil {
		if w.task == nil || !p.onLoops {
			p.mu.Unlock()
			w.give(cc)
			return
		}
		p.mu.Unlock()
		cc.nc.Close() // a task can't use it, but its place
		w.give(nil)
		return
	}
	if p.closed.Load() || len(p.idle) >= p.o.Idle {
		p.mu.Unlock()
		p.discard(cc)
		return
	}
	p.idle = append(p.idle, cc)
	p.mu.Unlock()
	p.pruneIn(retire)
}

// pruneIn sets the timer that closes idle connections, if none is set.
func (p *Pool) pruneIn(d time.Duration) {
	if !p.pruning.Load() && p.pruning.CompareAndSwap(false, true) {
		time.AfterFunc(d, p.prune)
	}
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
	if w := p.firstWaiter(); w != nil {
		w.give(nil)
		return
	}
	p.total--
}

// prune closes the connections whose time is over, before the upstream does.
func (p *Pool) prune() {
	p.pruning.Store(false) // before the look: who is put back afterwards sets it again
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var next time.Time
	over := func(cc *clientConn) bool {
		if !cc.retires.After(now) {
			cc.nc.Close()
			p.total--
			return true
		}
		if next.IsZero() || cc.retires.Before(next) {
			next = cc.retires
		}
		return false
	}
	p.idle = slices.DeleteFunc(p.idle, over)
	for _, s := range p.allShelves() {
		s.mu.Lock()
		s.idle = slices.DeleteFunc(s.idle, over)
		s.mu.Unlock()
	}
	if !next.IsZero() {
		p.pruneIn(next.Sub(now))
	}
}

// Close closes the idle connections; those in use end with their responses.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed.Store(true)
	for p.evict() {
		p.total--
	}
}
