package relay

import (
	"errors"
	"slices"
	"strings"
	"time"

	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/problem"
)

// A check's request goes the way of customers', and leaves nothing behind: it is
// never kept, recorded, looked up or offered to readers later, and counts in
// nothing that tells of customers or of the upstream's health and capacity.

// believed returns the mark of a check that a request bears. One that nobody
// signed, or not for this request, is taken off: who receives it further on
// believes it.
func believed(req *http1.Request, key continuity.Secret) checkmark.Mark {
	value, n := "", 0
	for i := range req.Header {
		if strings.EqualFold(req.Header[i].Name, checkmark.Header) {
			value, n = req.Header[i].Value, n+1
		}
	}
	if n == 1 {
		if m, ok := checkmark.Verify(value, []byte(key), req.Method, req.Host, req.Target, time.Now()); ok {
			return m
		}
	}
	req.Header = slices.DeleteFunc(req.Header, func(f continuity.Field) bool { return strings.EqualFold(f.Name, checkmark.Header) })
	return checkmark.Mark{}
}

var errHolding = errors.New("relay: a check's request, where a customer's would be kept")

// checked passes a check's request where a customer's would pass. Where that
// would be kept it is told so: kept, it would become a false order later.
func (f *flight) checked() {
	r, l := f.route, f.engine.ledger
	f.noted = true
	f.key, _ = f.idempotencyKey()
	p := passage{leave: true}
	if err := f.buffer(); err != nil {
		if errors.Is(err, errBudget) {
			f.refuse(err)
		} else {
			f.unreadable(err)
		}
		return
	}
	if l != nil && r.holds(f.req.Method) {
		p.leave = false
		if f.key == "" {
			f.key = identity.RandomKey()
		}
		s := f.standing()
		f.holding = r.Hold.State == continuity.HoldOn && (!r.Hold.Partial() || f.sharedCheck())
		if f.holding && s.intake == continuity.IntakeHold && !f.mayPass(s, &p) || !l.GateEmpty(r.ID) && f.gated() {
			f.refuseHolding()
			return
		}
	}
	if !f.decided(&p) {
		f.pass(p)
	}
}

// tries reports whether it is a request of a check whose own word holds the
// route, and nobody else does but health and other checks. Then it passes: it is
// the one that finds the system well again, and beneath a word nothing else tries.
// Who saw a mark passes nothing else by it: it has to be made for the body.
func (f *flight) tries(s *standing) bool {
	return f.check != "" && s.health && slices.Contains(s.words, f.check) &&
		(f.whole || f.req.Length == 0) && f.mark.Covers(f.body)
}

// count and took tell the route's live rate and latency of customers' requests.
func (f *flight) count() {
	if f.check == "" {
		f.route.traffic.count(time.Now())
	}
}

func (f *flight) took(d time.Duration) {
	if f.check == "" {
		f.route.traffic.answered(d)
	}
}

// sharedCheck is shared, of a request that is never recognised again.
func (f *flight) sharedCheck() bool {
	f.readFacts()
	if f.factsErr != nil || f.facts.Ordered && !f.facts.HasKey {
		return false
	}
	return f.route.Hold.Shares(f.tag())
}

// gated reports whether records of the request's key are pending.
func (f *flight) gated() bool {
	f.readFacts()
	return f.facts.HasKey && f.engine.ledger.Gated(f.tag())
}

// refuseHolding tells a check that a customer's request would have been kept.
func (f *flight) refuseHolding() {
	err := continuity.E(continuity.CodeNotHeld, errHolding, "check", true)
	lang := f.engine.languages.of(f.req)
	d := problem.Of(err, lang)
	f.done(Refused, d.Status)
	header := append(own(stateHolding, problem.ContentType, lang), retryAfter(f.engine.retryAfter(f.route.ID)))
	_ = f.x.Respond(d.Status, header, d.JSON()) // a client that left can't be told
}
