package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/drivers"
	"holdfast/internal/backup/engine"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/keeping"
)

// vault has backups made, proven and restored as this node's settings say.
type vault struct {
	node *Node

	mu     sync.Mutex
	engine *engine.Engine
	keys   time.Time                   // when the file of keys was written by which the engine was made
	copies map[string]*engine.Restored // that can be asked, by set and restore
}

func newVault(n *Node) *vault { return &vault{node: n, copies: map[string]*engine.Restored{}} }

// open is the engine by the keys as they are now.
func (v *vault) open() (*engine.Engine, error) {
	set := v.node.o.Config.Backup
	if set == nil {
		return nil, continuity.E(continuity.CodeConfig, nil, "detail_id", "keeping.invalid.settings")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	info, err := os.Stat(set.Key)
	if err != nil {
		return nil, continuity.E(continuity.CodeNoKey, err, "detail_id", "keeping.invalid.keys", "file", set.Key)
	}
	if v.engine != nil && v.keys.Equal(info.ModTime()) {
		return v.engine, nil
	}
	guard, err := v.guard(set)
	if err != nil {
		return nil, err
	}
	ring, err := backupkey.Load(set.Key, guard)
	if err != nil {
		return nil, err
	}
	o := engine.Options{Ring: ring, Scratch: set.Scratch, Version: v.node.o.Version, Log: v.node.log}
	for i := range set.Targets {
		o.Targets = append(o.Targets, v.target(&set.Targets[i]))
	}
	made, err := engine.New(o)
	if err != nil {
		return nil, err
	}
	v.engine, v.keys = made, info.ModTime()
	return made, nil
}

func (v *vault) guard(set *controlconfig.Backup) (g backupkey.Guard, err error) {
	switch {
	case set.Passphrase != nil:
		text, err := v.node.o.Config.Source().Resolve(*set.Passphrase)
		return backupkey.Guard{Passphrase: text.Reveal()}, err
	case set.Guard != "":
		text, err := backupkey.ReadFile(set.Guard)
		if err != nil {
			return g, err
		}
		g.Key, err = backupkey.ReadKey(text)
		return g, err
	}
	return g, nil
}

// set is a set of data as the engine wants it.
func (v *vault) set(s *keeping.Set) (engine.Set, error) {
	o := drivers.Options{Service: s.Service, Set: s.ID, Path: s.Path, Stanza: s.Stanza, Follow: s.Follow, Queries: s.Queries, Log: v.node.log}
	o.State, o.Journal = OwnState{Exports: v.node.store.Export, Scratch: v.node.o.Config.Backup.Scratch}, v.node.o.Journals
	if !s.DSN.Empty() {
		text, err := v.node.o.Config.Source().ForPlan(s.DSN)
		if err != nil {
			return engine.Set{}, err
		}
		o.DSN = text.Reveal()
	}
	settings := v.node.o.Config.Backup
	if s.Path != "" && !within(settings.Folders, s.Path) {
		return engine.Set{}, continuity.E(continuity.CodeForbidden, nil, "detail_id", "keeping.invalid.folder", "path", s.Path, "set", s.ID)
	}
	o.Spool = filepath.Join(settings.Spool, s.Service, s.ID)
	if err := os.MkdirAll(o.Spool, 0o700); err != nil {
		return engine.Set{}, continuity.E(continuity.CodeConfig, err, "detail_id", "keeping.invalid.spool", "path", o.Spool)
	}
	driver, err := drivers.New(s.Kind, o)
	if err != nil {
		return engine.Set{}, err
	}
	return engine.Set{
		Service: s.Service, ID: s.ID, Kind: s.Kind, Driver: driver, Queries: drivers.Checks(s.Kind, s.Queries), Tables: s.Tables, Targets: s.Targets,
		Rules: backup.Rules{Proven: s.Proven, For: s.Keep, Every: min(s.Full.Gap(), 31*24*time.Hour)},
	}, nil
}

// within says whether a path lies below one of some folders, wherever links lead.
func within(folders []string, path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(folders, func(folder string) bool {
		if resolved, err := filepath.EvalSymlinks(folder); err == nil {
			folder = resolved
		}
		rest, err := filepath.Rel(folder, real)
		return err == nil && rest != ".." && !strings.HasPrefix(rest, "../")
	})
}

func (v *vault) both(s *keeping.Set) (*engine.Engine, engine.Set, error) {
	e, err := v.open()
	if err != nil {
		return nil, engine.Set{}, err
	}
	set, err := v.set(s)
	return e, set, err
}

// Capture implements keeping.Vault.
func (v *vault) Capture(ctx context.Context, s keeping.Set, work string, report backup.Report) (keeping.Captured, error) {
	e, set, err := v.both(&s)
	if err != nil {
		return keeping.Captured{}, err
	}
	kind := ""
	if work == continuity.WorkFull {
		kind = backup.TypeFull
	}
	c, err := e.Capture(ctx, set, kind, report)
	return keeping.Captured{Manifest: c.Manifest, Targets: resultsOf(c.Targets)}, err
}

func resultsOf(outcomes []engine.Outcome) (all []continuity.TargetResult) {
	for _, o := range outcomes {
		r := continuity.TargetResult{Target: o.Target}
		if o.Err != nil {
			r.Why = keeping.Reason(o.Err)
		}
		all = append(all, r)
	}
	return all
}

// mostDiffer bounds what is named of figures that were not found again.
const mostDiffer = 10

// Verify implements keeping.Vault: from a remote target where there is one, as that is
// what is left in the worst case.
func (v *vault) Verify(ctx context.Context, s keeping.Set, piece string, report backup.Report) (keeping.Verdict, error) {
	e, set, err := v.both(&s)
	if err != nil {
		return keeping.Verdict{}, err
	}
	var errs []error
	for _, target := range v.byFar(s.Targets) {
		proof, err := e.Verify(ctx, set, target, piece, report)
		if err != nil {
			if errs = append(errs, err); ctx.Err() != nil {
				break
			}
			continue
		}
		return keeping.Verdict{Piece: proof.Piece, Taken: proof.Moment, Proven: provenOf(&proof, target)}, nil
	}
	return keeping.Verdict{}, errors.Join(errs...)
}

// byFar are the targets of a set, the remote ones first.
func (v *vault) byFar(targets []string) []string {
	copies := v.node.backupTargets()
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b string) int { return strings.Compare(copies[b], copies[a]) })
	return sorted
}

func provenOf(p *backup.Proof, target string) continuity.Proven {
	found := continuity.Proven{At: p.Ended, Good: p.Good, Target: target, Figures: len(p.Found), Restore: p.Speed.Restore, Failed: continuity.Code(p.Failed)}
	for _, c := range p.Found {
		if !c.Good && len(found.Differ) < mostDiffer {
			found.Differ = append(found.Differ, c.Of+" "+c.Measure)
		}
	}
	return found
}

// Prune implements keeping.Vault.
func (v *vault) Prune(ctx context.Context, s keeping.Set) (removed int, err error) {
	e, set, err := v.both(&s)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, p := range e.Prune(ctx, set, false) {
		removed += p.Done
		errs = append(errs, p.Err)
	}
	for _, s := range e.Sweep(ctx, set) {
		errs = append(errs, s.Err)
	}
	return removed, errors.Join(errs...)
}
