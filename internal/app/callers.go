package app

import (
	"path/filepath"
	"reflect"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
)

// issuersFolder holds the keys of issuers, for a start while they are down.
const issuersFolder = "issuers"

// callers makes what verifies the callers of each route, or takes it over from
// the configuration before: keys that were fetched are not fetched anew.
func (a *App) callers(before map[string]*lane, routes []continuity.Route) (map[string]*caller.Verifier, error) {
	out := make(map[string]*caller.Verifier)
	var made []*caller.Verifier
	for i := range routes {
		r := &routes[i]
		if r.Verify == nil {
			continue
		}
		if old := before[r.ID]; old != nil && old.callers != nil && reflect.DeepEqual(old.route.Verify, r.Verify) {
			out[r.ID] = old.callers
			continue
		}
		v, err := caller.New(r.Verify, caller.Options{CacheDir: filepath.Join(a.home.DataDir, issuersFolder), Logger: a.log})
		if err != nil {
			for _, m := range made {
				m.Close()
			}
			return nil, err
		}
		out[r.ID], made = v, append(made, v)
	}
	return out, nil
}
