package app

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/caller"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/health"
	"holdfast/internal/ledger"
	"holdfast/internal/relay"
	"holdfast/internal/replay"
	"holdfast/internal/upstream"
)

// A lane is one route with what serves it. It does not change once it is in
// use.
type lane struct {
	route   continuity.Route
	sender  *upstream.HTTP
	out     upstream.Sender  // sender, behind what the route does to each attempt
	callers *caller.Verifier // nil: callers prove nothing
	standby *upstream.HTTP   // nil: none
	probe   *health.Probe    // of the standby; nil: none
	health  *healthRef       // nil: keyless
	meter   *replay.Meter
	drainer *replay.Drainer // nil: keyless
	seen    seriesTable
	retry   atomic.Pointer[retry]
	gate    gateRef
	stop    func() // ends the monitor; for whoever exchanges lanes
}

// lanes are all routes of one configuration.
type lanes struct {
	byID  map[string]*lane
	order []string // as configured
}

// healthRef is the health of a route for whoever reports to it: requests that
// began under an older configuration report to the present monitor. A monitor
// is exchanged only while none of its reports is under way, as a report may
// put a standing switch that the next monitor has to take over.
type healthRef struct {
	mu      sync.RWMutex
	monitor *health.Monitor
}

func (h *healthRef) Succeeded() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	h.monitor.Succeeded()
}

func (h *healthRef) CleanFailed() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.monitor.CleanFailed()
}

func (h *healthRef) LostAttempt() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.monitor.LostAttempt()
}

func (h *healthRef) TryLive() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.monitor.TryLive()
}

func (h *healthRef) info() health.Info {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.monitor.Info()
}

// oldSenders keep their pools this long after a reload, for the requests that
// began before it.
const oldSenders = 2 * time.Minute

// apply puts routes into use. The caller holds reloading, or starts.
func (a *App) apply(next *config.Relay) error {
	before := a.lanes.Load().byID
	senders, standbys := make(map[string]*upstream.HTTP, len(next.Routes)), make(map[string]*upstream.HTTP)
	callers, err := a.callers(before, next.Routes)
	if err != nil {
		return err
	}
	for i := range next.Routes { // what can fail comes first
		r := &next.Routes[i]
		if err := a.standbySender(r, before[r.ID], standbys); err != nil {
			return err
		}
		if old := before[r.ID]; old != nil && sameUpstream(&old.route, r) {
			senders[r.ID] = old.sender
			continue
		}
		s, err := upstream.New(upstream.Options{URL: r.Upstream, Timeouts: r.Timeouts, TLS: r.UpstreamTLS})
		if err != nil {
			return err
		}
		senders[r.ID] = s
	}
	outs, err := outward(next.Routes, senders)
	if err != nil {
		return err
	}
	after := make(map[string]*lane, len(next.Routes))
	bindings := make([]relay.Binding, len(next.Routes))
	var order []string
	for i, r := range next.Routes {
		old := before[r.ID]
		order = append(order, r.ID)
		switch {
		case old != nil && reflect.DeepEqual(old.route, r):
			after[r.ID] = old
		default:
			after[r.ID] = a.newLane(r, senders[r.ID], outs[r.ID], standbys[r.ID], old)
			after[r.ID].callers = callers[r.ID]
		}
		bindings[i] = relay.Binding{Route: r, Sender: after[r.ID].out, Gate: a.gate(after[r.ID], old)}
		if l := after[r.ID]; l.standby != nil {
			bindings[i].Standby, bindings[i].Beside = l.standby, l.probe
		}
		if c := callers[r.ID]; c != nil {
			bindings[i].Caller = c
		}
		if a.ledger != nil {
			bindings[i].Health = after[r.ID].health
		}
	}
	if err := a.engine.SetRoutes(bindings, next.Limits); err != nil {
		return err
	}
	a.engine.SetTransport(next.Transport)
	if a.ledger != nil {
		a.ledger.SetRoutes(next.Routes, next.Limits)
	}
	a.approvals.Store(next.Approvals)
	a.lanes.Store(&lanes{after, order})
	a.tell(next.Routes)
	a.admit.conns.Store(int64(next.Limits.ConnsPerAddress))
	a.boundConns()
	for id, l := range before {
		if after[id] != l {
			a.retire(l, after[id])
		}
	}
	if a.ledger != nil {
		for id, l := range after {
			if before[id] != l {
				a.startLane(l)
			}
		}
	}
	return nil
}

func sameUpstream(a, b *continuity.Route) bool {
	return a.Upstream == b.Upstream && a.Timeouts == b.Timeouts && reflect.DeepEqual(a.UpstreamTLS, b.UpstreamTLS)
}

// standbySender finds or makes what sends to a route's standby, if it has one.
func (a *App) standbySender(r *continuity.Route, old *lane, into map[string]*upstream.HTTP) error {
	if r.Standby == nil {
		return nil
	}
	if old != nil && old.standby != nil && old.route.Standby.Upstream == r.Standby.Upstream && old.route.Standby.Timeouts == r.Standby.Timeouts {
		into[r.ID] = old.standby
		return nil
	}
	s, err := upstream.New(upstream.Options{URL: r.Standby.Upstream, Timeouts: r.Standby.Timeouts})
	into[r.ID] = s
	return err
}

