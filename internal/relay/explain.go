package relay

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/upstream"
)

// Offline is an Engine that only explains, by a configuration alone: what stands
// and what is pending is not known, callers count as who they say, and every key
// as in the share that is held.
func Offline(routes []continuity.Route, t continuity.Transport) (*Engine, error) {
	e := New(Options{Ledger: empty{}, Hasher: identity.New(make([]byte, 32))})
	e.offline = true
	e.SetTransport(t)
	bindings := make([]Binding, len(routes))
	for i, r := range routes {
		h := &rehearsal{}
		bindings[i] = Binding{Route: r, Sender: h}
		if r.Verify != nil {
			bindings[i].Caller = anybody{}
		}
		if r.Standby != nil {
			bindings[i].Standby = h
		}
	}
	return e, e.SetRoutes(bindings, continuity.Limits{})
}

// anybody believes every caller.
type anybody struct{}

func (anybody) Verify(*caller.Request) (caller.Identity, error) {
	return caller.Identity{Name: "?"}, nil
}
func (anybody) Challenge() string { return "" }

// Explain tells what would happen to a request now, and why. The request goes
// through the live path, with nothing behind it: nothing is sent, kept or
// counted. Limits of what is let in, and how much room there is, are not tried.
func (e *Engine) Explain(q *continuity.Question) (*continuity.Explanation, error) {
	if q.From != "" {
		from, ok := hopAddress(q.From)
		if !ok {
			return nil, continuity.E(continuity.CodeInvalid, nil, "detail", "from")
		}
		asked := *q
		asked.From = from.String()
		q = &asked
	}
	x := &continuity.Explanation{Live: !e.offline, Before: []continuity.Unfit{}, Points: []continuity.Point{}}
	h, err := e.rehearse(upstream.Answered)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(request(q).Path(), ownPrefix) {
		x.Now.What = "own"
		return x, nil
	}
	f := h.look(x, q)
	if f == nil {
		x.Now = continuity.Fate{What: string(Refused), Code: continuity.CodeNoRoute, Status: 404}
		return x, nil
	}
	f.explain(x, e)
	x.Now = h.play(q)
	if !h.sent {
		if x.Now.What == string(Held) && x.Now.Why == "" {
			x.Now.Why = "intake"
		}
		return x, nil
	}
	x.Now.Why = f.whyPassed()
	for class, into := range map[upstream.Class]**continuity.Fate{upstream.Clean: &x.Down, upstream.Lost: &x.Lost} {
		again, err := e.rehearse(class)
		if err != nil {
			return nil, err
		}
		fate := again.play(q)
		*into = &fate
	}
	return x, nil
}

// look finds the request's route, and prepares to look at it as a flight does.
func (h *rehearsal) look(x *continuity.Explanation, q *continuity.Question) *flight {
	req := request(q)
	h.engine.whoAsks(req)
	host := hostname(req.Host)
	path, _ := plainPath(req.Path()) // as the live path compares it
	for _, r := range h.engine.table.Load().routes {
		if !r.Match.Matches(req.Method, host, path) {
			x.Before = append(x.Before, continuity.Unfit{Route: r.ID, Why: unfit(r.Match, req.Method, host)})
			continue
		}
		x.Route = r.ID
		f := &flight{engine: h.engine, x: &act{h, req}, req: req, route: r, path: path, began: time.Now()}
		f.body, f.whole = q.Body, int64(len(q.Body)) <= r.Hold.ItemBytes || len(q.Body) == 0
		return f
	}
	return nil
}

// unfit is the first part of a match that a request does not fit.
func unfit(m continuity.Match, method, host string) string {
	switch {
	case !continuity.Match{Hosts: m.Hosts}.Matches("", host, ""):
		return "host"
	case !continuity.Match{Methods: m.Methods}.Matches(method, "", ""):
		return "method"
	}
	return "path"
}

// whyPassed says why a request that is sent is not kept.
func (f *flight) whyPassed() string {
	switch {
	case f.engine.ledger == nil:
		return "keyless"
	case f.standing().intake == continuity.IntakeDivert:
		return "intake"
	case !f.route.holds(f.req.Method):
		return "method"
	case f.route.Hold.State != continuity.HoldOn:
		return "observe"
	case !f.shared():
		return "share"
	}
	return "pass"
}

// explain says what the flight finds out about its request, by the flight's own
// means.
func (f *flight) explain(x *continuity.Explanation, live *Engine) {
	note := func(against bool, id string, pairs ...any) {
		p := continuity.Point{ID: id, Against: against}
		if len(pairs) > 0 {
			p.Args = map[string]any{}
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			p.Args[pairs[i].(string)] = pairs[i+1]
		}
		x.Points = append(x.Points, p)
	}
	f.explainStanding(note, live)
	r := f.route
	if !r.holds(f.req.Method) {
		note(true, "method-passes", "method", f.req.Method)
		return
	}
	note(false, "method-held", "method", f.req.Method)
	switch r.Hold.State {
	case continuity.HoldObserve:
		note(true, "observe")
	case continuity.HoldNever:
		note(true, "never")
	}
	if f.whole {
		note(false, "size", "bytes", len(f.body), "limit", r.Hold.ItemBytes)
	} else {
		note(true, "too-large", "bytes", len(f.body), "limit", r.Hold.ItemBytes)
	}
	f.explainFacts(note)
	f.explainIdentity(note)
	switch {
	case live.offline:
		if r := live.table.Load().find(r.ID); r.Hold.Partial() {
			note(false, "share-unknown", "share", r.Hold.Share)
		}
	case !r.Hold.Partial():
	case f.shared():
		note(false, "share-in", "share", r.Hold.Share)
	default:
		note(true, "share-out", "share", r.Hold.Share)
	}
	f.explainStoring(note, x.Live)
	if l := f.engine.ledger; l != nil && x.Live && f.factsErr == nil && f.facts.HasKey {
		if l.Gated(f.tag()) {
			note(false, "gated")
		} else {
			note(false, "not-gated")
		}
	}
}

