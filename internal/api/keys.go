package api

import (
	"context"
	"net/http"
	"time"
)

// Keys exchanges the master key.
type Keys interface {
	RotateKeys(ctx context.Context, r RotateRequest) (RotateResult, error)
}

// rotateTime is for a journal of many segments on a slow disk.
const rotateTime = 5 * time.Minute

const rotatePath = "/keys/rotate"

// RotateRequest says who exchanges the master key, and why.
type RotateRequest struct {
	Person string `json:"person"`
	Why    string `json:"why"`
}

// RotateResult says where the new key stands.
type RotateResult struct {
	File string `json:"file"`
}

func (s *server) rotateKeys(r *http.Request) (any, error) {
	var req RotateRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := answerable(req.Person, req.Why); err != nil {
		return nil, err
	}
	return s.Keys.RotateKeys(r.Context(), req)
}

// RotateKeys exchanges the master key.
func (c *Client) RotateKeys(ctx context.Context, why string) (RotateResult, error) {
	return post[RotateResult](ctx, c, rotatePath, RotateRequest{Person: c.person, Why: why})
}
