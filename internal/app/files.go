package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/durable"
	"holdfast/internal/replay"
)

// estimates is what was learned of each route's capacity before the start.
type estimates map[string]replay.Estimate

func (e estimates) of(route string) replay.Estimate { return e[route] }

func (a *App) estimatesFile() string { return filepath.Join(a.home.DataDir, "capacity.json") }

// loadEstimates does without where there is nothing to load: it is learned
// again.
func (a *App) loadEstimates() {
	b, err := os.ReadFile(a.estimatesFile())
	if err == nil {
		err = json.Unmarshal(b, &a.estimates)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("measured capacities can't be read and are measured anew", "error", err)
	}
}

// estimatesEvery is how much of what was learned a sudden end may cost.
const estimatesEvery = 10 * time.Minute

func (a *App) keepEstimates(ctx context.Context) error {
	tick := time.NewTicker(estimatesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.saveEstimates()
		}
	}
}

func (a *App) saveEstimates() {
	all := estimates{}
	for id, l := range a.lanes.Load().byID {
		all[id] = l.meter.Estimate()
	}
	b, err := json.Marshal(all)
	if err == nil {
		err = durable.Replace(a.estimatesFile(), append(b, '\n'))
	}
	if err != nil {
		a.log.Warn("measured capacities can't be kept", "error", err)
	}
}
