package control

import (
	"context"
	"errors"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/watch"
)

// openChecks looks at what the plans say. Each node looks for itself; the one that
// leads writes down what holds.
func (n *Node) openChecks(ctx context.Context) error {
	c := newChecks(n.name, outgoing.NewPolicy(n.o.Config.Outgoing...), n.o.Config.Source(), n.measures, n.log)
	c.store = n.store
	var err error
	if ref := n.o.Config.Checks.Mark; ref != nil {
		if c.mark, err = markKey(n.o.Config.Source(), *ref); err != nil {
			return err
		}
	}
	n.openLogs(c)
	if err := c.anchored(n.o.Config.Anchors); err != nil {
		return continuity.E(continuity.CodeConfig, err)
	}
	seq, _, err := n.store.LastEvent(ctx)
	if err != nil {
		return err
	}
	if err := c.beats.read(ctx, n.store); err != nil {
		return err
	}
	n.checks, n.api.Checks = c, c
	n.background(func(ctx context.Context) { c.beats.follow(ctx, seq, n.feed.After) })
	n.background(c.run)
	n.background(func(ctx context.Context) { c.follow(ctx, n.plans) })
	keeper := &watch.Keeper{Board: c.board, Store: n.store, Node: n.name, Log: n.log, Lease: func() (continuity.Lease, bool) {
		if lease := n.leads(); lease != nil {
			return *lease, true
		}
		return continuity.Lease{}, false
	}}
	n.whileLeading("verdicts", func(ctx context.Context, _ *continuity.Lease) { keeper.Run(ctx) })
	return errors.Join(n.registry.Register(&checkCollector{c}), n.registry.Register(&logCollector{c.logs}))
}
