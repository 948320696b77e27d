package nethttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

const webSocket = "websocket"

// withoutHops is a header of HTTP/1 without the fields that are for this
// connection only, and what its Connection field asks to leave HTTP for.
func withoutHops(r *http.Request) (out http.Header, upgrade string) {
	out = r.Header.Clone()
	for _, value := range r.Header["Connection"] {
		for option := range strings.SplitSeq(value, ",") {
			option = strings.TrimSpace(option)
			switch {
			case strings.EqualFold(option, "upgrade") && r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Upgrade"), webSocket):
				upgrade = webSocket
			case http1.ForOneHop(option):
				out.Del(option)
			}
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		out.Del(name)
	}
	return out, upgrade
}

// hijackable reports whether a connection can be taken from the server that it
// belongs to.
func hijackable(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		under, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = under.Unwrap()
	}
}

// Switch implements http1.Switcher. The connection is no business of net/http's
// any more afterwards.
func (x *exchange) Switch(header []continuity.Field) (http1.Tunnel, error) {
	if x.answered {
		return nil, http1.ErrAnswered
	}
	if x.request.Upgrade == "" {
		return nil, http1.ErrHeader
	}
	var out strings.Builder
	out.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + x.request.Upgrade + "\r\n")
	for _, f := range header {
		passes, valid := http1.Passes(f)
		if !valid {
			return nil, http1.ErrHeader
		}
		if passes {
			out.WriteString(f.Name + ": " + f.Value + "\r\n")
		}
	}
	nc, buffered, err := x.control.Hijack()
	if err != nil {
		return nil, err
	}
	x.answered, x.started = true, true
	t := &tunnel{Conn: nc, begun: buffered.Reader}
	if _, err := io.WriteString(t, out.String()+"\r\n"); err != nil {
		nc.Close()
		return nil, err
	}
	return t, nil
}

// tunnel is a connection that has left HTTP, with what was read of it already.
type tunnel struct {
	net.Conn
	begun *bufio.Reader
}

func (t *tunnel) Read(p []byte) (int, error) {
	if n := t.begun.Buffered(); n > 0 {
		return t.begun.Read(p[:min(n, len(p))])
	}
	return t.Conn.Read(p)
}

// Write takes at most the time of a write of the lean path's: a peer that takes
// nothing for so long is gone.
func (t *tunnel) Write(p []byte) (int, error) {
	if err := t.SetWriteDeadline(time.Now().Add(longestWriter)); err != nil {
		return 0, err
	}
	return t.Conn.Write(p)
}

func (t *tunnel) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return io.ErrClosedPipe
}