// newLane makes a lane that has yet to be started; it takes over what an older
// one of its route has learned.
func (a *App) newLane(r continuity.Route, s *upstream.HTTP, out upstream.Sender, standby *upstream.HTTP, old *lane) *lane {
	l := &lane{route: r, sender: s, out: out, standby: standby, stop: func() {}}
	if standby != nil {
		l.probe = health.NewProbe(r.ID, *r.Standby, standby, a.log)
	}
	if old != nil {
		old.stop() // its checks must put no switch behind the next monitor's back
		l.meter, l.health = old.meter, old.health
	} else {
		l.meter = replay.NewMeter(a.estimates.of(r.ID))
	}
	if a.ledger == nil {
		return l
	}
	if l.health == nil {
		l.health = &healthRef{}
	}
	a.watch(l)
	o := replay.Options{
		Route: r, Ledger: a.ledger, Sender: out, Meter: l.meter, Health: l.health, Logger: a.log,
		Seed: uint64(time.Now().UnixNano()), // #nosec G115 -- any number will do
	}
	if standby != nil { // a nil *HTTP in the interface would not be nil
		o.Standby = minting(&r, standby)
	}
	l.drainer = replay.New(o)
	return l
}

// watch puts a new monitor in the place of the one before.
func (a *App) watch(l *lane) {
	l.health.mu.Lock()
	defer l.health.mu.Unlock()
	var standing *continuity.Switch
	for _, s := range a.ledger.Switches(l.route.ID) {
		if s.Owner == continuity.OwnerHealth {
			standing = &s
		}
	}
	id := l.route.ID
	l.health.monitor = health.New(health.Options{
		Route: &l.route, Sender: l.sender, Switches: a.outagesOf(l, standing), Standing: standing, Logger: a.log,
		Pending: func() bool {
			c := a.ledger.Counters(id)
			return c.Queued+c.Attempting+c.InDoubt > 0
		},
	})
}

func (a *App) startLane(l *lane) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	monitor := l.health.monitor
	go func() {
		defer close(done)
		if l.probe != nil {
			var both sync.WaitGroup
			defer both.Wait()
			both.Go(func() { l.probe.Run(ctx) })
		}
		monitor.Run(ctx)
	}()
	l.stop = func() {
		cancel()
		<-done
	}
	l.drainer.Start(context.Background())
}

// retire ends a lane that is no longer in use; attempts under way are recorded.
func (a *App) retire(l, successor *lane) {
	if l.drainer != nil {
		l.drainer.Stop()
	}
	l.stop()
	if successor == nil || successor.sender != l.sender {
		time.AfterFunc(oldSenders, l.sender.Close)
	}
	if l.callers != nil && (successor == nil || successor.callers != l.callers) {
		l.callers.Close()
	}
	if l.standby != nil && (successor == nil || successor.standby != l.standby) {
		time.AfterFunc(oldSenders, l.standby.Close)
	}
}

// closeLanes ends all replay, at the same time, and then all watching.
func (a *App) closeLanes(context.Context) {
	a.reloading.Lock() // a reload under way ends first; no other one begins
	defer a.reloading.Unlock()
	defer a.stopTelling()
	lanes := a.lanes.Load().byID
	var all sync.WaitGroup
	for _, l := range lanes {
		all.Go(func() {
			if l.drainer != nil {
				l.drainer.Stop()
			}
			l.stop()
		})
	}
	all.Wait()
	a.saveEstimates()
	for _, l := range lanes {
		l.sender.Close()
		if l.callers != nil {
			l.callers.Close()
		}
		if l.standby != nil {
			l.standby.Close()
		}
	}
}

// lane returns a configured route's lane.
func (a *App) lane(id string) *lane { return a.lanes.Load().byID[id] }

// drainer returns a configured route's drainer, if it has one.
func (a *App) drainer(id string) *replay.Drainer {
	if l := a.lane(id); l != nil {
		return l.drainer
	}
	return nil
}

// liveLedger tells replay which keys gain.
type liveLedger struct {
	*ledger.Ledger
	app *App
}

// AcceptAsync implements relay.Ledger.
func (l *liveLedger) AcceptAsync(rec *continuity.Record, onlyBehind bool, done func(ledger.Status, error)) (bool, error) {
	if !onlyBehind && !l.Gated(rec.Key) {
		return l.Ledger.AcceptAsync(rec, onlyBehind, done)
	}
	route, key := rec.Route, rec.Key
	return l.Ledger.AcceptAsync(rec, onlyBehind, func(st ledger.Status, err error) {
		if err == nil {
			if d := l.app.drainer(route); d != nil {
				d.Gained(key)
			}
		}
		done(st, err)
	})
}

// The bounds of what clients are told to wait.
const (
	leastRetry = 2 * time.Second
	mostRetry  = time.Minute
)

// retryAfter tells a client when to ask again: when the drain is over, if that
// is known and soon. It is asked with every held request and reckons once a
// second.
func (a *App) retryAfter(id string) time.Duration {
	l := a.lane(id)
	if l == nil || l.drainer == nil {
		return 2 * leastRetry
	}
	now := time.Since(a.began)
	if known := l.retry.Load(); known != nil && now-known.at < time.Second {
		return known.after
	}
	after := 5 * leastRetry
	if p := l.drainer.Progress(); p.Ends {
		after = min(max(time.Duration(p.ExpectedEnd), leastRetry), mostRetry)
	}
	l.retry.Store(&retry{now, after})
	return after
}

// retry is what clients of a route are told at present.
type retry struct{ at, after time.Duration }
