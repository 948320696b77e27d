package relay

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"holdfast/internal/admission"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/ledger"
	"holdfast/internal/sensitive"
	"holdfast/internal/stale"
	"holdfast/internal/upstream"
)

// Ledger is what the live path needs of the ledger.
type Ledger interface {
	Arrive(r continuity.Receipt) (ledger.Arrival, ledger.Status)
	Leave(r continuity.Receipt)
	// AcceptAsync ends also what Arrive began, where it keeps the request.
	AcceptAsync(rec *continuity.Record, onlyBehind bool, done func(ledger.Status, error)) (queued bool, err error)
	Gated(k continuity.KeyTag) bool
	GateEmpty(route string) bool
	Blank(route string) bool
	Status(r continuity.Receipt) (ledger.Status, bool)
	Record(at continuity.Position) (*continuity.Record, error)
	Response(at continuity.Position) (*continuity.Response, error)
	Wait(ctx context.Context, r continuity.Receipt) ledger.Status
	Effective(route string) (continuity.Intake, continuity.Replay)
	Switches(route string) []continuity.Switch
	Latched() error
	Settings() uint64 // grows with each change of any standing setting
}

// Health learns how attempts end, and may let one through as a trial.
type Health interface {
	Succeeded()
	CleanFailed() error
	LostAttempt() error
	TryLive() bool
}

// Binding is a route with what serves it.
type Binding struct {
	Route  continuity.Route
	Sender upstream.Sender
	Health Health          // nil: nobody watches
	Caller Caller          // for a route that verifies its callers
	Gate   *admission.Gate // nil: everything is let in
	// Standby sends to the route's standby, if it has one; Beside tells whether
	// that is up, as far as somebody checks it.
	Standby upstream.Sender
	Beside  Standing // nil: nobody checks
}

// Standing tells whether a standby is up.
type Standing interface{ Up() bool }

// Options say what an Engine works with.
type Options struct {
	Ledger   Ledger // nil: no master key; everything passes and nothing is kept
	Hasher   *identity.Hasher
	Recorder Recorder // nil: nothing that passes is recorded
	Observer Observer // nil: none
	Logger   *slog.Logger
	// RetryAfter tells when a client of a route may ask again; nil: five seconds.
	RetryAfter func(route string) time.Duration
}

// Engine answers live requests. Its methods are safe for concurrent use.
type Engine struct {
	ledger     Ledger
	hasher     *identity.Hasher
	recorder   Recorder
	observer   Observer
	log        *slog.Logger
	retryAfter func(route string) time.Duration
	live       budget
	languages  languages
	table      atomic.Pointer[table]
	transport  atomic.Pointer[continuity.Transport]
	replies    *stale.Store
	waiting    context.Context // done when nobody is to wait any longer
	endWaits   context.CancelFunc
	offline    bool // it only explains, by a configuration alone
}

// table is one configuration of routes; requests under way keep theirs.
type table struct{ routes []*route }

// standby is where a route diverts to.
type standby struct {
	upstream string
	sender   upstream.Sender
	health   Standing
}

type route struct {
	continuity.Route
	sender  upstream.Sender
	health  Health
	reader  *identity.Reader
	guard   *sensitive.Finder
	caller  Caller // nil: callers prove nothing
	answer  answer
	standby *standby // nil: none
	page    *page    // the maintenance answer

	standing   atomic.Pointer[standing]
	traffic    *traffic   // outlives the table
	seen       *collector // outlives the table
	unrecorded *missed    // outlives the table
	gate       *gate      // outlives the table
	words      *words     // outlives the table
	strips     bool       // tokens of a waiting line may come
	forgets    bool       // nothing that it does with what passes keeps a string of it
}

