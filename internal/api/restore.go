package api

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/continuity"
)

// RestoreRequest asks what a restored upstream has lost, or, with Approve, has it
// brought back: by another person than the one who asked.
type RestoreRequest struct {
	Route   string    `json:"route"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until,omitzero"`
	DryRun  bool      `json:"dry_run,omitempty"`
	Approve string    `json:"approve,omitempty"` // the plan
	Person  string    `json:"person"`
	Why     string    `json:"why"`
}

// Restoration is what was found, and done.
type Restoration struct {
	Plan      string   `json:"plan,omitempty"`
	Route     string   `json:"route"`
	Looked    int      `json:"looked_at"` // reached the upstream in the time
	There     int      `json:"there"`
	Missing   int      `json:"missing"`
	Again     int      `json:"sent_again"` // of those missing: perhaps there; a repeat changes nothing
	Undecided int      `json:"undecided"`  // perhaps there, and a repeat could be processed twice
	Pending   int      `json:"pending"`    // on their way already
	Gone      int      `json:"gone"`       // no longer kept, of any route
	Keys      []string `json:"keys"`       // of what is missing, the first ones
	Doubtful  []string `json:"undecided_keys"`
	Appended  int      `json:"appended"`
	Open      bool     `json:"open"` // the route is not in hold: more passes meanwhile
}

// Restorer brings back what a restored upstream has lost.
type Restorer interface {
	Restore(ctx context.Context, r RestoreRequest) (Restoration, error)
}

func (s *server) restore(r *http.Request) (any, error) {
	var req RestoreRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := answerable(req.Person, req.Why); err != nil {
		return nil, err
	}
	restorer, ok := s.Control.(Restorer)
	if !ok {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	found, err := restorer.Restore(r.Context(), req)
	if err == nil && req.Approve != "" {
		s.Logger.Info("what a restored upstream lost was brought back", "approver", req.Person, "route", req.Route, "records", found.Appended, "why", req.Why)
	}
	return found, err
}

const restorePath = "/restore"

// Restore asks what a restored upstream has lost, or has it brought back.
func (c *Client) Restore(ctx context.Context, r RestoreRequest) (Restoration, error) {
	return post[Restoration](ctx, c, restorePath, r)
}
