package control

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

const (
	// seenEvery is how often relays are asked how they treat routes.
	seenEvery = 2 * time.Second
	// mostSilent is how many answers of a relay may fail before that is a change.
	mostSilent = 5
)

// onlooker writes down how relays treat the routes of plans, whenever that changes:
// whoever put it so, it stands on the timeline of an incident.
type onlooker struct {
	node   *Node
	relays map[string]*api.Client
	seen   map[string]continuity.RouteSeen // by SERVICE/ROUTE
	silent map[string]int                  // by relay: answers that failed in a row
}

// watchRelays looks while this node leads.
func (n *Node) watchRelays(ctx context.Context, lease *continuity.Lease) {
	if len(n.o.Config.Relays) == 0 {
		return
	}
	o := &onlooker{node: n, relays: map[string]*api.Client{}, silent: map[string]int{}}
	for _, r := range n.o.Config.Relays {
		o.relays[r.ID] = n.relayAPI(r)
	}
	n.every(ctx, seenEvery, func(ctx context.Context) error { return o.look(ctx, lease) })
}

func (o *onlooker) look(ctx context.Context, lease *continuity.Lease) error {
	if o.seen == nil {
		if err := o.read(ctx); err != nil {
			return err
		}
	}
	var changes []continuity.Change
	var became []continuity.RouteSeen
	now := time.Now().UTC()
	for id, routes := range o.asked(ctx) {
		for _, is := range routes {
			was, known := o.seen[is.ID]
			if known && was.Mode == is.Mode && was.Health == is.Health && slices.Equal(was.By, is.By) && slices.Equal(was.Why, is.Why) {
				continue
			}
			if !known && is.Mode == continuity.ModeUnreachable {
				continue // it was never there
			}
			is.Relay, is.Since = id, now
			body, err := json.Marshal(is)
			if err != nil {
				return err
			}
			changes = append(changes, continuity.Change{
				Kind: continuity.KindRoute, ID: is.ID, Service: is.Service, Version: continuity.VersionAny, Body: body, Action: "route." + string(is.Mode),
			})
			became = append(became, is)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	_, err := o.node.store.Commit(ctx, continuity.Batch{
		Actor: continuity.Actor{Kind: continuity.ActorEngine, ID: "relays", Via: o.node.name}, Changes: changes, Leader: lease,
	})
	if err != nil {
		o.seen = nil // some of it may have happened
		return err
	}
	for _, is := range became {
		o.seen[is.ID] = is
	}
	return nil
}

// read learns what was seen before.
func (o *onlooker) read(ctx context.Context) error {
	seen := map[string]continuity.RouteSeen{}
	for cursor := ""; ; {
		page, next, err := o.node.store.List(ctx, continuity.Query{Kind: continuity.KindRoute, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, one := range page {
			var r continuity.RouteSeen
			if err := json.Unmarshal(one.Body, &r); err != nil {
				return err
			}
			seen[one.ID] = r
		}
		if cursor = next; cursor == "" {
			o.seen = seen
			return nil
		}
	}
}

// asked are the routes of plans as their relays say that they treat them, by relay.
// Of one that fails to answer once nothing is said.
func (o *onlooker) asked(ctx context.Context) map[string][]continuity.RouteSeen {
	all := map[string][]continuity.RouteSeen{}
	plans, _ := o.node.plansNow()
	for _, p := range plans {
		if p.Tech == nil {
			continue
		}
		for i := range p.Tech.Routes {
			r := &p.Tech.Routes[i]
			if o.relays[r.Relay] != nil {
				all[r.Relay] = append(all[r.Relay], continuity.RouteSeen{ID: p.ID + "/" + r.ID, Service: p.ID, Route: r.ID})
			}
		}
	}
	for id, routes := range all {
		asking, done := context.WithTimeout(ctx, wordTime)
		status, err := o.relays[id].Status(asking)
		done()
		if err != nil {
			if o.silent[id]++; o.silent[id] < mostSilent || ctx.Err() != nil {
				delete(all, id)
				continue
			}
			for i := range routes {
				routes[i].Mode = continuity.ModeUnreachable
			}
			continue
		}
		o.silent[id] = 0
		all[id] = slices.DeleteFunc(routes, func(r continuity.RouteSeen) bool {
			return !slices.ContainsFunc(status.Routes, func(is api.Route) bool { return is.ID == r.Route })
		})
		for i := range all[id] {
			r := &all[id][i]
			is := status.Routes[slices.IndexFunc(status.Routes, func(is api.Route) bool { return is.ID == r.Route })]
			r.Mode, r.Health = is.Mode, is.Health
			for _, s := range is.Switches {
				r.By, r.Why = append(r.By, s.Owner), append(r.Why, s.Reason)
			}
		}
	}
	return all
}
