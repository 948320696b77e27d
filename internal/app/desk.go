package app

import (
	"context"
	"os"
	"slices"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/health"
	"holdfast/internal/replay"
)

// desk is where people and programs look at a relay and act on it.
type desk struct{ *App }

// Status implements api.Overview.
func (d *desk) Status(context.Context) (api.Status, error) { return d.status() }

func (d *desk) status() (api.Status, error) {
	if err := d.Ready(); err != nil {
		return api.Status{}, err
	}
	d.mu.Lock()
	config := d.config
	d.mu.Unlock()
	s := api.Status{
		Version: d.o.Version, PID: os.Getpid(), State: api.StateReady, Started: d.began, Uptime: time.Since(d.began).Seconds(),
		Listen: d.Addresses(), Config: config, View: d.viewState(), Routes: d.routes(), Warnings: []api.Warning{},
	}
	switch {
	case d.keyless != nil:
		s.State = api.StateKeyless
	default:
		free, used := d.journal.Room()
		s.Journal = api.Journal{
			Open: true, Latched: d.ledger.Latched() != nil, Start: d.journal.Start(), End: d.journal.End(), Used: used, Free: free,
			Clock: float64(d.ledger.Clock()) / 1000, Keys: d.ledger.GateKeys(),
		}
		if s.Journal.Latched {
			s.State = api.StateLatched
		}
	}
	s.Warnings = d.warnings(s)
	return s, nil
}

// slowDrain is how long a drain may take at a capacity that nobody stated
// before people are told that they could.
const slowDrain = time.Minute

// viewLags is how far the view may be behind before people are told.
const viewLags = 5 * time.Second

func (d *desk) warnings(s api.Status) []api.Warning {
	out := []api.Warning{}
	warn := func(id string, pairs ...any) {
		w := api.Warning{ID: id, Args: map[string]any{}}
		for i := 0; i+1 < len(pairs); i += 2 {
			w.Args[pairs[i].(string)] = pairs[i+1]
		}
		out = append(out, w)
	}
	switch s.State {
	case api.StateKeyless:
		warn("keyless")
	case api.StateLatched:
		warn("latched")
	}
	switch {
	case s.Config.LastGood && misfit(s.Config.Problems):
		warn("misfit", "file", s.Config.File)
	case s.Config.LastGood:
		warn("last-good", "file", s.Config.File)
	case s.Config.Refused:
		warn("reload-failed", "file", s.Config.File)
	}
	switch {
	case d.keyless != nil:
	case !s.View.Open || s.View.Error != "":
		warn("view-down")
	case s.View.Lag > viewLags.Seconds():
		warn("view-lag", "seconds", int(s.View.Lag))
	}
	for _, r := range s.Routes {
		n := r.Counters
		for _, w := range []struct {
			id    string
			count int64
		}{{"parked", n.Parked}, {"in-doubt", n.InDoubt}, {"dead", n.Dead}, {"refused", n.Refused - min(n.Refused, n.Told)}, {"gaining", int64(len(r.Drain.Gaining))}, {"unrecorded", lately(r)}} {
			if w.count > 0 {
				warn(w.id, "route", r.ID, "count", w.count)
			}
		}
		if r.Drain.Paused == string(replay.PauseCredentials) {
			warn("credentials", "route", r.ID)
		}
		if r.Drain.Measured && float64(n.Pending) > r.Drain.Capacity*slowDrain.Seconds() {
			warn("capacity", "route", r.ID, "rate", int(r.Drain.Capacity))
		}
		if !n.Balanced {
			warn("unbalanced", "route", r.ID)
		}
		if r.Drain.ExpireFirst {
			warn("expire-first", "route", r.ID)
		}
		if h := r.Webhook; h != nil {
			switch {
			case h.Gone:
				warn("webhook-gone", "route", r.ID)
			case h.Failing >= hookFails.Seconds():
				warn("webhook-failing", "route", r.ID, "waiting", h.Waiting, "minutes", int(h.Failing/60))
			}
		}
		if r.Removed {
			warn("removed", "route", r.ID, "count", n.Pending)
		}
		for _, sw := range r.Switches {
			if sw.Force {
				warn("forced", "route", r.ID, "owner", sw.Owner, "reason", sw.Reason)
			}
		}
	}
	return out
}

// lately is how many requests passed unrecorded, if any did a short time ago.
func lately(r api.Route) int64 {
	if r.RecordingFails {
		return r.Unrecorded
	}
	return 0
}

// misfit reports whether a configuration is good in itself, but not beside the
// records that are pending.
func misfit(problems []api.Problem) bool {
	return slices.ContainsFunc(problems, func(p api.Problem) bool { return p.ID == idPending || p.ID == idOvertake || p.ID == idMoved })
}

