package relay

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/admission"
	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/ledger"
	"holdfast/internal/upstream"
)

// flight is one live request on its way.
type flight struct {
	engine *Engine
	x      http1.Exchange
	req    *http1.Request
	route  *route
	path   string // as routes compare it
	began  time.Time
	check  string // whose request it is, and no customer's; empty: a customer's
	mark   checkmark.Mark

	// The body as far as it was read; whole says that this is all of it.
	body  []byte
	whole bool
	buf   *[]byte
	taken int64 // of the budget

	key        string // Idempotency-Key of every attempt
	known      bool   // the key would be the same if the request came again
	receipt    continuity.Receipt
	registered bool

	holding bool   // the route holds, and the request is in its share
	at      string // where it was attempted

	facts    identity.Facts
	factsErr error
	read     bool

	order  continuity.KeyTag
	tagged bool
	kept   continuity.Record

	recorded continuity.Position // where it was written down before it was sent; 0: nowhere

	guard guarded // what speaks against storing it
	proof proof   // who sends it
	// unproved refuses what looks like a kept request's repeat; nil: it does not.
	unproved error

	header []continuity.Field // as sent upstream
	memory upstream.Memory
	reader bytes.Reader
	hints  func(status int, header []continuity.Field) // hint, made once

	fields []continuity.Field // header and body of the answer to a kept request
	text   []byte

	verdict verdict
	tell    func(ledger.Status, error) // told, made once

	noted bool // somebody may have kept a string of the request's head
	spent bool // nobody has, nor of the answer's

	admitted admission.Pass
	overflow bool // it is kept because a limit leaves no room for it
}

var flights = sync.Pool{New: func() any {
	f := &flight{}
	f.hints, f.tell = f.hint, f.told
	return f
}}

// land ends the flight; nothing of it is used afterwards.
func (f *flight) land() {
	if f.registered {
		f.engine.ledger.Leave(f.receipt)
	}
	f.free()
	f.admitted.Leave()
	f.memory.Free(f.spent)
	clear(f.header)
	clear(f.fields)
	*f = flight{header: f.header[:0], fields: f.fields[:0], text: f.text[:0], hints: f.hints, tell: f.tell}
	flights.Put(f)
}

// waiter is how this request waits for others.
func (f *flight) waiter() continuity.Waiter {
	if f.req.Waiter == nil {
		f.req.Waiter = continuity.NewWaiter()
	}
	return f.req.Waiter
}

// holds reports whether the route keeps requests of a method at all.
func (r *route) holds(method string) bool { return slices.Contains(r.Hold.Methods, method) }

func (f *flight) run() {
	if f.blocked() {
		return
	}
	if f.admit() {
		return
	}
	r := f.route
	if f.req.Upgrade != "" {
		f.tunnel()
		return
	}
	if f.check != "" {
		f.checked()
		return
	}
	if f.engine.ledger == nil || !r.holds(f.req.Method) {
		f.unheld()
		return
	}
	if f.untouched() {
		f.onlyPassed()
		return
	}
	err := f.buffer()
	if err != nil && !errors.Is(err, errBudget) {
		f.unreadable(err)
		return
	}
	if f.holding = r.Hold.State == continuity.HoldOn && f.shared(); f.holding {
		f.holdable(err)
	} else {
		f.observed(err)
	}
}

// unheld passes a request that is never kept: a read, or anything where
// nothing can be kept.
func (f *flight) unheld() {
	f.whole = f.req.Length == 0
	f.key, _ = f.idempotencyKey()
	r := f.route
	if r.Hold.State == continuity.HoldObserve {
		r.seen.passed()
	}
	p := passage{watch: r.watched(), leave: true}
	if !f.decided(&p) {
		f.pass(p)
	}
}

// observed passes a request of a route in observe, except behind pending
// records of its key from a time when the route held.
func (f *flight) observed(err error) {
	if f.identify(); f.claims() {
		return
	}
	if err == nil && f.route.Hold.State != continuity.HoldNever {
		f.noted = true
		f.route.seen.saw(f)
	}
	if f.known {
		if st, ok := f.engine.ledger.Status(f.receipt); ok {
			f.repeat(st)
			return
		}
	}
	if !f.engine.ledger.GateEmpty(f.route.ID) && f.behind() {
		return
	}
	if f.overflow { // let in to be kept, as no more may be sent; and this one is not kept
		f.refuse(continuity.E(continuity.CodeNotHeld, errUnshared))
		return
	}
	p := passage{observe: true, watch: f.route.watched()}
	if !f.decided(&p) {
		f.pass(p)
	}
}

