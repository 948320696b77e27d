package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"holdfast/internal/loop"
)

// conn is one client's connection. Everything in it is used again for each
// exchange, so that an exchange allocates the string of its head and no more.
type conn struct {
	wire
	srv    *Server
	peeker peeker
	onLoop *loop.Conn // what nc is if a loop serves it; guarded by srv.mu
	remote string
	ctx    context.Context
	cancel context.CancelFunc

	address uint64 // among the server's addresses

	// serial is odd while an exchange is under way; the one who looks around
	// compares it with seen.
	serial atomic.Uint64
	seen   uint64

	exchange exchange
	words    lease
	head     head
	request  Request
	body     requestBody

	served  bool      // had a request already
	handed  bool      // another server has the connection now
	broken  bool      // a read or a write failed: nothing more is sent
	readBy  time.Time // the deadlines that are set
	writeBy time.Time

	pieces [2][]byte // of the write under way
	vector net.Buffers
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s}
	c.nc = nc
	c.remote = nc.RemoteAddr().String()
	c.ctx, c.cancel = context.WithCancel(s.hard)
	c.onLoop, _ = nc.(*loop.Conn)
	c.peeker.open(nc)
	c.exchange.c = c
	c.body.c = c
	c.request.Body = &c.body
	c.request.Scheme = "http"
	return c
}

var errIdle = errors.New("http1: idle connection closed")

func (c *conn) serve() {
	defer func() {
		if !c.handed {
			c.nc.Close()
		}
		c.cancel()
		c.words.end(false)
		c.srv.ended(c)
	}()
	if !c.open() {
		return
	}
	for {
		text, err := c.next()
		if err == nil && text == prefaceHead && !c.served && c.srv.HTTP2 != nil {
			begun := append([]byte(prefaceHead), c.buffered()...)
			if c.leaveLoop() == nil {
				c.handOver(&begunConn{c.nc, begun})
			}
			return
		}
		if err == nil {
			err = asError(parseRequest(text, &c.request, &c.head, &c.srv.limits))
		}
		if err != nil {
			if !c.served && c.srv.HTTP2 != nil && noHTTP(text) {
				return // a broken preface: an answer of HTTP/1.1 would only confuse
			}
			c.refuse(err)
			return
		}
		c.body.start(&c.request, &c.head)
		c.exchange.start()
		c.request.Remote = c.remote // whoever handles a request may know better
		c.handle()
		if !c.exchange.keep || !c.body.finish() {
			c.part()
			return
		}
		c.words.end(c.exchange.spent)
		c.rest()
		c.served = true
	}
}

func asError(err *ProtocolError) error {
	if err == nil {
		return nil // not a nil pointer inside an interface
	}
	return err
}

// next waits for a request and returns its head.
func (c *conn) next() (string, error) {
	if c.serial.Load()&1 == 1 {
		c.serial.Add(1)
	}
	limits := &c.srv.limits
	for c.r == c.w {
		wait := limits.Idle
		// Clients open connections to spare, and one that is closed just when its first
		// request leaves costs that client an error; so they stay while there is room.
		if !c.served && c.srv.crowded() {
			wait = limits.Head
		}
		c.allowRead(wait)
		// After the deadline is set: Shutdown first says that it drains and then
		// moves the deadline, so one of the two is seen.
		switch {
		case !c.srv.draining.Load():
		case !c.served: // whoever has just come gets time to say what for
			c.readBy = time.Now().Add(lateComer)
			c.nc.SetReadDeadline(c.readBy)
		case !c.lastChance():
			return "", errIdle
		}
		if err := c.wire.fill(); err != nil && !(isTimeout(err) && c.lastChance()) {
			return "", errIdle
		}
	}
	c.serial.Add(1)
	var until time.Time
	skipped := false
	for from := 0; ; {
		if !skipped && c.w-c.r >= 2 {
			// One empty line before a request line is let pass (RFC 9112 2.2).
			if c.buf[c.r] == '\r' && c.buf[c.r+1] == '\n' {
				c.r += 2
			}
			skipped = true
		}
		n, err := c.findHead(from, limits.Header)
		if err != nil {
			return "", err
		}
		if n > 0 {
			head := c.words.text(c.buf[c.r : c.r+n])
			c.r += n
			return head, nil
		}
		from = max(0, c.w-c.r-3)
		if until.IsZero() {
			until = time.Now().Add(limits.Head)
			c.readBy = until
			c.nc.SetReadDeadline(until)
		}
		if err := c.wire.fill(); err != nil {
			if isTimeout(err) {
				return "", errHeadSlow
			}
			return "", errIdle
		}
	}
}

