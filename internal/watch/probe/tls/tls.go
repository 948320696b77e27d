// Package tls looks at certificates: the chain leads to a root that is trusted,
// the name is the one that was dialled, and how long it lasts.
package tls

import (
	"context"
	"fmt"
	"net"

	"holdfast/internal/watch/probe"
)

// New reads Target (host:port).
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	if _, _, err := net.SplitHostPort(spec.Target); err != nil {
		return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome {
		conn, err := tools.Dial(ctx, "tcp", spec.Target, true)
		if err != nil {
			return probe.Error(ctx, err)
		}
		defer func() { _ = conn.Close() }()
		return probe.Outcome{CertExpires: probe.Expiry(conn.State)}
	}), nil
}
