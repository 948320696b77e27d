package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"time"
)

// Dial connects to host:port, with TLS where asked. Reading and writing end with
// the context's time, or as soon as it is ended.
func (t *Tools) Dial(ctx context.Context, network, address string, secure bool) (*Conn, error) {
	conn, err := t.Guard.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	c := &Conn{Conn: conn}
	// Closing is what ends a read under way when the node stops.
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if secure {
		if err := c.Secure(ctx, t, address); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Conn is a connection of one look.
type Conn struct {
	net.Conn
	State *tls.ConnectionState // of TLS
	stop  func() bool
}

// Secure begins TLS.
func (c *Conn) Secure(ctx context.Context, t *Tools, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	return c.Encrypt(ctx, t.TLS(host))
}

// Encrypt begins TLS with a configuration.
func (c *Conn) Encrypt(ctx context.Context, config *tls.Config) error {
	secured := tls.Client(c.Conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	state := secured.ConnectionState()
	if t := httptrace.ContextClientTrace(ctx); t != nil && t.TLSHandshakeDone != nil {
		t.TLSHandshakeDone(state, nil)
	}
	c.Conn, c.State = secured, &state
	return nil
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// Error is what a failure of the connection means: one that came of the look's
// own end is that, whatever the connection says.
func Error(ctx context.Context, err error) Outcome {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return Failed(err)
}

// Again takes up a connection that waited.
func Again(ctx context.Context, w Waiting) *Conn {
	if deadline, ok := ctx.Deadline(); ok {
		_ = w.Conn.SetDeadline(deadline)
	}
	c := &Conn{Conn: w.Conn, State: w.State}
	c.stop = context.AfterFunc(ctx, func() { _ = w.Conn.Close() })
	return c
}

// Release takes the connection from its look, to wait for the next one; false if
// it was ended meanwhile.
func (c *Conn) Release() bool {
	return c.stop() && c.SetDeadline(time.Time{}) == nil
}
