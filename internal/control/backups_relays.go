package control

import (
	"context"
	"slices"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/plan"
)

// restoreRelays hold routes while restored data takes the originals' place, and have
// delivered again what is missing in it. Each restore has one setting of a route: told
// again, a relay changes nothing. What others set stands.
type restoreRelays struct{ node *Node }

// redeliverTime bounds how long a relay may compare with a system's own list.
const redeliverTime = 10 * time.Minute

// routesOf are the routes of a service whose requests may be held.
func (n *Node) routesOf(service string) (routes []string) {
	if p := n.planOf(service); p != nil && p.Tech != nil {
		for i := range p.Tech.Routes {
			if p.Tech.Routes[i].Hold.State != "never" {
				routes = append(routes, p.Tech.Routes[i].ID)
			}
		}
	}
	return routes
}

func (r restoreRelays) relay(service, route string) (*api.Client, error) {
	p := r.node.planOf(service)
	if p == nil || p.Tech == nil {
		return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.route", "route", route, "service", service)
	}
	i := slices.IndexFunc(p.Tech.Routes, func(t plan.Route) bool { return t.ID == route })
	if i < 0 {
		return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.route", "route", route, "service", service)
	}
	at := slices.IndexFunc(r.node.o.Config.Relays, func(set controlconfig.Relay) bool { return set.ID == p.Tech.Routes[i].Relay })
	if at < 0 {
		return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "runbook.failed.no-relay", "relay", p.Tech.Routes[i].Relay, "route", route)
	}
	return r.node.relayAPI(r.node.o.Config.Relays[at]), nil
}

func restorePerson(r *continuity.Restore) string { return "restore:" + r.ID }

func restoreWhy(r *continuity.Restore) string { return "restore " + r.ID + ": " + r.Why }

// Hold implements keeping.Relays: nothing passes any more, and nothing that was kept is
// sent, once it returns.
func (r restoreRelays) Hold(ctx context.Context, of continuity.Restore, id string) error {
	relay, err := r.relay(of.Service, id)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, redeliverTime)
	defer done()
	if _, err = relay.Switch(ctx, api.SwitchRequest{Route: id, Intake: "hold", Replay: "off", Person: restorePerson(&of), Why: restoreWhy(&of)}); err != nil {
		return err
	}
	for {
		route, err := routeOf(ctx, relay, id)
		if err != nil {
			return err
		}
		if route.Passing == 0 && route.Counters.Attempting == 0 {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
		if err := ctx.Err(); err != nil {
			return continuity.E(continuity.CodeTimeout, err)
		}
	}
}

// Redeliver implements keeping.Relays: who began the restore asks, and who approved it
// approves.
func (r restoreRelays) Redeliver(ctx context.Context, of continuity.Restore, id string, since time.Time) (again, undecided int, err error) {
	relay, err := r.relay(of.Service, id)
	if err != nil {
		return 0, 0, err
	}
	if of.Approved == nil {
		return 0, 0, continuity.E(continuity.CodeApproval, nil)
	}
	ctx, done := context.WithTimeout(ctx, redeliverTime)
	defer done()
	ask := api.RestoreRequest{Route: id, Since: since, Person: of.By.ID, Why: restoreWhy(&of)}
	found, err := relay.Restore(ctx, ask)
	if err != nil || found.Plan == "" {
		return 0, found.Undecided, err
	}
	ask.Person, ask.Approve = of.Approved.By.ID, found.Plan
	sent, err := relay.Restore(ctx, ask)
	return sent.Appended, sent.Undecided, err
}

// Release implements keeping.Relays.
func (r restoreRelays) Release(ctx context.Context, of continuity.Restore, id string) error {
	relay, err := r.relay(of.Service, id)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, relayTime)
	defer done()
	_, err = relay.Switch(ctx, api.SwitchRequest{Route: id, Intake: "auto", Replay: "auto", Person: restorePerson(&of), Why: restoreWhy(&of)})
	return err
}
