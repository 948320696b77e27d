package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/exercise"
)

// Exercises are drills and demonstrations with clocks of their own.
type Exercises interface {
	List(ctx context.Context, past bool, cursor string, limit int) (page []exercise.Kept, next string, err error)
	Get(ctx context.Context, id string) (exercise.Kept, error)
	Set(ctx context.Context, by continuity.Actor, id string, version int64, shown time.Time, speed float64) (exercise.Kept, error)
	End(ctx context.Context, by continuity.Actor, id string, version int64) (exercise.Kept, error)
	Fail(ctx context.Context, by continuity.Actor, id string, version int64, service, why string) (exercise.Kept, error)
}

// ExerciseClock is what the clock of an exercise is set to.
type ExerciseClock struct {
	Shown time.Time `json:"shown,omitzero"`                    // absent: what it shows now, or the real time
	Speed float64   `json:"speed" minimum:"0" maximum:"86400"` // how many of its seconds go by in one; 0: it stands
}

// ExerciseShown is an exercise with what its clock shows.
type ExerciseShown struct {
	continuity.Exercise

	Now time.Time `json:"now"`
}

func registerExercises(s *server) {
	const all = "/api/v1/exercises"
	register(s, operation{Method: http.MethodGet, Path: all, ID: "listExercises", Scope: access.ExercisesRead}, s.listExercises)
	register(s, operation{Method: http.MethodGet, Path: all + "/{id}", ID: "getExercise", Scope: access.ExercisesRead}, s.getExercise)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}", ID: "setExercise", Scope: access.ExercisesWrite, Edit: true}, s.setExercise)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/end", ID: "endExercise", Scope: access.ExercisesWrite, Edit: true}, s.endExercise)
	register(s, operation{Method: http.MethodPut, Path: all + "/{id}/failure", ID: "failExercise", Scope: access.ExercisesWrite, Edit: true}, s.failExercise)
}

func (s *server) shownExercise(k exercise.Kept, err error) (*object[ExerciseShown], error) {
	if err != nil {
		return nil, err
	}
	return objectOf(ExerciseShown{k.Exercise, k.At(s.Now()).UTC()}, k.Version), nil
}

func (s *server) listExercises(ctx context.Context, in *struct {
	Past bool `query:"past" default:"false"`
	Paging
}) (*list[ExerciseShown], error) {
	page, next, err := s.Exercises.List(ctx, in.Past, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]ExerciseShown, len(page))
	for i := range page {
		items[i] = ExerciseShown{page[i].Exercise, page[i].At(s.Now()).UTC()}
	}
	return listOf(items, next), nil
}

// ExerciseID names an exercise.
type ExerciseID struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *server) getExercise(ctx context.Context, in *ExerciseID) (*object[ExerciseShown], error) {
	return s.shownExercise(s.Exercises.Get(ctx, in.ID))
}

func (s *server) setExercise(ctx context.Context, in *struct {
	ExerciseID

	Body ExerciseClock
}) (*object[ExerciseShown], error) {
	return s.shownExercise(s.Exercises.Set(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Shown, in.Body.Speed))
}

func (s *server) endExercise(ctx context.Context, in *ExerciseID) (*object[ExerciseShown], error) {
	return s.shownExercise(s.Exercises.End(ctx, actorOf(ctx), in.ID, versionOf(ctx)))
}

// ExerciseFailure is of what service an exercise failed, and why: that is an incident.
type ExerciseFailure struct {
	Service string `json:"service" minLength:"1" maxLength:"128"`
	Why     string `json:"why" minLength:"1" maxLength:"4000"`
}

func (s *server) failExercise(ctx context.Context, in *struct {
	ExerciseID

	Body ExerciseFailure
}) (*object[ExerciseShown], error) {
	if s.Plans != nil {
		if _, err := s.Plans.Show(ctx, in.Body.Service); err != nil {
			return nil, err
		}
	}
	return s.shownExercise(s.Exercises.Fail(ctx, actorOf(ctx), in.ID, versionOf(ctx), in.Body.Service, in.Body.Why))
}
