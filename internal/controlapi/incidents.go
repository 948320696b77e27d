package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// Incidents are what people see of incidents and do in them.
type Incidents interface {
	List(ctx context.Context, q incident.Query) (page []incident.Kept, next string, err error)
	Get(ctx context.Context, id string) (incident.Kept, error)
	Below(ctx context.Context, id string) (IncidentParts, error)
	Timeline(ctx context.Context, id string) ([]incident.TimelineEntry, error)
	Figures(ctx context.Context, id string) (incident.Figures, error)

	Declare(ctx context.Context, by incident.By, ask incident.Asking) (incident.Kept, error)
	Grade(ctx context.Context, by incident.By, id string, version int64, g incident.Grading) (incident.Kept, error)
	State(ctx context.Context, by incident.By, id string, version int64, s incident.Stating) (incident.Kept, error)
	Phase(ctx context.Context, by incident.By, id string, version int64, phase, why string) (incident.Kept, error)
	Expect(ctx context.Context, by incident.By, id string, version int64, expected, next time.Time, why string) (incident.Kept, error)
	Take(ctx context.Context, by incident.By, id string, version int64, role, who, why string) (incident.Kept, error)
	HandOver(ctx context.Context, by incident.By, id string, version int64, to, why string) (incident.Kept, error)
	Merge(ctx context.Context, by incident.By, id string, version int64, into, why string) (incident.Kept, error)
	Split(ctx context.Context, by incident.By, id string, version int64, ask incident.Asking) (incident.Kept, error)
	Reopen(ctx context.Context, by incident.By, id string, version int64, why string) (incident.Kept, error)
	Close(ctx context.Context, by incident.By, id string, version int64, causes []string, summary, despite string) (incident.Kept, error)
	Review(ctx context.Context, by incident.By, id string, version int64, note string) (incident.Kept, error)
	Personal(ctx context.Context, by incident.By, id string, version int64, since time.Time, why string) (incident.Kept, error)

	Assign(ctx context.Context, by incident.By, id, text, owner string, due time.Time) (continuity.Task, error)
	Finish(ctx context.Context, by incident.By, id string, dropped bool, reason string) (continuity.Task, error)
	Decide(ctx context.Context, by incident.By, id, text, why string) (continuity.Decision, error)
	Report(ctx context.Context, by incident.By, id string, s continuity.Situation) (continuity.Situation, error)
	Use(ctx context.Context, by incident.By, id, resource string, count int, text string) (continuity.Used, error)
	Note(ctx context.Context, by incident.By, id, text string) (continuity.Note, error)
}

// IncidentParts are what stands below an incident.
type IncidentParts struct {
	Tasks      []continuity.Task      `json:"tasks" nullable:"false"`
	Decisions  []continuity.Decision  `json:"decisions" nullable:"false"`
	Situations []continuity.Situation `json:"situations" nullable:"false"`
	Resources  []continuity.Used      `json:"resources" nullable:"false"`
	Notes      []continuity.Note      `json:"notes" nullable:"false"`

	RoleNames map[string]continuity.Text `json:"role_names,omitempty"` // as the plan calls them
}

// IncidentDetail is an incident with what stands below it.
type IncidentDetail struct {
	continuity.Incident
	IncidentParts
	Waiting []continuity.Update `json:"waiting" nullable:"false"` // words that nobody has approved yet
}

// IncidentBegin declares an incident.
type IncidentBegin struct {
	Service  string          `json:"service" minLength:"1" maxLength:"63"`
	Scenario string          `json:"scenario,omitempty" maxLength:"63"`
	Grade    string          `json:"grade,omitempty" maxLength:"10"` // absent: the scenario's
	Title    continuity.Text `json:"title,omitzero"`                 // absent: the scenario's name
	Hits     []string        `json:"hits,omitempty" maxItems:"100"`  // processes and components; absent: what the scenario hits
	Started  time.Time       `json:"started,omitzero"`               // of the fault; absent: now
	Exercise string          `json:"exercise,omitempty" maxLength:"128"`
	Why      string          `json:"why" minLength:"1" maxLength:"2000"`
}

