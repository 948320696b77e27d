package app

import (
	"context"
	"strings"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
	"holdfast/internal/relay"
	"holdfast/internal/replay"
)

// operator is how the owners of people's settings begin. A person may have one
// setting of the intake, which may set the replay too, and one of the replay
// alone, each with its own end.
const (
	operator     = "operator:"
	replaySuffix = ":replay"
)

func invalid(id string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{problem.DetailID, id}, pairs...)...)
}

// Switches implements api.Control.
func (d *desk) Switches(route string) ([]api.Switch, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	if route != "" {
		return d.switches(route), nil
	}
	out := []api.Switch{}
	for _, id := range d.ledger.Routes() {
		out = append(out, d.switches(id)...)
	}
	return out, nil
}

// Control is how programs that run the relay inside themselves act on it.
func (a *App) Control() api.Control { return &desk{a} }

// Status implements api.Overview for them.
func (a *App) Status(ctx context.Context) (api.Status, error) { return (&desk{a}).Status(ctx) }

// noRoute tells that a route is not there, and which ones are.
func (d *desk) noRoute(name string) error {
	return continuity.E(continuity.CodeNoRoute, nil, "name", name, "known", strings.Join(d.lanes.Load().order, ", "))
}

// usable refuses what needs a ledger where there is none.
func (d *desk) usable() error {
	if err := d.Ready(); err != nil {
		return err
	}
	if d.keyless != nil {
		return continuity.E(continuity.CodeNoKey, d.keyless)
	}
	return nil
}

// Switch implements api.Control.
func (d *desk) Switch(s api.SwitchRequest) ([]api.Switch, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	l := d.lane(s.Route)
	switch {
	case l == nil:
		return nil, d.noRoute(s.Route)
	case s.Intake == continuity.IntakeHold.String() && l.route.Hold.State != continuity.HoldOn:
		// Whoever holds relies on nothing getting through: it must not only look so.
		return nil, invalid("api.invalid.observe", "name", s.Route)
	case s.Intake == continuity.IntakeDivert.String() && l.route.Standby == nil:
		return nil, invalid("api.invalid.standby", "name", s.Route)
	}
	puts, err := switches(s, time.Now())
	if err != nil {
		return nil, err
	}
	for _, p := range puts {
		if err := d.ledger.Switch(p); err != nil {
			return nil, err
		}
	}
	if drainer := d.drainer(s.Route); drainer != nil {
		drainer.Nudge()
	}
	return d.switches(s.Route), nil
}

// switches turns a person's request into the settings it puts or lifts.
func switches(s api.SwitchRequest, now time.Time) ([]continuity.Switch, error) {
	intake, ok1 := continuity.ParseIntake(s.Intake)
	ok1 = ok1 || s.Intake == "" || s.Intake == "auto"
	send, ok2 := map[string]continuity.Replay{"": 0, "auto": 0, "on": continuity.ReplayOn, "trial": continuity.ReplayTrial, "off": continuity.ReplayOff}[s.Replay]
	switch {
	case !ok1 || !ok2 || s.Intake == "" && s.Replay == "" || s.Intake == "auto" && send != 0:
		return nil, invalid("api.invalid.switch")
	case s.For < 0:
		return nil, invalid("api.invalid.for")
	case s.Force && s.For == 0:
		return nil, invalid("api.invalid.until")
	case s.Block != nil && (s.Intake != "auto" && intake != continuity.IntakeBlock || send != 0 || s.Owner != ""):
		return nil, invalid("api.invalid.block")
	case s.Owner != "" && (intake != 0 || send != 0):
		return nil, invalid("api.invalid.owner")
	case s.Owner != "" && s.Owner != replay.Owner && !strings.HasPrefix(s.Owner, operator):
		return nil, invalid("api.invalid.lift", "owner", s.Owner)
	}
	base := continuity.Switch{Route: s.Route, Owner: operator + s.Person, Reason: s.Why, Force: s.Force}
	if s.For > 0 {
		base.Until = now.Add(time.Duration(s.For * float64(time.Second))).Truncate(time.Millisecond)
	}
	if s.Owner != "" {
		base.Owner, base.Lift = s.Owner, true
		return []continuity.Switch{base}, nil
	}
	if s.Intake == "" {
		base.Owner += replaySuffix
	}
	if s.Block != nil {
		block, id, err := someBlock(s.Block)
		if err != nil {
			return nil, err
		}
		base.Owner += blockSuffix + id
		if intake != 0 {
			base.Block = block
		}
	}
	base.Intake, base.Replay, base.Lift = intake, send, intake == 0 && send == 0
	return []continuity.Switch{base}, nil
}

// Report implements api.Control.
func (d *desk) Report(_ context.Context, route string) (api.Report, error) {
	if err := d.Ready(); err != nil {
		return api.Report{}, err
	}
	if route != "" && d.lane(route) == nil {
		return api.Report{}, d.noRoute(route)
	}
	out := api.Report{Routes: []api.RouteReport{}}
	for _, r := range d.engine.Report() {
		if route == "" || r.Route == route {
			out.Routes = append(out.Routes, report(r))
		}
	}
	return out, nil
}

func report(r relay.RouteReport) api.RouteReport {
	seen := func(list []relay.Seen) []api.Seen {
		out := make([]api.Seen, len(list))
		for i, s := range list {
			out[i] = api.Seen(s)
		}
		return out
	}
	return api.RouteReport{
		Route: r.Route, Since: r.Since, Share: r.Share, Clients: seen(r.Clients), Sensitive: seen(r.Sensitive),
		Counts: map[string]int64{
			"requests": r.Requests, "holdable": r.Holdable, "keepable": r.Keepable, "would_hold": r.WouldHold, "lack_key": r.LackKey,
			"lack_identity": r.LackIdentity, "bad_body": r.BadBody, "too_large": r.TooLarge, "excepted": r.Excepted,
			"credentials": r.Credentials, "not_understand": r.Understanding,
		},
	}
}
