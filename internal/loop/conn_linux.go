package loop

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Flags of a connection. What may be done now is set by the loop and cleared by
// the task before it tries, so that nothing that comes in between is lost.
const (
	canRead  = 1 << iota
	canWrite // meaningful after a write found no room
	hungUp   // the peer closed its side, or the connection broke
	isCut    // by Cut
)

// Conn is a TCP connection of a loop. It is a net.Conn for its task, which alone
// reads, writes, sets deadlines and closes; others use Nudge and Cut.
type Conn struct {
	loop  *Loop
	fd    int
	slot  int32
	flags atomic.Uint32
	task  atomic.Pointer[Task] // nil: idle in a pool

	readBy  atomic.Int64 // by the loop's clock; 0: no limit
	writeBy atomic.Int64
	watched context.Context // ends waits; nil: none

	mu     sync.Mutex // of closing
	closed bool

	remote net.Addr
}

// Serve runs f as a task of the connection's loop.
func (c *Conn) Serve(f func(*Task)) {
	t := c.loop.newTask(f)
	c.task.Store(t)
	c.loop.post(letter{t, letterReady})
}

// Assign gives an idle connection to a task of its loop, or makes it idle.
func (c *Conn) Assign(t *Task) { c.task.Store(t) }

// Watch has the end of ctx end waits for this connection; it is noticed when the
// task is resumed, so a Nudge must follow it.
func (c *Conn) Watch(ctx context.Context) { c.watched = ctx }

// Unwatch ends what Watch began.
func (c *Conn) Unwatch() { c.watched = nil }

// Loop returns where the connection belongs.
func (c *Conn) Loop() *Loop { return c.loop }

// Read implements io.Reader.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		flags := c.flags.Load()
		if flags&(canRead|isCut) == canRead {
			c.task.Load().spend()
			c.flags.And(^uint32(canRead))
			n, errno := read(c.fd, p)
			switch {
			case errno == unix.EAGAIN:
				continue
			case errno != 0:
				return 0, c.failed("read", errno)
			case n == 0:
				c.flags.Or(canRead)
				return 0, io.EOF
			}
			// A short read has emptied the socket, unless its end follows, of
			// which nothing will be told again.
			if n == len(p) || c.flags.Load()&hungUp != 0 {
				c.flags.Or(canRead)
			}
			return n, nil
		}
		if err := c.wait(canRead, c.readBy.Load()); err != nil {
			return 0, err
		}
	}
}

// Write implements io.Writer.
func (c *Conn) Write(p []byte) (int, error) { return c.write(p, canWrite) }

// write waits for any of bits where there is no room, and goes on only for
// canWrite.
func (c *Conn) write(p []byte, bits uint32) (int, error) {
	done := 0
	for done < len(p) {
		if c.flags.Load()&isCut != 0 {
			return done, net.ErrClosed
		}
		if by := c.writeBy.Load(); by != 0 && by <= c.loop.Now() {
			return done, os.ErrDeadlineExceeded
		}
		c.task.Load().spend()
		c.flags.And(^uint32(canWrite))
		n, errno := write(c.fd, p[done:])
		switch {
		case errno == unix.EAGAIN:
			if err := c.wait(bits, c.writeBy.Load()); err != nil {
				return done, err
			}
			if bits&canRead != 0 && c.flags.Load()&canRead != 0 {
				return done, nil
			}
		case errno != 0:
			return done, c.failed("write", errno)
		default:
			done += n
		}
	}
	return done, nil
}

// WriteOrReadable is Write that returns early, without an error, when it would
// have to wait and, with orReadable, something can be read first. It writes at
// least once.
func (c *Conn) WriteOrReadable(p []byte, orReadable bool) (int, error) {
	bits := uint32(canWrite)
	if orReadable {
		bits |= canRead
	}
	return c.write(p, bits)
}

