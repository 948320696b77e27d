package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// Options describe an upstream. Zero fields but URL take defaults.
type Options struct {
	URL      string // http://host[:port] or https://host[:port], no path
	Timeouts continuity.Timeouts
	MaxConns int
	TLS      *continuity.UpstreamTLS // nil: https is checked by the system's authorities
	// Dial connects in place of TCP; for tests.
	Dial func(ctx context.Context) (net.Conn, error)
}

// HTTP is a Sender over HTTP/1.1.
type HTTP struct{ pool *http1.Pool }

// New makes a Sender; it does not connect yet. An unusable URL is an error with
// continuity.CodeConfig.
func New(o Options) (*HTTP, error) {
	address, host, https, err := address(o.URL)
	if err == nil && !https && o.TLS != nil {
		err = errPlain
	}
	if err != nil {
		return nil, continuity.E(continuity.CodeConfig, err)
	}
	dial := o.Dial
	if https {
		config, err := clientConfig(host, o.TLS)
		if err != nil {
			return nil, err
		}
		if dial == nil {
			dialer := new(net.Dialer)
			dial = func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }
		}
		dial = secured(dial, config)
	}
	return &HTTP{pool: http1.NewPool(http1.PoolOptions{
		Address: address,
		Conns:   o.MaxConns,
		Connect: o.Timeouts.Connect,
		Attempt: o.Timeouts.Attempt,
		Retire:  o.Timeouts.Idle,
		Dial:    dial,
	})}, nil
}

func address(text string) (address, host string, https bool, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", "", false, fmt.Errorf("upstream: %w", err)
	}
	https = u.Scheme == "https"
	if !https && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", "", false, fmt.Errorf("upstream: want http://host:port, not %q", u.Redacted())
	}
	port := u.Port()
	switch {
	case port != "":
	case https:
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port), u.Hostname(), https, nil
}

// Close closes idle connections; attempts under way end by themselves.
func (h *HTTP) Close() { h.pool.Close() }

// Send implements Sender.
func (h *HTTP) Send(ctx context.Context, a Attempt) Result {
	began := time.Now()
	m := a.Memory
	if m == nil {
		m = new(Memory)
	}
	m.request = http1.Request{
		Memory: &m.response,
		Method: a.Method, Target: a.Target, Host: a.Host, Header: a.Header, Length: a.Length, Body: a.Body,
		TakesTrailers: a.TakesTrailers, Upgrade: a.Upgrade, Interim: a.Interim, Waiter: a.Waiter,
	}
	response, err := h.pool.RoundTrip(ctx, &m.request)
	took := time.Since(began)
	if err == nil {
		return Result{
			Class: Answered, Status: response.Status, Header: response.Header,
			Length: response.Length, Body: response.Body, Took: took,
		}
	}
	result := Result{Class: Lost, Err: err, Took: took}
	var sent *http1.SentError
	if errors.As(err, &sent) {
		result.Timeout = sent.Timeout()
		if !sent.Sent {
			result.Class = Clean
		}
	}
	return result
}

// Blameless reports whether an attempt failed for a reason that says nothing
// about the upstream: the caller's context ended, the request could not be read
// to its end or cannot be sent at all, or all connections were busy.
func Blameless(err error) bool {
	var body *http1.BodyError
	return errors.As(err, &body) || errors.Is(err, context.Canceled) || errors.Is(err, http1.ErrHeader) ||
		errors.Is(err, http1.ErrBusy) || errors.Is(err, http1.ErrPoolClosed)
}