// holdable takes a request through the steps of the package's text.
func (f *flight) holdable(err error) {
	if err != nil {
		f.refuse(err)
		return
	}
	if _, twice := f.idempotencyKey(); twice {
		f.refuse(continuity.E(continuity.CodeInvalid, errors.New("relay: two Idempotency-Keys"), "detail", "Idempotency-Key"))
		return
	}
	l := f.engine.ledger
	if f.identify(); f.claims() {
		return
	}
	if f.known {
		switch arrival, st := l.Arrive(f.receipt); arrival {
		case ledger.Known:
			f.repeat(st)
			return
		case ledger.InFlight:
			f.refuse(continuity.E(continuity.CodeInFlight, nil))
			return
		}
		f.registered = true
	}
	// With intake reply nothing is kept, not even behind what is.
	if f.standing().intake != continuity.IntakeReply && !l.GateEmpty(f.route.ID) && f.behind() {
		return
	}
	if f.overflow {
		f.keep(false)
		return
	}
	p := passage{watch: true, keep: true}
	if !f.decided(&p) {
		f.pass(p)
	}
}

// idempotencyKey returns the request's Idempotency-Key, and whether it names
// two different ones. A field without a value says nothing.
func (f *flight) idempotencyKey() (key string, twice bool) {
	for i := range f.req.Header {
		field := &f.req.Header[i]
		if len(field.Name) == len(idempotencyHeader) && strings.EqualFold(field.Name, idempotencyHeader) && field.Value != "" {
			if key != "" && key != field.Value {
				return key, true
			}
			key = field.Value
		}
	}
	return key, false
}

// identify finds by what the request would be recognised if it came again. Of a
// caller who is not verified nothing is recognised: it could be another's.
func (f *flight) identify() {
	r, h := f.route, f.engine.hasher
	f.key, _ = f.idempotencyKey()
	switch {
	case f.key != "":
		if who, err := f.who(); err == nil {
			f.known, f.receipt = true, h.Receipt(r.ID, who, f.key)
		} else {
			f.claimed(err, func(string) string { return f.key })
		}
		return
	case r.reader.HasFields() && f.whole:
		if f.readFacts(); f.facts.Fields == nil {
			break
		}
		who, err := f.who()
		if err == nil {
			f.key, f.known = h.DerivedKey(r.ID, who, f.facts.Fields), true
			f.receipt = h.Receipt(r.ID, who, f.key)
			return
		}
		f.claimed(err, func(who string) string { return h.DerivedKey(r.ID, who, f.facts.Fields) })
	}
	f.key = identity.RandomKey()
}

// readFacts reads what the route needs from the request, once. Of a body that
// was not read whole nothing is known.
func (f *flight) readFacts() {
	if f.read {
		return
	}
	f.read = true
	req := identity.Request{Target: f.req.Target, Header: f.req.Header}
	if f.whole {
		req.Body = f.body
	}
	f.facts, f.factsErr = f.route.reader.Read(req)
}

// stream is the body as it goes upstream: what was read, then the rest.
func (f *flight) stream() (io.Reader, int64) {
	f.reader.Reset(f.body)
	switch {
	case f.whole && len(f.trailers()) > 0:
		return &trailed{&f.reader, f.trailers()}, -1 // only a chunked body can have them
	case f.whole:
		return &f.reader, int64(len(f.body))
	case len(f.body) == 0:
		return f.req.Body, f.req.Length
	}
	return &rest{Reader: io.MultiReader(&f.reader, f.req.Body), f: f}, f.req.Length
}

// unreadable answers a request whose body can't be read to its end.
func (f *flight) unreadable(err error) {
	var p *http1.ProtocolError
	status := 400
	if errors.As(err, &p) {
		status = p.Status
	}
	f.refuseWith(continuity.E(continuity.CodeInvalid, err), status, "")
}
