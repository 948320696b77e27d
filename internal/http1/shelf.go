package http1

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/internal/loop"
)

// shelf keeps a pool's idle connections that belong to one loop.
type shelf struct {
	loop *loop.Loop
	mu   sync.Mutex
	idle []*clientConn // the last one was used last
}

func (s *shelf) newest() *clientConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	if n == 0 {
		return nil
	}
	cc := s.idle[n-1]
	s.idle[n-1] = nil
	s.idle = s.idle[:n-1]
	return cc
}

func (s *shelf) oldest() *clientConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil
	}
	cc := s.idle[0]
	s.idle = slices.Delete(s.idle, 0, 1)
	return cc
}

func (p *Pool) allShelves() []*shelf {
	if all := p.shelves.Load(); all != nil {
		return *all
	}
	return nil
}

// shelf returns that of a loop. There are few: one for each core.
func (p *Pool) shelf(l *loop.Loop) *shelf {
	for _, s := range p.allShelves() {
		if s.loop == l {
			return s
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.allShelves()
	for _, s := range all {
		if s.loop == l {
			return s // made meanwhile
		}
	}
	s := &shelf{loop: l}
	all = append(slices.Clip(all), s)
	p.shelves.Store(&all)
	return s
}

// acquireOnLoop is acquire for a task.
func (p *Pool) acquireOnLoop(ctx context.Context, t *loop.Task, fresh bool) (*clientConn, bool, error) {
	s := p.shelf(t.Loop())
	for !fresh {
		cc := s.newest()
		if cc == nil {
			break
		}
		if cc.alive() {
			return cc.assign(t), true, nil
		}
		p.discard(cc)
	}
	p.mu.Lock()
	if p.closed.Load() {
		p.mu.Unlock()
		return nil, false, ErrPoolClosed
	}
	w := p.makeRoom(t)
	p.mu.Unlock()
	if w != nil {
		cc, err := p.waitAsTask(ctx, w)
		switch {
		case err != nil:
			return nil, false, err
		case cc == nil:
		case !fresh && cc.alive():
			return cc.assign(t), true, nil
		default:
			cc.nc.Close() // its place is ours
		}
	}
	if ctx.Done() != nil && !t.Owns(ctx) {
		defer context.AfterFunc(ctx, t.Nudge)()
	}
	nc, err := t.Dial(ctx, p.o.Address, p.o.Connect)
	if err != nil {
		p.free()
		return nil, false, fmt.Errorf("http1: connect: %w", err)
	}
	cc := &clientConn{pool: p, onLoop: nc}
	cc.nc = nc
	return cc.assign(t), false, nil
}

func (cc *clientConn) assign(t *loop.Task) *clientConn {
	cc.task = t
	cc.onLoop.Assign(t)
	return cc
}

// waitAsTask is wait for a task.
func (p *Pool) waitAsTask(ctx context.Context, w *waiter) (*clientConn, error) {
	t := w.task
	if ctx.Done() != nil && !t.Owns(ctx) {
		defer context.AfterFunc(ctx, t.Nudge)()
	}
	for until := t.Loop().Now() + int64(p.o.Queue); ; t.WaitUntil(until) {
		select {
		case cc := <-w.ch:
			return cc, nil
		default:
		}
		err := ctx.Err()
		if err == nil && t.Loop().Now() >= until {
			err = ErrBusy
		}
		if err == nil {
			continue
		}
		if p.giveUp(w) {
			return nil, err
		}
		return <-w.ch, nil // it came at the last moment
	}
}

// putOnShelf takes back a connection of a loop.
func (p *Pool) putOnShelf(cc *clientConn, retire time.Duration) {
	l := cc.onLoop.Loop()
	cc.onLoop.Assign(nil)
	cc.retires = l.Time().Add(retire)
	s := p.shelf(l)
	s.mu.Lock()
	s.idle = append(s.idle, cc)
	crowded := len(s.idle) > p.o.Idle
	s.mu.Unlock()
	p.pruneIn(retire)
	if crowded = crowded || p.closed.Load(); crowded || p.waiting.Load() > 0 {
		p.serve(s, crowded)
	}
}

// serve gives a connection of a shelf to who waits longest: itself to a task of
// its loop, its place to others.
func (p *Pool) serve(s *shelf, crowded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) == 0 && !crowded {
		return
	}
	cc := s.newest()
	if cc == nil {
		return
	}
	w := p.firstWaiter()
	switch {
	case w == nil:
		cc.nc.Close()
		p.total--
	case w.task != nil && w.task.Loop() == s.loop:
		w.give(cc)
	default:
		cc.nc.Close()
		w.give(nil)
	}
}
