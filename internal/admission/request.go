package admission

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Request is what a gate looks at.
type Request struct {
	At     time.Time
	Remote string // the client's host:port, as far as trusted proxies tell
	// Trusted says that a trusted proxy sent it: what its header says of class,
	// user and group is believed.
	Trusted bool
	Header  []continuity.Field
	Path    string
	// Who sends it, for what goes by verified callers; nil: nobody is verified.
	Who Caller
	// Kept says that the request is kept, and not sent, while intake is hold. It
	// then takes nothing of the upstream.
	Kept bool
}

// Caller tells who sends a request: the name of a verified caller and the rights
// that the proof bears; ok is false for everybody else. It is asked only where
// the answer decides something.
type Caller interface {
	Verified() (name string, rights []string, ok bool)
}

// member reports whether a request's verified caller, or a right of theirs, is
// among some names.
func (r *Request) member(names []string) bool {
	if r.Who == nil {
		return false
	}
	name, rights, ok := r.Who.Verified()
	return ok && slices.ContainsFunc(names, func(n string) bool { return n == name || slices.Contains(rights, n) })
}

// client is the address of who asks.
func (r *Request) client() netip.Addr {
	from, err := netip.ParseAddrPort(r.Remote)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

func get(header []continuity.Field, name string) string {
	for i := range header {
		if len(header[i].Name) == len(name) && strings.EqualFold(header[i].Name, name) {
			return header[i].Value
		}
	}
	return ""
}
