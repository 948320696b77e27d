package http1

import (
	"strings"

	"holdfast/internal/continuity"
)

// WithDefaults returns the limits as a Server applies them.
func (l Limits) WithDefaults() Limits { return l.withDefaults() }

// Check holds a request that came by another version of HTTP to what a Server
// demands of its own, so that nothing passes by a translation that would not
// pass as it is. It takes out of r.Header what is not for the next hop, and sets
// r.TakesTrailers. stated is the number that Content-Length stated, -1 for none.
func Check(r *Request, limits *Limits) (stated int64, err *ProtocolError) {
	stated = -1
	switch {
	case r.Method == "CONNECT":
		return stated, errConnect
	case !ValidName(r.Method):
		return stated, errLine
	case len(r.Target) > limits.Target:
		return stated, errTargetLong
	case r.Target == "" || !all(r.Target, &targetChar) || r.Target[0] != '/' && r.Target != "*":
		return stated, errTarget
	case !validHost(r.Host):
		return stated, errHost
	case len(r.Header) > limits.Fields:
		return stated, errFieldsMany
	}
	if _, _, err := parseTarget(r.Method, r.Target); err != nil {
		return stated, err
	}
	kept := r.Header[:0]
	for _, f := range r.Header {
		if !ValidName(f.Name) || !ValidValue(f.Value) || trimOWS(f.Value) != f.Value {
			return stated, errField
		}
		switch kindOf(f.Name) {
		case fieldHost:
			if !strings.EqualFold(f.Value, r.Host) {
				return stated, errHost
			}
		case fieldConnection:
			return stated, errConnection
		case fieldFraming:
			switch strings.ToLower(f.Name) {
			case "te":
				r.TakesTrailers = r.TakesTrailers || takesTrailers(f.Value)
			case "expect":
				if !fold(f.Value, "100-continue") {
					return stated, errExpect
				}
			case "content-length":
				n, ok := parseLength(f.Value)
				if !ok || stated >= 0 {
					return stated, errLength
				}
				stated = n
			case "trailer":
				if err := checkTrailer(f.Value); err != nil {
					return stated, err
				}
			case "transfer-encoding", "keep-alive", "upgrade", "proxy-connection":
				return stated, errField // they speak of a connection that there is none of
			}
		default:
			kept = append(kept, f)
		}
	}
	r.Header = kept
	if limits.Body > 0 && stated > limits.Body {
		return stated, errBodyLarge
	}
	return stated, nil
}

// Passes reports whether a field of a response is for the next hop, and whether
// it can be sent at all.
func Passes(f continuity.Field) (passes, valid bool) {
	switch kindOf(f.Name) {
	case fieldFraming, fieldConnection:
		return false, true
	}
	return true, ValidName(f.Name) && ValidValue(f.Value)
}

// ForOneHop reports whether a field is left out where Connection names it; see
// "Hop-by-hop fields".
func ForOneHop(name string) bool { return ValidName(name) && !isProtected(name) }
