package relay

import (
	"context"
	"errors"
	"log/slog"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
)

// keep keeps the request, or says why not. With onlyBehind it is kept only
// where its key is in the gate; done is false where it has to pass instead.
func (f *flight) keep(onlyBehind bool) (done bool) {
	if err := f.keepable(); err != nil {
		f.refuse(err)
		return true
	}
	if !f.declared() {
		f.refuse(continuity.E(continuity.CodeNotHeld, errUndeclared))
		return true
	}
	st, kept, err := f.accept(f.record(false), onlyBehind)
	switch {
	case continuity.CodeOf(err) == continuity.CodeInFlight:
		if st, ok := f.engine.ledger.Status(f.receipt); ok {
			f.repeat(st)
			return true
		}
		f.refuse(err)
	case err != nil:
		f.refuse(err)
	case !kept:
		return false
	default:
		if f.engine.log.Enabled(context.Background(), slog.LevelDebug) { // else the figures need no memory
			f.event(slog.LevelDebug, "request held", "behind", onlyBehind, "bytes", len(f.body))
		}
		f.answerKept(st, Held)
	}
	return true
}

var (
	errUndeclared  = errors.New("relay: neither route nor client declared that it understands being held")
	errCredentials = errors.New("relay: the request bears credentials")
	errExcepted    = errors.New("relay: excepted by the route")
	errLarge       = errors.New("relay: larger than the item limit")
	errUnshared    = errors.New("relay: outside the share of keys that is held")
	errNoKey       = errors.New("relay: no ordering key")
	errNoAmount    = errors.New("relay: no readable amount")
)

// behind keeps the request behind pending records of its key; done is false
// where there are none.
func (f *flight) behind() (done bool) {
	f.readFacts()
	switch {
	case f.facts.HasKey:
		return f.engine.ledger.Gated(f.tag()) && f.keep(true)
	case !f.facts.Ordered || !f.holding:
		return false
	case f.factsErr != nil:
		f.refuse(f.factsErr)
	default:
		f.refuse(continuity.E(continuity.CodeKeyUnknown, errNoKey))
	}
	return true
}

// keepable says why the request can't be kept.
func (f *flight) keepable() error {
	if err := f.recordable(); err != nil {
		return err
	}
	if f.route.Hold.Amount != nil && f.facts.Amount.IsZero() {
		return continuity.E(continuity.CodeNoAmount, errNoAmount)
	}
	return nil
}

// recordable says why the request can't be written down at all.
func (f *flight) recordable() error {
	if !f.whole {
		return continuity.E(continuity.CodeLimitItem, errLarge, "limit", f.route.Hold.ItemBytes)
	}
	f.readFacts()
	switch {
	case f.factsErr != nil:
		return f.factsErr
	case f.facts.Excepted:
		return continuity.E(continuity.CodeNotHeld, errExcepted)
	case f.facts.Ordered && !f.facts.HasKey:
		return continuity.E(continuity.CodeKeyUnknown, errNoKey)
	case !f.route.Hold.Credentials && f.route.Hold.Mint == nil && f.route.credentials(f.req.Header):
		return continuity.E(continuity.CodeNotHeld, errCredentials)
	}
	if _, err := f.who(); err != nil {
		return err
	}
	return f.storable()
}

// declared reports whether the route or the client said that it understands
// being held.
func (f *flight) declared() bool {
	return f.route.Answer != nil || f.preference().async
}

// tag is the request's place in the order, made once.
func (f *flight) tag() continuity.KeyTag {
	switch {
	case f.tagged:
	case f.facts.Ordered:
		f.order = f.engine.hasher.KeyTag(f.route.ID, f.facts.Key)
	default:
		f.order = identity.RandomTag()
	}
	f.tagged = true
	return f.order
}

// record is the request as it is kept, until the flight ends. The keepable check
// has read its facts.
func (f *flight) record(lost bool) *continuity.Record {
	h := f.engine.hasher
	who, _ := f.who()
	if !f.known {
		f.receipt = h.Receipt(f.route.ID, who, f.key)
	}
	f.forward()
	stored := f.stored()
	at := ""
	if lost {
		at = f.at
	}
	f.kept = continuity.Record{
		Receipt: f.receipt, Fingerprint: f.fingerprint(),
		Route: f.route.ID, Key: f.tag(), KeyText: f.facts.Key, Caller: who, Scopes: f.proof.Scopes, IdempotencyKey: f.key,
		Method: f.req.Method, Target: stored.Target, Host: f.req.Host,
		Header: stored.Header, Body: stored.Body, Lost: lost, Upstream: at, Amount: f.facts.Amount, Class: f.class(who),
	}
	return &f.kept
}

// fingerprint tells the request from another under the same identity. Where the
// route says that a repeat may differ, as providers date and sign each call
// anew, it is that of the fields by which it is recognised.
func (f *flight) fingerprint() continuity.Fingerprint {
	if f.route.Identity.Loose {
		if f.readFacts(); f.facts.Fields != nil {
			return f.engine.hasher.FieldsFingerprint(f.req.Method, f.facts.Fields)
		}
	}
	return f.engine.hasher.Fingerprint(f.req.Method, f.req.Target, f.body)
}
