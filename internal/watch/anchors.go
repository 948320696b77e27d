package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// Anchors are places that a node reaches whenever its own network is well, such
// as its gateway and two well-known names. Without any it is never isolated.
type Anchors struct {
	Looks []Looker
	Time  time.Duration // of one round; 3 s
}

// Cut says whether the node is isolated, by looking at its anchors now. Any that
// answers ends the round.
func (a Anchors) Cut(ctx context.Context) bool {
	if len(a.Looks) == 0 {
		return false
	}
	limit := a.Time
	if limit <= 0 {
		limit = 3 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var all sync.WaitGroup
	states := make(chan continuity.CheckState, len(a.Looks))
	for _, look := range a.Looks {
		all.Go(func() { states <- look.Run(ctx).State })
	}
	go func() {
		all.Wait()
		close(states)
	}()
	var seen []continuity.CheckState
	for state := range states {
		seen = append(seen, state)
		if !Isolated([]continuity.CheckState{state}) {
			cancel()
			break
		}
	}
	all.Wait()
	return Isolated(seen)
}

// Suspect says whether results ask for a look at the anchors before they are
// believed: an isolated node is noticed before what it says is counted.
func Suspect(results []continuity.CheckResult) bool {
	return slices.ContainsFunc(results, func(r continuity.CheckResult) bool { return r.State == continuity.CheckDown })
}
