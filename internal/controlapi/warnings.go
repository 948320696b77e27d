package controlapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

// WarningQuery selects warnings.
type WarningQuery struct {
	Service string
	Past    bool
	Least   continuity.Level
	Cursor  string
	Limit   int
}

// VersionedWarning is a warning with its version.
type VersionedWarning struct {
	continuity.Warning

	Version int64
}

// Warnings are the early warnings, and what people say of them.
type Warnings interface {
	Warnings(ctx context.Context, q WarningQuery) (page []VersionedWarning, next string, err error)
	Warning(ctx context.Context, id string) (VersionedWarning, error)
	Confirm(ctx context.Context, by continuity.Actor, id string, version int64, note string) (VersionedWarning, error)
	Dismiss(ctx context.Context, by continuity.Actor, id string, version int64, why string) (VersionedWarning, error)
}

// Signals takes what people and other systems say.
type Signals interface {
	Report(ctx context.Context, by continuity.Actor, r continuity.Report) (Reported, error)
	Reports(ctx context.Context, service string, since time.Time, most int) ([]continuity.Report, error)
	Alerts(ctx context.Context, by continuity.Actor, body []byte) (firing, ended int, err error)
	// Hooked says whether there is such a hook.
	Hooked(hook string) bool
	// Signed takes a message of a hook if its signature holds; CodeForbidden else.
	Signed(ctx context.Context, hook string, head http.Header, body []byte) (again bool, err error)
}

// Reported is what a report came to.
type Reported struct {
	Report    continuity.Report `json:"report"`
	Scope     string            `json:"scope" enum:"one,office,everyone"` // who has the trouble, as far as is known
	Reporters int               `json:"reporters"`
}

// mostMessage bounds what another system says at once.
const mostMessage = 4 << 20

func registerWarnings(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/warnings", ID: "listWarnings", Scope: access.WarningsRead}, s.listWarnings)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/warnings/{id}", ID: "getWarning", Scope: access.WarningsRead}, s.getWarning)
	register(s, operation{Method: http.MethodPut, Path: "/api/v1/warnings/{id}/confirmation", ID: "confirmWarning", Scope: access.WarningsWrite, Edit: true}, s.confirmWarning)
	register(s, operation{Method: http.MethodPut, Path: "/api/v1/warnings/{id}/dismissal", ID: "dismissWarning", Scope: access.WarningsWrite, Edit: true}, s.dismissWarning)
}

func registerSignals(s *server) {
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/signals/reports", ID: "reportTrouble", Scope: access.ReportsWrite}, s.reportTrouble)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/signals/reports", ID: "listReports", Scope: access.WarningsRead}, s.listReports)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/in/alertmanager", ID: "takeAlerts", Scope: access.SignalsWrite, Body: mostMessage}, s.takeAlerts)
}

func (s *server) listWarnings(ctx context.Context, in *struct {
	Service string `query:"service"`
	Past    bool   `query:"past" default:"false"`
	Level   string `query:"level" enum:"blue,yellow,orange,red"`
	Paging
}) (*list[continuity.Warning], error) {
	page, next, err := s.Warnings.Warnings(ctx, WarningQuery{
		Service: in.Service, Past: in.Past, Least: continuity.Level(in.Level), Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Warning, len(page))
	for i := range page {
		items[i] = page[i].Warning
	}
	return listOf(items, next), nil
}

func (s *server) getWarning(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"300"`
}) (*object[continuity.Warning], error) {
	return shownWarning(s.Warnings.Warning(ctx, in.ID))
}

func shownWarning(w VersionedWarning, err error) (*object[continuity.Warning], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(w.Warning, w.Version), nil
}

func (s *server) confirmWarning(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"300"`
	Body struct {
		Note string `json:"note,omitempty" maxLength:"1000"`
	}
}) (*object[continuity.Warning], error) {
	return shownWarning(s.Warnings.Confirm(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Note))
}

func (s *server) dismissWarning(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"300"`
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"1000"`
	}
}) (*object[continuity.Warning], error) {
	return shownWarning(s.Warnings.Dismiss(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

// TroubleReport is one person's word that something does not work.
type TroubleReport struct {
	Service    string `json:"service" minLength:"1" maxLength:"63"`
	Component  string `json:"component,omitempty" maxLength:"63"`
	What       string `json:"what" enum:"down,slow,unstable,sends,uploads,late-notices,login-codes,sessions,other"`
	Text       string `json:"text,omitempty" maxLength:"1000"`
	Location   string `json:"location,omitempty" maxLength:"100"`
	Department string `json:"department,omitempty" maxLength:"100"` // where the person is not known here
	// Reporter is for programs that report for people: who it is. A user reports
	// for themselves.
	Reporter string `json:"reporter,omitempty" maxLength:"100"`
}

func (s *server) reportTrouble(ctx context.Context, in *struct{ Body TroubleReport }) (*plain[Reported], error) {
	by := actorOf(ctx)
	r := continuity.Report{
		Service: in.Body.Service, Component: in.Body.Component, By: by.ID, What: in.Body.What, Text: in.Body.Text,
		Location: in.Body.Location, Department: in.Body.Department,
	}
	if by.Kind != "user" && in.Body.Reporter != "" {
		r.By = in.Body.Reporter
	}
	out, err := s.Signals.Report(ctx, by, r)
	if err != nil {
		return nil, err
	}
	return &plain[Reported]{out}, nil
}

// defaultReports is how far back reports are listed.
const defaultReports = 24 * time.Hour

func (s *server) listReports(ctx context.Context, in *struct {
	Service string    `query:"service"`
	Since   time.Time `query:"since"`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}) (*list[continuity.Report], error) {
	if in.Since.IsZero() {
		in.Since = s.Now().Add(-defaultReports)
	}
	all, err := s.Signals.Reports(ctx, in.Service, in.Since, in.Limit)
	return listOf(all[:min(len(all), in.Limit)], ""), err
}

// Taken is what became of a message of an Alertmanager.
type Taken struct {
	Firing int `json:"firing"`
	Ended  int `json:"ended"`
}

func (s *server) takeAlerts(ctx context.Context, in *struct {
	Body    map[string]any // as the Alertmanager's version has it
	RawBody []byte
}) (*plain[Taken], error) {
	firing, ended, err := s.Signals.Alerts(ctx, actorOf(ctx), in.RawBody)
	return &plain[Taken]{Taken{firing, ended}}, err
}

// signed takes a message whose signature says who sends it. It is open to all who
// reach the port: what is for no hook is refused before its body is read, what has
// no signature that holds before that means anything.
func (s *server) signed(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestTime)
	defer cancel()
	id := r.PathValue("id")
	if !s.Signals.Hooked(id) { // no more is told than of a wrong signature
		s.turnAway(w, r, continuity.E(continuity.CodeForbidden, errors.New("webhook: there is none of this id"), "webhook", true))
		return
	}
	body, err := bodyOf(w, r, maxBody)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if _, err := s.Signals.Signed(ctx, id, r.Header, body); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
