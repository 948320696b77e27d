package control

import (
	"context"
	"sync/atomic"
	"time"

	"holdfast/internal/backup/drivers"
	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
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

// backupPlaces are the places of the settings for backups.
func (n *Node) backupPlaces() binding.BackupPlaces {
	places := binding.BackupPlaces{Targets: n.backupTargets()}
	if b := n.o.Config.Backup; b != nil {
		places.Scratch = b.Scratch
		places.Shut = func(kind string) string { return drivers.Shut(kind, b.Scratch) }
	}
	return places
}

// openBackups has sets of data captured, proven and brought back as plans say.
func (n *Node) openBackups(context.Context) error {
	plans, vault := setPlans{n}, newVault(n)
	var keeps atomic.Pointer[keeping.Engine] // while this node leads
	var restores atomic.Pointer[keeping.Restorer]
	n.whileLeading("backups", func(ctx context.Context, _ *continuity.Lease) {
		wake, woken := waking()
		engine := keeping.New(ctx, keeping.Options{Plans: plans, Vault: vault, Saw: n.store.Saw, Wake: wake, Log: n.log})
		defer engine.Close()
		keeps.Store(engine)
		defer keeps.Store(nil)
		n.follower("backups", keeping.Kinds(), engine, woken).Run(ctx)
	})
	n.whileLeading("restores", func(ctx context.Context, _ *continuity.Lease) {
		wake, woken := waking()
		restorer := keeping.NewRestorer(ctx, keeping.RestorerOptions{
			Plans: plans, Bringer: vault, Relays: restoreRelays{n}, Analyse: n.analyse, Wake: wake, Log: n.log,
		})
		restores.Store(restorer)
		defer restores.Store(nil)
		defer func() {
			restorer.Close()
			if err := vault.forget(""); err != nil { // another node makes them anew
				n.log.Warn("copies of restored data were not ended well", "error", err)
			}
		}()
		n.follower("restores", keeping.RestorerKinds(), restorer, woken).Run(ctx)
	})
	n.backups = keeping.NewActs(keeping.ActsOptions{Store: n.store, Plans: plans, Progress: func(id string) []keeping.Progress {
		if e := keeps.Load(); e != nil {
			return e.Progress(id)
		}
		return nil
	}})
	n.restores = keeping.NewRestoreActs(keeping.RestoreActsOptions{
		Store: n.store, Plans: plans, Chooser: vault, Routes: n.routesOf, May: n.mayRestore, Now: time.Now, Copies: vault, Asks: n.askSecond,
		Progress: func(id string) []keeping.Progress {
			if e := restores.Load(); e != nil {
				return e.Progress(id)
			}
			return nil
		},
	})
	n.restorer = upgradeRestorer{vault}
	n.api.Backups, n.api.Restores = n.backups, n.restores
	return nil
}

// waking is a function that has something looked at soon, and what hears it.
func waking() (wake func(), woken chan struct{}) {
	woken = make(chan struct{}, 1)
	return func() {
		select {
		case woken <- struct{}{}:
		default: // it is woken already
		}
	}, woken
}

// follower runs an engine while this node leads.
func (n *Node) follower(name string, kinds []string, engine follow.Engine, wake <-chan struct{}) *follow.Follower {
	return follow.New(follow.Options{
		Store: n.store, Name: name, Node: n.name, Kinds: kinds, Wake: wake, Log: n.log, Refused: n.refused(name),
		Lease: func() (continuity.Lease, bool) {
			if lease := n.leads(); lease != nil {
				return *lease, true
			}
			return continuity.Lease{}, false
		},
	}, engine)
}
