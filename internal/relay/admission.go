package relay

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"holdfast/internal/admission"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
	"holdfast/internal/stale"
	"holdfast/internal/upstream"
)

// gate is a route's, if it has one.
type gate struct{ atomic.Pointer[admission.Gate] }

// SetGate puts a route's gate into use, or with nil takes it away.
func (e *Engine) SetGate(id string, g *admission.Gate) {
	if r := e.table.Load().find(id); r != nil {
		r.gate.Store(g)
	}
}

// admit asks the route's gate before anything is done for the request.
func (f *flight) admit() (answered bool) {
	r := f.route
	g := r.gate.Load()
	if g == nil && !r.strips {
		return false
	}
	var no admission.Refusal
	kept := f.check == "" && f.engine.ledger != nil && r.Hold.State == continuity.HoldOn && r.holds(f.req.Method)
	f.noted = true
	if g != nil {
		f.admitted, no = g.Enter(&admission.Request{
			At: f.began, Remote: f.req.Remote, Header: f.req.Header, Path: f.path, Kept: kept,
			Trusted: f.engine.trusts(f.req.Peer), Who: f,
		})
	}
	if r.strips {
		f.req.Header = admission.StripToken(f.req.Header)
	}
	switch {
	case no.Why == admission.Admitted:
		return false
	case no.Why == admission.Waiting:
		f.waits(&no)
	case kept && g.Holds(no.Why):
		f.overflow = true
		return false
	default:
		f.shed(&no)
	}
	return true
}

// Verified implements admission.Caller. The body is not there yet: whoever is
// verified by it is nobody here.
func (f *flight) Verified() (name string, rights []string, ok bool) {
	if f.route.caller == nil {
		return "", nil, false
	}
	name, err := f.who()
	return name, f.proof.Scopes, err == nil
}

// trusts reports whether a peer is a trusted proxy.
func (e *Engine) trusts(peer string) bool {
	t := e.transport.Load()
	if len(t.Trusted) == 0 {
		return false
	}
	a, err := netip.ParseAddrPort(peer)
	return err == nil && t.Trusts(a.Addr())
}

// spreadAgain spreads the return of those who were turned away together.
const spreadAgain = 3 * time.Second

// shed turns the request away.
func (f *flight) shed(no *admission.Refusal) {
	err, again := continuity.E(continuity.CodeShed, nil), max(no.Wait, time.Second)+rand.N(spreadAgain) // #nosec G404 -- spreads load
	if no.Why.Client() {
		err, again = continuity.E(continuity.CodeClientLimit, nil), no.Wait
	}
	d := problem.Of(err, f.engine.languages.of(f.req))
	f.done(Shed, d.Status)
	f.event(slog.LevelDebug, "request shed", "why", no.Why.String())
	header := append(own(stateShed, problem.ContentType, f.engine.languages.of(f.req)), retryAfter(again))
	_ = f.x.Respond(d.Status, header, d.JSON()) // a client that left can't be told
}

// tellGate tells the route's gate how the upstream fares. What the client or
// the relay itself is to blame for says nothing about it.
func (f *flight) tellGate(result *upstream.Result, class upstream.Class) {
	if f.check != "" || f.route.gate.Load() == nil || class != upstream.Answered && (upstream.Blameless(result.Err) || f.gone()) {
		return
	}
	f.admitted.Ended(time.Now(), result.Took, class != upstream.Answered || result.Status >= 500 || result.Status == 429)
}

// withTicket adds the waiting line's token to an answer, for its client to stay
// in with. An answer that shared caches may keep is nobody's own.
func (f *flight) withTicket(header []continuity.Field) []continuity.Field {
	t := &f.admitted.Ticket
	if t.Token == "" {
		return header
	}
	if stale.ForEverybody(header) {
		return header
	}
	return append(header[:len(header):len(header)], ticketFields(t)...)
}

func ticketFields(t *admission.Ticket) []continuity.Field {
	seconds := strconv.FormatInt(int64(t.Stays/time.Second), 10)
	return []continuity.Field{
		{Name: "Set-Cookie", Value: t.Cookie + "=" + t.Token + "; Path=/; HttpOnly; SameSite=Lax; Max-Age=" + seconds},
		{Name: admission.TokenHeader, Value: t.Token},
	}
}
