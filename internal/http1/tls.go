package http1

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// sealedConn is a connection that encrypts what goes over another one.
type sealedConn interface {
	net.Conn
	NetConn() net.Conn
}

// openingConn is a connection with something to settle before its first
// request, as who it really comes from.
type openingConn interface {
	net.Conn
	Open(ctx context.Context) error
}

// socket is the connection below all encryption.
func socket(nc net.Conn) net.Conn {
	for {
		sealed, ok := nc.(sealedConn)
		if !ok {
			return nc
		}
		nc = sealed.NetConn()
	}
}

// open settles what comes before the first request and learns how the
// connection is secured. It reports whether requests can be read from it.
func (c *conn) open() bool {
	opening, opens := socket(c.nc).(openingConn)
	sealed, seals := c.nc.(*tls.Conn)
	if !opens && !seals {
		return true
	}
	c.nc.SetDeadline(time.Now().Add(c.srv.limits.Head))
	if opens {
		if err := opening.Open(c.ctx); err != nil {
			c.srv.log.Debug("connection refused", "remote", c.remote, "error", err)
			return false
		}
		c.remote = opening.RemoteAddr().String()
		var ok bool
		if c.address, ok = c.srv.addresses.enter(opening.RemoteAddr()); !ok {
			return false
		}
	}
	if seals {
		if err := sealed.HandshakeContext(c.ctx); err != nil {
			c.srv.log.Debug("handshake failed", "remote", c.remote, "error", err)
			return false
		}
		state := sealed.ConnectionState()
		c.request.Scheme, c.request.TLS = "https", &state
		switch state.NegotiatedProtocol {
		case "", "http/1.1":
		case "h2":
			if c.srv.HTTP2 != nil {
				c.handOver(c.nc)
			}
			return false
		default: // a handshake that was all there is to say
			return false
		}
	}
	c.nc.SetDeadline(time.Time{})
	return true
}

// reset closes a connection so that its peer can't take that for a good end. An
// encrypted one would say a formal farewell if it were closed itself.
func reset(nc net.Conn) {
	raw := socket(nc)
	if tcp, ok := raw.(interface{ SetLinger(sec int) error }); ok {
		tcp.SetLinger(0)
	}
	raw.Close()
}
