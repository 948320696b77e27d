package controlapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// OnCall says who is on call, and who stands in for whom.
type OnCall interface {
	Now(ctx context.Context, service, grade string, at time.Time) ([]OnCallRole, error)
	Shifts(ctx context.Context, q ShiftQuery) ([]continuity.Shift, error)
	// Calendar is the shifts as an iCalendar file.
	Calendar(ctx context.Context, q ShiftQuery, lang catalogue.Lang) ([]byte, error)
	Overrides(ctx context.Context, service string, past bool) ([]ShownOverride, error)
	AddOverride(ctx context.Context, by continuity.Actor, o continuity.Override) (continuity.Override, error)
	EndOverride(ctx context.Context, by continuity.Actor, id, why string) (continuity.Override, error)
}

// OnCallRole is who leads a role of a plan at a time, and who is told after them.
type OnCallRole struct {
	Service  string          `json:"service"`
	Role     string          `json:"role"`
	Name     continuity.Text `json:"name,omitzero"`
	Person   string          `json:"person,omitempty"` // none: all have left
	Rota     string          `json:"rota,omitempty"`   // by which; none: by the order of the role's people
	Until    *time.Time      `json:"until,omitempty"`
	Next     string          `json:"next,omitempty"` // of the rota
	Override string          `json:"override,omitempty"`
	Instead  string          `json:"instead,omitempty"` // whose turn it is, where it is another's
	Gone     []string        `json:"gone,omitempty"`    // whose turn it was, and who have left or are not known
	Ladder   []OnCallStep    `json:"ladder,omitempty"`  // whom a page reaches, one step after the other
}

// OnCallStep is who is told together.
type OnCallStep struct {
	People []string `json:"people" nullable:"false"`
	Wait   float64  `json:"wait"` // seconds, before the next are; 0: these are the last
}

// ShiftQuery selects shifts.
type ShiftQuery struct {
	Service string    `query:"service" maxLength:"128"`
	Rota    string    `query:"rota" maxLength:"200"` // its id, or SERVICE/ROTA
	Person  string    `query:"for" maxLength:"200"`  // whose shifts
	From    time.Time `query:"from"`                 // absent: now
	To      time.Time `query:"to"`                   // absent: 30 days later
}

// ShownOverride is an override with those that lie over it.
type ShownOverride struct {
	continuity.Override

	Covered []string `json:"covered,omitempty"` // said later, at the same time
}

const calendarMedia = "text/calendar"

func registerOnCall(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/oncall", ID: "listOnCall", Scope: access.PeopleRead}, s.listOnCall)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/oncall/shifts", ID: "listShifts", Scope: access.PeopleRead}, s.listShifts)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/oncall/shifts.ics", ID: "getShiftCalendar", Scope: access.PeopleRead, Media: calendarMedia}, s.shiftCalendar)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/oncall/overrides", ID: "listOverrides", Scope: access.PeopleRead}, s.listOverrides)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/oncall/overrides", ID: "addOverride", Scope: access.PeopleWrite}, s.addOverride)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/oncall/overrides/{id}/end", ID: "endOverride", Scope: access.PeopleWrite}, s.endOverride)
}

func (s *server) listOnCall(ctx context.Context, in *struct {
	Service string    `query:"service" maxLength:"128"`
	Grade   string    `query:"grade" enum:"SEV-1,SEV-2,SEV-3,SEV-4" default:"SEV-1"`
	At      time.Time `query:"at"` // absent: now
	Paging
}) (*list[OnCallRole], error) {
	if in.At.IsZero() {
		in.At = s.Now()
	}
	all, err := s.OnCall.Now(ctx, in.Service, in.Grade, in.At)
	return listOf(sortedPage(all, func(o OnCallRole) string { return o.Service + "/" + o.Role }, in.Paging)), err
}

// sortedPage is pageOf for a list in any order.
func sortedPage[T any](all []T, key func(T) string, in Paging) ([]T, string) {
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(key(a), key(b)) })
	return pageOf(all, key, in)
}

// period fills in what a query leaves out.
func (s *server) period(q *ShiftQuery) error {
	if q.From.IsZero() {
		q.From = s.Now()
	}
	if q.To.IsZero() {
		q.To = q.From.AddDate(0, 0, 30)
	}
	if !q.To.After(q.From) || q.To.Sub(q.From) > mostAhead {
		return continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "calendar.window-length", "max", "400d")
	}
	return nil
}

func (s *server) listShifts(ctx context.Context, in *struct {
	ShiftQuery
	Paging
}) (*list[continuity.Shift], error) {
	if err := s.period(&in.ShiftQuery); err != nil {
		return nil, err
	}
	all, err := s.OnCall.Shifts(ctx, in.ShiftQuery)
	return listOf(sortedPage(all, func(v continuity.Shift) string {
		return v.Start.UTC().Format("2006-01-02T15:04:05.000000000Z") + "/" + v.Rota
	}, in.Paging)), err
}

// calendarFile is an answer that programs of calendars read.
type calendarFile struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// shiftCalendar tells the shifts of the last month and of those to come.
func (s *server) shiftCalendar(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Rota    string `query:"rota" maxLength:"200"`
	Person  string `query:"for" maxLength:"200"`
}) (*calendarFile, error) {
	q := ShiftQuery{Service: in.Service, Rota: in.Rota, Person: in.Person, From: s.Now().AddDate(0, -1, 0), To: s.Now().AddDate(0, 6, 0)}
	file, err := s.OnCall.Calendar(ctx, q, langOf(ctx))
	return &calendarFile{calendarMedia + "; charset=utf-8", file}, err
}

func (s *server) listOverrides(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Past    bool   `query:"past" default:"false"`
	Paging
}) (*list[ShownOverride], error) {
	all, err := s.OnCall.Overrides(ctx, in.Service, in.Past)
	return listOf(sortedPage(all, func(o ShownOverride) string { return o.ID }, in.Paging)), err
}

// OverrideAsked is who is to stand in for whoever's turn it is.
type OverrideAsked struct {
	Rota   string    `json:"rota" minLength:"3" maxLength:"200"` // SERVICE/ROTA
	Person string    `json:"person" minLength:"1" maxLength:"200"`
	From   time.Time `json:"from,omitzero"` // absent: now
	Until  time.Time `json:"until"`
	Why    string    `json:"why,omitempty" maxLength:"1000"`
}

func (s *server) addOverride(ctx context.Context, in *struct{ Body OverrideAsked }) (*plain[continuity.Override], error) {
	b := in.Body
	o, err := s.OnCall.AddOverride(ctx, actorOf(ctx), continuity.Override{Rota: b.Rota, Person: b.Person, From: b.From, Until: b.Until, Why: b.Why})
	return &plain[continuity.Override]{o}, err
}

func (s *server) endOverride(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"300"`
	Body struct {
		Why string `json:"why,omitempty" maxLength:"1000"`
	}
}) (*plain[continuity.Override], error) {
	o, err := s.OnCall.EndOverride(ctx, actorOf(ctx), in.ID, in.Body.Why)
	return &plain[continuity.Override]{o}, err
}
