package controlapi

import (
	"context"
	"sync"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

const (
	turnsAtOnce = 2 // queries of one caller
	turnWait    = 5 * time.Second
	retryAfter  = "5" // seconds
)

// turns lets each caller have some queries running at a time: whose queries are
// slow keeps nobody else from asking. A dashboard's, which all come at once, wait
// for each other.
type turns struct {
	mu sync.Mutex
	of map[continuity.Actor]*turn // who asks
}

type turn struct {
	running chan struct{}
	asking  int // those that wait, too
}

// take waits for a caller's turn; leave ends it.
func (t *turns) take(ctx context.Context, caller access.Principal) (leave func(), err error) {
	who := continuity.Actor{Kind: caller.Actor.Kind, ID: caller.Actor.ID}
	t.mu.Lock()
	if t.of == nil {
		t.of = map[continuity.Actor]*turn{}
	}
	own := t.of[who]
	if own == nil {
		own = &turn{running: make(chan struct{}, turnsAtOnce)}
		t.of[who] = own
	}
	own.asking++
	t.mu.Unlock()
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.asking--; own.asking == 0 {
			delete(t.of, who)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	select {
	case own.running <- struct{}{}:
		return func() { <-own.running; forget() }, nil
	case <-ctx.Done():
		forget()
		return nil, continuity.E(continuity.CodeClientLimit, ctx.Err(), "queries", turnsAtOnce)
	}
}
