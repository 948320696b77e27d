package relay

import (
	"io"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// Trailers flow with a body that passes. A record is kept without them: they
// are fields that any recipient may drop.

// trailers are those of the request's body, once it was read to its end.
func (f *flight) trailers() []continuity.Field {
	if t, ok := f.req.Body.(http1.Trailered); ok && f.req.Length < 0 {
		return t.Trailers()
	}
	return nil
}

// trailed is a body that was read, with its trailers.
type trailed struct {
	io.Reader
	trailers []continuity.Field
}

func (t *trailed) Trailers() []continuity.Field { return t.trailers }

// rest is a body of which the beginning was read.
type rest struct {
	io.Reader
	f *flight
}

func (r *rest) Trailers() []continuity.Field { return r.f.trailers() }
