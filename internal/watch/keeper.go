package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// atOnce is how many verdicts are written in one transaction.
const atOnce = 200

// unasked is how often verdicts are compared though nobody told of a change: this
// node may have begun to lead.
const unasked = 3 * time.Second

// Store is what a Keeper needs of the node's state.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
}

// Keeper writes verdicts when they change, on the node that leads. What is not
// settled, as the node has only begun to look, leaves the stored one as it is, and
// those on what a plan that was not read whole doesn't seem to name stay.
type Keeper struct {
	Board *Board
	Store Store
	Lease func() (continuity.Lease, bool) // the right to write; false: somebody else has it
	Node  string
	Log   *slog.Logger

	fence  int64 // under which stored was read
	stored map[string]continuity.JudgedCheck
}

// Run writes until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	changes, stop := k.Board.Changes()
	defer stop()
	// Comparing ten thousand verdicts costs; what changes is told.
	ticker := time.NewTicker(unasked)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		case <-ticker.C:
		}
		if err := k.write(ctx); err != nil && ctx.Err() == nil {
			k.Log.Warn("verdicts can't be written", "err", err)
			k.stored = nil // some of it may have happened: read what stands
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (k *Keeper) write(ctx context.Context) error {
	lease, leads := k.Lease()
	if !leads {
		k.stored = nil
		return nil
	}
	if k.stored == nil || k.fence != lease.Fence {
		if err := k.read(ctx); err != nil {
			return err
		}
		k.fence = lease.Fence
	}
	changes, after := k.changes()
	for i := 0; i < len(changes); i += atOnce {
		part := slices.Clone(changes[i:min(i+atOnce, len(changes))])
		batch := continuity.Batch{Actor: continuity.Actor{Kind: continuity.ActorEngine, ID: "watch", Via: k.Node}, Changes: part, Leader: &lease}
		if _, err := k.Store.Commit(ctx, batch); err != nil {
			return err
		}
		for _, c := range part {
			if c.Body == nil {
				delete(k.stored, c.ID)
			} else {
				k.stored[c.ID] = after[c.ID]
			}
		}
	}
	return nil
}

// changes are what differs from what is stored.
func (k *Keeper) changes() ([]continuity.Change, map[string]continuity.JudgedCheck) {
	verdicts, unread, ready := k.Board.settled()
	if !ready {
		return nil, nil
	}
	var changes []continuity.Change
	after := map[string]continuity.JudgedCheck{}
	there := make(map[string]bool, len(verdicts))
	for _, v := range verdicts {
		there[v.Check] = true
		before, known := k.stored[v.Check]
		if !v.Settled {
			continue
		}
		if known && before.State == v.State {
			if before.Since.Before(v.Since) { // it began before this program did
				k.Board.Since(v.Check, before.State, before.Since)
			}
			continue
		}
		kept := continuity.JudgedCheck{State: v.State, Since: v.Since.UTC(), Reason: v.Reason}
		body, err := json.Marshal(kept)
		if err != nil {
			continue // of strings and numbers: it can be written
		}
		after[v.Check] = kept
		changes = append(changes, continuity.Change{
			Kind: continuity.ObjectCheck, ID: v.Check, Service: v.Service, Version: continuity.VersionAny, Body: body,
			Action: "check." + string(v.State), Reason: v.Reason.Code,
		})
	}
	for id := range k.stored {
		if service, _, _ := strings.Cut(id, "/"); !there[id] && !unread[service] {
			changes = append(changes, continuity.Change{Kind: continuity.ObjectCheck, ID: id, Version: continuity.VersionAny, Action: "check.removed"})
		}
	}
	return changes, after
}

func (k *Keeper) read(ctx context.Context) error {
	stored := map[string]continuity.JudgedCheck{}
	for cursor := ""; ; {
		page, next, err := k.Store.List(ctx, continuity.Query{Kind: continuity.ObjectCheck, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var kept continuity.JudgedCheck
			if err := json.Unmarshal(o.Body, &kept); err != nil {
				return continuity.E(continuity.CodeDamaged, err)
			}
			stored[o.ID] = kept
		}
		if cursor = next; next == "" {
			break
		}
	}
	k.stored = stored
	return nil
}
