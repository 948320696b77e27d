package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/admission"
	"holdfast/internal/continuity"
)

// admitting is what an app needs to let requests in.
type admitting struct {
	secret []byte       // signs the tokens of waiting lines
	conns  atomic.Int64 // that one address may have

	// lines is held while a line is moved, so that no move brings back what a
	// person has lifted.
	lines sync.Mutex
}

// gateRef is a lane's gate, if it has one.
type gateRef struct{ atomic.Pointer[admission.Gate] }

// needsGate reports whether something bounds what a route lets in.
func (a *App) needsGate(r *continuity.Route) bool {
	if r.Admission != nil || r.Line != nil {
		return true
	}
	if a.ledger == nil {
		return false
	}
	if r.Capacity > 0 { // replay has to have its tenth of it (rule 6.1)
		return true
	}
	now := a.ledger.Admitting(r.ID)
	return now.Rate > 0 || now.Concurrency > 0 || now.Line != nil
}

// gate returns a lane's gate, a new one where the one before does not fit.
func (a *App) gate(l, before *lane) *admission.Gate {
	if !a.needsGate(&l.route) {
		l.gate.Store(nil)
		return nil
	}
	if g := l.gate.Load(); g != nil {
		return g
	}
	g := a.newGate(l)
	if before != nil {
		if old := before.gate.Load(); old != nil {
			g.Follow(old)
		}
	}
	l.gate.Store(g)
	return g
}

func (a *App) newGate(l *lane) *admission.Gate {
	o := admission.Options{Route: &l.route, Secret: a.admit.secret, Capacity: l.liveRoom, Implied: l.route.Admission == nil}
	if a.ledger != nil {
		o.Standing = func() continuity.Admitting { return a.ledger.Admitting(l.route.ID) }
	}
	return admission.New(o)
}

// boundConns bounds the connections of one address, where clients are served
// already. A trusted proxy has as many as it likes.
func (a *App) boundConns() {
	if a.front != nil {
		a.front.lean.SetConnsPerAddress(int(a.admit.conns.Load()), a.trusts)
	}
}

// liveRoom is what live requests may take a second; 0: as much as they like.
func (l *lane) liveRoom() float64 {
	conf := l.route.Admission
	if conf == nil {
		if l.drainer == nil {
			return 0
		}
		return l.drainer.LiveBound()
	}
	if conf.Capacity == continuity.CapacityOff || conf.Capacity == continuity.CapacityStated && l.route.Capacity <= 0 {
		return 0
	}
	if l.drainer == nil {
		return l.route.Capacity
	}
	return l.drainer.LiveRoom()
}

// restrain lets a setting that a person put hold at once. A route that had no
// gate gets one for it.
func (a *App) restrain(l *lane) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.lane(l.route.ID) != l {
		return // a reload has seen to it
	}
	if g := l.gate.Load(); g != nil {
		g.Renew()
	} else if a.needsGate(&l.route) {
		g := a.newGate(l)
		l.gate.Store(g)
		a.engine.SetGate(l.route.ID, g)
	}
}

const lineEvery = time.Second

// keepLines moves the waiting lines on, until ctx is done.
func (a *App) keepLines(ctx context.Context) error {
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for id, l := range a.lanes.Load().byID {
			if g := l.gate.Load(); g != nil && g.Line() != nil {
				if err := a.moveLine(id, g.Line(), time.Now()); err != nil {
					a.log.Error("waiting line not moved", "route", id, "error", err)
				}
			}
		}
	}
}

// moveLine judges a route's line and does what comes of it, durably.
func (a *App) moveLine(id string, line *admission.Line, now time.Time) error {
	a.admit.lines.Lock()
	defer a.admit.lines.Unlock()
	standing := a.ledger.Admitting(id)
	move, why := line.Judge(now, standing.Line, standing.Holding)
	if move == admission.Stay {
		return nil
	}
	for _, s := range a.lineSwitches(id) {
		next := *s.Line
		next.Stepped = now.Truncate(time.Millisecond)
		if next.Healthy == 0 {
			next.Healthy = line.Healthy()
		}
		switch move {
		case admission.Forward:
			next.Step++
		case admission.Back:
			next.Step--
		default:
			s.Lift = true
		}
		s.Line = &next
		if err := a.ledger.Switch(s); err != nil {
			return err
		}
		a.log.Info("waiting line moved", "route", id, "open", next.Step, "ended", s.Lift, "why", string(why))
	}
	return nil
}

// lineSwitches are the settings by which a route's waiting line stands.
func (a *App) lineSwitches(id string) []continuity.Switch {
	return slices.DeleteFunc(a.ledger.Switches(id), func(s continuity.Switch) bool { return s.Line == nil })
}

// newLine is the state in which a line begins: its first batch is open.
func newLine(now time.Time, healthy time.Duration) *continuity.LineState {
	now = now.Truncate(time.Millisecond)
	return &continuity.LineState{Since: now, Step: 1, Stepped: now, Healthy: healthy}
}

// outages is where the health of a route puts its switches. When an outage
// ends, the route's waiting line stands before anything is let through.
type outages struct {
	app   *App
	lane  *lane
	began time.Time // of the outage; zero: there is none
}

// Switch implements health.Switches. Health calls it one at a time.
func (o *outages) Switch(s continuity.Switch) error {
	now := time.Now()
	switch {
	case !s.Lift:
		if o.began.IsZero() {
			o.began = now
		}
	case !o.began.IsZero():
		if err := o.app.lineAfter(o.lane, now, now.Sub(o.began)); err != nil {
			return err
		}
		o.began = time.Time{}
	}
	return o.app.ledger.Switch(s)
}

// lineAfter begins a route's waiting line after an outage, or, where one stands,
// begins again with its first batch.
func (a *App) lineAfter(l *lane, now time.Time, lasted time.Duration) error {
	conf := l.route.Line
	if conf == nil {
		return nil
	}
	a.admit.lines.Lock()
	defer a.admit.lines.Unlock()
	standing := a.lineSwitches(l.route.ID)
	var errs []error
	for _, s := range standing {
		again := *s.Line
		again.Step, again.Stepped = min(again.Step, 1), now.Truncate(time.Millisecond)
		s.Line = &again
		errs = append(errs, a.ledger.Switch(s))
	}
	if len(standing) == 0 && conf.AfterOutage && lasted >= conf.Outage {
		healthy := time.Duration(0)
		if g := l.gate.Load(); g != nil && g.Line() != nil {
			healthy = g.Line().Healthy()
		}
		a.log.Info("waiting line begins after an outage", "route", l.route.ID, "lasted", lasted)
		errs = append(errs, a.ledger.Switch(continuity.Switch{
			Route: l.route.ID, Owner: continuity.OwnerLine, Reason: reasonOutage, Line: newLine(now, healthy),
		}))
	}
	return errors.Join(errs...)
}

// reasonOutage is why a line begins by itself; its text is in the catalogue
// under "health.reason.".
const reasonOutage = "outage"

// outagesOf watches a route's outages; one that stands began no later than now.
func (a *App) outagesOf(l *lane, standing *continuity.Switch) *outages {
	o := &outages{app: a, lane: l}
	if standing != nil && standing.Intake == continuity.IntakeHold {
		o.began = time.Now()
	}
	return o
}
