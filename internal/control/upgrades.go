package control

import (
	"context"
	"slices"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
)

// openUpgrades brings components to other versions, and back.
func (n *Node) openUpgrades(context.Context) error {
	specs := upgradeSpecs{n}
	hands := upgrade.Hands{
		Precheck: upgradePrecheck{n}, Code: upgradeCode{n}, Data: upgradeData{n}, Backups: upgradeBackups{n}, Relays: upgradeRelays{n}, Watch: newUpgradeWatch(n),
	}
	wake := make(chan struct{}, 1)
	n.whileLeading("upgrades", func(ctx context.Context, _ *continuity.Lease) {
		engine := upgrade.New(ctx, upgrade.Options{
			Plans: specs, Hands: hands, Log: n.log,
			Wake: func() {
				select {
				case wake <- struct{}{}:
				default: // it is woken already
				}
			},
		})
		defer engine.Close()
		follow.New(follow.Options{
			Store: n.store, Name: "upgrade", Node: n.name, Kinds: upgrade.Kinds(), Wake: wake, Log: n.log, Refused: n.refused("upgrade"),
			Lease: func() (continuity.Lease, bool) {
				if lease := n.leads(); lease != nil {
					return *lease, true
				}
				return continuity.Lease{}, false
			},
		}, engine).Run(ctx)
	})
	n.api.Upgrades = upgrade.NewActs(upgrade.ActsOptions{Objects: n.store, Plans: specs, May: n.mayOfWindows, Now: time.Now})
	return nil
}

// upgradeSpecs are what the plans that hold say of upgrades.
type upgradeSpecs struct{ node *Node }

// Of implements upgrade.Plans.
func (s upgradeSpecs) Of(service, id string) (*upgrade.Spec, bool) {
	h := s.node.plans.Holding()
	i := slices.IndexFunc(h.Plans, func(p *plan.Plan) bool { return p.ID == service })
	if i < 0 || h.Unread[service] {
		return nil, false
	}
	spec := binding.Upgrade(h.Plans[i], id)
	if spec == nil {
		return nil, false
	}
	ctx, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	_, applied, err := s.node.plans.Store.Numbers(ctx, service)
	spec.Plan = applied
	return spec, err == nil // else asked again soon
}

// rollout is how an upgrade is carried out, as the plan that holds says.
func (n *Node) rollout(c upgrade.Call) (*plan.Plan, *plan.Rollout, error) {
	p := n.planOf(c.Spec.Service)
	if p != nil {
		if r := p.Carried(c.Spec.ID); r != nil {
			return p, r, nil
		}
	}
	return nil, nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "upgrade.invalid.unknown", "service", c.Spec.Service, "id", c.Spec.ID)
}

// faultOf is an error that says what a reason says.
func faultOf(why continuity.CheckReason) error {
	pairs := []any{"detail_id", why.Code}
	for name, v := range why.Args {
		pairs = append(pairs, name, v)
	}
	return continuity.E(continuity.CodeState, nil, pairs...)
}
