package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"holdfast/internal/continuity"
)

// Admission says what a route lets in, and whom it turned away.
type Admission struct {
	Route       string           `json:"route"`
	Rate        float64          `json:"rate,omitempty"`    // requests a second; absent: no limit
	RateBy      string           `json:"rate_by,omitempty"` // rate, set or capacity
	Concurrency int64            `json:"concurrency,omitempty"`
	Adaptive    bool             `json:"adaptive,omitempty"` // the limit of concurrency follows the upstream's latency
	OnWay       int64            `json:"on_way"`
	Addresses   int              `json:"addresses,omitempty"` // of clients, remembered
	Admitted    int64            `json:"admitted"`
	Refused     map[string]int64 `json:"refused"` // by reason
	Shedding    bool             `json:"shedding,omitempty"`
	Line        *WaitingLine     `json:"waiting_line,omitempty"`
	Settings    []AdmissionSet   `json:"settings,omitempty"` // that stand
}

// AdmissionSet is what one owner's standing setting says about admission.
type AdmissionSet struct {
	Owner       string    `json:"owner"`
	Reason      string    `json:"reason"`
	Rate        float64   `json:"rate,omitempty"`
	Concurrency int       `json:"concurrency,omitempty"`
	Line        bool      `json:"line,omitempty"`
	Force       bool      `json:"force,omitempty"`
	Until       time.Time `json:"until,omitzero"`
}

// WaitingLine is how far a standing line is.
type WaitingLine struct {
	Since   time.Time   `json:"since"`
	Open    int         `json:"open"`    // batches that are let in
	Waiting int64       `json:"waiting"` // who asked lately, reckoned
	Next    float64     `json:"next_seconds"`
	Most    int         `json:"most,omitempty"` // batches that may be open; absent: all of them
	Why     string      `json:"why,omitempty"`  // the next batch is not open yet
	Batches []LineBatch `json:"batches"`
}

// LineBatch is one batch of a line.
type LineBatch struct {
	Group   string  `json:"group,omitempty"`
	Share   float64 `json:"share,omitempty"` // of users, up to which it goes
	Open    bool    `json:"open"`
	Tickets uint64  `json:"tickets"`
	Served  uint64  `json:"served"`
}

// AdmissionRequest puts a person's limits, starts a waiting line, or lifts what
// stands.
type AdmissionRequest struct {
	Route       string  `json:"route"`
	Rate        float64 `json:"rate,omitempty"`
	Concurrency int     `json:"concurrency,omitempty"`
	Line        bool    `json:"line,omitempty"`  // start a waiting line, or say of the person's own how far it may open
	Open        int     `json:"open,omitempty"`  // with line: at most so many batches, until more are let in; 0: all, one after the other
	Lift        string  `json:"lift,omitempty"`  // limits or line
	Owner       string  `json:"owner,omitempty"` // whose limits are lifted; default: the person's own
	For         float64 `json:"for_seconds,omitempty"`
	Force       bool    `json:"force,omitempty"`
	Person      string  `json:"person"`
	Why         string  `json:"why"`
}

// The values of AdmissionRequest.Lift.
const (
	LiftLimits = "limits"
	LiftLine   = "line"
)

// Admitting shows and sets what routes let in.
type Admitting interface {
	Admission(route string) ([]Admission, error)
	Admit(r AdmissionRequest) ([]Admission, error)
}

func (s *server) admission(r *http.Request) (any, error) {
	if s.Admitting == nil {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	return s.Admitting.Admission(r.URL.Query().Get("route"))
}

func (s *server) admit(r *http.Request) (any, error) {
	var req AdmissionRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := answerable(req.Person, req.Why); err != nil {
		return nil, err
	}
	if s.Admitting == nil {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	now, err := s.Admitting.Admit(req)
	if err != nil {
		return nil, err
	}
	s.Logger.Info("a person set what a route lets in", "person", req.Person, "route", req.Route, "rate", req.Rate,
		"concurrency", req.Concurrency, "line", req.Line, "lift", req.Lift, "force", req.Force, "why", req.Why)
	return now, nil
}

// Admission asks what a route lets in; all routes, where route is empty.
func (c *Client) Admission(ctx context.Context, route string) ([]Admission, error) {
	return get[[]Admission](ctx, c, "/admission", url.Values{"route": {route}})
}

// Admit sets what a route lets in.
func (c *Client) Admit(ctx context.Context, r AdmissionRequest) ([]Admission, error) {
	return post[[]Admission](ctx, c, "/admission", r)
}
