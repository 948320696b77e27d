package loop

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener accepts connections for the loops of a group.
type listener struct {
	net.Listener
	group *Group
	file  *os.File // of the same socket: the standard library lets nobody accept from its own
	raw   syscall.RawConn
}

// Serves reports whether loops can serve what l accepts.
func Serves(l net.Listener) bool {
	_, ok := l.(*net.TCPListener)
	return ok
}

// Listen takes l over: what is returned accepts *Conns, which begin to live by
// their Serve.
func (g *Group) Listen(l net.Listener) (net.Listener, error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &listener{tcp, g, file, raw}, nil
}

func (l *listener) Close() error { return errors.Join(l.Listener.Close(), l.file.Close()) }

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	var fd int
	var from unix.Sockaddr
	var failed error
	err := l.raw.Read(func(s uintptr) bool {
		for {
			fd, from, failed = unix.Accept4(int(s), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if failed != unix.EINTR && failed != unix.ECONNABORTED {
				return failed != unix.EAGAIN
			}
		}
	})
	if err == nil && failed != nil {
		err = &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: os.NewSyscallError("accept4", failed)}
	}
	if err != nil {
		return nil, err
	}
	c := &Conn{loop: l.group.pick(), fd: fd, remote: addrOf(from)}
	if err := c.open(); err != nil {
		return nil, unwatched{err}
	}
	return c, nil
}

// unwatched says that the kernel would watch no further socket (max_user_watches).
// That connection is refused, and others may fare better.
type unwatched struct{ error }

func (unwatched) Temporary() bool { return true }

func (u unwatched) Unwrap() error { return u.error }

// open sets what the standard library sets too, and enrols the connection.
func (c *Conn) open() error {
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // it works without these, less well
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15)
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	if err := c.loop.enrol(c); err != nil {
		unix.Close(c.fd)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

// Dial connects to a TCP address from a task, on its loop, within a time. The
// end of ctx, if a Nudge follows it, ends the wait.
func (t *Task) Dial(ctx context.Context, address string, within time.Duration) (*Conn, error) {
	until := t.loop.Now() + int64(within)
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, &net.AddrError{Err: "invalid port", Addr: address}
	}
	var addrs []netip.Addr
	if ip, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{ip}
	} else {
		t.Block()
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
	}
	err = &net.AddrError{Err: "no address", Addr: host}
	for i, ip := range addrs {
		left := until - t.loop.Now()
		to := until
		if i < len(addrs)-1 { // one that does not answer leaves time for the others
			to = t.loop.Now() + left/2
		}
		var c *Conn
		if c, err = t.connect(ctx, netip.AddrPortFrom(ip.Unmap(), uint16(port)), to); err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func (t *Task) connect(ctx context.Context, to netip.AddrPort, until int64) (*Conn, error) {
	family := unix.AF_INET
	var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.Port())}
	if to.Addr().Is4() {
		sa.(*unix.SockaddrInet4).Addr = to.Addr().As4()
	} else {
		family = unix.AF_INET6
		six := &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
		if zone := to.Addr().Zone(); zone != "" {
			if i, err := net.InterfaceByName(zone); err == nil {
				six.ZoneId = uint32(i.Index)
			}
		}
		sa = six
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &Conn{loop: t.loop, fd: fd, remote: net.TCPAddrFromAddrPort(to)}
	c.Assign(t)
	failed := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: c.remote, Err: err}
	}
	if err := unix.Connect(fd, sa); err != nil && err != unix.EINPROGRESS && err != unix.EINTR {
		unix.Close(fd)
		return nil, failed(os.NewSyscallError("connect", err))
	}
	if err := c.open(); err != nil {
		return nil, failed(err)
	}
	c.writeBy.Store(until)
	c.Watch(ctx)
	err = c.wait(canWrite, until)
	c.Unwatch()
	c.writeBy.Store(0)
	if err == nil {
		var n int
		if n, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && n != 0 {
			err = os.NewSyscallError("connect", syscall.Errno(n))
		}
	}
	if err == nil && c.LocalAddr().String() == c.remote.String() {
		err = errSelf
	}
	if err != nil {
		c.Close()
		return nil, failed(err)
	}
	return c, nil
}

// errSelf is of a connection that met itself: nobody listens on a port that was
// just given out for connecting.
var errSelf = errors.New("connected to itself")
