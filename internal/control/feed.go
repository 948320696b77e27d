package control

import (
	"context"
	"log/slog"
	"sort"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// Events are looked for often enough for people who watch, and the newest ones
// are kept, so that those who follow cost the database one query together.
const (
	feedPause = 200 * time.Millisecond
	feedKeeps = 2048
)

// chain is where events come from; *store.Store has them.
type chain interface {
	EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
	LastEvent(ctx context.Context) (seq int64, hash [32]byte, err error)
}

// feed tells of events as they come, whichever node made them.
type feed struct {
	chain chain
	log   *slog.Logger

	mu     sync.Mutex
	newest int64
	recent []continuity.AuditEvent // the newest ones, without gaps
	more   chan struct{}           // closed when there are more
}

func (n *Node) openFeed(ctx context.Context) error {
	seq, _, err := n.store.LastEvent(ctx)
	if err != nil {
		return err
	}
	n.feed = newFeed(n.store, seq, n.log)
	n.background(n.feed.run)
	return nil
}

func newFeed(c chain, seq int64, log *slog.Logger) *feed {
	return &feed{chain: c, log: log, newest: seq, more: make(chan struct{})}
}

func (f *feed) run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		n, err := f.look(ctx)
		if failing != (err != nil) && ctx.Err() == nil {
			if failing = err != nil; failing {
				f.log.Error("events can't be read", "code", continuity.CodeOf(err), "error", err)
			}
		}
		if n == 0 {
			pause(ctx, feedPause)
		}
	}
}

// look fetches what is new and returns how many events that were.
func (f *feed) look(ctx context.Context) (int, error) {
	seq, _, err := f.chain.LastEvent(ctx)
	if err != nil || seq <= f.newest { // only look writes it
		return 0, err
	}
	page, err := f.chain.EventsSince(ctx, f.newest, feedKeeps/2)
	if err != nil || len(page) == 0 {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = page[len(page)-1].Seq
	f.recent = append(f.recent, page...)
	if over := len(f.recent) - feedKeeps; over > 0 {
		f.recent = append([]continuity.AuditEvent(nil), f.recent[over:]...)
	}
	close(f.more)
	f.more = make(chan struct{})
	return len(page), nil
}

// After waits until there are events after a number and returns the first ones of
// them. Who goes on at the last one misses none.
func (f *feed) After(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error) {
	for {
		f.mu.Lock()
		newest, more, page := f.newest, f.more, f.after(seq)
		f.mu.Unlock()
		if len(page) > 0 {
			return page[:min(len(page), most)], nil
		}
		if seq < newest { // longer ago than is kept here
			return f.chain.EventsSince(ctx, seq, most)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-more:
		}
	}
}

// after returns the events after a number, if all of them are kept.
func (f *feed) after(seq int64) []continuity.AuditEvent {
	if len(f.recent) == 0 || f.recent[0].Seq > seq+1 {
		return nil
	}
	return f.recent[sort.Search(len(f.recent), func(i int) bool { return f.recent[i].Seq > seq }):]
}
