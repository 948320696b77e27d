package listener

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/pires/go-proxyproto"
)

var errStranger = errors.New("listener: not a trusted proxy")

// proxied accepts connections that begin by saying who they are for.
type proxied struct {
	net.Listener
	trusts func(netip.Addr) bool
}

func (l *proxied) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		return nil, fmt.Errorf("listener: PROXY protocol over %T", nc)
	}
	return &proxiedConn{Conn: tcp, tcp: tcp, trusts: l.trusts, from: tcp.RemoteAddr()}, nil
}

// proxiedConn is a connection whose first bytes are yet to be read by Open.
type proxiedConn struct {
	net.Conn
	tcp    *net.TCPConn
	trusts func(netip.Addr) bool
	from   net.Addr
	begun  *bufio.Reader // what was read beyond the header; nil: nothing
}

// headerRoom holds any header: 108 bytes in v1, 16 and what a proxy adds in v2.
const headerRoom = 4 << 10

// Open reads who the connection is for. Deadlines are the caller's.
func (c *proxiedConn) Open(context.Context) error {
	peer, err := netip.ParseAddrPort(c.tcp.RemoteAddr().String())
	if err != nil || !c.trusts(peer.Addr()) {
		return errStranger
	}
	r := bufio.NewReaderSize(c.tcp, headerRoom)
	header, err := proxyproto.Read(r)
	if err != nil {
		return err
	}
	if header.Command.IsProxy() {
		from, ok := header.SourceAddr.(*net.TCPAddr)
		if !ok {
			return fmt.Errorf("listener: PROXY protocol names no TCP address (%v)", header.SourceAddr)
		}
		c.from = from
	}
	if r.Buffered() > 0 {
		c.begun = r
	}
	return nil
}

func (c *proxiedConn) Read(p []byte) (int, error) {
	if c.begun == nil {
		return c.tcp.Read(p)
	}
	n, err := c.begun.Read(p[:min(len(p), c.begun.Buffered())])
	if c.begun.Buffered() == 0 {
		c.begun = nil
	}
	return n, err
}

func (c *proxiedConn) RemoteAddr() net.Addr                  { return c.from }
func (c *proxiedConn) CloseWrite() error                     { return c.tcp.CloseWrite() }
func (c *proxiedConn) SetLinger(sec int) error               { return c.tcp.SetLinger(sec) }
func (c *proxiedConn) SyscallConn() (syscall.RawConn, error) { return c.tcp.SyscallConn() }
