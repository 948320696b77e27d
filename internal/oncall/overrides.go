package oncall

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Store keeps overrides; *store.Store is one.
type Store interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(ctx context.Context, q continuity.Query) (page []continuity.Object, next string, err error)
	Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error)
}

// Actions of overrides in events.
const (
	overrideMade  = "override.made"
	overrideEnded = "override.ended"
)

// longest is how long one override lasts at most.
const longest = 400 * day

// Overrides are who stands in for whom, as people say.
type Overrides struct {
	Store  Store
	Now    func() time.Time
	Known  func(rota string) bool // SERVICE/ROTA of a plan that holds
	Roster Roster
}

// All are the overrides of a service, or of all, by their ids; past ones too.
func (o Overrides) All(ctx context.Context, service string) (all []continuity.Override, err error) {
	for cursor := ""; ; {
		page, next, err := o.Store.List(ctx, continuity.Query{Kind: continuity.KindOverride, Service: service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, object := range page {
			var one continuity.Override
			if err := json.Unmarshal(object.Body, &one); err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// Add writes an override down. One that begins now begins when it is said.
func (o Overrides) Add(ctx context.Context, by continuity.Actor, one continuity.Override) (continuity.Override, error) {
	now := o.Now().UTC()
	if one.From.IsZero() {
		one.From = now.Truncate(time.Second)
	}
	service, rota, _ := strings.Cut(one.Rota, "/")
	switch {
	case !o.Known(one.Rota):
		return one, refused("rota", "value", one.Rota)
	case !one.From.Before(one.Until) || !one.Until.After(now):
		return one, refused("until")
	case one.Until.Sub(one.From) > longest:
		return one, refused("long", "most", int(longest/day))
	case !o.Roster.there(one.Person, now) || !o.Roster.there(one.Person, one.From):
		return one, refused("person", "value", one.Person)
	}
	one.ID = service + "." + rota + ".o-" + strings.ToLower(rand.Text()[:8])
	one.From, one.Until, one.Said, one.By = one.From.UTC(), one.Until.UTC(), now, by
	return one, o.write(ctx, by, one, continuity.VersionNew, overrideMade, one.Why)
}

// End has an override count no longer, from now on.
func (o Overrides) End(ctx context.Context, by continuity.Actor, id, why string) (one continuity.Override, err error) {
	object, err := o.Store.Get(ctx, continuity.KindOverride, id)
	if err != nil {
		return one, err
	}
	if err := json.Unmarshal(object.Body, &one); err != nil {
		return one, err
	}
	now := o.Now().UTC()
	if !now.Before(one.Until) {
		return one, continuity.E(continuity.CodeState, nil, "detail_id", "oncall.over", "id", id)
	}
	one.Until = now
	if now.Before(one.From) { // it never held
		one.Until = one.From
	}
	return one, o.write(ctx, by, one, object.Version, overrideEnded, why)
}

func (o Overrides) write(ctx context.Context, by continuity.Actor, one continuity.Override, version int64, action, why string) error {
	body, err := json.Marshal(one)
	if err != nil {
		return err
	}
	service, _, _ := strings.Cut(one.Rota, "/")
	_, err = o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{{
		Kind: continuity.KindOverride, ID: one.ID, Service: service, Version: version, Body: body, Action: action, Reason: why,
	}}})
	return err
}

func refused(why string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, errors.New("oncall: "+why), append([]any{"detail_id", "oncall.invalid." + why}, pairs...)...)
}
