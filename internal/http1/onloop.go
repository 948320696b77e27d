package http1

import (
	"cmp"
	"net"
	"runtime"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/loop"
)

// onLoops has loops serve what l accepts, if they can. The first such listener
// starts them; s.mu is held.
func (s *Server) onLoops(l net.Listener) net.Listener {
	if !loop.Serves(l) || s.Loops < 0 {
		return l
	}
	if s.group == nil {
		g, err := loop.NewGroup(cmp.Or(s.Loops, runtime.GOMAXPROCS(0)))
		if err != nil {
			s.log.Warn("no poll loops", "error", err)
			return l
		}
		s.group = g
	}
	if on, err := s.group.Listen(l); err == nil {
		return on
	}
	return l
}

// run serves the connection: as a task of its loop, or as a goroutine.
func (c *conn) run() {
	if c.onLoop == nil {
		c.request.Waiter = continuity.NewWaiter()
		go c.serve()
		return
	}
	c.onLoop.Serve(func(t *loop.Task) {
		t.Own(c.ctx)
		c.request.Waiter = t
		c.serve()
	})
}

// leaveLoop makes the connection one of an ordinary goroutine, for good.
func (c *conn) leaveLoop() error {
	if c.onLoop == nil {
		return nil
	}
	c.request.Waiter.Block()
	nc, err := c.onLoop.Leave()
	if err != nil {
		return err
	}
	c.srv.mu.Lock() // whoever looks at connections from outside holds it too
	defer c.srv.mu.Unlock()
	c.nc, c.onLoop = nc, nil
	c.peeker.open(nc)
	if c.srv.hard.Err() != nil {
		nc.Close()
	}
	return nil
}

// cut breaks the connection from outside; srv.mu is held.
func (c *conn) cut() {
	if c.onLoop != nil {
		c.onLoop.Cut()
		return
	}
	c.nc.Close()
}

// expire moves the deadline of the read under way; srv.mu is held.
func (c *conn) expire(at time.Time) {
	if c.onLoop != nil {
		c.onLoop.Expire(at)
		return
	}
	c.nc.SetReadDeadline(at)
}

// writeRestOnLoop is writeRest without another goroutine: it looks for an answer
// before each piece, and while a piece finds no room.
func (re *reply) writeRestOnLoop(r *Request, buf []byte, rest int64) (status int, whole bool, err error) {
	cc := re.cc
	interim := 0
	answered := func() (bool, error) {
		for status == 0 {
			text, err := re.readHeadText(false)
			if text == "" || err != nil {
				return false, err
			}
			if status, err = re.takeHead(text, interim); err != nil {
				return false, err
			}
			interim++
		}
		return status >= 300, nil
	}
	for rest != 0 {
		if err := re.allow(0); err != nil {
			return 0, false, err
		}
		piece, left, err := nextPiece(buf[:0], r, rest)
		if err != nil {
			cc.onLoop.Close() // never let a cut body look like a whole one
			return 0, false, &BodyError{err}
		}
		rest = left
		if err := re.allow(cc.pool.o.Attempt); err != nil {
			return 0, false, err
		}
		for len(piece) > 0 {
			if early, err := answered(); early || err != nil {
				return status, false, err
			}
			n, err := cc.onLoop.WriteOrReadable(piece, status == 0)
			piece = piece[n:]
			switch {
			case err == nil:
			case status != 0: // it answered well, and reads no further
				return status, false, nil
			default:
				// The answer may have come before the connection broke.
				if early, wrong := answered(); early && wrong == nil {
					return status, false, nil
				}
				return 0, false, err
			}
		}
	}
	if status == 0 {
		status, err = re.readHead()
	}
	return status, true, err
}

// leaveLoop is as that of a conn. If it fails the connection is closed.
func (cc *clientConn) leaveLoop() {
	if cc.onLoop == nil {
		return
	}
	cc.task.Block()
	nc, err := cc.onLoop.Leave()
	if err != nil {
		cc.onLoop.Close()
		nc, _ = net.Pipe()
		nc.Close()
	}
	cc.nc, cc.onLoop = nc, nil
}

// freshLook is how old a loop's last look at a connection may be for it to count
// as alive by that.
const freshLook = 2 * time.Millisecond

// aliveOnLoop is alive by what the loop has seen; a connection whose time has
// come meanwhile is looked at itself.
func (cc *clientConn) aliveOnLoop() bool {
	l := cc.onLoop.Loop()
	if !l.Time().Before(cc.retires) {
		return false
	}
	if readable, hung := cc.onLoop.Ready(); readable || hung {
		return false
	}
	if l.Late() < freshLook {
		return true
	}
	readable, gone := cc.onLoop.Peek()
	return !readable && !gone
}
