package control

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/url"
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

// Holdings implements keeping.Vault.
func (v *vault) Holdings(ctx context.Context, s keeping.Set) (h keeping.Holdings, err error) {
	e, set, err := v.both(&s)
	if err != nil {
		return h, err
	}
	all := map[string]*continuity.Backup{}
	var names []string
	listings := e.List(ctx, set)
	for _, l := range listings {
		if l.Err != nil {
			h.Away = append(h.Away, continuity.TargetResult{Target: l.Target, Why: keeping.Reason(l.Err)})
			continue
		}
		for _, c := range l.Chains {
			for _, m := range slices.Concat([]backup.Manifest{c.Full}, c.Deltas) {
				b := all[m.ID]
				if b == nil {
					b = &continuity.Backup{
						ID: s.Key() + "/" + m.ID, Service: s.Service, Set: s.ID, Piece: m.ID, Type: m.Type, Base: m.Base, File: m.Path(),
						Started: m.Started, Taken: m.Taken, Reaches: m.Taken, Bytes: m.Bytes, Key: m.Key,
					}
					all[m.ID] = b
					names = append(names, m.ID)
				}
				b.Targets = append(b.Targets, l.Target)
				if m.ID == c.Full.ID && c.Ends().After(b.Reaches) {
					b.Reaches = c.Ends()
				}
				for i := range l.Proofs {
					if p := &l.Proofs[i]; p.Piece == m.ID && p.SHA256 == m.SHA256 && (b.Proof == nil || p.Ended.After(b.Proof.At)) {
						proven := provenOf(p, l.Target)
						b.Proof = &proven
					}
				}
			}
		}
		h.Faults = append(h.Faults, faultsOf(&l)...)
	}
	slices.Sort(names)
	for _, id := range names {
		h.Backups = append(h.Backups, *all[id])
	}
	return h, nil
}

// faultsOf is what is wrong with the newest chain of a target, and with files beside it.
func faultsOf(l *engine.Listing) (all []continuity.BackupFault) {
	if n := len(l.Chains); n > 0 {
		for _, f := range l.Chains[n-1].Faults {
			all = append(all, continuity.BackupFault{Kind: f.Kind, Target: l.Target, Backup: f.Piece, From: f.From.At, To: f.To.At})
		}
	}
	for _, bad := range l.Bad {
		all = append(all, continuity.BackupFault{Kind: backup.FaultUnsigned, Target: l.Target, Backup: filepath.Base(bad.Name)})
	}
	return all[:min(len(all), mostDiffer)]
}

// Choices implements keeping.Chooser.
func (v *vault) Choices(ctx context.Context, s keeping.Set, moment time.Time) ([]continuity.RestoreChoice, error) {
	e, set, err := v.both(&s)
	if err != nil {
		return nil, err
	}
	found, _, err := e.Candidates(ctx, set, moment)
	if err != nil {
		return nil, err
	}
	all := []continuity.RestoreChoice{}
	for _, c := range found {
		all = append(all, continuity.RestoreChoice{
			Set: s.ID, Target: c.Target, Backup: c.Pieces[0].ID, Reaches: c.Reaches, Loss: c.Loss, Takes: c.Takes, Bytes: c.Bytes,
			RealTime: c.RealTime, State: string(c.State), Reasons: c.Reasons,
		})
	}
	return all, nil
}

// restoreID is what stands for a restore in names of databases.
func restoreID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10])
}

