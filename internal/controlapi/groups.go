package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

// VersionedGroup is a group with its version.
type VersionedGroup struct {
	continuity.Group

	Version int64
	Gone    []string
}

// Groups are the people who are told together.
type Groups interface {
	Group(ctx context.Context, id string) (VersionedGroup, error)
	ListGroups(ctx context.Context, cursor string, limit int) (page []VersionedGroup, next string, err error)
	PutGroup(ctx context.Context, by continuity.Actor, g continuity.Group, version int64, reason string) (VersionedGroup, error)
	EndGroup(ctx context.Context, by continuity.Actor, id string, version int64, reason string) error
}

// ShownGroup is a group with those of it whom nobody can count on.
type ShownGroup struct {
	continuity.Group

	Gone []string `json:"gone,omitempty"` // have left, or are not known any more
}

func registerGroups(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/groups", ID: "listGroups", Scope: access.PeopleRead}, s.listGroups)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/groups/{id}", ID: "getGroup", Scope: access.PeopleRead}, s.getGroup)
	register(s, operation{Method: http.MethodPut, Path: "/api/v1/groups/{id}", ID: "putGroup", Scope: access.PeopleWrite, Edit: true}, s.putGroup)
	register(s, operation{Method: http.MethodDelete, Path: "/api/v1/groups/{id}", ID: "endGroup", Scope: access.PeopleWrite, Edit: true}, s.endGroup)
}

func shownGroup(g VersionedGroup) ShownGroup { return ShownGroup{g.Group, g.Gone} }

func (s *server) listGroups(ctx context.Context, in *struct{ Paging }) (*list[ShownGroup], error) {
	page, next, err := s.Groups.ListGroups(ctx, in.Cursor, in.Limit)
	items := make([]ShownGroup, len(page))
	for i, g := range page {
		items[i] = shownGroup(g)
	}
	return listOf(items, next), err
}

func (s *server) getGroup(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"63"`
}) (*object[ShownGroup], error) {
	g, err := s.Groups.Group(ctx, in.ID)
	return objectOf(shownGroup(g), g.Version), err
}

func (s *server) putGroup(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"63"`
	Body struct {
		Name   continuity.Text `json:"name,omitzero"`
		People []string        `json:"people" minItems:"1" maxItems:"1000"`
		Until  time.Time       `json:"until,omitzero"` // it ends by itself then
		About  string          `json:"about,omitempty" maxLength:"300"`
		Reason string          `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*object[ShownGroup], error) {
	b := in.Body
	g, err := s.Groups.PutGroup(ctx, actorOf(ctx), continuity.Group{ID: in.ID, Name: b.Name, People: b.People, Until: b.Until, About: b.About}, versionOf(ctx), b.Reason)
	return objectOf(shownGroup(g), g.Version), err
}

func (s *server) endGroup(ctx context.Context, in *struct {
	ID     string `path:"id" maxLength:"63"`
	Reason string `query:"reason" maxLength:"1000"`
}) (*nothing, error) {
	return nil, s.Groups.EndGroup(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Reason)
}
