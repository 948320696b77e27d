package store

import (
	"context"

	"holdfast/internal/continuity"
)

// ActionErased is the event that ends an object's content for good.
const ActionErased = "erased"

// Erase deletes an object and the content of all its events. That there were
// changes, when and by whom, stays, and so does the chain.
func (s *Store) Erase(ctx context.Context, actor continuity.Actor, kind, id, reason string) error {
	change := continuity.Change{Kind: kind, ID: id, Version: continuity.VersionAny, Action: ActionErased, Reason: reason}
	if err := checkChange(actor, &change); err != nil {
		return err
	}
	return s.commit(ctx, actor, func(w *writing) error {
		if _, err := w.change(change); err != nil {
			return err
		}
		_, err := w.exec(ctx, `UPDATE event SET was = NULL, became = NULL, salt = NULL WHERE kind = ? AND id = ?`, kind, id)
		return err
	})
}
