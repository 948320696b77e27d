package relay

import (
	"errors"

	"holdfast/internal/continuity"
)

var (
	errGated  = errors.New("relay: its key has pending records")
	errNoGate = errors.New("relay: its key can't be read while records are pending")
)

// divert sends a request to the standby (rule 4.7): one that was attempted
// nowhere, and whose key is not in the gate. It does nothing where the setting
// outlived the standby: a route that holds then keeps the request, another
// passes it.
func (f *flight) divert(p passage) (answered bool) {
	s := f.route.standby
	if s == nil {
		if p.keep {
			f.keep(false)
		}
		return p.keep
	}
	if err := f.apart(); err != nil {
		f.refuse(err)
		return true
	}
	p.diverts = p.keep || p.observe
	p.standby, p.watch, p.observe = true, false, false
	if s.health != nil && !s.health.Up() {
		f.instead(p, continuity.E(continuity.CodeNotHeld, errStandby))
		return true
	}
	f.pass(p)
	return true
}

var errStandby = errors.New("relay: the standby is down, too")

// apart makes sure that a request's key is not in the gate: what is sent to the
// standby would not come behind what is pending. Reads are not gated, and a
// request that may be kept has been looked at before.
func (f *flight) apart() error {
	l := f.engine.ledger
	if f.safe() || f.holding || l.GateEmpty(f.route.ID) {
		return nil
	}
	if !f.whole && f.buf == nil { // no part of it was read so far
		if err := f.buffer(); err != nil {
			return err
		}
	}
	f.readFacts()
	switch {
	case !f.facts.Ordered:
		return nil
	case f.factsErr != nil:
		return f.factsErr
	case !f.facts.HasKey:
		return continuity.E(continuity.CodeKeyUnknown, errNoGate)
	case l.Gated(f.tag()):
		return continuity.E(continuity.CodeNotHeld, errGated)
	}
	return nil
}

// instead answers a request that could be sent nowhere, as known: it is kept
// where the route keeps it, else told so.
func (f *flight) instead(p passage, err error) {
	switch {
	case p.keep:
		f.keep(false)
	case f.route.Reply != nil:
		f.reply()
	default:
		f.refuse(err)
	}
}