// IncidentSplit makes an incident of a part of another one.
type IncidentSplit struct {
	Scenario string          `json:"scenario,omitempty" maxLength:"63"`
	Grade    string          `json:"grade,omitempty" maxLength:"10"`
	Title    continuity.Text `json:"title,omitzero"`
	Hits     []string        `json:"hits,omitempty" maxItems:"100"` // which the other one no longer hits
	Why      string          `json:"why" minLength:"1" maxLength:"2000"`
}

const incidents = "/api/v1/incidents"

func registerIncidents(s *server) {
	read := func(path, id string) operation {
		return operation{Method: http.MethodGet, Path: path, ID: id, Scope: access.IncidentsRead}
	}
	edit := func(what, id string) operation {
		return operation{Method: http.MethodPut, Path: incidents + "/{id}/" + what, ID: id, Scope: access.IncidentsWrite, Edit: true}
	}
	add := func(what, id string) operation {
		return operation{Method: http.MethodPost, Path: incidents + "/{id}/" + what, ID: id, Scope: access.IncidentsWrite}
	}
	register(s, read(incidents, "listIncidents"), s.listIncidents)
	register(s, read(incidents+"/{id}", "getIncident"), s.getIncident)
	register(s, read(incidents+"/{id}/timeline", "getIncidentTimeline"), s.getIncidentTimeline)
	register(s, read(incidents+"/{id}/figures", "getIncidentFigures"), s.getIncidentFigures)
	register(s, operation{Method: http.MethodPost, Path: incidents, ID: "declareIncident", Scope: access.IncidentsWrite}, s.declareIncident)
	register(s, edit("grade", "gradeIncident"), s.gradeIncident)
	register(s, edit("state", "setIncidentState"), s.setIncidentState)
	register(s, edit("phase", "setIncidentPhase"), s.setIncidentPhase)
	register(s, edit("expected", "expectIncident"), s.expectIncident)
	register(s, edit("roles/{role}", "takeIncidentRole"), s.takeIncidentRole)
	register(s, edit("command", "handOverIncident"), s.handOverIncident)
	register(s, edit("merge", "mergeIncident"), s.mergeIncident)
	register(s, edit("split", "splitIncident"), s.splitIncident)
	register(s, edit("reopen", "reopenIncident"), s.reopenIncident)
	register(s, edit("close", "closeIncident"), s.closeIncident)
	register(s, edit("review", "reviewIncident"), s.reviewIncident)
	register(s, edit("personal-data", "markIncidentPersonal"), s.markIncidentPersonal)
	register(s, add("tasks", "assignIncidentTask"), s.assignIncidentTask)
	register(s, operation{Method: http.MethodPut, Path: "/api/v1/incident-tasks/{id}/state", ID: "endIncidentTask", Scope: access.IncidentsWrite}, s.endIncidentTask)
	register(s, add("decisions", "decideInIncident"), s.decideInIncident)
	register(s, add("situations", "reportIncidentSituation"), s.reportIncidentSituation)
	register(s, add("resources", "useInIncident"), s.useInIncident)
	register(s, add("notes", "noteInIncident"), s.noteInIncident)
}

// incidentBy is who acts in an incident.
func incidentBy(ctx context.Context) incident.By {
	c := callerOf(ctx)
	return incident.By{Actor: c.Actor, Trusted: c.Scopes.Has(access.IncidentsCommand)}
}

func shownIncident(k incident.Kept, err error) (*object[continuity.Incident], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Incident, k.Version), nil
}

