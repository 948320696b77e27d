package relay

import (
	"errors"

	"holdfast/internal/continuity"
	"holdfast/internal/sensitive"
)

// guarded is what was found out about storing a request, once.
type guarded struct {
	asked   bool
	err     error
	without sensitive.Request // what the route drops is not in it
	changed bool
}

var errDropped = errors.New("relay: it was sent with fields that are never stored")

// storable says why the request must not be stored, if so. It looks at what
// goes upstream: that is what would be kept.
func (f *flight) storable() error {
	g := &f.guard
	if g.asked {
		return g.err
	}
	g.asked = true
	req := sensitive.Request{Target: f.req.Target, Header: f.req.Header, Body: f.body}
	if found, is := f.route.guard.Find(req); is {
		g.err = continuity.E(continuity.CodeSensitive, nil, "where", found.Where, "kind", found.Kind)
		return g.err
	}
	if f.route.Sensitive.Drop {
		f.forward()
		req.Header = f.header[:len(f.header)-1]
		var ok bool
		if g.without, g.changed, ok = f.route.guard.Dropped(req); !ok {
			g.err = continuity.E(continuity.CodeBadBody, errors.New("relay: nothing can be taken out of it"), "why", "not JSON")
		}
	}
	return g.err
}

// repeatable says why an attempt that was lost can't be made again from what
// would be stored: another body under the same Idempotency-Key is another
// request.
func (f *flight) repeatable() error {
	if err := f.keepable(); err != nil {
		return err
	}
	if f.guard.changed {
		return continuity.E(continuity.CodeNotHeld, errDropped)
	}
	return nil
}

// stored is the request as it is kept. The keepable check has looked at it.
func (f *flight) stored() sensitive.Request {
	out := f.guard.without
	if !f.guard.changed {
		out = sensitive.Request{Target: f.req.Target, Header: f.header[:len(f.header)-1], Body: f.body}
	}
	if f.route.Hold.Mint != nil {
		out.Header = f.route.unproven(out.Header)
	}
	return out
}
