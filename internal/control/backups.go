package control

import (
	"context"

	"holdfast/internal/keeping"
)

// backupTargets are the places for backups that the settings have, by whether they are
// local or remote.
func (n *Node) backupTargets() map[string]string {
	targets := map[string]string{}
	if b := n.o.Config.Backup; b != nil {
		for i := range b.Targets {
			targets[b.Targets[i].ID] = b.Targets[i].Copy
		}
	}
	return targets
}

// openBackups shows people how the sets of data of plans stand.
func (n *Node) openBackups(context.Context) error {
	n.api.Backups = keeping.NewActs(keeping.ActsOptions{Store: n.store, Plans: setPlans{n}})
	return nil
}
