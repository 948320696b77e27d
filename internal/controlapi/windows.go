package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
)

// Windows are the times in which services are worked on, before they begin.
type Windows interface {
	List(ctx context.Context, q maintenance.Query) (page []maintenance.Kept, next string, err error)
	Get(ctx context.Context, id string) (maintenance.WindowDetail, int64, error)
	Zone(service string) string
	Proposals(ctx context.Context, service string, wish maintenance.Wish) ([]maintenance.WindowTime, error)
	Propose(ctx context.Context, by continuity.Actor, d maintenance.Draft) (maintenance.Kept, error)
	Schedule(ctx context.Context, by continuity.Actor, id string, version int64, p maintenance.Plan) (maintenance.Kept, error)
	Change(ctx context.Context, by continuity.Actor, id string, version int64, d maintenance.Draft) (maintenance.Kept, error)
	Cancel(ctx context.Context, by continuity.Actor, id string, version int64, reason continuity.Text) (maintenance.Kept, error)
	Ready(ctx context.Context, by continuity.Actor, id, item string, version int64, state, reason string) (maintenance.Kept, error)

	Series(ctx context.Context, service string, past bool, cursor string, limit int) (page []maintenance.KeptSeries, next string, err error)
	GetSeries(ctx context.Context, id string) (maintenance.SeriesDetail, int64, error)
	AddSeries(ctx context.Context, by continuity.Actor, s continuity.WindowSeries) (maintenance.KeptSeries, error)
	EndSeries(ctx context.Context, by continuity.Actor, id string, version int64) (maintenance.KeptSeries, error)

	Feed(ctx context.Context, service, lang string) ([]byte, error)
}

// WindowDraft is what a window is to be like. What is absent stays as it is, or as the
// plan says.
type WindowDraft struct {
	Start     *time.Time       `json:"start,omitempty"`
	End       *time.Time       `json:"end,omitempty"`
	Title     *continuity.Text `json:"title,omitempty"`
	Reason    *continuity.Text `json:"reason,omitempty"`
	Affected  *[]string        `json:"affected,omitempty" maxItems:"100"` // processes, components, dependencies, flows; none: all
	Hits      *continuity.Text `json:"hits,omitempty"`                    // whom it hits
	Meanwhile *continuity.Text `json:"meanwhile,omitempty"`               // what they do meanwhile
	Contact   *string          `json:"contact,omitempty" maxLength:"300"`
	Standby   *string          `json:"standby,omitempty" maxLength:"300"`
	Despite   string           `json:"despite,omitempty" maxLength:"1000"` // why it lies where it does, whatever it falls on
}

func (d *WindowDraft) draft() maintenance.Draft {
	return maintenance.Draft{
		Start: d.Start, End: d.End, Title: d.Title, Reason: d.Reason, Affected: d.Affected, Hits: d.Hits, Meanwhile: d.Meanwhile,
		Contact: d.Contact, Standby: d.Standby, Despite: d.Despite,
	}
}

// NewWindow is a window that somebody proposes.
type NewWindow struct {
	WindowDraft

	Service  string `json:"service" minLength:"1" maxLength:"128"`
	Kind     string `json:"kind,omitempty" enum:"planned,emergency" default:"planned"`
	Exercise string `json:"exercise,omitempty" maxLength:"64"` // the drill that it is part of
}

// WindowPlan is how a window is scheduled.
type WindowPlan struct {
	Despite string            `json:"despite,omitempty" maxLength:"1000"` // why it lies where it does, whatever it falls on
	Waive   map[string]string `json:"waive,omitempty"`                    // why what must be so need not be, by item
}

// WindowCancel is why a window does not take place.
type WindowCancel struct {
	Reason continuity.Text `json:"reason"`
}

