package control

import (
	"context"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/warning"
)

// openWarnings warns of what is seen, said and reported.
func (n *Node) openWarnings(context.Context) error {
	judged := newThresholds(n.measures.ForRules(), n.log, n.thresholdsNow)
	engine := warning.New(warning.Options{
		Store: n.store, Node: n.name, Log: n.log, Every: min(time.Second, n.judges),
		Lease: func() (continuity.Lease, bool) {
			if lease := n.leads(); lease != nil {
				return *lease, true
			}
			return continuity.Lease{}, false
		},
		Sources: []warning.Source{judged},
		Unread:  n.plans.Unread,
		Tell:    n.tell,
		Checks: func() (rules []warning.CheckRule, ready bool) {
			plans, changed := n.plansNow()
			for _, p := range plans {
				rules = append(rules, binding.CheckRules(p)...)
			}
			return rules, changed != nil
		},
		Rules: func() (rules []warning.ReportRule, ready bool) {
			plans, changed := n.plansNow()
			for _, p := range plans {
				if r, there := binding.ReportRule(p); there {
					rules = append(rules, r)
				}
			}
			return rules, changed != nil
		},
	})
	n.whileLeading("thresholds", func(ctx context.Context, _ *continuity.Lease) { judged.run(ctx, n.judges) })
	n.whileLeading("warnings", func(ctx context.Context, _ *continuity.Lease) { engine.Run(ctx) })
	n.whileLeading("gates", n.speakForGates)
	n.inbox = warning.NewInbox(n.store, time.Now)
	n.api.Warnings = warningsDesk{warning.NewActs(n.store, time.Now)}
	n.api.Signals = signalsDesk{n.inbox, n}
	return nil
}

// thresholdsNow are the thresholds of the plans that hold.
func (n *Node) thresholdsNow() ([]binding.Threshold, <-chan struct{}) {
	plans, changed := n.plansNow()
	var all []binding.Threshold
	for _, p := range plans {
		all = append(all, binding.Thresholds(p)...)
	}
	return all, changed
}

// hook is what the settings say of a signed webhook.
func (n *Node) hook(id string) (warning.Hook, bool) {
	for _, h := range n.o.Config.Hooks {
		if h.ID == id {
			source, ref := n.o.Config.Source(), h.Secret
			return warning.Hook{ID: h.ID, Service: h.Service, Secret: func() (string, error) {
				text, err := source.Resolve(ref)
				return text.Reveal(), err
			}}, true
		}
	}
	return warning.Hook{}, false
}
