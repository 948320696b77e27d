package control

import (
	"context"
	"slices"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
	"holdfast/internal/store"
	"holdfast/internal/yamldoc"
)

// planFeed is what the book of plans follows.
type planFeed struct {
	*store.Store
	*feed
}

// unreached warns of people of a plan's roles whom no channel of this node reaches.
func (n *Node) unreached(p *plan.Plan) []yamldoc.Problem {
	ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	return binding.Unreached(p, n.channelKinds(), func(id string) (continuity.Person, bool) {
		person, _, err := n.store.People().Get(ctx, id)
		return person, err == nil && !person.HasLeft(time.Now())
	})
}

// openPlans reads the plans and follows what any node applies.
func (n *Node) openPlans(ctx context.Context) error {
	policy := outgoing.NewPolicy(n.o.Config.Outgoing...)
	book, err := planbook.Open(ctx, planbook.Options{
		Store: n.store.Plans(), People: n.store.People(), Approval: n.o.Config.Plans.Approval, Now: time.Now, Logger: n.log,
		Refused: func(p *plan.Plan) []yamldoc.Problem {
			problems, channels := binding.Refused(p, policy), binding.RefusedChannels(p, n.channelKinds())
			for i := range problems {
				if len(n.o.Config.Outgoing) == 0 { // nobody has set up yet what it looks at
					problems[i].Severity = yamldoc.Warning
				}
			}
			for i := range channels {
				if len(n.o.Config.Channels) == 0 { // nor by what it sends
					channels[i].Severity = yamldoc.Warning
				}
			}
			backups := binding.RefusedBackups(p, n.backupPlaces())
			for i := range backups {
				if n.o.Config.Backup == nil { // nor by where its backups go
					backups[i].Severity = yamldoc.Warning
				}
			}
			relays := make([]string, len(n.o.Config.Relays))
			for i := range n.o.Config.Relays {
				relays[i] = n.o.Config.Relays[i].ID
			}
			return slices.Concat(problems, channels, backups, binding.UnknownRelays(p, relays), n.unreached(p))
		},
	})
	if err != nil {
		return err
	}
	n.plans, n.api.Plans = book, book
	n.background(func(ctx context.Context) { book.Follow(ctx, planFeed{n.store, n.feed}) })
	return nil
}
