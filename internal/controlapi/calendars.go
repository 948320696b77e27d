package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/notices/calendars"
	"holdfast/internal/problem"
)

// Calendars are the calendars that plans name.
type Calendars interface {
	States(service string) []calendars.State
	Between(ctx context.Context, service, kind string, w calendar.Window) ([]calendars.Entry, error)
}

// BusyPeriods is what calendars have on, and which of them are not known.
type BusyPeriods struct {
	Items     []calendars.Entry `json:"items" nullable:"false"`
	Calendars []calendars.State `json:"calendars" nullable:"false"`
}

const mostAhead = 400 * 24 * time.Hour

func registerCalendars(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/calendars", ID: "listCalendars", Scope: access.PlansRead}, s.listCalendars)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/calendars/busy", ID: "listBusyPeriods", Scope: access.PlansRead}, s.listBusy)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/calendars/workdays", ID: "listWorkdays", Scope: access.PlansRead}, s.listWorkdays)
}

func (s *server) listCalendars(_ context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Paging
}) (*list[calendars.State], error) {
	return listOf(pageOf(s.Calendars.States(in.Service), func(s calendars.State) string { return s.Service + "/" + s.Calendar }, in.Paging)), nil
}

func (s *server) listBusy(ctx context.Context, in *struct {
	Service string    `query:"service" maxLength:"128"`
	Kind    string    `query:"kind" enum:"peaks,meetings,freeze"`
	From    time.Time `query:"from"` // absent: now
	To      time.Time `query:"to"`   // absent: 30 days later
}) (*plain[BusyPeriods], error) {
	if in.From.IsZero() {
		in.From = s.Now()
	}
	if in.To.IsZero() {
		in.To = in.From.AddDate(0, 0, 30)
	}
	if !in.To.After(in.From) || in.To.Sub(in.From) > mostAhead {
		return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "calendar.window-length", "max", "400d")
	}
	found, err := s.Calendars.Between(ctx, in.Service, in.Kind, calendar.Window{Start: in.From, End: in.To})
	return &plain[BusyPeriods]{BusyPeriods{found, s.Calendars.States(in.Service)}}, err
}

func (s *server) listWorkdays(_ context.Context, in *struct {
	From string `query:"from" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"` // absent: today in China
	To   string `query:"to" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"`   // absent: 30 days later
}) (*plain[calendar.WorkdayCount], error) {
	from := calendar.DateOf(s.Now().In(time.FixedZone("", 8*3600)))
	var err error
	if in.From != "" {
		if from, err = calendar.ParseDate(in.From); err != nil {
			return nil, err
		}
	}
	to := from.Plus(30)
	if in.To != "" {
		if to, err = calendar.ParseDate(in.To); err != nil {
			return nil, err
		}
	}
	count, err := calendar.China().Count(from, to)
	return &plain[calendar.WorkdayCount]{count}, err
}
