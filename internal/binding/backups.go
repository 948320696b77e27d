package binding

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
	"holdfast/internal/yamldoc"
)

// Sets are the sets of data of a plan that Holdfast backs up.
func Sets(p *plan.Plan) (sets []keeping.Set) {
	if p.Tech == nil {
		return nil
	}
	for i := range p.Tech.Backups {
		from := &p.Tech.Backups[i]
		at := slices.IndexFunc(p.Backups, func(b plan.Backup) bool { return b.ID == from.ID })
		full, fault := calendar.ParseCron(from.Full)
		if at < 0 || fault != nil || len(from.Targets) == 0 {
			continue // of a plan that can't be read whole
		}
		b := &p.Backups[at]
		set := keeping.Set{
			Service: p.ID, ID: b.ID, Name: continuity.Text(b.Name), Owner: b.Owner, Kind: from.Kind, Path: from.Path,
			Stanza: from.Stanza, Tables: from.Tables, Targets: from.Targets, Every: b.Every, Follow: from.Follows(b),
			Deltas: from.Increments(), Full: full, Written: from.Full, Zone: zoneOf(from.Zone), Jitter: from.Jitter, Keep: longest(b.Keep), Proven: int(b.Proven),
			Verify: longest(b.Verify), Aside: b.Aside, Restore: b.Restore, Holds: b.Holds,
		}
		if from.Zone == "" {
			set.Zone = zoneOf(p.Service.Zone)
		}
		if from.DSN != nil {
			set.DSN = secret.Ref{Name: from.DSN.Secret, Env: from.DSN.Env, File: from.DSN.File}
		}
		for _, q := range from.Queries {
			set.Queries = append(set.Queries, backup.Query{ID: q.ID, SQL: q.SQL, Expect: q.Expect})
		}
		sets = append(sets, set)
	}
	return sets
}

// longest is how long a period is at most.
func longest(p plan.Period) time.Duration {
	from := time.Date(2023, time.July, 1, 0, 0, 0, 0, time.UTC) // two long months, and a leap day within a year
	return p.After(from).Sub(from)
}

// BackupPlaces are a node's places for backups.
type BackupPlaces struct {
	Targets map[string]string // by whether they are local or remote
	Scratch string            // the folder in which backups are restored to prove them
	Shut    func(kind string) (user string)
}

// RefusedBackups reports targets that the node does not have, copies that a plan promises
// and no target of the set is, and sets that could not be restored where the node does
// that, as somebody can't get there.
func RefusedBackups(p *plan.Plan, node BackupPlaces) []yamldoc.Problem {
	if p.Tech == nil {
		return nil
	}
	r, known := newReport(p), slices.Sorted(maps.Keys(node.Targets))
	for i := range p.Tech.Backups {
		set, where := &p.Tech.Backups[i], fmt.Sprintf("backups[%d]", i)
		copies, missing := map[string]bool{}, false
		if node.Shut != nil && len(set.Targets) > 0 {
			if user := node.Shut(set.Kind); user != "" {
				r.Tech(where+".kind", "keeping.plan.scratch", "id", set.ID, "user", user, "folder", node.Scratch)
			}
		}
		for j, id := range set.Targets {
			at := fmt.Sprintf("%s.targets[%d]", where, j)
			if _, single := r.techPlaces()[at]; !single {
				at = where + ".targets"
			}
			if kind, there := node.Targets[id]; there {
				copies[kind] = true
				continue
			}
			missing = true
			if near, ok := yamldoc.Nearest(id, known); ok {
				r.Tech(at, "keeping.plan.target-near", "target", id, "near", near)
			} else if known == nil {
				r.Tech(at, "keeping.plan.target-none", "target", id)
			} else {
				r.Tech(at, "keeping.plan.target", "target", id, "words", known)
			}
		}
		b := slices.IndexFunc(p.Backups, func(b plan.Backup) bool { return b.ID == set.ID })
		if b < 0 || missing {
			continue
		}
		for _, kind := range p.Backups[b].Copies {
			if !copies[kind] {
				r.Tech(where+".targets", "keeping.plan.copies", "id", set.ID, "copy", kind)
			}
		}
	}
	return r.problems()
}
