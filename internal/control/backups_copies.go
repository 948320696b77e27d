package control

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

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