// New makes an Engine without routes.
func New(o Options) *Engine {
	e := &Engine{ledger: o.Ledger, hasher: o.Hasher, recorder: o.Recorder, observer: o.Observer, log: o.Logger, retryAfter: o.RetryAfter}
	if e.observer == nil {
		e.observer = nobody{}
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.retryAfter == nil {
		e.retryAfter = func(string) time.Duration { return defaultRetryAfter }
	}
	e.replies = stale.New(0)
	e.table.Store(&table{})
	e.transport.Store(&continuity.Transport{})
	e.waiting, e.endWaits = context.WithCancel(context.Background())
	return e
}

// EndWaits answers at once whoever waits for the upstream's own response to a
// kept request, now and from now on: cut off without an answer, a client would
// send it again.
func (e *Engine) EndWaits() { e.endWaits() }

const defaultRetryAfter = 5 * time.Second

// SetRoutes puts routes into use, all at once; on an error the old ones stay.
func (e *Engine) SetRoutes(bindings []Binding, limits continuity.Limits) error {
	old := e.table.Load()
	next := &table{routes: make([]*route, len(bindings))}
	lines := slices.ContainsFunc(bindings, func(b Binding) bool { return b.Route.Line != nil })
	for n, b := range bindings {
		reader, err := identity.NewReader(&b.Route)
		if err != nil {
			return continuity.E(continuity.CodeConfig, err, "detail", err.Error())
		}
		r := &route{Route: b.Route, sender: b.Sender, health: b.Health, reader: reader, guard: sensitive.New(&b.Route), caller: b.Caller}
		if r.Verify != nil && r.caller == nil {
			return continuity.E(continuity.CodeConfig, errNoVerifier, "detail", errNoVerifier.Error())
		}
		if r.health == nil {
			r.health = unwatched{}
		}
		if before := old.find(r.ID); before != nil {
			r.traffic, r.seen, r.unrecorded, r.gate, r.words = before.traffic, before.seen, before.unrecorded, before.gate, before.words
		} else {
			r.traffic, r.seen, r.unrecorded, r.gate, r.words = &traffic{}, newCollector(), &missed{}, &gate{}, &words{}
		}
		r.strips = lines
		r.forgets = r.Reply == nil && r.caller == nil && r.Sign == nil && r.Rewrite == nil && !r.Record.Passed
		r.answer, r.page = newAnswer(r.Answer), newPage(r.Reply)
		if r.Standby != nil && b.Standby != nil {
			r.standby = &standby{r.Standby.Upstream, b.Standby, b.Beside}
		}
		next.routes[n] = r
	}
	e.live.limit.Store(limits.LiveBytes)
	e.replies.SetLimit(limits.Replies)
	e.table.Store(next)
	for n, b := range bindings {
		next.routes[n].gate.Store(b.Gate)
	}
	return nil
}

func (t *table) find(id string) *route {
	for _, r := range t.routes {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (t *table) match(method, host, path string) *route {
	for _, r := range t.routes {
		if r.Match.Matches(method, host, path) {
			return r
		}
	}
	return nil
}

// Handle answers one exchange.
func (e *Engine) Handle(x http1.Exchange) {
	req := x.Request()
	mark := e.whoAsks(req)
	path, ok := plainPath(req.Path())
	if !ok {
		e.refuse(x, "", continuity.E(continuity.CodeInvalid, errDots, "detail", "path"))
		return
	}
	if strings.HasPrefix(path, ownPrefix) {
		e.serveOwn(x, path)
		return
	}
	r := e.table.Load().match(req.Method, hostname(req.Host), path)
	if r == nil {
		e.refuse(x, "", continuity.E(continuity.CodeNoRoute, nil))
		return
	}
	f := flights.Get().(*flight)
	f.engine, f.x, f.req, f.route, f.path, f.check, f.mark, f.began = e, x, req, r, path, mark.Check, mark, time.Now()
	defer f.land()
	f.run()
}

// hostname is a Host field without its port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}

// Live returns how many requests a second of a route are sent upstream for
// waiting clients at present.
func (e *Engine) Live(id string) float64 {
	if r := e.table.Load().find(id); r != nil {
		return r.traffic.rate(time.Now())
	}
	return 0
}

// Passing returns how many requests of a route are on their way to its upstream now:
// none of them has been answered yet.
func (e *Engine) Passing(id string) int64 {
	if r := e.table.Load().find(id); r != nil {
		return r.traffic.under.Load()
	}
	return 0
}

// Latency returns the moving average of the time to the upstream's answer to
// live requests of a route; 0 before the first.
func (e *Engine) Latency(id string) time.Duration {
	if r := e.table.Load().find(id); r != nil {
		return r.traffic.latency()
	}
	return 0
}

// unwatched is the health of a route that nobody watches.
type unwatched struct{}

func (unwatched) Succeeded()         {}
func (unwatched) CleanFailed() error { return nil }
func (unwatched) LostAttempt() error { return nil }
func (unwatched) TryLive() bool      { return false }