// wait gives the thread back until one of bits is set. A wake-up for another
// reason only makes it look again.
func (c *Conn) wait(bits uint32, until int64) error {
	t := c.task.Load()
	for {
		switch flags := c.flags.Load(); {
		case flags&isCut != 0:
			return net.ErrClosed
		case c.watched != nil && c.watched.Err() != nil:
			return c.watched.Err()
		case flags&bits != 0:
			return nil
		case until != 0 && until <= c.loop.Now():
			return os.ErrDeadlineExceeded
		}
		t.park(wantIO, c, bits, until)
		switch { // moved by Expire meanwhile
		case bits&canWrite == 0:
			until = c.readBy.Load()
		default:
			until = c.writeBy.Load()
		}
	}
}

func (c *Conn) failed(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: c.remote, Err: os.NewSyscallError(op, errno)}
}

// Buffered reports, as of the loop's last look, whether a read would return at
// once, and whether the peer has closed its side.
func (c *Conn) Ready() (readable, hung bool) {
	flags := c.flags.Load()
	return flags&canRead != 0, flags&(hungUp|isCut) != 0
}

// Peek looks at the socket itself.
func (c *Conn) Peek() (readable, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, true
	}
	var b [1]byte
	n, _, err := unix.Recvfrom(c.fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return false, false
	case err != nil || n == 0:
		return false, true
	}
	return true, false
}

// ReadWithin and WriteWithin set deadlines from the loop's clock on; 0: none.
func (c *Conn) ReadWithin(d time.Duration)  { c.readBy.Store(c.after(d)) }
func (c *Conn) WriteWithin(d time.Duration) { c.writeBy.Store(c.after(d)) }

func (c *Conn) after(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return c.loop.Now() + int64(d)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(at time.Time) error {
	c.readBy.Store(onClock(at))
	c.writeBy.Store(onClock(at))
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(at time.Time) error { c.readBy.Store(onClock(at)); return nil }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(at time.Time) error { c.writeBy.Store(onClock(at)); return nil }

func onClock(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return max(1, int64(at.Sub(base)))
}

// Expire moves the deadline of a read from outside; the read under way heeds it.
func (c *Conn) Expire(at time.Time) {
	c.readBy.Store(onClock(at))
	c.Nudge()
}

// Nudge has the task look again at what it waits for.
func (c *Conn) Nudge() {
	if t := c.task.Load(); t != nil {
		t.Nudge()
	}
}

// Cut breaks the connection from outside; its task still has to close it.
func (c *Conn) Cut() {
	c.flags.Or(isCut)
	c.mu.Lock()
	if !c.closed {
		_ = unix.Shutdown(c.fd, unix.SHUT_RDWR) // fails where the peer was first
	}
	c.mu.Unlock()
	c.Nudge()
}

// CloseWrite ends the sending side.
func (c *Conn) CloseWrite() error {
	return os.NewSyscallError("shutdown", unix.Shutdown(c.fd, unix.SHUT_WR))
}

// SetLinger is as of a net.TCPConn.
func (c *Conn) SetLinger(seconds int) error {
	l := unix.Linger{Linger: int32(seconds)}
	if seconds >= 0 {
		l.Onoff = 1
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &l))
}

// Close implements io.Closer. Of an idle connection anyone may close it.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.flags.Or(isCut)
	c.loop.strike(c)
	return os.NewSyscallError("close", unix.Close(c.fd))
}

// Leave takes the connection out of its loop: what is returned blocks as any
// other net.Conn does. The task must not wait by its loop any more.
func (c *Conn) Leave() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	c.closed = true
	c.flags.Or(isCut)
	c.loop.strike(c)
	_ = unix.EpollCtl(c.loop.epfd, unix.EPOLL_CTL_DEL, c.fd, nil) // its copy would stay otherwise
	f := os.NewFile(uintptr(c.fd), "tcp")
	defer f.Close()
	return net.FileConn(f)
}

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr {
	sa, err := unix.Getsockname(c.fd)
	if err != nil {
		return &net.TCPAddr{}
	}
	return addrOf(sa)
}

func addrOf(sa unix.Sockaddr) net.Addr {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)))
	case *unix.SockaddrInet6:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)))
	}
	return &net.TCPAddr{}
}
