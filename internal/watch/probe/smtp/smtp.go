// Package smtp looks at mail servers: greeting, EHLO, STARTTLS where it is
// offered. No mail is sent.
package smtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"

	"holdfast/internal/watch/probe"
)

// New reads Target (host:port) and TLS: STARTTLS must be offered. On port 465
// TLS comes first.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	host, port, err := net.SplitHostPort(spec.Target)
	if err != nil {
		return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome {
		return look(ctx, spec, tools, host, port == "465")
	}), nil
}

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools, host string, secure bool) probe.Outcome {
	conn, err := tools.Dial(ctx, "tcp", spec.Target, secure)
	if err != nil {
		return probe.Error(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	client, err := smtp.NewClient(&bounded{Conn: conn, left: probe.MaxRead}, host)
	if err != nil {
		return failed(ctx, err)
	}
	if err := client.Hello("holdfast.invalid"); err != nil {
		return failed(ctx, err)
	}
	o := probe.Outcome{CertExpires: probe.Expiry(conn.State)}
	if offered, _ := client.Extension("STARTTLS"); !secure && offered {
		if err := client.StartTLS(tools.TLS(host)); err != nil {
			return failed(ctx, err)
		}
		state, _ := client.TLSConnectionState()
		o.CertExpires = probe.Expiry(&state)
	} else if spec.TLS && !secure {
		return probe.Down("watch.smtp-plain")
	}
	if err := client.Quit(); err != nil {
		return failed(ctx, err)
	}
	return o
}

func failed(ctx context.Context, err error) probe.Outcome {
	var said *textproto.Error
	var talk textproto.ProtocolError
	switch {
	case errors.As(err, &said):
		return probe.Down("watch.smtp-status", "status", said.Code)
	case errors.As(err, &talk):
		return probe.Down("watch.smtp-talk")
	}
	return probe.Error(ctx, err)
}

// bounded ends a server that talks without an end.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, textproto.ProtocolError("too long")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
