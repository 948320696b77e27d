package relay

import (
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// credentials reports whether the header bears what proves who the client is, and
// would prove it again: a password, a key or a token, wherever the route's
// callers have it. A signature proves one request only.
func (r *route) credentials(header []continuity.Field) bool {
	if credentials(header) {
		return true
	}
	if r.Verify == nil {
		return false
	}
	bears := func(name string) bool { return name != "" && http1.Get(header, name) != "" }
	return r.Verify.JWT != nil && bears(r.Verify.JWT.Header) || r.Verify.APIKey != nil && bears(r.Verify.APIKey.Header)
}

func credentials(header []continuity.Field) bool {
	for i := range header {
		switch name := header[i].Name; len(name) {
		case len("Cookie"):
			if strings.EqualFold(name, "Cookie") {
				return true
			}
		case len("Authorization"):
			if strings.EqualFold(name, "Authorization") {
				return true
			}
		}
	}
	return false
}

// unproven is a header without what proved the client, in any of the ways in
// which the route's callers do, nor what could prove it again. The proof was
// judged at acceptance; each attempt bears one of its own.
func (r *route) unproven(header []continuity.Field) []continuity.Field {
	out := make([]continuity.Field, 0, len(header))
	for i := range header {
		if !credentials(header[i:i+1]) && !r.proof(header[i].Name) {
			out = append(out, header[i])
		}
	}
	return out
}

// proof reports whether a field is one in which the route looks for a proof.
func (r *route) proof(name string) bool {
	v := r.Verify
	if v == nil {
		return false
	}
	is := func(other string) bool { return other != "" && strings.EqualFold(name, other) }
	return v.JWT != nil && is(v.JWT.Header) || v.APIKey != nil && is(v.APIKey.Header) ||
		v.HMAC != nil && is(v.HMAC.Header) || v.MTLS != nil && is(v.MTLS.Header)
}
