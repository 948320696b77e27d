package http1

import (
	"bytes"
	"strings"

	"holdfast/internal/continuity"
)

// takesTrailers reports whether a TE field says that its sender takes trailers.
func takesTrailers(value string) bool {
	for option := range strings.SplitSeq(value, ",") {
		name, weight, _ := strings.Cut(option, ";")
		if fold(trimOWS(name), "trailers") && trimOWS(weight) != "q=0" {
			return true
		}
	}
	return false
}

// takeTrailer checks a line of a trailer section and keeps it if it may pass.
func (c *chunks) takeTrailer(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return false
	}
	f := continuity.Field{Name: string(name), Value: trimOWS(string(value))}
	if !ValidName(f.Name) || !ValidValue(f.Value) {
		return false
	}
	if MayTrail(f.Name) {
		c.trailer = append(c.trailer, f)
	}
	return true
}

// MayTrail reports whether a field may stand in a trailer section. What frames
// or routes a message, says who sends it, modifies the request or controls how a
// response is processed must be known before the body (RFC 9110 section 6.5.1).
func MayTrail(name string) bool {
	if kindOf(name) != fieldPlain || !ValidName(name) {
		return false
	}
	switch name = strings.ToLower(name); name {
	case "etag", "digest", "content-digest", "content-md5", "signature", "signature-input", "server-timing", "accept-ranges":
		return true
	case "cookie2", "set-cookie2", "priority", "status", "alt-svc", "http2-settings", "authentication-info", "grpc-timeout",
		"holdfast-state", "clear-site-data", "strict-transport-security", "link":
		return false
	}
	return !isProtected(name)
}

// appendTrailers writes the trailer section of a body that was read to its end,
// the empty line included.
func appendTrailers(buf []byte, body any) []byte {
	if t, ok := body.(Trailered); ok {
		for _, f := range t.Trailers() {
			if !MayTrail(f.Name) || !ValidValue(f.Value) {
				continue
			}
			buf = append(buf, f.Name...)
			buf = append(buf, ": "...)
			buf = append(buf, f.Value...)
			buf = append(buf, "\r\n"...)
		}
	}
	return append(buf, "\r\n"...)
}

// Trailers implements Trailered.
func (b *requestBody) Trailers() []continuity.Field { return b.chunks.trailer }

// Trailers implements Trailered.
func (re *reply) Trailers() []continuity.Field { return re.chunks.trailer }