// WindowReady is a person's word on what must be so before a window begins.
type WindowReady struct {
	State  string `json:"state" enum:"yes,no,unknown,waived"`
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

// WindowProposals are times in which a window would disturb little, the best first.
type WindowProposals struct {
	Items []maintenance.WindowTime `json:"items" nullable:"false"`
	Zone  string                   `json:"zone"` // of the service
}

func registerWindows(s *server) {
	const all = "/api/v1/windows"
	read, write := access.WindowsRead, access.WindowsWrite
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listWindows", Scope: read}, s.listWindows)
	register(s, operation{Method: http.MethodGet, Path: all + "/proposals", ID: "proposeTimes", Scope: read, Asks: true}, s.proposeTimes)
	register(s, operation{Method: http.MethodGet, Path: all + "/{id}", ID: "getWindow", Scope: read}, s.getWindow)
	register(s, operation{Method: http.MethodPost, Path: all, ID: "proposeWindow", Scope: write}, s.proposeWindow)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/schedule", ID: "scheduleWindow", Scope: write, Edit: true}, s.scheduleWindow)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/change", ID: "changeWindow", Scope: write, Edit: true}, s.changeWindow)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/cancel", ID: "cancelWindow", Scope: write, Edit: true}, s.cancelWindow)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/ready/{item}", ID: "readyWindow", Scope: write, Edit: true}, s.readyWindow)
}

func shownWindow(k maintenance.Kept, err error) (*object[continuity.Window], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Window, k.Version), nil
}

func (s *server) listWindows(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	State   string `query:"state" enum:"proposed,scheduled,running,overrun,verifying,readmitting,done,cancelled,failed"`
	Series  string `query:"series" maxLength:"300"`
	All     bool   `query:"all" default:"false"` // those that are over, too
	Paging
}) (*list[continuity.Window], error) {
	page, next, err := s.Windows.List(ctx, maintenance.Query{Service: in.Service, State: in.State, Series: in.Series, All: in.All, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Window, len(page))
	for i := range page {
		items[i] = page[i].Window
	}
	return listOf(items, next), nil
}

func (s *server) proposeTimes(ctx context.Context, in *struct {
	Service string    `query:"service" required:"true" minLength:"1" maxLength:"128"`
	Minutes int       `query:"minutes" required:"true" minimum:"1" maximum:"44640"` // how long it is to be
	From    time.Time `query:"from"`                                                // absent: when all notices can still be told
	Until   time.Time `query:"until"`                                               // absent: four weeks later
	Count   int       `query:"count" minimum:"1" maximum:"20" default:"5"`

	Exercise string `query:"exercise" maxLength:"64"` // by whose clock
}) (*plain[WindowProposals], error) {
	found, err := s.Windows.Proposals(ctx, in.Service, maintenance.Wish{
		Length: time.Duration(in.Minutes) * time.Minute, From: in.From, Until: in.Until, Count: in.Count, Exercise: in.Exercise,
	})
	if found == nil {
		found = []maintenance.WindowTime{}
	}
	return &plain[WindowProposals]{WindowProposals{found, s.Windows.Zone(in.Service)}}, err
}

// WindowID names a window or a series.
type WindowID struct {
	ID string `path:"id" maxLength:"300"`
}

func (s *server) getWindow(ctx context.Context, in *WindowID) (*object[maintenance.WindowDetail], error) {
	d, version, err := s.Windows.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return objectOf(d, version), nil
}

func (s *server) proposeWindow(ctx context.Context, in *struct{ Body NewWindow }) (*object[continuity.Window], error) {
	d := in.Body.draft()
	d.Service, d.Kind, d.Exercise = in.Body.Service, in.Body.Kind, in.Body.Exercise
	return shownWindow(s.Windows.Propose(ctx, actorOf(ctx), d))
}

func (s *server) scheduleWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowPlan
}) (*object[continuity.Window], error) {
	return shownWindow(s.Windows.Schedule(ctx, actorOf(ctx), in.ID, versionOf(ctx), maintenance.Plan(in.Body)))
}

func (s *server) changeWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowDraft
}) (*object[continuity.Window], error) {
	return shownWindow(s.Windows.Change(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.draft()))
}

func (s *server) cancelWindow(ctx context.Context, in *struct {
	WindowID

	Body WindowCancel
}) (*object[continuity.Window], error) {
	return shownWindow(s.Windows.Cancel(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Reason))
}

func (s *server) readyWindow(ctx context.Context, in *struct {
	WindowID

	Item string `path:"item" maxLength:"128"`
	Body WindowReady
}) (*object[continuity.Window], error) {
	return shownWindow(s.Windows.Ready(ctx, actorOf(ctx), in.ID, in.Item, versionOf(ctx), in.Body.State, in.Body.Reason))
}