// routes describes the configured routes, and those that are no longer
// configured but have records pending.
func (d *desk) routes() []api.Route {
	lanes := d.lanes.Load()
	out := make([]api.Route, 0, len(lanes.order))
	for _, id := range lanes.order {
		out = append(out, d.route(lanes.byID[id]))
	}
	if d.ledger == nil {
		return out
	}
	for _, id := range d.ledger.Routes() {
		if n := counters(d.ledger, id); n.Pending > 0 && lanes.byID[id] == nil {
			intake, replaying := d.ledger.Effective(id)
			out = append(out, api.Route{ID: id, Mode: continuity.ModeDrain, Intake: intake.String(), Replay: replaying.String(),
				Counters: n, Switches: d.switches(id), Removed: true})
		}
	}
	return out
}

func (d *desk) route(l *lane) api.Route {
	id := l.route.ID
	r := api.Route{ID: id, Hold: "observe", Upstream: l.route.Upstream, Switches: []api.Switch{},
		Intake: continuity.IntakePass.String(), Replay: continuity.ReplayOn.String(), Mode: continuity.ModeKeyless, Counters: api.Counters{Balanced: true},
		Health: api.HealthUnchecked}
	switch l.route.Hold.State {
	case continuity.HoldOn:
		r.Hold = "on"
	case continuity.HoldNever:
		r.Hold = "never"
	}
	if l.route.Hold.Partial() {
		r.Share = l.route.Hold.Share
	}
	if l.standby != nil {
		r.Standby = &api.Standby{Upstream: l.route.Standby.Upstream, Health: api.HealthUnchecked}
		if l.probe.Checked() {
			if r.Standby.Health = health.Down.String(); l.probe.Up() {
				r.Standby.Health = health.Up.String()
			}
		}
	}
	r.Admission = d.admission(l)
	if d.ledger == nil {
		r.Counters.Unknown = true
		return r
	}
	intake, replaying := d.ledger.Effective(id)
	r.Intake, r.Replay = intake.String(), replaying.String()
	r.Counters = counters(d.ledger, id)
	r.Switches = d.switches(id)
	// Without checks of its own, health hears only of requests that may be kept.
	if state := l.health.info().State; state != health.Up || l.route.Hold.State == continuity.HoldOn || l.route.Detect.Path != "" || l.route.Detect.Then.Over(continuity.IntakePass) {
		r.Health = state.String()
	}
	r.Mode = mode(l.route.Hold.State, intake, r.Counters.Pending, d.ledger.Latched() != nil)
	if a := r.Admission; a != nil && (a.Shedding || a.Line != nil) && (r.Mode == continuity.ModePass || r.Mode == continuity.ModeObserve) {
		r.Mode = continuity.ModeShed
	}
	r.Drain = drain(l.drainer.Progress())
	r.Drain.Gaining = d.gaining(l)
	r.Unrecorded, r.RecordingFails = d.unrecorded(id)
	r.Passing = d.engine.Passing(id)
	r.Webhook = d.webhook(id)
	return r
}

func mode(hold continuity.HoldState, intake continuity.Intake, pending int64, latched bool) continuity.Mode {
	switch {
	case latched:
		return continuity.ModeLatched
	case hold == continuity.HoldOn && intake == continuity.IntakeHold:
		return continuity.ModeHold
	case intake == continuity.IntakeDivert:
		return continuity.ModeDivert
	case intake == continuity.IntakeReply:
		return continuity.ModeReply
	case intake == continuity.IntakeBlock:
		return continuity.ModeBlock
	case pending > 0:
		return continuity.ModeDrain
	case hold == continuity.HoldObserve:
		return continuity.ModeObserve
	default:
		return continuity.ModePass
	}
}

func drain(p replay.Progress) api.Drain {
	return api.Drain{
		Rate: p.Rate, Allowed: p.Allowed, Live: p.LiveRate, Capacity: p.Capacity, Share: p.Share, Measured: p.Measured, InFlight: p.InFlight,
		Gain: p.Gain, Paused: string(p.Paused), Ends: time.Duration(p.ExpectedEnd).Seconds(), Forecast: p.Ends, ExpireFirst: p.ExpiresFirst,
	}
}

func (a *App) switches(id string) []api.Switch {
	out := []api.Switch{}
	for _, s := range a.ledger.Switches(id) {
		out = append(out, api.Switch{Route: s.Route, Owner: s.Owner, Reason: s.Reason, Intake: s.Intake.String(), Replay: s.Replay.String(),
			Force: s.Force, Until: s.Until, Block: toldBlock(s.Block)})
	}
	return out
}