type noter func(against bool, id string, pairs ...any)

// explainStanding tells what stands, and who is blocked.
func (f *flight) explainStanding(note noter, live *Engine) {
	r := f.route
	switch {
	case f.engine.ledger == nil:
		note(true, "keyless")
	case live.offline:
		note(false, "settings-unknown")
	default:
		for _, s := range f.engine.ledger.Switches(r.ID) {
			note(false, "setting", "owner", s.Owner, "intake", s.Intake.String(), "replay", s.Replay.String(), "reason", s.Reason, "some", s.Partial())
		}
		intake, replay := f.engine.ledger.Effective(r.ID)
		note(false, "intake", "intake", intake.String(), "replay", replay.String())
		if f.engine.ledger.Latched() != nil {
			note(true, "latched")
		}
	}
	if b, _ := f.fits(f.standing()); b != nil {
		note(true, "block", "reason", b.Reason)
	}
	if addr, err := netip.ParseAddrPort(f.req.Remote); err == nil {
		note(false, "from", "address", addr.Addr().String())
	}
	if original := live.table.Load().find(r.ID); original != nil {
		if g := original.gate.Load(); g != nil {
			i := g.Info()
			note(false, "admission", "rate", i.Rate, "concurrency", i.Concurrency, "way", i.OnWay)
		} else if r.Admission != nil {
			note(false, "admission-some")
		}
	}
}

// explainFacts tells the ordering key, exceptions and the amount.
func (f *flight) explainFacts(note noter) {
	f.readFacts()
	r := f.route
	from := source(r.Key)
	switch {
	case f.factsErr != nil:
		note(true, "body-unread", "why", whyOf(f.factsErr))
	case !f.facts.Ordered:
		note(false, "key-none")
	case f.facts.HasKey:
		note(false, "key", "from", from, "value", f.facts.Key)
	case f.whole || !inBody(r.Key): // of a body that is not read nothing is known
		note(true, "key-missing", "from", from)
	}
	if f.facts.Excepted {
		note(true, "excepted")
	}
	switch {
	case r.Hold.Amount == nil || f.factsErr != nil || !f.whole:
	case f.facts.Amount.IsZero():
		note(true, "no-amount", "from", r.Hold.Amount.Pointer)
	default:
		note(false, "amount", "value", f.facts.Amount.String())
	}
}

// whyOf is what an error tells beside its code.
func whyOf(err error) string {
	if e, ok := err.(*continuity.Error); ok {
		if why, ok := e.Args["why"].(string); ok {
			return why
		}
	}
	return string(continuity.CodeOf(err))
}

// explainIdentity tells by what a repeat would be recognised.
func (f *flight) explainIdentity(note noter) {
	key, twice := f.idempotencyKey()
	f.identify()
	switch {
	case twice:
		note(true, "identity-twice")
	case f.known && key != "":
		note(false, "identity-key")
	case f.known:
		note(false, "identity-fields", "fields", strings.Join(f.route.Identity.Fields, " "))
	case key != "":
		note(false, "identity-unproved")
	case f.route.reader.HasFields():
		note(false, "identity-missing", "fields", strings.Join(f.route.Identity.Fields, " "))
	default:
		note(false, "identity-none")
	}
	if !f.known || f.engine.ledger == nil {
		return
	}
	if st, ok := f.engine.ledger.Status(f.receipt); ok {
		note(false, "repeat", "receipt", f.receipt.Short(), "state", st.State.String())
	}
}

// explainStoring tells what speaks against writing the request down, one thing
// by one: keepable stops at the first.
func (f *flight) explainStoring(note noter, live bool) {
	r := f.route
	if f.route.credentials(f.req.Header) {
		switch {
		case r.Hold.Mint != nil:
			note(false, "credentials-minted")
		case r.Hold.Credentials:
			note(false, "credentials-stored")
		default:
			note(true, "credentials")
		}
	}
	switch who, err := f.who(); {
	case r.caller == nil:
	case !live:
		note(false, "caller-unknown")
	case err != nil:
		note(true, "caller-refused", "why", whyOf(err))
	default:
		note(false, "caller", "who", who)
	}
	if !f.whole {
		return // it would not be searched
	}
	if err := f.storable(); continuity.CodeOf(err) == continuity.CodeSensitive {
		e := err.(*continuity.Error)
		note(true, "sensitive", "where", e.Args["where"], "kind", e.Args["kind"])
	} else if err != nil {
		note(true, "body-unread", "why", whyOf(err))
	} else if f.guard.changed {
		note(false, "dropped")
	}
	switch {
	case r.Answer != nil:
		note(false, "declared")
	case f.preference().async:
		note(false, "declared-client")
	default:
		note(true, "undeclared")
	}
}

func inBody(s continuity.Selector) bool {
	return s.Source != continuity.SourceHeader && s.Source != continuity.SourcePath
}

// source writes a selector as the configuration does.
func source(s continuity.Selector) string {
	switch s.Source {
	case continuity.SourceHeader:
		return "header:" + s.Name
	case continuity.SourcePath:
		return "path:" + strconv.Itoa(s.Index)
	case continuity.SourceForm:
		return "form:" + s.Name
	case continuity.SourceXML:
		return "xml:" + s.Name
	case continuity.SourceJSON:
		return "json:" + s.Name
	}
	return ""
}
