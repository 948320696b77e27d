package http1

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// webSocket is the only protocol that HTTP is left for. Others, h2c above all,
// are not even shown to the handler: such a request is answered as a plain one.
const webSocket = "websocket"

// prefaceHead is how a connection of HTTP/2 begins, as far as it looks like a
// head.
const prefaceHead = "PRI * HTTP/2.0\r\n\r\n"

// noHTTP reports whether what came is a head of no HTTP at all.
func noHTTP(text string) bool {
	line, _, _ := strings.Cut(text, "\r\n")
	return text != "" && !strings.Contains(line, " HTTP/")
}

// handOver gives the connection to the server for HTTP/2.
func (c *conn) handOver(nc net.Conn) {
	c.handed = true
	nc.SetDeadline(time.Time{})
	srv, address := c.srv, c.address // not c itself, which has no further use
	srv.HTTP2(nc, sync.OnceFunc(func() { srv.release(address) }))
}

// begunConn is a connection of which something was read already.
type begunConn struct {
	net.Conn
	begun []byte
}

func (c *begunConn) Read(p []byte) (int, error) {
	if len(c.begun) > 0 {
		n := copy(p, c.begun)
		c.begun = c.begun[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Inform implements Informer.
func (x *exchange) Inform(status int, header []continuity.Field) error {
	if x.answered || x.c.head.minor == 0 {
		return nil
	}
	out := lend()
	defer giveBack(out)
	*out = append((*out)[:0], "HTTP/1.1 103 Early Hints\r\n"...)
	if status != 103 || !appendFields(out, header) {
		return ErrHeader
	}
	_, err := x.c.write(append(*out, "\r\n"...))
	return err
}

// appendFields writes the fields that pass end to end, if they all can be sent.
func appendFields(out *[]byte, header []continuity.Field) bool {
	buf := *out
	for _, f := range header {
		switch kindOf(f.Name) {
		case fieldFraming, fieldConnection:
			continue
		}
		if !ValidName(f.Name) || !ValidValue(f.Value) {
			return false
		}
		buf = append(buf, f.Name...)
		buf = append(buf, ": "...)
		buf = append(buf, f.Value...)
		buf = append(buf, "\r\n"...)
	}
	*out = buf
	return true
}

// Switch implements Switcher.
func (x *exchange) Switch(header []continuity.Field) (Tunnel, error) {
	if x.answered {
		return nil, ErrAnswered
	}
	if x.c.request.Upgrade == "" {
		return nil, ErrHeader
	}
	out := lend()
	defer giveBack(out)
	*out = append((*out)[:0], "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "...)
	*out = append(append(*out, x.c.request.Upgrade...), "\r\n"...)
	if !appendFields(out, header) {
		return nil, ErrHeader
	}
	x.answered, x.keep = true, false
	if err := x.send(append(*out, "\r\n"...)); err != nil {
		return nil, err
	}
	x.c.broken = true // whatever follows is no HTTP any more
	if err := x.c.leaveLoop(); err != nil {
		return nil, err
	}
	x.c.nc.SetDeadline(time.Time{})
	return &tunnel{b: &x.c.wire}, nil
}

// switched reports whether the upstream left HTTP for what it was asked to.
func (re *reply) switched() bool {
	h := &re.cc.head
	return re.upgrade != "" && h.upgrades && fold(h.upgrade, re.upgrade) && !h.chunked && h.length <= 0
}

// tunnel makes the connection of a 101 the response's body.
func (re *reply) tunnel() {
	cc := re.cc
	re.reuse, re.Length = false, -1
	if re.stop != nil {
		re.stop()
	}
	cc.leaveLoop()
	cc.nc.SetDeadline(time.Time{})
	re.Body = &tunnel{b: &cc.wire, closed: func() { cc.pool.free() }}
}

// tunnel is a connection that has left HTTP, with what was read of it already.
type tunnel struct {
	b      *wire
	closed func() // nil: nothing to do
}

func (t *tunnel) Read(p []byte) (int, error) {
	if t.b.r < t.b.w {
		n := copy(p, t.b.buffered())
		t.b.r += n
		return n, nil
	}
	return t.b.nc.Read(p)
}

func (t *tunnel) Write(p []byte) (int, error) {
	t.b.nc.SetWriteDeadline(time.Now().Add(tunnelWrite))
	return t.b.nc.Write(p)
}

// tunnelWrite is how long one write into a tunnel may take: a peer that takes
// nothing for so long is gone.
const tunnelWrite = 30 * time.Second

func (t *tunnel) CloseWrite() error {
	if half, ok := t.b.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return io.ErrClosedPipe
}

func (t *tunnel) SetReadDeadline(at time.Time) error { return t.b.nc.SetReadDeadline(at) }

func (t *tunnel) Close() error {
	if f := t.closed; f != nil {
		t.closed = nil
		f()
	}
	return t.b.nc.Close()
}
