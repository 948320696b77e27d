package relay

import (
	"errors"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// Caller verifies who sends a request.
type Caller interface {
	Verify(req *caller.Request) (caller.Identity, error)
	Challenge() string // of a 401
}

var errNoVerifier = errors.New("relay: the route verifies callers, and nothing is there to do it")

// proof is what was found out about the caller, once.
type proof struct {
	asked bool
	caller.Identity
	err error
}

// who returns the caller, or why they are not verified. It is asked only where
// the answer decides something: a request that just passes is the upstream's to
// judge.
func (f *flight) who() (string, error) {
	if f.route.caller == nil {
		return f.route.Caller, nil
	}
	p := &f.proof
	if !p.asked {
		f.waiter().Block() // it may take a while
		p.Identity, p.err = verify(f.route.caller, f.req, f.body, f.whole)
		p.asked = f.whole || p.err == nil // a signature needs the body
	}
	return p.Name, p.err
}

func verify(c Caller, req *http1.Request, body []byte, whole bool) (caller.Identity, error) {
	id, err := c.Verify(&caller.Request{
		// Who connected, not whom it speaks for: a proxy's word about a
		// certificate counts by the proxy's own address.
		Method: req.Method, Target: req.Target, Header: req.Header, Body: body, Whole: whole, Remote: req.Peer, TLS: req.TLS,
	})
	var refusal *caller.Refusal
	switch {
	case err == nil:
		return id, nil
	case errors.As(err, &refusal) && !refusal.Ours:
		return caller.Identity{}, continuity.E(continuity.CodeCaller, err, "why", refusal.Why)
	default:
		return caller.Identity{}, continuity.E(continuity.CodeNotHeld, err)
	}
}

// mayRead reports whether a request may see the receipt of a record: it comes
// from the record's caller (rule 8.3). A public record's receipt is its own key.
func (e *Engine) mayRead(rec *continuity.Record, req *http1.Request) bool {
	if rec.Caller == "" || rec.Caller == continuity.CallerPublic {
		return true
	}
	r := e.table.Load().find(rec.Route)
	if r == nil || r.caller == nil {
		return false
	}
	if req.Waiter != nil {
		req.Waiter.Block() // it may take a while
	}
	id, err := verify(r.caller, req, nil, req.Length == 0)
	return err == nil && id.Name == rec.Caller
}