func (s *server) listIncidents(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	All     bool   `query:"all" default:"false"` // those that are closed or merged, too
	Paging
}) (*list[continuity.Incident], error) {
	page, next, err := s.Incidents.List(ctx, incident.Query{Service: in.Service, All: in.All, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	items := make([]continuity.Incident, len(page))
	for i := range page {
		items[i] = page[i].Incident
	}
	return listOf(items, next), nil
}

// IncidentPath names an incident.
type IncidentPath struct {
	ID string `path:"id" maxLength:"300"`
}

func (s *server) getIncident(ctx context.Context, in *IncidentPath) (*object[IncidentDetail], error) {
	k, err := s.Incidents.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	parts, err := s.Incidents.Below(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	words, err := s.Updates.List(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	d := IncidentDetail{k.Incident, parts, []continuity.Update{}}
	for i := range words {
		if words[i].State == continuity.UpdateDraft {
			d.Waiting = append(d.Waiting, words[i].Update)
		}
	}
	return objectOf(d, k.Version), nil
}

func (s *server) getIncidentTimeline(ctx context.Context, in *struct {
	IncidentPath
	Paging
}) (*list[incident.TimelineEntry], error) {
	all, err := s.Incidents.Timeline(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return listOf(pageOf(all, func(e incident.TimelineEntry) string { return e.Cursor() }, in.Paging)), nil
}

func (s *server) getIncidentFigures(ctx context.Context, in *IncidentPath) (*plain[incident.Figures], error) {
	f, err := s.Incidents.Figures(ctx, in.ID)
	return &plain[incident.Figures]{f}, err
}

func (s *server) declareIncident(ctx context.Context, in *struct{ Body IncidentBegin }) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Declare(ctx, incidentBy(ctx), incident.Asking(in.Body)))
}

func (s *server) gradeIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Grade string   `json:"grade,omitempty" maxLength:"10"`
		Scope string   `json:"scope,omitempty" enum:"one,office,everyone"`
		Hits  []string `json:"hits,omitempty" maxItems:"100"` // processes and components; absent: as before
		Why   string   `json:"why" minLength:"1" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Grade(ctx, incidentBy(ctx), in.ID, versionOf(ctx), incident.Grading(in.Body)))
}

func (s *server) setIncidentState(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		State    string    `json:"state" enum:"investigating,identified,monitoring,resolved"`
		Why      string    `json:"why,omitempty" maxLength:"2000"`
		Restored time.Time `json:"restored,omitzero"`                  // since when it works again; absent: now, where it does
		Despite  string    `json:"despite,omitempty" maxLength:"2000"` // why it is so although what it came of is bad
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.State(ctx, incidentBy(ctx), in.ID, versionOf(ctx), incident.Stating(in.Body)))
}

func (s *server) setIncidentPhase(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Phase string `json:"phase" enum:"activation,recovery,reconstitution"`
		Why   string `json:"why,omitempty" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Phase(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Phase, in.Body.Why))
}

func (s *server) expectIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Expected time.Time `json:"expected,omitzero"`    // recovery; absent: as before
		Next     time.Time `json:"next_update,omitzero"` // when people are told next; absent: as before
		Why      string    `json:"why,omitempty" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Expect(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Expected, in.Body.Next, in.Body.Why))
}

func (s *server) takeIncidentRole(ctx context.Context, in *struct {
	IncidentPath
	Role string `path:"role" maxLength:"63"`
	Body struct {
		Person string `json:"person,omitempty" maxLength:"128"` // absent: whoever asks
		Why    string `json:"why,omitempty" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Take(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Role, in.Body.Person, in.Body.Why))
}

func (s *server) handOverIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		To  string `json:"to" minLength:"1" maxLength:"128"`
		Why string `json:"why" minLength:"1" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.HandOver(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.To, in.Body.Why))
}

func (s *server) mergeIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Into string `json:"into" minLength:"1" maxLength:"300"`
		Why  string `json:"why" minLength:"1" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Merge(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Into, in.Body.Why))
}

func (s *server) splitIncident(ctx context.Context, in *struct {
	IncidentPath
	Body IncidentSplit
}) (*object[continuity.Incident], error) {
	b := in.Body
	return shownIncident(s.Incidents.Split(ctx, incidentBy(ctx), in.ID, versionOf(ctx), incident.Asking{
		Scenario: b.Scenario, Grade: b.Grade, Title: b.Title, Hits: b.Hits, Why: b.Why,
	}))
}

