package keeping

import (
	"context"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// Copies of restored data can be asked, those that this node has.
type Copies interface {
	Alive(set Set, id string) bool
	Ask(ctx context.Context, set Set, id string, q backup.LookUp) (backup.Answer, error)
}

// LookUp is what somebody asks of a copy.
type LookUp struct {
	Set  string // none: the only one
	SQL  string
	Rows int // at most
}

// LookedUp is what a copy answered, and of when that is.
type LookedUp struct {
	Restore string      `json:"restore"`
	Set     string      `json:"set"`
	AsOf    time.Time   `json:"as_of"` // the newest change of the copy
	Age     float64     `json:"age"`   // seconds since then
	Good    bool        `json:"good"`  // what could be compared of the copy is what was recorded
	Columns []string    `json:"columns" nullable:"false"`
	Rows    [][]*string `json:"rows" nullable:"false"` // as text; null: not known
	More    bool        `json:"more"`                  // there is more than was wanted
}

// What a look-up may take.
const (
	lookUpRows  = 200
	lookUpBytes = 1 << 20
	lookUpTime  = 10 * time.Second
)

// mayLookUp is what a role of a plan may that asks copies.
const mayLookUp = "look-up"

// LookUp has a copy answer one statement that only reads. Who asked what is written down
// before it is asked; what was answered is not.
func (a *RestoreActs) LookUp(ctx context.Context, by continuity.Actor, id string, q LookUp) (LookedUp, error) {
	k, err := a.Restore(ctx, id)
	if err != nil {
		return LookedUp{}, err
	}
	if err := a.o.May(ctx, by, k.Service, mayLookUp); err != nil {
		return LookedUp{}, err
	}
	switch {
	case k.Into != continuity.IntoCopy:
		return LookedUp{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.look-up.into", "id", id, "service", k.Service)
	case k.State != continuity.RestoreReady:
		return LookedUp{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.state", "id", id, "state_text", "keeping.restore."+k.State)
	}
	of, err := copyOf(&k.Restore, q.Set)
	if err != nil {
		return LookedUp{}, err
	}
	set, err := a.set(k.Service, of.Set)
	if err != nil {
		return LookedUp{}, err
	}
	if node := of.Copy.Node; node != "" && !a.o.Copies.Alive(set, id) {
		return LookedUp{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.look-up.elsewhere", "id", id, "node", node)
	}
	now := a.o.Now().UTC()
	asked := continuity.LookUp{Restore: id, Set: of.Set, By: by, At: now.Truncate(time.Microsecond)}
	_, err = a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{
		continuity.Set(continuity.KindLookUp, id, k.Service, continuity.VersionAny, "look-up.asked", q.SQL, asked),
	}})
	if err != nil {
		return LookedUp{}, err
	}
	if q.Rows <= 0 {
		q.Rows = lookUpRows
	}
	found, err := a.o.Copies.Ask(ctx, set, id, backup.LookUp{SQL: q.SQL, Rows: q.Rows, Bytes: lookUpBytes, Time: lookUpTime})
	if err != nil {
		return LookedUp{}, err
	}
	if found.Rows == nil {
		found.Rows = [][]*string{}
	}
	return LookedUp{
		Restore: id, Set: of.Set, AsOf: of.Copy.Reached, Age: now.Sub(of.Copy.Reached).Seconds(), Good: of.Copy.Good,
		Columns: found.Columns, Rows: found.Rows, More: found.More,
	}, nil
}

// copyOf is a restore's copy of a set, or of the only one.
func copyOf(r *continuity.Restore, set string) (*continuity.RestoreSet, error) {
	var all []string
	for i := range r.Sets {
		if s := &r.Sets[i]; s.Copy != nil && (s.Set == set || set == "" && len(r.Sets) == 1) {
			return s, nil
		}
		all = append(all, r.Sets[i].Set)
	}
	return nil, continuity.E(continuity.CodeInvalid, nil, "detail_id", "keeping.look-up.set", "id", r.ID, "sets", strings.Join(all, ", "))
}
