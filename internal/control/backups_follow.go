package control

import (
	"context"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// askEvery is how often the source of a set is asked how far its changes are, at most, and
// beatEvery how often it is looked whether following has come there.
const (
	askEvery  = 5 * time.Second
	beatEvery = time.Second
)

// Follow implements keeping.Vault.
func (v *vault) Follow(ctx context.Context, s keeping.Set, safe func(time.Time)) error {
	e, set, err := v.both(&s)
	if err != nil {
		return err
	}
	driver, can := set.Driver.(backup.Following)
	if !can {
		return continuity.E(continuity.CodeState, nil, "detail_id", "keeping.invalid.follow", "set", s.ID, "kind", s.Kind)
	}
	watched := &followed{Driver: set.Driver, Following: driver, safe: safe, every: askEvery}
	watched.source, _ = set.Driver.(backup.Locating)
	set.Driver = watched
	ctx, cancel := context.WithCancel(ctx)
	var beats sync.WaitGroup
	defer beats.Wait()
	defer cancel()
	beats.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := watched.beat(ctx); err != nil && ctx.Err() == nil {
					v.node.log.DebugContext(ctx, "nobody knows how far the changes of a set are", "set", s.Key(), "error", err)
				}
			}
		}
	})
	return e.Follow(ctx, set, func(f engine.Followed) {
		if watched.source == nil && !f.At.IsZero() {
			safe(f.At)
		}
	})
}

// followed is a driver of which it is known up to when all changes are safe. The source
// itself is asked how far its changes are: that following fails at nothing says nothing,
// as it may hang.
type followed struct {
	backup.Driver
	backup.Following

	source backup.Locating // nil: only what comes is known to be safe
	safe   func(time.Time)
	every  time.Duration // the source is asked, at most
	asked  time.Time     // when it was, the last time

	mu      sync.Mutex
	reached backup.Position // everything before it is on a target
	goal    backup.Position // that is to be reached
	moment  time.Time       // before which all changes stand before the goal
}

// Follow implements backup.Following.
func (f *followed) Follow(ctx context.Context, from backup.Position, publish func(context.Context, backup.Span) error) error {
	f.mu.Lock()
	f.reached, f.goal, f.moment = from, backup.Position{}, time.Time{}
	f.mu.Unlock()
	if from.IsZero() && f.source != nil { // it follows from where the source is
		at, _, err := f.source.Where(ctx)
		if err != nil {
			return err
		}
		f.come(at)
	}
	return f.Following.Follow(ctx, from, func(ctx context.Context, span backup.Span) error {
		err := publish(ctx, span)
		if err == nil {
			f.come(span.To)
		}
		return err
	})
}

// come notes that a place was reached.
func (f *followed) come(to backup.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached = to
}

// beat tells what is safe once following has come to where the source was, and asks the
// source anew.
func (f *followed) beat(ctx context.Context) error {
	if f.source == nil {
		return nil
	}
	if !f.arrived() || time.Since(f.asked) < f.every {
		return nil
	}
	f.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, 2*askEvery)
	defer cancel()
	goal, moment, err := f.source.Where(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.goal, f.moment = goal, moment
	f.mu.Unlock()
	f.arrived()
	return nil
}

// arrived says whether following has come to where the source was, or nobody asked where
// that is; it tells once what is safe then.
func (f *followed) arrived() bool {
	f.mu.Lock()
	there := f.goal.IsZero() || f.reached.Along(f.goal) && f.reached.Compare(f.goal) >= 0
	var moment time.Time
	if there {
		moment, f.moment = f.moment, time.Time{}
	}
	f.mu.Unlock()
	if !moment.IsZero() {
		f.safe(moment)
	}
	return there
}
