package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
)

// upgradeOwner begins the names under which upgrades set things with relays.
const upgradeOwner = "upgrade:"

// upgradeRelays hold and release the routes of upgrades. Each upgrade has one setting of
// a route: told again, a relay changes nothing.
type upgradeRelays struct{ node *Node }

// each asks the relay of each of an upgrade's routes.
func (u upgradeRelays) each(ctx context.Context, c upgrade.Call, do func(ctx context.Context, relay *api.Client, r upgrade.Route) error) error {
	for _, r := range c.Spec.Routes {
		i := slices.IndexFunc(u.node.o.Config.Relays, func(set controlconfig.Relay) bool { return set.ID == r.Relay })
		if i < 0 {
			return continuity.E(continuity.CodeNotFound, nil, "detail_id", "runbook.failed.no-relay", "relay", r.Relay, "route", r.Route)
		}
		one, done := context.WithTimeout(ctx, 5*time.Minute) // comparing with a system's own list takes long
		err := do(one, u.node.relayAPI(u.node.o.Config.Relays[i]), r)
		done()
		if err != nil {
			return err
		}
	}
	return nil
}

func upgradePerson(c upgrade.Call) string { return upgradeOwner + c.Upgrade.ID }

func upgradeWhy(c upgrade.Call) string { return "upgrade " + c.Upgrade.ID + " to " + c.Upgrade.To }

// Fit implements upgrade.Relays.
func (u upgradeRelays) Fit(ctx context.Context, c upgrade.Call) (lacks []continuity.CheckReason, err error) {
	p, r, err := u.node.rollout(c)
	if err != nil {
		return nil, err
	}
	lack := func(code string, pairs ...any) {
		args := map[string]any{}
		for i := 0; i+1 < len(pairs); i += 2 {
			args[pairs[i].(string)] = pairs[i+1]
		}
		lacks = append(lacks, continuity.CheckReason{Code: code, Args: args})
	}
	err = u.each(ctx, c, func(ctx context.Context, relay *api.Client, at upgrade.Route) error {
		route, err := routeOf(ctx, relay, at.Route)
		if err != nil {
			return err
		}
		if at.Mode == "hold" && (route.Hold != "on" || route.Share > 0 && route.Share < 1) {
			lack("upgrade.fit.hold", "route", at.Route)
		}
		if at.Mode == "divert" && (route.Standby == nil || route.Standby.Health == "down") {
			lack("upgrade.fit.standby", "route", at.Route)
		}
		if route.Counters.InDoubt > 0 {
			lack("upgrade.fit.doubt", "route", at.Route, "count", route.Counters.InDoubt)
		}
		if i := slices.IndexFunc(r.Intake, func(in plan.Intake) bool { return in.Route == at.Route }); i >= 0 && at.Mode == "hold" {
			room(p, &r.Intake[i], route, lack)
		}
		if c.Spec.Data.Back == upgrade.BackDown || c.Spec.Data.Back == "" {
			return nil
		}
		if route.RecordingFails {
			lack("upgrade.fit.recording", "route", at.Route)
		}
		// What passes after the release is delivered again only where it is recorded, and
		// the system's own list tells what is missing.
		_, err = relay.Restore(ctx, api.RestoreRequest{Route: at.Route, Since: time.Now().Add(-time.Second), DryRun: true, Person: upgradePerson(c), Why: upgradeWhy(c)})
		if err != nil {
			lack("upgrade.fit.again", "route", at.Route, "why", string(continuity.CodeOf(err)))
		}
		return nil
	})
	return lacks, err
}

// room says whether what comes in the longest time fits where it is held.
func room(p *plan.Plan, in *plan.Intake, route *api.Route, lack func(code string, pairs ...any)) {
	most, age := in.Count, time.Duration(0)
	for i := range p.Tech.Routes {
		if t := &p.Tech.Routes[i]; t.ID == in.Route {
			if t.Hold.Count > 0 && (most == 0 || t.Hold.Count < most) {
				most = t.Hold.Count
			}
			age = t.Hold.Age
		}
	}
	if age > 0 && in.Longest > age {
		lack("upgrade.fit.age", "route", in.Route, "longest_seconds", in.Longest.Seconds(), "most_seconds", age.Seconds())
	}
	if expected := route.Counters.Pending + int64(route.Drain.Live*in.Longest.Seconds()); most > 0 && expected > most {
		lack("upgrade.fit.count", "route", in.Route, "count", expected, "most", most)
	}
}

