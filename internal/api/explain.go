package api

import (
	"context"
	"net/http"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// Explaining tells what would happen to a request.
type Explaining interface {
	Explain(q *continuity.Question) (*continuity.Explanation, error)
}

func (s *server) explain(r *http.Request) (any, error) {
	var q continuity.Question
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	if q.Method == "" || !strings.HasPrefix(q.Target, "/") {
		return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.question")
	}
	if s.Explaining == nil {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	return s.Explaining.Explain(&q)
}

// Explain asks what would happen to a request.
func (c *Client) Explain(ctx context.Context, q continuity.Question) (continuity.Explanation, error) {
	return post[continuity.Explanation](ctx, c, "/explain", q)
}
