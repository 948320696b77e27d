package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
)

// Notices is what providers announce, and what people say of it.
type Notices interface {
	List(ctx context.Context, q notices.Query) (page []notices.Kept, next string, err error)
	Get(ctx context.Context, id string) (notices.Kept, error)
	Confirm(ctx context.Context, by continuity.Actor, id string, version int64, e notices.Edit) (notices.Kept, error)
	Dismiss(ctx context.Context, by continuity.Actor, id string, version int64, why string) (notices.Kept, error)
	Paste(ctx context.Context, by continuity.Actor, service, title, text string, written time.Time) (notices.Kept, error)
	Sources(ctx context.Context, service string) ([]notices.SourceState, error)
}

// NoticePaste is a provider's words that a person has before them.
type NoticePaste struct {
	Service string    `json:"service" minLength:"1" maxLength:"128"`
	Title   string    `json:"title,omitempty" maxLength:"1000"`
	Text    string    `json:"text" maxLength:"65536"`
	Written time.Time `json:"written,omitzero"` // when the provider wrote it
}

// NoticeConfirmation is what a person mends when they confirm; what is absent
// stays as it was read.
type NoticeConfirmation struct {
	Title      *string    `json:"title,omitempty" maxLength:"300"`
	Kind       *string    `json:"kind,omitempty" enum:"maintenance,emergency,outage"`
	Start      *time.Time `json:"start,omitempty"`
	End        *time.Time `json:"end,omitempty"`
	Components *[]string  `json:"components,omitempty" maxItems:"100"`
	Level      *string    `json:"level,omitempty" enum:"blue,yellow,orange,red"`
	Window     int        `json:"window,omitempty" minimum:"0" maximum:"100"` // which of the candidates, from 1
	About      string     `json:"about,omitempty" maxLength:"64"`             // which notice is over or cancelled
	Note       string     `json:"note,omitempty" maxLength:"1000"`
}

func registerNotices(s *server) {
	const one = "/api/v1/notices/{id}"
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/notices", ID: "listNotices", Scope: access.NoticesRead}, s.listNotices)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getNotice", Scope: access.NoticesRead}, s.getNotice)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/notice-sources", ID: "listNoticeSources", Scope: access.NoticesRead}, s.listNoticeSources)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/notices", ID: "pasteNotice", Scope: access.NoticesWrite}, s.pasteNotice)
	register(s, operation{Method: http.MethodPut, Path: one + "/confirmation", ID: "confirmNotice", Scope: access.NoticesWrite, Edit: true}, s.confirmNotice)
	register(s, operation{Method: http.MethodPut, Path: one + "/dismissal", ID: "dismissNotice", Scope: access.NoticesWrite, Edit: true}, s.dismissNotice)
}

func (s *server) listNotices(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	All     bool   `query:"all" default:"false"` // also what was answered and is over
	Paging
}) (*list[notices.Proposal], error) {
	page, next, err := s.Notices.List(ctx, notices.Query{Service: in.Service, All: in.All, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	items := make([]notices.Proposal, len(page))
	for i := range page {
		items[i] = page[i].Proposal
	}
	return listOf(items, next), nil
}

func (s *server) getNotice(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
}) (*object[notices.Proposal], error) {
	return shownNotice(s.Notices.Get(ctx, in.ID))
}

func shownNotice(k notices.Kept, err error) (*object[notices.Proposal], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(k.Proposal, k.Version), nil
}

func (s *server) listNoticeSources(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Paging
}) (*list[notices.SourceState], error) {
	all, err := s.Notices.Sources(ctx, in.Service)
	return listOf(pageOf(all, func(s notices.SourceState) string { return s.Service + "/" + s.Source }, in.Paging)), err
}

func (s *server) pasteNotice(ctx context.Context, in *struct{ Body NoticePaste }) (*object[notices.Proposal], error) {
	return shownNotice(s.Notices.Paste(ctx, actorOf(ctx), in.Body.Service, in.Body.Title, in.Body.Text, in.Body.Written))
}

func (s *server) confirmNotice(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body NoticeConfirmation
}) (*object[notices.Proposal], error) {
	b := in.Body
	e := notices.Edit{Title: b.Title, Start: b.Start, End: b.End, Components: b.Components, Window: b.Window, About: b.About, Note: b.Note}
	if b.Kind != nil {
		e.Kind = new(extract.Kind(*b.Kind))
	}
	if b.Level != nil {
		e.Level = new(continuity.Level(*b.Level))
	}
	return shownNotice(s.Notices.Confirm(ctx, actorOf(ctx), in.ID, versionOf(ctx), e))
}

func (s *server) dismissNotice(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"1000"`
	}
}) (*object[notices.Proposal], error) {
	return shownNotice(s.Notices.Dismiss(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}