func (s *server) reopenIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Reopen(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) closeIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Causes  []string `json:"causes" maxItems:"12"` // kinds of cause, as plans name them
		Summary string   `json:"summary,omitempty" maxLength:"4000"`
		Despite string   `json:"despite,omitempty" maxLength:"2000"` // why it is closed although relays still hold in its name
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Close(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Causes, in.Body.Summary, in.Body.Despite))
}

func (s *server) reviewIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Note string `json:"note,omitempty" maxLength:"4000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Review(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Note))
}

func (s *server) markIncidentPersonal(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Since time.Time `json:"since,omitzero"` // it is known; absent: now
		Why   string    `json:"why" minLength:"1" maxLength:"2000"`
	}
}) (*object[continuity.Incident], error) {
	return shownIncident(s.Incidents.Personal(ctx, incidentBy(ctx), in.ID, versionOf(ctx), in.Body.Since, in.Body.Why))
}

func plainOf[T any](v T, err error) (*plain[T], error) {
	if err != nil {
		return nil, err
	}
	return &plain[T]{v}, nil
}

func (s *server) assignIncidentTask(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Text  string    `json:"text" minLength:"1" maxLength:"4000"`
		Owner string    `json:"owner,omitempty" maxLength:"128"` // a person or a role; absent: whoever asks
		Due   time.Time `json:"due,omitzero"`
	}
}) (*plain[continuity.Task], error) {
	return plainOf(s.Incidents.Assign(ctx, incidentBy(ctx), in.ID, in.Body.Text, in.Body.Owner, in.Body.Due))
}

func (s *server) endIncidentTask(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"300"`
	Body struct {
		State  string `json:"state" enum:"done,dropped"`
		Reason string `json:"reason,omitempty" maxLength:"2000"` // has to be said where it is dropped
	}
}) (*plain[continuity.Task], error) {
	return plainOf(s.Incidents.Finish(ctx, incidentBy(ctx), in.ID, in.Body.State == continuity.TaskDropped, in.Body.Reason))
}

func (s *server) decideInIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"4000"`
		Why  string `json:"why" minLength:"1" maxLength:"4000"`
	}
}) (*plain[continuity.Decision], error) {
	return plainOf(s.Incidents.Decide(ctx, incidentBy(ctx), in.ID, in.Body.Text, in.Body.Why))
}

func (s *server) reportIncidentSituation(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Conditions string `json:"conditions" minLength:"1" maxLength:"4000"`
		Actions    string `json:"actions,omitempty" maxLength:"4000"`
		Needs      string `json:"needs,omitempty" maxLength:"4000"`
		Department string `json:"department,omitempty" maxLength:"100"`
	}
}) (*plain[continuity.Situation], error) {
	b := in.Body
	return plainOf(s.Incidents.Report(ctx, incidentBy(ctx), in.ID, continuity.Situation{
		Conditions: b.Conditions, Actions: b.Actions, Needs: b.Needs, Department: b.Department,
	}))
}

func (s *server) useInIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Resource string `json:"resource" minLength:"1" maxLength:"300"` // of the plan, or any other in words
		Count    int    `json:"count,omitempty" minimum:"1" maximum:"1000000" default:"1"`
		Text     string `json:"text,omitempty" maxLength:"2000"`
	}
}) (*plain[continuity.Used], error) {
	return plainOf(s.Incidents.Use(ctx, incidentBy(ctx), in.ID, in.Body.Resource, max(in.Body.Count, 1), in.Body.Text))
}

func (s *server) noteInIncident(ctx context.Context, in *struct {
	IncidentPath
	Body struct {
		Text string `json:"text" minLength:"1" maxLength:"4000"`
	}
}) (*plain[continuity.Note], error) {
	return plainOf(s.Incidents.Note(ctx, incidentBy(ctx), in.ID, in.Body.Text))
}
