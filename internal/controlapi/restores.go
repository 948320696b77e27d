package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// Restores bring sets of data back.
type Restores interface {
	Choices(ctx context.Context, service string, sets []string, moment time.Time) ([]continuity.RestoreChoice, error)
	Restores(ctx context.Context, service string, past bool, cursor string, limit int) (page []keeping.KeptRestore, next string, err error)
	Restore(ctx context.Context, id string) (keeping.KeptRestore, error)
	Propose(ctx context.Context, by continuity.Actor, d keeping.Draft) (keeping.KeptRestore, error)
	Approve(ctx context.Context, by continuity.Actor, id string, version int64, note string) (keeping.KeptRestore, error)
	Switch(ctx context.Context, by continuity.Actor, id string, version int64, despite string) (keeping.KeptRestore, error)
	Skip(ctx context.Context, by continuity.Actor, id string, version int64, why string) (keeping.KeptRestore, error)
	Undo(ctx context.Context, by continuity.Actor, id string, version int64, why string) (keeping.KeptRestore, error)
	Drop(ctx context.Context, by continuity.Actor, id string, version int64) (keeping.KeptRestore, error)
	LookUp(ctx context.Context, by continuity.Actor, id string, q keeping.LookUp) (keeping.LookedUp, error)
	Show(k *keeping.KeptRestore) keeping.RestoreShown
}

// NewRestore is what is to be brought back.
type NewRestore struct {
	Service  string            `json:"service" minLength:"1" maxLength:"128"`
	Sets     []string          `json:"sets,omitempty" maxItems:"100"`   // none: all of the service
	Into     string            `json:"into" enum:"copy,beside,over"`    // by itself, beside the original, in its place
	Moment   time.Time         `json:"moment,omitzero"`                 // that is wanted; none: the newest
	Fault    time.Time         `json:"fault,omitzero"`                  // when it went wrong; none: the moment, or now
	Pick     map[string]string `json:"pick,omitempty"`                  // a full backup by set, in place of the best
	Routes   *[]string         `json:"routes,omitempty" maxItems:"100"` // held while it takes the originals' place; absent: all of the service
	Incident string            `json:"incident,omitempty" maxLength:"128"`
	Why      string            `json:"why" minLength:"1" maxLength:"1000"`
}

// NewLookUp is what is asked of a copy.
type NewLookUp struct {
	Set   string `json:"set,omitempty" maxLength:"128"` // none: the only one
	Query string `json:"query" minLength:"1" maxLength:"10000"`
	Rows  int    `json:"rows,omitempty" minimum:"1" maximum:"1000" default:"200"` // at most
}

// RestoreNote is what a person says of a restore, where they say anything.
type RestoreNote struct {
	Note string `json:"note,omitempty" maxLength:"1000"`
}

// RestoreDespite is why copies take the originals' place though they are not what was
// recorded.
type RestoreDespite struct {
	Despite string `json:"despite,omitempty" maxLength:"1000"`
}

// RestoreWhy is why a person does something.
type RestoreWhy struct {
	Why string `json:"why" minLength:"1" maxLength:"1000"`
}

// RestoreID names a restore.
type RestoreID struct {
	ID string `path:"id" maxLength:"200"`
}

func registerRestores(s *server) {
	const all, one = "/api/v1/restores", "/api/v1/restores/{id}"
	read, write := access.BackupsRead, access.BackupsRestore
	put := func(what, id string) operation {
		return operation{Method: http.MethodPut, Path: one + "/" + what, ID: id, Scope: write, Edit: true}
	}
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/restore-choices", ID: "listRestoreChoices", Scope: read, Asks: true}, s.listRestoreChoices)
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listRestores", Scope: read}, s.listRestores)
	register(s, operation{Method: http.MethodGet, Path: one, ID: "getRestore", Scope: read}, s.getRestore)
	register(s, operation{Method: http.MethodPost, Path: all, ID: "beginRestore", Scope: write}, s.beginRestore)
	// What it answers is the business's own data, which is written down nowhere.
	ask := operation{Method: http.MethodPost, Path: one + "/look-ups", ID: "lookUpInCopy", Scope: access.RestoresLookUp, Asks: true, Private: true}
	register(s, ask, s.lookUpInCopy)
	register(s, put("approve", "approveRestore"), s.approveRestore)
	register(s, put("switch", "switchRestore"), s.switchRestore)
	register(s, put("skip", "skipRestore"), s.skipRestore)
	register(s, put("undo", "undoRestore"), s.undoRestore)
	register(s, put("drop", "dropRestore"), s.dropRestore)
}

