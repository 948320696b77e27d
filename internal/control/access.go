package control

import (
	"context"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/people"
)

// openAccess says who asks, and serves users, tokens and the people whom plans
// name.
func (n *Node) openAccess(context.Context) error {
	engine := access.New(n.store, access.Options{Now: time.Now, File: n.token.Is, Node: n.name, Logger: n.log})
	n.holding = engine.Holding
	n.api.Authenticate, n.api.Still, n.api.Access = engine.Request, engine.Still, engine
	n.api.People = people.Roster{
		Store: n.store.People(), Now: time.Now, Mentions: n.mentions,
		Wipe: func(ctx context.Context, actor continuity.Actor, id, reason string) error {
			return n.store.Erase(ctx, actor, "person", id, reason)
		},
	}
	return nil
}

// mentions are all places where plans that hold name people.
func (n *Node) mentions() []continuity.Mention {
	var all []continuity.Mention
	plans, _ := n.plans.Current()
	for _, p := range plans {
		all = append(all, p.Mentions()...)
	}
	return all
}
