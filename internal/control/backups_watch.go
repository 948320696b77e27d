package control

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/warning"
)

// setPlans are the sets of data that plans have backed up.
type setPlans struct{ node *Node }

// Sets implements keeping.Plans.
func (p setPlans) Sets() (all []keeping.Set, unread map[string]bool) {
	h := p.node.plans.Holding()
	for _, one := range h.Plans {
		all = append(all, binding.Sets(one)...)
	}
	return all, h.Unread
}

// backupWatch warns of how sets of data stand, by the store and the clock alone: it
// knows neither the engine of backups nor targets, so that it says so when these hang.
type backupWatch struct {
	store keeping.Reader
	plans keeping.Plans

	mu     sync.Mutex
	at     time.Time // when the store was read
	read   map[string]keeping.Standing
	ok     bool
	unseen map[string]time.Time // since when a set is wanted of which the store says nothing
}

// backupsReadEvery is how often the store is read for warnings.
const backupsReadEvery = 5 * time.Second

// Begin implements warning.Source; it remembers nothing.
func (w *backupWatch) Begin(map[string]json.RawMessage) {}

// Look implements warning.Source.
func (w *backupWatch) Look(ctx context.Context, now time.Time) warning.Sight {
	sets, unread := w.plans.Sets()
	sight := warning.Sight{Of: []string{continuity.FromBackup}, Unread: unread}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at.IsZero() || now.Sub(w.at).Abs() >= backupsReadEvery {
		read, err := keeping.Standings(ctx, w.store)
		w.at, w.ok = now, err == nil
		if w.ok {
			w.read = read
		}
	}
	unseen := map[string]time.Time{}
	for i := range sets {
		key := sets[i].Key()
		if _, there := w.read[key]; !there && w.ok {
			if unseen[key] = w.unseen[key]; unseen[key].IsZero() {
				unseen[key] = now
			}
		}
	}
	w.unseen = unseen
	for i := range sets {
		sight.All = append(sight.All, w.sightings(&sets[i], now)...)
	}
	return sight
}

// sightings are what there is to warn of a set. One of which nothing was written is late,
// too, once it has been wanted for so long.
func (w *backupWatch) sightings(set *keeping.Set, now time.Time) (all []warning.Sighting) {
	s, there := w.read[set.Key()]
	if !there {
		s.Since = w.unseen[set.Key()]
	}
	found := map[string]keeping.Problem{}
	if w.ok {
		for _, p := range keeping.Problems(set, &s, now) {
			found[p.ID] = p
		}
	}
	for _, id := range keeping.ProblemIDs() {
		one := warning.Sighting{
			ID: warning.RuleID(set.Service, continuity.FromBackup+"."+set.ID+"."+id), Service: set.Service, Source: continuity.FromBackup,
			Rule: continuity.FromBackup + "." + set.ID + "." + id, Owner: set.Owner, Known: w.ok,
			Text: both("keeping.warning."+id, func(lang catalogue.Lang) catalogue.Args {
				name := set.Name.En
				if lang == catalogue.Zh {
					name = set.Name.Zh
				}
				if name == "" {
					name = set.ID
				}
				return catalogue.Args{"set": name}
			}),
		}
		if p, is := found[id]; is {
			one.Level, one.Since = p.Level, p.Since
			one.Evidence = []continuity.Evidence{{Kind: "backup", ID: set.Key(), Text: id, At: p.Since, Reason: p.Why}}
		}
		all = append(all, one)
	}
	return all
}