// lastChance tells, when time is up, whether a request has begun to arrive all
// the same, and gives it time.
func (c *conn) lastChance() bool {
	readable, _ := c.peeker.peek()
	if readable {
		c.readBy = time.Now().Add(c.srv.limits.Head)
		c.nc.SetReadDeadline(c.readBy)
	}
	return readable
}

// allowRead lets the next read take d, or up to an eighth more: a deadline that
// is still far enough away stays, as moving it costs more than reading the
// clock.
func (c *conn) allowRead(d time.Duration) {
	if c.onLoop != nil {
		c.onLoop.ReadWithin(d)
		return
	}
	now := time.Now()
	if left := c.readBy.Sub(now); left < d || left > d+d/8 {
		c.readBy = now.Add(d + d/8)
		c.nc.SetReadDeadline(c.readBy)
	}
}

func (c *conn) allowWrite(d time.Duration) {
	if c.onLoop != nil {
		c.onLoop.WriteWithin(d)
		return
	}
	now := time.Now()
	if left := c.writeBy.Sub(now); left < d || left > d+d/8 {
		c.writeBy = now.Add(d + d/8)
		c.nc.SetWriteDeadline(c.writeBy)
	}
}

// lateComer is how long a connection that has sent nothing yet may take for it
// when the server is to shut down.
const lateComer = time.Second

// nudge ends the wait of an idle connection; one that has not yet sent a
// request gets a second for it.
func (c *conn) nudge() {
	switch serial := c.serial.Load(); {
	case serial&1 == 1:
	case serial == 0:
		c.expire(time.Now().Add(lateComer))
	default:
		c.expire(time.Unix(1, 0))
	}
}

// lookAt cancels the exchange if its client is gone; see Server.lookAround.
func (c *conn) lookAt() {
	serial := c.serial.Load()
	if serial&1 == 1 && serial == c.seen {
		if _, gone := c.peeker.peek(); gone {
			c.cancel()
			if c.onLoop != nil {
				c.onLoop.Nudge()
			}
		}
	}
	c.seen = serial
}

// handle calls the handler and sees to it that there is an answer.
func (c *conn) handle() {
	x := &c.exchange
	defer func() {
		if v := recover(); v != nil {
			c.srv.log.Error("handler panicked", "panic", v, "stack", string(debug.Stack()))
			x.fail()
		}
	}()
	c.srv.Handler(x)
	if !x.answered {
		c.srv.log.Error("handler gave no answer", "method", c.request.Method)
		x.fail()
	}
}

// refuse answers what is no request, without a body: there is nobody to read
// it, and no language to choose.
func (c *conn) refuse(err error) {
	var wrong *ProtocolError
	if !errors.As(err, &wrong) {
		return
	}
	c.srv.log.Debug("request refused", "remote", c.remote, "status", wrong.Status, "reason", wrong.Reason)
	c.request.Method, c.request.Length = "", 0
	c.head.minor = 1
	c.body.start(&c.request, &c.head)
	c.exchange.start()
	c.exchange.keep = false
	c.body.err = wrong // more may come, and nobody will read it
	if c.exchange.Respond(wrong.Status, nil, nil) == nil {
		c.part()
	}
}

// part closes so that the client can read the answer: closing with unread
// bytes in the socket would reset the connection and might take the answer
// along.
func (c *conn) part() {
	if c.broken {
		return
	}
	if readable, _ := c.peeker.peek(); c.body.ended() && c.r == c.w && !readable {
		return
	}
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, c.nc, 256<<10) // whatever comes, the connection is over
}

// abort closes with a reset, where a plain close would look like a good end.
func (c *conn) abort() {
	c.broken = true
	reset(c.nc)
}

// write sends a whole message or piece; it reports whether any byte of it was
// handed to the kernel.
func (c *conn) write(p []byte) (any bool, err error) {
	c.allowWrite(c.srv.limits.Write)
	n, err := c.nc.Write(p)
	if err != nil {
		c.broken = true
	}
	return n > 0, err
}

// write2 is write for a message in two pieces.
func (c *conn) write2(p, q []byte) (any bool, err error) {
	c.allowWrite(c.srv.limits.Write)
	c.pieces = [2][]byte{p, q}
	c.vector = c.pieces[:]
	n, err := c.vector.WriteTo(c.nc)
	c.pieces = [2][]byte{}
	if err != nil {
		c.broken = true
	}
	return n > 0, err
}
