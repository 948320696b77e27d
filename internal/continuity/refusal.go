package continuity

import (
	"context"
	"errors"
	"time"
)

// Refusal is an object that an engine can't bring on: the store refuses each change
// of it, or it can't be read.
type Refusal struct {
	Kind    string
	ID      string
	Service string
	Code    Code
	Unread  bool
	Since   time.Time
}

// OfStore reports whether a commit failed for the store's own sake, or because
// another node leads by now: that says nothing of what was to be committed.
func OfStore(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch CodeOf(err) {
	case CodeDatabase, CodeStateFull, CodeStarting:
		return true
	case CodeVersion:
		known, ok := errors.AsType[*Error](err)
		return ok && known.Args["kind"] == "lease"
	}
	return false
}
