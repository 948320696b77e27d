package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/replay"
)

// writeDurably puts a whole file in the place of another, or none at all.
func writeDurably(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir) // #nosec G304 -- the operator's data folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

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
		err = writeDurably(a.estimatesFile(), append(b, '\n'))
	}
	if err != nil {
		a.log.Warn("measured capacities can't be kept", "error", err)
	}
}
