package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// Privacy finds and erases what is kept of one customer.
type Privacy interface {
	FindPrivate(ctx context.Context, r PrivacyRequest) (PrivacyResult, error)
	ErasePrivate(ctx context.Context, r PrivacyRequest) (PrivacyResult, error)
}

// privacyTime is for reading a whole journal, and writing parts of it anew.
const privacyTime = 15 * time.Minute

const (
	privacyFind  = "/privacy/find"
	privacyErase = "/privacy/erase"
)

// PrivacyRequest says whose requests are meant: those of an ordering key, of a
// caller, or of both.
type PrivacyRequest struct {
	Route  string `json:"route"`
	Key    string `json:"key,omitempty"`
	Caller string `json:"caller,omitempty"`
	Person string `json:"person"`
	Why    string `json:"why"`
}

// PrivacyResult lists what the journal holds, or held.
type PrivacyResult struct {
	Items     []PrivateItem `json:"items"`
	Discarded int           `json:"discarded"` // they were pending
}

// PrivateItem is one request. One that only passed has no receipt.
type PrivateItem struct {
	Receipt string                `json:"receipt,omitempty"`
	State   string                `json:"state"`
	At      time.Time             `json:"at"`
	Ended   *time.Time            `json:"ended,omitempty"`
	Entries []continuity.Position `json:"entries"` // where in the journal
	Passed  bool                  `json:"passed,omitempty"`
	Erased  bool                  `json:"erased,omitempty"`
}

func privacyRequest(r *http.Request) (PrivacyRequest, error) {
	var req PrivacyRequest
	if err := decode(r, &req); err != nil {
		return req, err
	}
	if err := answerable(req.Person, req.Why); err != nil {
		return req, err
	}
	if strings.TrimSpace(req.Route) == "" || req.Key == "" && req.Caller == "" {
		return req, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "api.invalid.subject")
	}
	return req, nil
}

func (s *server) findPrivate(r *http.Request) (any, error) {
	req, err := privacyRequest(r)
	if err != nil {
		return nil, err
	}
	return s.Privacy.FindPrivate(r.Context(), req)
}

func (s *server) erasePrivate(r *http.Request) (any, error) {
	req, err := privacyRequest(r)
	if err != nil {
		return nil, err
	}
	return s.Privacy.ErasePrivate(r.Context(), req)
}

// FindPrivate lists what is kept of one customer.
func (c *Client) FindPrivate(ctx context.Context, r PrivacyRequest) (PrivacyResult, error) {
	r.Person = c.person
	return post[PrivacyResult](ctx, c, privacyFind, r)
}

// ErasePrivate erases it.
func (c *Client) ErasePrivate(ctx context.Context, r PrivacyRequest) (PrivacyResult, error) {
	r.Person = c.person
	return post[PrivacyResult](ctx, c, privacyErase, r)
}
