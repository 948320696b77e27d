package loop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Group is a set of loops.
type Group struct {
	loops []*Loop
	turn  atomic.Uint32 // of the loop that gets the next connection

	dozing atomic.Bool
	bell   chan struct{}
	over   chan struct{}
	once   sync.Once
}

// NewGroup starts n loops.
func NewGroup(n int) (*Group, error) {
	g := &Group{bell: make(chan struct{}, 1), over: make(chan struct{})}
	for i := range n {
		l, err := newLoop(g, i)
		if err != nil {
			for _, l := range g.loops {
				l.close()
			}
			return nil, err
		}
		g.loops = append(g.loops, l)
	}
	for _, l := range g.loops {
		go l.own()
	}
	go g.watch()
	return g, nil
}

// Close ends the loops, whose tasks must all have ended.
func (g *Group) Close() {
	g.once.Do(func() {
		close(g.over)
		for _, l := range g.loops {
			l.post(letter{nil, letterEnd})
		}
	})
}

func (g *Group) pick() *Loop { return g.loops[int(g.turn.Add(1))%len(g.loops)] }

// longTurn is how long a turn may take before its loop goes on without it; the
// watcher sees it after twice that at the latest. A task that knows that it will
// block says so and holds nobody up.
const longTurn = 4 * time.Millisecond

// watch hands loops over whose tasks block unannounced. It sleeps while nothing
// goes on.
func (g *Group) watch() {
	seen := make([]uint64, len(g.loops))
	tick := time.NewTicker(longTurn)
	defer tick.Stop()
	for quiet := 0; ; {
		select {
		case <-g.over:
			return
		case <-tick.C:
		}
		quiet++
		for i, l := range g.loops {
			state := l.state.Load()
			if state != seen[i] || state&1 == 1 {
				quiet = 0
			}
			if state == seen[i] {
				l.handOver(state) // does nothing between turns
			}
			seen[i] = state
		}
		if quiet < 32 {
			continue
		}
		tick.Stop()
		g.dozing.Store(true)
		select {
		case <-g.over:
			return
		case <-g.bell:
		}
		tick.Reset(longTurn)
		quiet = 0
	}
}

// active wakes the watcher; loops call it after a sleep.
func (g *Group) active() {
	if g.dozing.Load() && g.dozing.Swap(false) {
		select {
		case g.bell <- struct{}{}:
		default:
		}
	}
}
