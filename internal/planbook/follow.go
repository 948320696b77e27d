package planbook

import (
	"context"
	"time"

	"holdfast/internal/continuity"
)

// Feed is the chain of events of all nodes.
type Feed interface {
	LastEvent(ctx context.Context) (seq int64, hash [32]byte, err error)
	// After waits until there are events after a number and returns the first ones
	// of them.
	After(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
}

// again is how often the book is read without an event: people leave at a time,
// and no event says so.
const again = time.Hour

// Follow keeps the book as the store says, whoever applies and whoever leaves,
// until ctx ends. Where the database does not answer, what is known holds on.
func (b *Book) Follow(ctx context.Context, feed Feed) {
	for tries := 1; ctx.Err() == nil; tries++ {
		err := b.follow(ctx, feed, func() { tries = 1 })
		if ctx.Err() != nil {
			return
		}
		b.Logger.WarnContext(ctx, "plans are not followed for now", "error", err)
		wait(ctx, continuity.Backoff(tries, time.Second, time.Minute))
	}
}

func (b *Book) follow(ctx context.Context, feed Feed, well func()) error {
	seq, _, err := feed.LastEvent(ctx)
	if err != nil {
		return err
	}
	if err := b.Reload(ctx); err != nil {
		return err
	}
	well()
	due := b.Now().Add(again)
	for {
		waiting, cancel := context.WithTimeout(ctx, max(due.Sub(b.Now()), time.Second))
		events, err := feed.After(waiting, seq, pageSize)
		late := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case late:
			due = b.Now().Add(again)
			if err := b.Reload(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case len(events) == 0:
			continue
		}
		if err := b.hear(ctx, events); err != nil {
			return err
		}
		seq = events[len(events)-1].Seq
	}
}

// hear reads anew what events concern.
func (b *Book) hear(ctx context.Context, events []continuity.AuditEvent) error {
	services := map[string]bool{}
	for _, e := range events {
		switch e.Kind {
		case "person":
			return b.Reload(ctx)
		case "plan", "plan-version":
			services[e.Service] = true
		}
	}
	for service := range services {
		if err := b.refresh(ctx, service); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
