package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"holdfast/internal/continuity"
)

// secured dials with TLS what dial connects. A handshake that fails is a failure
// to connect: no byte of a request was written.
func secured(dial func(context.Context) (net.Conn, error), config *tls.Config) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		raw, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		counted := &countedConn{Conn: raw}
		sealed := tls.Client(counted, config)
		if err := sealed.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("upstream: handshake: %w", err)
		}
		return &sealedConn{sealed, counted}, nil
	}
}

// countedConn tells whether anything was handed to the kernel.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// NetConn is the socket, for whoever looks whether it is still open.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// sealedConn owns up to every byte: a record that left in part only counts as
// written, although the upstream can't make anything of it.
type sealedConn struct {
	*tls.Conn
	counted *countedConn
}

func (c *sealedConn) Write(p []byte) (int, error) {
	before := c.counted.written.Load()
	n, err := c.Conn.Write(p)
	if err != nil && n == 0 && c.counted.written.Load() > before {
		n = 1
	}
	return n, err
}

var (
	errNoAuthorities = errors.New("no certificate in the file")
	errPlain         = errors.New("upstream: TLS settings for an upstream without https")
)

// clientConfig reads what an upstream is checked by and shown.
func clientConfig(host string, s *continuity.UpstreamTLS) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, NextProtos: []string{"http/1.1"}}
	if s == nil {
		return config, nil
	}
	if s.Name != "" {
		config.ServerName = s.Name
	}
	if s.CA != "" {
		text, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, unusable(s.CA, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, unusable(s.CA, errNoAuthorities)
		}
	}
	if s.Certificate != "" {
		own, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			return nil, unusable(s.Certificate, err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

func unusable(path string, err error) error {
	return continuity.E(continuity.CodeConfig, fmt.Errorf("upstream: %s: %w", path, err), "unreadable", path, "cause", err.Error())
}
