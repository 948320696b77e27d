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
		Sources: []warning.Source{judged, &backupWatch{store: n.store, plans: setPlans{n}}},
		Tell:    n.tell,
		Rules: func() (rules warning.Rules) {
			h := n.plans.Holding()
			rules.Unread = h.Unread
			for _, p := range h.Plans {
				rules.Checks = append(rules.Checks, binding.CheckRules(p)...)
				if r, there := binding.ReportRule(p); there {
					rules.Reports = append(rules.Reports, r)
				}
			}
			return rules
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
func (n *Node) thresholdsNow() thresholdsNow {
	h := n.plans.Holding()
	now := thresholdsNow{unread: h.Unread, changed: h.Changed}
	for _, p := range h.Plans {
		now.all = append(now.all, binding.Thresholds(p)...)
	}
	return now
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
