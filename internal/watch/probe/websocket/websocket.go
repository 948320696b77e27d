// Package websocket looks at WebSocket servers: the handshake, and, where it is
// given, a message that is sent and one that must come.
package websocket

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"holdfast/internal/watch/probe"
)

// New reads Target (ws:// or wss://), Headers, Hidden, Auth (the field Authorization),
// Expect.Send and Expect.Received.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	target, err := url.Parse(spec.Target)
	if err != nil || target.Host == "" || target.User != nil || target.Scheme != "ws" && target.Scheme != "wss" {
		return nil, fmt.Errorf("watch: check %s: no WebSocket address", spec.ID)
	}
	return probe.Make(spec, tools, func(ctx context.Context) probe.Outcome { return look(ctx, spec, tools) }), nil
}

func look(ctx context.Context, spec probe.Spec, tools *probe.Tools) probe.Outcome {
	head := http.Header{"User-Agent": {"holdfast"}}
	for name, value := range spec.Headers {
		head.Set(name, value)
	}
	for name, value := range spec.Hidden {
		secret, err := value()
		if err != nil {
			return probe.NoSecret(err)
		}
		head.Set(name, secret)
	}
	if spec.Auth != nil {
		secret, err := spec.Auth()
		if err != nil {
			return probe.NoSecret(err)
		}
		head.Set("Authorization", secret)
	}
	conn, response, err := websocket.Dial(ctx, spec.Target, &websocket.DialOptions{HTTPClient: tools.Web.Fresh, HTTPHeader: head})
	switch {
	case err != nil && response != nil && response.StatusCode != http.StatusSwitchingProtocols:
		return probe.Down("watch.status", "status", response.StatusCode)
	case err != nil && response != nil:
		return probe.Down("watch.websocket-talk")
	case err != nil:
		return probe.Error(ctx, err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(probe.MaxRead)
	o := probe.Outcome{CertExpires: probe.Expiry(response.TLS)}
	if spec.Expect.Send != "" {
		if err := conn.Write(ctx, websocket.MessageText, []byte(spec.Expect.Send)); err != nil {
			return probe.Error(ctx, err)
		}
	}
	for read := 0; spec.Expect.Received != ""; {
		_, message, err := conn.Read(ctx)
		if err != nil {
			if websocket.CloseStatus(err) == -1 && ctx.Err() == nil {
				return probe.Down("watch.closed")
			}
			return probe.Error(ctx, err)
		}
		if strings.Contains(string(message), spec.Expect.Received) {
			break
		}
		if read += len(message) + 1; read > probe.MaxRead {
			return probe.Down("watch.not-received")
		}
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
	return o
}
