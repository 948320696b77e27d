package relay

import (
	"holdfast/internal/continuity"
	"holdfast/internal/identity"
)

// A route that never holds still knows what it kept while it held: repeats, and
// keys with pending records. Where it never kept anything there is nothing to
// look up, so nothing is read out of its requests and no body is gathered.

// smallBody is what is read before anything is sent all the same, so that a
// client who fails to deliver it costs the upstream nothing.
const smallBody = 64 << 10

// untouched reports whether the request is one of a route that never holds and
// never did, and nothing else that the route does needs its body.
func (f *flight) untouched() bool {
	r := f.route
	return r.Hold.State == continuity.HoldNever && r.forgets && f.req.Length >= 0 && f.req.Length <= smallBody &&
		!f.overflow && f.engine.ledger.Blank(r.ID)
}

// onlyPassed passes such a request. As on any route, the attempt goes on when
// the client leaves, and bears an Idempotency-Key.
func (f *flight) onlyPassed() {
	f.whole = f.req.Length == 0
	if f.key, _ = f.idempotencyKey(); f.key == "" {
		f.key = identity.RandomKey()
	}
	p := passage{watch: f.route.watched()}
	if !f.decided(&p) {
		f.pass(p)
	}
}
