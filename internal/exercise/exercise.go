package exercise

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Store is where exercises are kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
}

// Acts are what people do with exercises.
type Acts struct {
	store Store
	now   func() time.Time
}

// NewActs makes them.
func NewActs(store Store, now func() time.Time) *Acts { return &Acts{store, now} }

// Kept is an exercise with its version.
type Kept struct {
	continuity.Exercise

	Version int64
}

func read(o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Exercise)
}

// Bounds of a clock.
const (
	fastest  = 86400
	farthest = 10 * 366 * 24 * time.Hour
)

var name = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "exercise.invalid." + what}, pairs...)...)
}

// Get returns an exercise.
func (a *Acts) Get(ctx context.Context, id string) (Kept, error) {
	o, err := a.store.Get(ctx, continuity.KindExercise, id)
	if err != nil {
		return Kept{}, err
	}
	return read(o)
}

// List returns a page of exercises by their ids.
func (a *Acts) List(ctx context.Context, past bool, cursor string, limit int) (page []Kept, next string, err error) {
	page = []Kept{}
	objects, next, err := a.store.List(ctx, continuity.Query{Kind: continuity.KindExercise, Cursor: cursor, Limit: limit})
	for _, o := range objects {
		k, err := read(o)
		if err != nil {
			return nil, "", err
		}
		if past || k.Ended.IsZero() {
			page = append(page, k)
		}
	}
	return page, next, err
}

// Set sets the clock of an exercise, which begins with that where there is none. A
// clock never goes back: what was done by it is done. A time of zero leaves it where it
// is, and has a new one show the real time.
func (a *Acts) Set(ctx context.Context, by continuity.Actor, id string, version int64, shown time.Time, speed float64) (Kept, error) {
	now := a.now().UTC()
	if !name.MatchString(id) {
		return Kept{}, invalid("name")
	}
	if speed < 0 || speed > fastest || speed != speed {
		return Kept{}, invalid("speed", "most", fastest)
	}
	k, err := a.Get(ctx, id)
	if shown.IsZero() { // as it is
		if shown = now; err == nil {
			shown = k.At(now)
		}
	}
	if shown = shown.UTC(); shown.Sub(now).Abs() > farthest {
		return Kept{}, invalid("far")
	}
	action := "exercise.set"
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
		if version != continuity.VersionAny && version != continuity.VersionNew {
			return k, err
		}
		action, k = "exercise.started", Kept{Exercise: continuity.Exercise{ID: id}}
	case err != nil:
		return k, err
	case version != continuity.VersionAny && version != k.Version:
		return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindExercise, "id", id, "version", k.Version)
	case !k.Ended.IsZero():
		return k, continuity.E(continuity.CodeState, nil, "detail_id", "exercise.ended", "id", id)
	case shown.Before(k.At(now)):
		return k, invalid("back", "shown", k.At(now).Format(time.RFC3339))
	}
	k.Real, k.Shown, k.Speed, k.By = now, shown, speed, by
	return a.put(ctx, by, k, action)
}

// End ends an exercise: its clock stands from then on.
func (a *Acts) End(ctx context.Context, by continuity.Actor, id string, version int64) (Kept, error) {
	return a.end(ctx, by, id, version, nil)
}

// Fail ends an exercise that failed, which is a real incident of a service: what did
// not work in it would not on a bad day.
func (a *Acts) Fail(ctx context.Context, by continuity.Actor, id string, version int64, service, why string) (Kept, error) {
	if why = strings.TrimSpace(why); why == "" || service == "" {
		return Kept{}, invalid("failed")
	}
	args := catalogue.Args{"id": id}
	failed := continuity.Declare(continuity.Declaration{
		Service: service, Origin: continuity.Origin{Kind: continuity.OriginDrill, ID: id}, Started: a.now().UTC(), Why: why,
		Title: continuity.Text{En: catalogue.Text(catalogue.En, "exercise.failed", args), Zh: catalogue.Text(catalogue.Zh, "exercise.failed", args)},
	})
	return a.end(ctx, by, id, version, &failed)
}

func (a *Acts) end(ctx context.Context, by continuity.Actor, id string, version int64, failed *continuity.Change) (Kept, error) {
	k, err := a.Get(ctx, id)
	switch {
	case err != nil:
		return k, err
	case version != continuity.VersionAny && version != k.Version:
		return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindExercise, "id", id, "version", k.Version)
	case !k.Ended.IsZero() && failed != nil:
		return k, continuity.E(continuity.CodeState, nil, "detail_id", "exercise.ended", "id", id)
	case !k.Ended.IsZero():
		return k, nil
	}
	now := a.now().UTC()
	k.Shown, k.Real, k.Speed, k.Ended = k.At(now), now, 0, now
	if failed != nil {
		return a.put(ctx, by, k, "exercise.ended", *failed)
	}
	return a.put(ctx, by, k, "exercise.ended")
}

func (a *Acts) put(ctx context.Context, by continuity.Actor, k Kept, action string, also ...continuity.Change) (Kept, error) {
	body, err := json.Marshal(k.Exercise)
	if err != nil {
		return k, err
	}
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: by, Changes: append([]continuity.Change{{
		Kind: continuity.KindExercise, ID: k.ID, Version: k.Version, Body: body, Action: action,
	}}, also...)})
	if err != nil {
		return k, err
	}
	return read(objects[0])
}
