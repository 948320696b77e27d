package notify

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"holdfast/internal/continuity"
)

const (
	// keep is how long what is over stays; its events stay for good.
	keep = 30 * 24 * time.Hour
	// pruneEvery is how often it is looked for.
	pruneEvery = time.Hour
)

// prune deletes what was over long ago.
func (e *Engine) prune(ctx context.Context, lease continuity.Lease, now time.Time) error {
	if now.Sub(e.pruned) < pruneEvery {
		return nil
	}
	old := now.Add(-keep)
	stays := map[string]bool{} // notifications; they come before deliveries
	var all []continuity.Change
	for _, kind := range []string{continuity.KindNotification, continuity.KindDelivery, continuity.KindSilence} {
		for cursor := ""; ; {
			page, next, err := e.o.Store.List(ctx, continuity.Query{Kind: kind, Cursor: cursor, Limit: 1000})
			if err != nil {
				return err
			}
			for _, o := range page {
				var v struct {
					Ended        time.Time `json:"ended"`
					Until        time.Time `json:"until"`
					Notification string    `json:"notification"`
				}
				if err := json.Unmarshal(o.Body, &v); err != nil { // of another version of the program: it stays
					stays[o.ID] = true
					continue
				}
				past := func(at time.Time) bool { return !at.IsZero() && at.Before(old) }
				switch {
				case past(v.Ended), past(v.Until), kind == continuity.KindDelivery && !stays[v.Notification]:
					all = append(all, continuity.Change{Kind: o.Kind, ID: o.ID, Version: o.Version, Action: o.Kind + ".forgotten"})
				case kind == continuity.KindNotification:
					stays[o.ID] = true
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "notify", Via: e.o.Node}
	for len(all) > 0 {
		n := min(len(all), mostChanges)
		if _, err := e.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: all[:n], Leader: &lease}); err != nil {
			return err
		}
		all = all[n:]
	}
	e.pruned = now
	e.letGo(now)
	return nil
}

// letGo forgets what decides nothing any more: what a node that begins to lead would
// not know either.
func (e *Engine) letGo(now time.Time) {
	for _, r := range e.rooms {
		r.prune(now)
	}
	for about, told := range e.told {
		maps.DeleteFunc(told, func(_ string, r receiver) bool { return now.Sub(r.at) > keep })
		if len(told) == 0 {
			delete(e.told, about)
		}
	}
	maps.DeleteFunc(e.sames, func(_ string, s same) bool { return now.Sub(s.at) > repeats })
	maps.DeleteFunc(e.groups, func(_ string, g *group) bool {
		leader := e.notes[g.leader]
		return len(g.waiting) == 0 && (leader == nil || leader.Over()) && now.Sub(g.told) > pause
	})
}
