package notify

import (
	"context"
	"encoding/json"
	"time"

	"holdfast/internal/continuity"
)

// takeExercise learns of an exercise. What is told of one that has ended is looked at
// anew.
func (e *Engine) takeExercise(id string, body json.RawMessage) error {
	if err := e.exercises.Take(id, body); err != nil {
		return err
	}
	if e.exercises.Over(id) {
		for _, n := range e.notes {
			if n.Exercise == id {
				e.wakeNote(n, e.o.Now())
			}
		}
	}
	return nil
}

// played reports whether a notification is of an exercise that has ended since: nobody
// needs to be told any more, nor to answer. What is told after the end, as of what the
// exercise left behind, is told.
func (e *Engine) played(n *note) bool {
	x := e.exercises[n.Exercise]
	return e.exercises.Over(n.Exercise) && !n.At.After(x.Ended)
}

// shownAt is what the clock of an exercise shows; zero where there is none.
func shownAt(ctx context.Context, store interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
}, exercise string, now time.Time) (time.Time, error) {
	if exercise == "" {
		return time.Time{}, nil
	}
	o, err := store.Get(ctx, continuity.KindExercise, exercise)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return time.Time{}, nil
	}
	clocks := continuity.Clocks{}
	if err == nil {
		err = clocks.Take(o.ID, o.Body)
	}
	return clocks.Shown(exercise, now), err
}
