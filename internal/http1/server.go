package http1

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/loop"
)

// Limits bound what a client may send and how long it may take. Zero fields
// take the defaults.
type Limits struct {
	Target int   // bytes of a request target; 8 KiB
	Header int   // bytes of a request head; 64 KiB
	Fields int   // field lines; 100
	Body   int64 // bytes of a body; 0: unbounded, the handler decides
	Drain  int64 // bytes of a body left unread that are discarded to keep the connection; 64 KiB
	Conns  int   // connections at once; 0: unbounded. Further ones wait to be accepted.

	Head  time.Duration // from the first byte of a head to its end, and to the first byte while more than half of Conns are taken; 10 s
	Wait  time.Duration // how long the reading of one body may wait for the client in all; 10 s
	Rate  int64         // bytes a second that a body must bring to prolong Wait by a second; 1 KiB
	Idle  time.Duration // between requests and before the first; 60 s
	Write time.Duration // for each write, of 64 KiB at most; 30 s
	Look  time.Duration // how often clients of long exchanges are looked at; 500 ms
}

func (l Limits) withDefaults() Limits {
	l.Target = cmp.Or(l.Target, 8<<10)
	l.Header = cmp.Or(l.Header, 64<<10)
	l.Fields = cmp.Or(l.Fields, 100)
	l.Drain = cmp.Or(l.Drain, 64<<10)
	l.Head = cmp.Or(l.Head, 10*time.Second)
	l.Wait = cmp.Or(l.Wait, 10*time.Second)
	l.Rate = cmp.Or(l.Rate, 1<<10)
	l.Idle = cmp.Or(l.Idle, time.Minute)
	l.Write = cmp.Or(l.Write, 30*time.Second)
	l.Look = cmp.Or(l.Look, 500*time.Millisecond)
	return l
}

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("http1: server closed")

// Server answers the requests of the connections that its listeners accept.
// Handler must be set before Serve; the other fields may be left zero.
type Server struct {
	Handler Handler
	Logger  *slog.Logger
	Limits  Limits
	// HTTP2 takes a connection over that begins with the preface of HTTP/2, with
	// what was read of it still to be read; nil: such a connection is refused. It
	// counts among the connections at once and those of its address until closed
	// is called, once or more.
	HTTP2 func(nc net.Conn, closed func())
	// Loops is how many poll loops serve plain TCP connections on Linux; 0: one
	// for each processor that Go uses, below 0: none, and each connection has a
	// goroutine of its own, as all others have.
	Loops int

	once     sync.Once
	limits   Limits
	log      *slog.Logger
	hard     context.Context // done when the server stops hard
	stopHard context.CancelFunc
	slots    chan struct{} // nil: unbounded
	draining atomic.Bool
	retiring atomic.Bool

	group     *loop.Group // nil: none
	addresses perAddress

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	empty     chan struct{} // closed when the last connection of a draining server ends
	looking   bool
}

func (s *Server) init() {
	s.once.Do(func() {
		s.limits = s.Limits.withDefaults()
		s.log = s.Logger
		if s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
		s.hard, s.stopHard = context.WithCancel(context.Background())
		if s.limits.Conns > 0 {
			s.slots = make(chan struct{}, s.limits.Conns)
		}
		s.listeners = map[net.Listener]bool{}
		s.conns = map[*conn]bool{}
		s.empty = make(chan struct{})
	})
}

// Serve accepts connections until the listener fails or the server is shut
// down; it closes the listener.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	l = s.onLoops(l)
	s.listeners[l] = true
	if !s.looking {
		s.looking = true
		go s.lookAround()
	}
	s.mu.Unlock()
	defer func() {
		l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.lastOut()
		s.mu.Unlock()
	}()
	for pause := time.Duration(0); ; {
		if !s.takeSlot() {
			return ErrServerClosed
		}
		nc, err := l.Accept()
		if err != nil {
			s.freeSlot()
			if s.draining.Load() {
				return ErrServerClosed
			}
			// Too many open files and the like pass; going on at once would spin.
			if isTimeout(err) || temporary(err) {
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				s.log.Warn("accept failed", "error", err, "again_in", pause)
				select {
				case <-time.After(pause):
				case <-s.hard.Done():
				}
				continue
			}
			return err
		}
		pause = 0
		s.start(nc)
	}
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func (s *Server) takeSlot() bool {
	if s.slots == nil {
		return true
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.hard.Done():
		return false
	}
}

// crowded reports whether more than half of the connections are taken.
func (s *Server) crowded() bool { return 2*len(s.slots) > cap(s.slots) }

func (s *Server) freeSlot() {
	if s.slots != nil {
		<-s.slots
	}
}

func (s *Server) start(nc net.Conn) {
	address, ok := uint64(0), true
	if _, opens := socket(nc).(openingConn); !opens { // else nobody knows yet who it is
		address, ok = s.addresses.enter(nc.RemoteAddr())
	}
	if !ok {
		nc.Close()
		s.freeSlot()
		return
	}
	c := newConn(s, nc)
	c.address = address
	s.mu.Lock()
	if s.hard.Err() != nil || s.isEmpty() {
		s.mu.Unlock()
		nc.Close()
		s.addresses.leave(address)
		s.freeSlot()
		return
	}
	s.conns[c] = true
	s.mu.Unlock()
	c.run()
}

func (s *Server) ended(c *conn) {
	if !c.handed {
		s.release(c.address)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.lastOut()
}

// release gives back what a connection took of the bounds.
func (s *Server) release(address uint64) {
	s.addresses.leave(address)
	s.freeSlot()
}

// lastOut tells whoever shuts the server down that nothing is left. While
// something still listens, a connection may have been accepted that is not yet
// among the others; s.mu is held.
func (s *Server) lastOut() {
	if s.draining.Load() && len(s.conns) == 0 && len(s.listeners) == 0 {
		s.closeEmpty()
	}
}

// isEmpty reports whether a server that is shut down has seen its last
// connection; s.mu is held.
func (s *Server) isEmpty() bool {
	select {
	case <-s.empty:
		return true
	default:
		return false
	}
}

func (s *Server) closeEmpty() {
	if s.isEmpty() {
		return
	}
	close(s.empty)
	if s.group != nil {
		s.group.Close()
	}
}

// Retire has each connection end with its next answer, which says so. Clients
// that are busy move on to new connections by themselves then, before Shutdown
// closes those that are idle: a request that crosses such a close is lost on its
// client. New connections are accepted as before.
func (s *Server) Retire() { s.retiring.Store(true) }

// Shutdown stops accepting, lets running exchanges end and closes connections
// as they become idle. When ctx is done first it returns ctx's error and the
// caller decides about Close.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.mu.Lock()
	s.drain()
	s.lastOut()
	for c := range s.conns {
		c.nudge()
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		s.stopHard()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain stops accepting; s.mu is held.
func (s *Server) drain() {
	s.draining.Store(true)
	for l := range s.listeners {
		l.Close()
	}
}

// Close stops at once: running exchanges are cut and their contexts cancelled.
func (s *Server) Close() error {
	s.init()
	s.mu.Lock()
	s.drain()
	s.stopHard()
	for c := range s.conns {
		c.cut()
	}
	s.lastOut()
	s.mu.Unlock()
	return nil
}

// lookAround cancels exchanges whose clients are gone. It only looks at
// connections that were in the same exchange at its last look, so that short
// exchanges cost nothing.
func (s *Server) lookAround() {
	tick := time.NewTicker(s.limits.Look)
	defer tick.Stop()
	for {
		select {
		case <-s.hard.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for c := range s.conns {
			c.lookAt()
		}
		s.mu.Unlock()
	}
}
