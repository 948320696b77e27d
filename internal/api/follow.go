package api

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// FollowRequest is what a control node says of the system behind a route, by a
// check of its own. It holds for a time only: a control node that is gone has
// nothing more to say.
type FollowRequest struct {
	Route string  `json:"route"`
	Check string  `json:"check"`                 // whose word it is
	Down  bool    `json:"down"`                  // false takes the word back
	For   float64 `json:"for_seconds,omitempty"` // at most detect.follow of the route
	Node  string  `json:"node"`                  // the control node
}

// Following takes the word of a control node on a route's health.
type Following interface {
	Follow(r FollowRequest) ([]Switch, error)
}

// longestCheck bounds the name of a check: it is kept in the journal and shown.
const longestCheck = 130

func (s *server) follow(r *http.Request) (any, error) {
	var req FollowRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if s.Following == nil {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	for _, name := range []string{req.Check, req.Node} {
		if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > longestCheck || strings.ContainsFunc(name, unicode.IsControl) {
			return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.check", "most", longestCheck)
		}
	}
	standing, err := s.Following.Follow(req)
	if err != nil {
		return nil, err
	}
	s.Logger.Info("a check speaks for a route's health", "route", req.Route, "check", req.Check, "down", req.Down, "node", req.Node)
	return standing, nil
}

// Follow tells the relay how a route's system is by a check.
func (c *Client) Follow(ctx context.Context, r FollowRequest) ([]Switch, error) {
	return post[[]Switch](ctx, c, "/health", r)
}
