package relay

import (
	"errors"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
)

// claimed looks whether a request whose proof was not accepted comes under the
// identity of a kept one, of the very caller whom the proof names. Keys of an
// issuer may be too old to judge it, or it has run out since the first time. To
// send such a request on could have its effect twice (rule 5.2), and what is
// known of the kept one is nobody's but its caller's; so it is refused, as its
// proof would be. key makes the Idempotency-Key, given the caller.
func (f *flight) claimed(err error, key func(who string) string) {
	var refusal *caller.Refusal
	if f.engine.ledger == nil || !errors.As(err, &refusal) || refusal.Claims == "" {
		return
	}
	receipt := f.engine.hasher.Receipt(f.route.ID, refusal.Claims, key(refusal.Claims))
	if _, known := f.engine.ledger.Status(receipt); known {
		f.unproved = continuity.E(continuity.CodeOf(err), refusal, "why", refusal.Why, "repeat", true)
	}
}

// claims answers a repeat that does not prove to be its caller's.
func (f *flight) claims() (answered bool) {
	if f.unproved != nil {
		f.refuse(f.unproved)
	}
	return f.unproved != nil
}
