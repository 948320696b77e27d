// Package tcp looks at servers that accept connections, and, where it is given,
// at what they say: Expect.Send is sent, Expect.Received must come.
package tcp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"

	"holdfast/internal/watch/probe"
)

// New reads Target (host:port), TLS, Expect.Send and Expect.Received.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if _, _, err := net.SplitHostPort(spec.Target); err != nil {
		return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome { return look(ctx, spec, tools) }), nil
}

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools) probe.Outcome {
	conn, err := tools.Dial(ctx, "tcp", spec.Target, spec.TLS)
	if err != nil {
		return probe.Error(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	o := probe.Outcome{CertExpires: probe.Expiry(conn.State)}
	if spec.Expect.Send != "" {
		if _, err := conn.Write([]byte(spec.Expect.Send)); err != nil {
			return probe.Error(ctx, err)
		}
	}
	if spec.Expect.Received == "" {
		return o
	}
	switch found, got, err := search(conn, []byte(spec.Expect.Received)); {
	case found:
		return o
	case err == nil:
		return probe.Down("watch.too-long", "limit", probe.MaxRead)
	case got:
		return probe.Down("watch.not-received")
	default:
		return probe.Error(ctx, err)
	}
}

// search reads until the words come, as far as is read at all; got says that
// anything came.
func search(from io.Reader, words []byte) (found, got bool, err error) {
	var kept []byte // what the words may begin in
	buffer := make([]byte, 4<<10)
	for total := 0; total < probe.MaxRead; {
		n, err := from.Read(buffer)
		total += n
		kept = append(kept, buffer[:n]...)
		if bytes.Contains(kept, words) {
			return true, true, nil
		}
		if err != nil {
			return false, total > 0, err
		}
		kept = kept[max(0, len(kept)-len(words)):]
	}
	return false, true, nil
}
