package warning

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Acts are what people see of warnings and say of them, on any node.
type Acts struct {
	store Store
	now   func() time.Time
}

// NewActs makes them.
func NewActs(store Store, now func() time.Time) *Acts { return &Acts{store, now} }

// Query selects warnings.
type Query struct {
	Service string
	Past    bool             // those that are over, too
	Least   continuity.Level // this level or worse
	Cursor  string
	Limit   int
}

// Kept is a warning with its version.
type Kept struct {
	continuity.Warning

	Version int64
}

// List returns a page of warnings by their ids; it may have fewer than asked for,
// as what is not selected is read with the others.
func (a *Acts) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	for next = q.Cursor; ; {
		objects, after, err := a.store.List(ctx, continuity.Query{Kind: Kind, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := read(o)
			if err != nil {
				return nil, "", err
			}
			if (q.Past || k.Stands()) && !q.Least.Over(k.Level) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

func read(o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Warning)
}

// Get returns one warning.
func (a *Acts) Get(ctx context.Context, id string) (Kept, error) {
	o, err := a.store.Get(ctx, Kind, id)
	if err != nil {
		return Kept{}, err
	}
	return read(o)
}

// Confirm notes that a person says that it is so. Version is the one that they
// saw, or continuity.VersionAny.
func (a *Acts) Confirm(ctx context.Context, by continuity.Actor, id string, version int64, note string) (Kept, error) {
	return a.act(ctx, by, id, version, Confirmed, note, func(w *continuity.Warning, v *continuity.Judgement) bool {
		if w.State != continuity.WarningOpen && w.State != continuity.WarningDismissed {
			return false
		}
		w.State, w.Confirmed, w.Dismissed = continuity.WarningConfirmed, v, nil
		return true
	})
}

// Dismiss notes that a person says that it is nothing, and why. It opens again
// if it gets worse than it is.
func (a *Acts) Dismiss(ctx context.Context, by continuity.Actor, id string, version int64, why string) (Kept, error) {
	if strings.TrimSpace(why) == "" {
		return Kept{}, invalid("why")
	}
	return a.act(ctx, by, id, version, Dismissed, why, func(w *continuity.Warning, v *continuity.Judgement) bool {
		if w.State != continuity.WarningOpen && w.State != continuity.WarningConfirmed {
			return false
		}
		w.State, w.Dismissed = continuity.WarningDismissed, v
		return true
	})
}

func (a *Acts) act(ctx context.Context, by continuity.Actor, id string, version int64, action, note string, change func(*continuity.Warning, *continuity.Judgement) bool) (Kept, error) {
	note = cut(strings.TrimSpace(note), mostWords)
	var last error
	for range tries {
		k, err := a.Get(ctx, id)
		if err != nil {
			return k, err
		}
		if version != continuity.VersionAny && version != k.Version {
			return k, continuity.E(continuity.CodeVersion, nil, "kind", Kind, "id", id, "version", k.Version)
		}
		if !change(&k.Warning, &continuity.Judgement{By: by, At: a.now().UTC(), Note: note, Level: k.Level}) {
			return k, continuity.E(continuity.CodeState, nil, "detail_id", "warning.settled", "id", id, "state", k.State)
		}
		body, err := json.Marshal(k.Warning)
		if err != nil {
			return k, err
		}
		objects, err := a.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{{
			Kind: Kind, ID: id, Service: k.Service, Version: k.Version, Body: body, Action: action, Reason: note,
		}}})
		if err == nil {
			k.Version = objects[0].Version
			return k, nil
		}
		if last = err; continuity.CodeOf(err) != continuity.CodeVersion {
			return k, err
		}
	}
	return Kept{}, last
}
