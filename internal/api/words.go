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

// WordsRequest is what a control node has a route say where the relay itself answers,
// as in the mode reply. It holds for a time only: a control node that is gone has
// nothing more to say.
type WordsRequest struct {
	Route string  `json:"route"`
	En    string  `json:"en,omitempty"` // both empty: what was said is taken back
	Zh    string  `json:"zh,omitempty"`
	For   float64 `json:"for_seconds,omitempty"` // at most ten minutes
	Node  string  `json:"node"`                  // the control node
}

// WordsResult says what was taken.
type WordsResult struct {
	Said bool `json:"said"` // false: what was said is taken back
}

// Speaking takes a control node's words for a route.
type Speaking interface {
	Words(r WordsRequest) error
}

// The bounds of words.
const (
	longestWords = 2000
	mostWordTime = 600
)

func (s *server) words(r *http.Request) (any, error) {
	var req WordsRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if s.Speaking == nil {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	if strings.TrimSpace(req.Node) == "" || utf8.RuneCountInString(req.Node) > longestCheck || strings.ContainsFunc(req.Node, unicode.IsControl) {
		return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.check", "most", longestCheck)
	}
	for _, text := range []string{req.En, req.Zh} {
		if utf8.RuneCountInString(text) > longestWords || !utf8.ValidString(text) {
			return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.long-words", "most", longestWords)
		}
	}
	said := req.En != "" || req.Zh != ""
	if said && (req.For <= 0 || req.For > mostWordTime) {
		return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.for")
	}
	if err := s.Speaking.Words(req); err != nil {
		return nil, err
	}
	s.Logger.Debug("a control node has a route say something", "route", req.Route, "said", said, "node", req.Node)
	return WordsResult{said}, nil
}

// Words has a route say something where the relay itself answers.
func (c *Client) Words(ctx context.Context, r WordsRequest) error {
	_, err := post[WordsResult](ctx, c, "/words", r)
	return err
}