// Bring implements keeping.Bringer.
func (v *vault) Bring(ctx context.Context, s keeping.Set, r continuity.Restore, choice continuity.RestoreChoice, report backup.Report) (made continuity.RestoredCopy, err error) {
	e, set, err := v.both(&s)
	if err != nil {
		return made, err
	}
	candidates, _, err := e.Candidates(ctx, set, r.Moment)
	if err != nil {
		return made, err
	}
	i := slices.IndexFunc(candidates, func(c backup.Candidate) bool { return c.Target == choice.Target && c.Pieces[0].ID == choice.Backup })
	if i < 0 {
		return made, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.choice", "set", s.ID, "backup", choice.Backup)
	}
	began := time.Now()
	restored, err := e.Restore(ctx, set, engine.Want{Candidate: candidates[i], Moment: r.Moment}, report)
	if err != nil {
		return made, err
	}
	made = continuity.RestoredCopy{Reached: restored.Moment, Good: restored.Good, Exact: restored.Exact}
	if made.Reached.IsZero() {
		made.Reached = candidates[i].Reaches
	}
	for _, c := range restored.Found {
		if !c.Good && len(made.Differ) < mostDiffer {
			made.Differ = append(made.Differ, c.Of+" "+c.Measure)
		}
	}
	if r.Into == continuity.IntoCopy {
		made.Address, made.Node = shownAddress(restored.Instance.Address()), v.node.name
		v.keep(s.Key()+" "+r.ID, restored)
		made.Took = time.Since(began)
		return made, nil
	}
	restored.ID = restoreID(r.ID)
	if err = e.Drop(ctx, set, restored.ID); err == nil { // what an attempt left whose node died
		err = e.Replace(ctx, set, restored, report)
	}
	made.Took = time.Since(began)
	return made, errors.Join(err, restored.Close(false))
}

// keep has a copy be asked until it is dropped, or this node leads no longer.
func (v *vault) keep(key string, r *engine.Restored) {
	v.mu.Lock()
	before := v.copies[key]
	v.copies[key] = r
	v.mu.Unlock()
	if before != nil {
		_ = before.Close(false)
	}
}

// forget ends copies; with no key all of them.
func (v *vault) forget(key string) error {
	v.mu.Lock()
	var gone []*engine.Restored
	for name, r := range v.copies {
		if key == "" || name == key {
			gone = append(gone, r)
			delete(v.copies, name)
		}
	}
	v.mu.Unlock()
	var errs []error
	for _, r := range gone {
		errs = append(errs, r.Close(false))
	}
	return errors.Join(errs...)
}

// shownAddress is an address without a password.
func shownAddress(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		u.User = url.User(u.User.Username())
		return u.String()
	}
	return address
}

// address is where a copy can be asked, with whatever that takes.
func (v *vault) address(key string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.copies[key]; r != nil {
		return r.Instance.Address()
	}
	return ""
}

// Alive implements keeping.Bringer.
func (v *vault) Alive(s keeping.Set, id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.copies[s.Key()+" "+id] != nil
}

// Ask implements keeping.Copies.
func (v *vault) Ask(ctx context.Context, s keeping.Set, id string, q backup.LookUp) (backup.Answer, error) {
	v.mu.Lock()
	r := v.copies[s.Key()+" "+id]
	v.mu.Unlock()
	if r == nil {
		return backup.Answer{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.look-up.gone", "id", id)
	}
	asked, can := r.Instance.(backup.Askable)
	if !can {
		return backup.Answer{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.look-up.kind", "set", s.ID, "kind", s.Kind,
			"address", shownAddress(r.Instance.Address()), "node", v.node.name)
	}
	return asked.Ask(ctx, q)
}

// Switch implements keeping.Bringer.
func (v *vault) Switch(ctx context.Context, s keeping.Set, id string) error {
	e, set, err := v.both(&s)
	if err != nil {
		return err
	}
	return e.Switch(ctx, set, restoreID(id))
}

// Undo implements keeping.Bringer.
func (v *vault) Undo(ctx context.Context, s keeping.Set, id string) error {
	e, set, err := v.both(&s)
	if err != nil {
		return err
	}
	return e.Undo(ctx, set, restoreID(id))
}

// Drop implements keeping.Bringer.
func (v *vault) Drop(ctx context.Context, s keeping.Set, into, id string) error {
	if into == continuity.IntoCopy {
		return v.forget(s.Key() + " " + id)
	}
	e, set, err := v.both(&s)
	if err != nil {
		return err
	}
	return e.Drop(ctx, set, restoreID(id))
}
