package relay

import (
	"net/netip"
	"strings"

	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// SetTransport says whose word about clients counts, and what becomes of
// traces, from now on.
func (e *Engine) SetTransport(t continuity.Transport) { e.transport.Store(&t) }

// Transport returns what SetTransport set.
func (e *Engine) Transport() *continuity.Transport { return e.transport.Load() }

const (
	forwardedHeader = "Forwarded"
	realIPHeader    = "X-Real-IP"
	trailPrefix     = "X-Forwarded-"
)

// whoAsks finds the client behind trusted proxies: from here on Remote is its
// address, and Peer the address that connected. What anybody else says about
// that is taken out, as limits, blocks and upstreams would believe it. It returns
// the mark of the check that asks, if one does.
func (e *Engine) whoAsks(req *http1.Request) (mark checkmark.Mark) {
	req.Peer = req.Remote
	told, traced, marked := false, false, false
	for i := range req.Header {
		switch name := req.Header[i].Name; len(name) {
		case len(forwardedHeader), len(forHeader), len(hostHeader), len(protoHeader), len("X-Forwarded-Server"):
			told = told || tells(name)
		case len(traceHeader), len(stateOfTrace):
			traced = traced || name[0]|0x20 == 't' && (strings.EqualFold(name, traceHeader) || strings.EqualFold(name, stateOfTrace))
		case len(checkmark.Header):
			marked = marked || strings.EqualFold(name, checkmark.Header)
		}
	}
	t := e.transport.Load()
	if told {
		heed(req, t)
	}
	if traced || t.MakeTrace {
		trace(req, t.MakeTrace)
	}
	if marked && t.Marks != "" {
		mark = believed(req, t.Marks)
	}
	return mark
}

// tells reports whether a field says who is behind a proxy.
func tells(name string) bool {
	return len(name) > len(trailPrefix) && strings.EqualFold(name[:len(trailPrefix)], trailPrefix) ||
		strings.EqualFold(name, forwardedHeader) || strings.EqualFold(name, realIPHeader)
}

// heed believes a trusted proxy, and nobody else.
func heed(req *http1.Request, t *continuity.Transport) {
	peer, err := netip.ParseAddrPort(req.Peer)
	if err != nil || !t.Trusts(peer.Addr()) {
		kept := req.Header[:0]
		for _, f := range req.Header {
			if !tells(f.Name) {
				kept = append(kept, f)
			}
		}
		req.Header = kept
		return
	}
	var trail, forwarded string
	for _, f := range req.Header {
		switch {
		case strings.EqualFold(f.Name, forHeader):
			trail = joined(trail, f.Value)
		case strings.EqualFold(f.Name, forwardedHeader):
			forwarded = joined(forwarded, f.Value)
		}
	}
	client := peer
	if trail != "" {
		client = behind(peer, trail, t, func(hop string) string { return hop })
	} else if forwarded != "" {
		client = behind(peer, forwarded, t, forOf)
	}
	if client != peer {
		req.Remote = client.String()
	}
}

// behind goes back along a trail as long as the one who wrote it is trusted. An
// entry that is no address ends it: who stands there is not known, and the one
// who wrote it down answers for them.
func behind(client netip.AddrPort, trail string, t *continuity.Transport, of func(hop string) string) netip.AddrPort {
	for trail != "" && t.Trusts(client.Addr()) {
		hop := trail
		if i := lastComma(trail); i >= 0 {
			hop, trail = trail[i+1:], trail[:i]
		} else {
			trail = ""
		}
		a, ok := hopAddress(of(strings.Trim(hop, " \t")))
		if !ok {
			break
		}
		client = a
	}
	return client
}

// lastComma finds the last comma outside quotes.
func lastComma(s string) int {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return i
		}
	}
	return -1
}

// forOf is who an element of Forwarded is for (RFC 7239).
func forOf(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// hopAddress reads an address, with a port or without; [::1] too.
func hopAddress(text string) (netip.AddrPort, bool) {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return netip.AddrPortFrom(a.Unmap(), 0), err == nil && a.Zone() == ""
}

// forwardedElement is what the relay adds to a Forwarded field: who it is for
// as the peer's address says, and how that asked.
func forwardedElement(peer, host, proto string) string {
	node := address(peer)
	if strings.Contains(node, ":") {
		node = `"[` + node + `]"`
	}
	return "for=" + node + `;host="` + host + `";proto=` + proto
}
