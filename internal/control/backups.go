package control

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
