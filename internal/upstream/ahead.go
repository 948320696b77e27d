package upstream

import (
	"bytes"
	"io"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// Ahead puts back what was read of a body.
func Ahead(head []byte, body io.ReadCloser) io.ReadCloser {
	return &ahead{io.MultiReader(bytes.NewReader(head), body), body}
}

type ahead struct {
	io.Reader
	body io.ReadCloser
}

func (a *ahead) Close() error { return a.body.Close() }

// Trailers implements http1.Trailered.
func (a *ahead) Trailers() []continuity.Field {
	if t, ok := a.body.(http1.Trailered); ok {
		return t.Trailers()
	}
	return nil
}
