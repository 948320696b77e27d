package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
	"holdfast/internal/problem"
	"holdfast/internal/upstream"
)

// rehearsal takes a request through the live path itself, between a ledger that
// is only read and an upstream that is not there. It does and counts nothing.
type rehearsal struct {
	engine *Engine
	with   upstream.Class // how an attempt would end

	what   What
	status int
	code   continuity.Code
	args   map[string]any
	sent   bool
	behind bool // it was kept behind what is pending
}

// rehearse makes an Engine beside e, with the same routes, that does nothing.
func (e *Engine) rehearse(with upstream.Class) (*rehearsal, error) {
	h := &rehearsal{with: with}
	o := Options{Hasher: e.hasher, Observer: h, RetryAfter: e.retryAfter}
	if e.ledger != nil {
		o.Ledger = reading{e.ledger, h}
	}
	h.engine = New(o)
	h.engine.EndWaits()
	h.engine.SetTransport(*e.Transport())
	routes := e.table.Load().routes
	bindings := make([]Binding, len(routes))
	for i, r := range routes {
		bindings[i] = Binding{Route: r.Route, Sender: h, Caller: r.caller}
		if e.offline {
			bindings[i].Route.Hold.Share = 0
		}
		if r.standby != nil {
			bindings[i].Standby, bindings[i].Beside = h, r.standby.health
		}
	}
	return h, h.engine.SetRoutes(bindings, continuity.Limits{})
}

// request is the question as the wire would bring it.
func request(q *continuity.Question) *http1.Request {
	return &http1.Request{
		Method: q.Method, Target: q.Target, Host: q.Host, Header: slices.Clone(q.Header), Remote: q.From,
		Length: int64(len(q.Body)), Body: bytes.NewReader(q.Body),
	}
}

// play lets the request come, and says how it ended.
func (h *rehearsal) play(q *continuity.Question) continuity.Fate {
	h.engine.Handle(&act{h, request(q)})
	fate := continuity.Fate{What: string(h.what), Status: h.status, Code: h.code, Args: h.args}
	if (h.what == Passed || h.what == Diverted) && h.sent {
		fate.Status = 0 // that of the upstream
	}
	if h.what == Held && h.behind {
		fate.Why = "behind"
	}
	return fate
}

// Observe implements Observer.
func (h *rehearsal) Observe(_ string, what What, status int, _ time.Duration) {
	h.what, h.status = what, status
}

// Checked implements Observer.
func (h *rehearsal) Checked(_ string, what What, status int) { h.what, h.status = what, status }

var errRehearsed = errors.New("relay: a rehearsal sends nothing")

// Send implements upstream.Sender.
func (h *rehearsal) Send(context.Context, upstream.Attempt) upstream.Result {
	h.sent = true
	if h.with != upstream.Answered {
		return upstream.Result{Class: h.with, Err: errRehearsed}
	}
	return upstream.Result{Class: upstream.Answered, Status: 200, Body: io.NopCloser(bytes.NewReader(nil))}
}

// act is the exchange of a rehearsal.
type act struct {
	*rehearsal
	request *http1.Request
}

func (x *act) Context() context.Context { return context.Background() }
func (x *act) Request() *http1.Request  { return x.request }
func (x *act) Started() bool            { return false }

// Respond implements http1.Exchange: of what the relay answers itself only
// problems say more than the observer heard.
func (x *act) Respond(status int, header []continuity.Field, body []byte) error {
	var d problem.Document
	if http1.Get(header, "Content-Type") == problem.ContentType && json.Unmarshal(body, &d) == nil {
		x.code, x.args = d.Code, d.Args
	}
	x.rehearsal.status = status
	return nil
}

func (x *act) Stream(status int, _ []continuity.Field, _ int64, _ io.Reader) error {
	x.rehearsal.status = status
	return nil
}

// reading is a ledger in which nothing changes.
type reading struct {
	Ledger
	to *rehearsal
}

func (l reading) Arrive(r continuity.Receipt) (ledger.Arrival, ledger.Status) {
	if st, ok := l.Status(r); ok {
		return ledger.Known, st
	}
	return ledger.Fresh, ledger.Status{}
}

func (l reading) Leave(continuity.Receipt) {}

func (l reading) AcceptAsync(rec *continuity.Record, onlyBehind bool, done func(ledger.Status, error)) (bool, error) {
	if err := l.Latched(); err != nil {
		return false, continuity.E(continuity.CodeLatched, err)
	}
	if onlyBehind && !l.Gated(rec.Key) {
		return false, nil
	}
	l.to.behind = onlyBehind
	done(ledger.Status{Receipt: rec.Receipt, Route: rec.Route, State: continuity.Queued}, nil)
	return true, nil
}

func (l reading) Wait(_ context.Context, r continuity.Receipt) ledger.Status {
	st, _ := l.Status(r)
	return st
}

// empty is the ledger of which nothing is known.
type empty struct{}

func (empty) Arrive(continuity.Receipt) (ledger.Arrival, ledger.Status) {
	return ledger.Fresh, ledger.Status{}
}
func (empty) Leave(continuity.Receipt) {}
func (empty) AcceptAsync(*continuity.Record, bool, func(ledger.Status, error)) (bool, error) {
	return false, errRehearsed
}
func (empty) Gated(continuity.KeyTag) bool                           { return false }
func (empty) GateEmpty(string) bool                                  { return true }
func (empty) Blank(string) bool                                      { return true }
func (empty) Status(continuity.Receipt) (ledger.Status, bool)        { return ledger.Status{}, false }
func (empty) Record(continuity.Position) (*continuity.Record, error) { return nil, errRehearsed }
func (empty) Response(continuity.Position) (*continuity.Response, error) {
	return nil, errRehearsed
}
func (empty) Wait(context.Context, continuity.Receipt) ledger.Status { return ledger.Status{} }
func (empty) Effective(string) (continuity.Intake, continuity.Replay) {
	return continuity.IntakePass, continuity.ReplayOn
}
func (empty) Switches(string) []continuity.Switch { return nil }
func (empty) Latched() error                      { return nil }
func (empty) Settings() uint64                    { return 0 }