// Hold implements upgrade.Relays: requests are kept, or go to the standby, and nothing
// that was kept is sent.
func (u upgradeRelays) Hold(ctx context.Context, c upgrade.Call) error {
	return u.each(ctx, c, func(ctx context.Context, relay *api.Client, at upgrade.Route) error {
		set := api.SwitchRequest{Route: at.Route, Intake: at.Mode, Replay: "off", Person: upgradePerson(c), Why: upgradeWhy(c)}
		if _, err := relay.Switch(ctx, set); err != nil {
			return err
		}
		for {
			route, err := routeOf(ctx, relay, at.Route)
			if err != nil {
				return err
			}
			if route.Intake == "pass" {
				return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.passes", "route", at.Route)
			}
			if route.Passing == 0 && route.Counters.Attempting == 0 {
				return nil
			}
			pause(ctx, 100*time.Millisecond)
			if err := ctx.Err(); err != nil {
				return continuity.E(continuity.CodeTimeout, err, "detail_id", "upgrade.fault.under-way", "route", at.Route, "count", route.Passing+route.Counters.Attempting)
			}
		}
	})
}

// Since implements upgrade.Relays.
func (u upgradeRelays) Since(ctx context.Context, c upgrade.Call, moment time.Time) (records int64, err error) {
	err = u.each(ctx, c, func(ctx context.Context, relay *api.Client, at upgrade.Route) error {
		found, err := relay.Restore(ctx, api.RestoreRequest{Route: at.Route, Since: moment, DryRun: true, Person: upgradePerson(c), Why: upgradeWhy(c)})
		records += int64(found.Looked)
		return err
	})
	return records, err
}

// Redeliver implements upgrade.Relays: the two who agreed at the gate to bringing data
// back are those who the relay has asked for it. What is on its way is not counted again.
func (u upgradeRelays) Redeliver(ctx context.Context, c upgrade.Call, moment time.Time) (records int64, err error) {
	agreed := c.Upgrade.Approvals
	if len(agreed) < 2 {
		return 0, continuity.E(continuity.CodeApproval, nil)
	}
	err = u.each(ctx, c, func(ctx context.Context, relay *api.Client, at upgrade.Route) error {
		ask := api.RestoreRequest{Route: at.Route, Since: moment, Person: agreed[0].By.ID, Why: upgradeWhy(c)}
		found, err := relay.Restore(ctx, ask)
		if err != nil || found.Plan == "" {
			return err
		}
		ask.Person, ask.Approve = agreed[1].By.ID, found.Plan
		done, err := relay.Restore(ctx, ask)
		records += int64(done.Appended)
		return err
	})
	return records, err
}

// Release implements upgrade.Relays: what others set stands.
func (u upgradeRelays) Release(ctx context.Context, c upgrade.Call) error {
	return u.each(ctx, c, func(ctx context.Context, relay *api.Client, at upgrade.Route) error {
		_, err := relay.Switch(ctx, api.SwitchRequest{Route: at.Route, Intake: "auto", Replay: "auto", Person: upgradePerson(c), Why: upgradeWhy(c)})
		return err
	})
}

// Drained implements upgrade.Relays. What waits for a person does not count, nor what a
// person holds; a route that its checks still hold is not released yet.
func (u upgradeRelays) Drained(ctx context.Context, c upgrade.Call) (done bool, err error) {
	done = true
	err = u.each(ctx, c, func(ctx context.Context, relay *api.Client, at upgrade.Route) error {
		route, err := routeOf(ctx, relay, at.Route)
		if err == nil {
			done = done && route.Counters.Queued == 0 && route.Counters.Attempting == 0 && !heldByChecks(route)
		}
		return err
	})
	return done, err
}

// heldByChecks says whether a route keeps requests because of its health, or of the word of
// a check, alone: that ends by itself.
func heldByChecks(route *api.Route) bool {
	return route.Intake == "hold" && !slices.ContainsFunc(route.Switches, func(s api.Switch) bool {
		return strings.HasPrefix(s.Owner, operatorPrefix) && s.Intake == "hold"
	})
}
