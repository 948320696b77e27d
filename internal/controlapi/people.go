package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

// People are those whom plans may name.
type People interface {
	Get(ctx context.Context, id string) (continuity.Person, int64, error)
	List(ctx context.Context, cursor string, limit int) ([]continuity.Person, string, error)
	Put(ctx context.Context, actor continuity.Actor, person continuity.Person, version int64, reason string) (int64, error)
	Leave(ctx context.Context, actor continuity.Actor, id string, at time.Time, reason string) (int64, error)
	Erase(ctx context.Context, actor continuity.Actor, id, reason string) error
	// Compare says what an import would change, Import does it.
	Compare(ctx context.Context, people []continuity.Person) (continuity.PeopleChange, error)
	Import(ctx context.Context, actor continuity.Actor, people []continuity.Person, reason string) (continuity.PeopleChange, error)
	// Named lists where plans that hold name people who are in the list.
	Named(ctx context.Context, ids ...string) ([]continuity.Mention, error)
}

// NamedPerson is somebody with the places where plans that hold name them.
type NamedPerson struct {
	continuity.Person

	Gone  bool                 `json:"gone"` // has left
	Named []continuity.Mention `json:"named" nullable:"false"`
}

func registerPeople(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/people", ID: "listPeople", Scope: access.PeopleRead}, s.listPeople)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/people/{id}", ID: "getPerson", Scope: access.PeopleRead}, s.getPerson)
	register(s, operation{Method: http.MethodPut, Path: "/api/v1/people/{id}", ID: "putPerson", Scope: access.PeopleWrite, Edit: true}, s.putPerson)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/people/{id}/left", ID: "personLeft", Scope: access.PeopleWrite}, s.personLeft)
	register(s, operation{Method: http.MethodDelete, Path: "/api/v1/people/{id}", ID: "erasePerson", Scope: access.PeopleWrite}, s.erasePerson)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/people/import", ID: "importPeople", Scope: access.PeopleWrite, Body: 16 << 20}, s.importPeople)
}

func (s *server) listPeople(ctx context.Context, in *struct{ Paging }) (*list[continuity.Person], error) {
	page, next, err := s.People.List(ctx, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listOf(page, next), nil
}

func (s *server) shownPerson(ctx context.Context, id string) (*object[NamedPerson], error) {
	p, version, err := s.People.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	named, err := s.People.Named(ctx, id)
	if err != nil {
		return nil, err
	}
	if named == nil {
		named = []continuity.Mention{}
	}
	return objectOf(NamedPerson{p, p.HasLeft(s.Now()), named}, version), nil
}

func (s *server) getPerson(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*object[NamedPerson], error) {
	return s.shownPerson(ctx, in.ID)
}

func (s *server) putPerson(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"200"`
	Body struct {
		Names      map[string]string    `json:"names"`
		Addresses  []continuity.Address `json:"addresses,omitempty" maxItems:"50"`
		Department string               `json:"department,omitempty" maxLength:"200"`
		Left       time.Time            `json:"left,omitzero"`

		Language string                  `json:"language,omitempty" enum:"en,zh"`
		Zone     string                  `json:"zone,omitempty" maxLength:"100"`
		Quiet    []continuity.QuietHours `json:"quiet,omitempty" maxItems:"50"`

		Reason string `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*object[NamedPerson], error) {
	b := in.Body
	p := continuity.Person{
		ID: in.ID, Names: b.Names, Addresses: b.Addresses, Department: b.Department, Left: b.Left, Language: b.Language, Zone: b.Zone, Quiet: b.Quiet,
	}
	if _, err := s.People.Put(ctx, actorOf(ctx), p, versionOf(ctx), b.Reason); err != nil {
		return nil, err
	}
	return s.shownPerson(ctx, in.ID)
}

func (s *server) personLeft(ctx context.Context, in *struct {
	ID   string `path:"id"`
	Body struct {
		At     time.Time `json:"at,omitzero"`     // now where it isn't said
		Stays  bool      `json:"stays,omitempty"` // takes it back
		Reason string    `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*object[NamedPerson], error) {
	at := in.Body.At
	switch {
	case in.Body.Stays:
		at = time.Time{}
	case at.IsZero():
		at = s.Now().UTC().Truncate(time.Second)
	}
	if _, err := s.People.Leave(ctx, actorOf(ctx), in.ID, at, in.Body.Reason); err != nil {
		return nil, err
	}
	return s.shownPerson(ctx, in.ID)
}

func (s *server) erasePerson(ctx context.Context, in *struct {
	ID     string `path:"id"`
	Reason string `query:"reason" maxLength:"1000"`
}) (*nothing, error) {
	return nil, s.People.Erase(ctx, actorOf(ctx), in.ID, in.Reason)
}

// importPeople writes down who is new or differs, all or none. Who is not in the
// list stays, and is named.
func (s *server) importPeople(ctx context.Context, in *struct {
	Body struct {
		People []continuity.Person `json:"people" maxItems:"50000"`
		DryRun bool                `json:"dry_run,omitempty"`
		Reason string              `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*plain[continuity.PeopleChange], error) {
	if in.Body.DryRun {
		change, err := s.People.Compare(ctx, in.Body.People)
		return &plain[continuity.PeopleChange]{change}, err
	}
	change, err := s.People.Import(ctx, actorOf(ctx), in.Body.People, in.Body.Reason)
	return &plain[continuity.PeopleChange]{change}, err
}
