package planbook

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Conflict is what somebody has to know whose plan started from a version that
// no longer holds. It is the arguments of CodeVersion.
type Conflict struct {
	Plan    string           `json:"plan"`
	Base    int64            `json:"base"`
	Version int64            `json:"version"` // that holds
	Author  continuity.Actor `json:"author"`
	Applied time.Time        `json:"applied"`
	Reason  string           `json:"reason,omitempty"`

	// Theirs is what changed between the base and what holds; nothing where the
	// base is none of this node's versions.
	Theirs []PlanChange `json:"theirs"`
	// Lost is what of it the texts would undo, and Both what of it they change too.
	Lost []PlanChange `json:"lost"`
	Both []PlanChange `json:"both"`
	// Foreign says that the base is no version of this node.
	Foreign bool `json:"foreign,omitempty"`
}

// conflict tells of what happened since a base. Who was faster has been: where
// nobody was by now, the store would have taken the texts.
func (b *Book) conflict(ctx context.Context, service string, base int64, hash string, mine continuity.PlanTexts) error {
	held, now, err := b.held(ctx, service)
	if err != nil {
		return err
	}
	c := Conflict{
		Plan: service, Base: base, Version: held.Number, Author: held.Author, Applied: held.Applied, Reason: held.Reason,
		Theirs: []PlanChange{}, Both: []PlanChange{},
	}
	undone := Diff(service, now, mine)
	from, before, err := b.Files(ctx, service, base)
	switch {
	case base <= 0, continuity.CodeOf(err) == continuity.CodeNotFound, err == nil && hash != "" && from.Hash != hash:
		c.Foreign, c.Lost = base > 0, undone
	case err != nil:
		return err
	default:
		c.Theirs = Diff(service, before, now)
		c.Lost = touching(c.Theirs, undone)
		c.Both = touching(c.Theirs, Diff(service, before, mine))
	}
	return &continuity.Error{Code: continuity.CodeVersion, Err: errors.New("another version holds"), Args: c.args()}
}

func (c Conflict) args() map[string]any {
	return map[string]any{
		"plan": c.Plan, "base": c.Base, "version": c.Version, "author": c.Author, "applied": c.Applied, "reason": c.Reason,
		"theirs": c.Theirs, "lost": c.Lost, "both": c.Both, "foreign": c.Foreign,
	}
}

// ConflictOf reads the arguments of an error that came over the wire; false where
// it tells of no conflict of plans.
func ConflictOf(err error) (c Conflict, ok bool) {
	var e *continuity.Error
	if !errors.As(err, &e) || e.Code != continuity.CodeVersion || e.Args["plan"] == nil {
		return c, false
	}
	text, err := json.Marshal(e.Args)
	return c, err == nil && json.Unmarshal(text, &c) == nil
}
