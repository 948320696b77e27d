package controlapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
)

// NewSeries is windows that are to recur.
type NewSeries struct {
	Service   string          `json:"service" minLength:"1" maxLength:"128"`
	Title     continuity.Text `json:"title,omitzero"`
	Reason    continuity.Text `json:"reason,omitzero"`
	Affected  []string        `json:"affected,omitempty" maxItems:"100"`
	Hits      continuity.Text `json:"hits,omitzero"`
	Meanwhile continuity.Text `json:"meanwhile,omitzero"`
	Contact   string          `json:"contact,omitempty" maxLength:"300"`
	Standby   string          `json:"standby,omitempty" maxLength:"300"`
	Rule      string          `json:"rule" minLength:"1" maxLength:"512"`                     // an RRULE of days, weeks, months or years
	Zone      string          `json:"zone,omitempty" maxLength:"64"`                          // absent: the service's
	First     string          `json:"first,omitempty" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"` // absent: today
	From      string          `json:"from" pattern:"^[0-9]{2}:[0-9]{2}$"`                     // local times of day
	To        string          `json:"to,omitempty" pattern:"^[0-9]{2}:[0-9]{2}$"`
	Minutes   int             `json:"minutes,omitempty" minimum:"1" maximum:"44640"` // that pass, instead of a time of day
	Exercise  string          `json:"exercise,omitempty" maxLength:"64"`
}

const feedPath = "/api/v1/calendar.ics"

func registerSeries(s *server) {
	const all = "/api/v1/window-series"
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listWindowSeries", Scope: access.WindowsRead}, s.listSeries)
	register(s, operation{Method: http.MethodGet, Path: all + "/{id}", ID: "getWindowSeries", Scope: access.WindowsRead}, s.getSeries)
	register(s, operation{Method: http.MethodPost, Path: all, ID: "addWindowSeries", Scope: access.WindowsWrite}, s.addSeries)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/end", ID: "endWindowSeries", Scope: access.WindowsWrite, Edit: true}, s.endSeries)
}

func shownSeries(k maintenance.KeptSeries, err error) (*object[continuity.WindowSeries], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.WindowSeries, k.Version), nil
}

func (s *server) listSeries(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Past    bool   `query:"past" default:"false"`
	Paging
}) (*list[continuity.WindowSeries], error) {
	page, next, err := s.Windows.Series(ctx, in.Service, in.Past, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]continuity.WindowSeries, len(page))
	for i := range page {
		items[i] = page[i].WindowSeries
	}
	return listOf(items, next), nil
}

func (s *server) getSeries(ctx context.Context, in *WindowID) (*object[maintenance.SeriesDetail], error) {
	d, version, err := s.Windows.GetSeries(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return objectOf(d, version), nil
}

func (s *server) addSeries(ctx context.Context, in *struct{ Body NewSeries }) (*object[continuity.WindowSeries], error) {
	b := in.Body
	return shownSeries(s.Windows.AddSeries(ctx, actorOf(ctx), continuity.WindowSeries{
		Service: b.Service, Title: b.Title, Reason: b.Reason, Affected: b.Affected, Hits: b.Hits, Meanwhile: b.Meanwhile, Contact: b.Contact,
		Standby: b.Standby, Rule: b.Rule, Zone: b.Zone, First: b.First, From: b.From, To: b.To, Minutes: b.Minutes, Exercise: b.Exercise,
	}))
}

func (s *server) endSeries(ctx context.Context, in *WindowID) (*object[continuity.WindowSeries], error) {
	return shownSeries(s.Windows.EndSeries(ctx, actorOf(ctx), in.ID, versionOf(ctx)))
}

// feed shows the windows as a calendar. Its address bears the token, as programs that
// show calendars send no headers: it stands in logs and settings of others, so that
// one with which more can be done is refused there.
func (s *server) feed(w http.ResponseWriter, r *http.Request) {
	asked, inAddress := r, r.URL.Query().Get("token")
	if inAddress != "" {
		asked = r.Clone(r.Context())
		asked.Header.Set("Authorization", "Bearer "+strings.TrimSpace(inAddress))
		asked.Header.Del(access.PersonHeader)
	}
	caller, err := s.admit(asked, access.CalendarRead)
	if err == nil && inAddress != "" && len(caller.Scopes) != 1 {
		err = continuity.E(continuity.CodeForbidden, errors.New("a token in an address that may do more than read a calendar"), "calendar", true)
	}
	if continuity.CodeOf(err) == continuity.CodeForbidden {
		err = continuity.E(continuity.CodeForbidden, err, "calendar", true)
	}
	if err != nil {
		s.turnAway(w, r, err)
		return
	}
	text, err := s.Windows.Feed(r.Context(), r.URL.Query().Get("service"), string(catalogue.Accept(r.Header.Get("Accept-Language"))))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8; method=PUBLISH")
	w.Header().Set("Content-Disposition", `inline; filename="holdfast.ics"`)
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(text) // #nosec G705 -- text/calendar, and never sniffed
}