func (s *server) shownRestore(k keeping.KeptRestore, err error) (*object[keeping.RestoreShown], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(s.Restores.Show(&k), k.Version), nil
}

func (s *server) listRestoreChoices(ctx context.Context, in *struct {
	Service string    `query:"service" required:"true" minLength:"1" maxLength:"128"`
	Sets    []string  `query:"sets" maxItems:"100"`
	Moment  time.Time `query:"moment"` // absent: the newest change
}) (*list[continuity.RestoreChoice], error) {
	found, err := s.Restores.Choices(ctx, in.Service, in.Sets, in.Moment)
	if err != nil {
		return nil, err
	}
	return listOf(found, ""), nil
}

func (s *server) listRestores(ctx context.Context, in *struct {
	Service string `query:"service" maxLength:"128"`
	Past    bool   `query:"past" default:"false"` // those that are over, too
	Paging
}) (*list[keeping.RestoreShown], error) {
	page, next, err := s.Restores.Restores(ctx, in.Service, in.Past, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]keeping.RestoreShown, len(page))
	for i := range page {
		items[i] = s.Restores.Show(&page[i])
	}
	return listOf(items, next), nil
}

func (s *server) getRestore(ctx context.Context, in *RestoreID) (*object[keeping.RestoreShown], error) {
	return s.shownRestore(s.Restores.Restore(ctx, in.ID))
}

func (s *server) beginRestore(ctx context.Context, in *struct{ Body NewRestore }) (*object[keeping.RestoreShown], error) {
	d := keeping.Draft{
		Service: in.Body.Service, Sets: in.Body.Sets, Into: in.Body.Into, Moment: in.Body.Moment, Fault: in.Body.Fault, Pick: in.Body.Pick,
		Incident: in.Body.Incident, Why: in.Body.Why,
	}
	if in.Body.Routes != nil {
		d.Routes = append([]string{}, *in.Body.Routes...)
	}
	return s.shownRestore(s.Restores.Propose(ctx, actorOf(ctx), d))
}

func (s *server) lookUpInCopy(ctx context.Context, in *struct {
	RestoreID

	Body NewLookUp
}) (*plain[keeping.LookedUp], error) {
	q := keeping.LookUp{Set: in.Body.Set, SQL: in.Body.Query, Rows: in.Body.Rows}
	return plainOf(s.Restores.LookUp(ctx, actorOf(ctx), in.ID, q))
}

func (s *server) approveRestore(ctx context.Context, in *struct {
	RestoreID

	Body RestoreNote
}) (*object[keeping.RestoreShown], error) {
	return s.shownRestore(s.Restores.Approve(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Note))
}

func (s *server) switchRestore(ctx context.Context, in *struct {
	RestoreID

	Body RestoreDespite
}) (*object[keeping.RestoreShown], error) {
	return s.shownRestore(s.Restores.Switch(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Despite))
}

func (s *server) skipRestore(ctx context.Context, in *struct {
	RestoreID

	Body RestoreWhy
}) (*object[keeping.RestoreShown], error) {
	return s.shownRestore(s.Restores.Skip(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) undoRestore(ctx context.Context, in *struct {
	RestoreID

	Body RestoreWhy
}) (*object[keeping.RestoreShown], error) {
	return s.shownRestore(s.Restores.Undo(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Why))
}

func (s *server) dropRestore(ctx context.Context, in *RestoreID) (*object[keeping.RestoreShown], error) {
	return s.shownRestore(s.Restores.Drop(ctx, actorOf(ctx), in.ID, versionOf(ctx)))
}
