package relay

import (
	"net"
	"strings"

	"holdfast/internal/continuity"
)

// Names of fields that the relay reads or adds.
const (
	idempotencyHeader = "Idempotency-Key"
	viaHeader         = "Via"
	viaValue          = "1.1 holdfast"
	forHeader         = "X-Forwarded-For"
	protoHeader       = "X-Forwarded-Proto"
	hostHeader        = "X-Forwarded-Host"
	encodingHeader    = "Accept-Encoding"
)

// forward makes the header that goes upstream, once: the client's own, the
// trail of who forwarded it, and as the last field the Idempotency-Key, which
// every attempt carries alike. A trail that is still there is a trusted proxy's
// and goes on (see whoAsks); proto and host are as the first relay saw them.
func (f *flight) forward() {
	if len(f.header) > 0 {
		return
	}
	plain := f.route.Verdicts.Body != nil // what is packed can't be read
	var via, trail, proto, host, forwarded string
	for i := range f.req.Header {
		field := f.req.Header[i]
		switch len(field.Name) {
		case len(viaHeader):
			if strings.EqualFold(field.Name, viaHeader) {
				via = joined(via, field.Value)
				continue
			}
		case len(forwardedHeader):
			if strings.EqualFold(field.Name, forwardedHeader) {
				forwarded = joined(forwarded, field.Value)
				continue
			}
		case len(forHeader): // and those of the Idempotency-Key and Accept-Encoding
			if strings.EqualFold(field.Name, forHeader) {
				trail = joined(trail, field.Value)
				continue
			}
			if strings.EqualFold(field.Name, idempotencyHeader) {
				continue
			}
			if plain && strings.EqualFold(field.Name, encodingHeader) {
				continue
			}
		case len(hostHeader):
			if strings.EqualFold(field.Name, hostHeader) {
				host = field.Value
				continue
			}
		case len(protoHeader):
			if strings.EqualFold(field.Name, protoHeader) {
				proto = field.Value
				continue
			}
		}
		f.header = append(f.header, field)
	}
	if plain {
		f.header = append(f.header, continuity.Field{Name: encodingHeader, Value: "identity"})
	}
	if proto == "" {
		if proto = f.req.Scheme; proto == "" {
			proto = "http"
		}
	}
	if host == "" {
		host = f.req.Host
	}
	f.header = append(f.header,
		continuity.Field{Name: viaHeader, Value: joined(via, viaValue)},
		continuity.Field{Name: forHeader, Value: joined(trail, address(f.req.Peer))},
		continuity.Field{Name: hostHeader, Value: host},
		continuity.Field{Name: protoHeader, Value: proto},
	)
	if forwarded != "" {
		element := forwardedElement(f.req.Peer, f.req.Host, f.req.Scheme)
		f.header = append(f.header, continuity.Field{Name: forwardedHeader, Value: joined(forwarded, element)})
	}
	if f.key != "" {
		f.header = append(f.header, continuity.Field{Name: idempotencyHeader, Value: f.key})
	}
}

func joined(list, item string) string {
	if list == "" {
		return item
	}
	return list + ", " + item
}

// address is a client's address without its port.
func address(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}
