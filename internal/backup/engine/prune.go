package engine

import (
	"context"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/target"
)

// Pruned is what retention made of a set on one target.
type Pruned struct {
	Target string
	backup.Judged
	Done int   // how many of what goes are gone
	Err  error // why no more went
}

// Prune removes from each target what need not stay there, by the rules of the set and
// what is proven on that target; dry only says what. Where a manifest can't be read
// nothing goes: what follows on it could be taken for lost.
func (e *Engine) Prune(ctx context.Context, set Set, dry bool) []Pruned {
	var all []Pruned
	for _, l := range e.List(ctx, set) {
		p := Pruned{Target: l.Target, Err: l.Err}
		switch {
		case l.Err != nil:
		case len(l.Bad) > 0:
			p.Err = continuity.E(continuity.CodeState, l.Bad[0].Err, "detail_id", "backup.prune-bad", "name", l.Bad[0].Name, "target", l.Target)
		default:
			p.Judged = backup.Judge(l.Pieces, l.Proofs, set.Rules, now())
		}
		if p.Err == nil && !dry {
			p.Done, p.Err = e.delete(ctx, e.target(l.Target), p.Goes)
		}
		all = append(all, p)
	}
	return all
}

// delete takes pieces away, each with its manifest first: a file without one is nothing,
// and is swept if this is as far as it gets.
func (e *Engine) delete(ctx context.Context, t Target, pieces []backup.Goes) (int, error) {
	for i, p := range pieces {
		if err := e.deletePiece(ctx, t, p.Manifest); err != nil {
			return i, err
		}
	}
	return len(pieces), nil
}

func (e *Engine) deletePiece(ctx context.Context, t Target, m backup.Manifest) error {
	for _, name := range []string{m.Path() + backup.ManifestSuffix, m.Path() + backup.ProofSuffix, m.Path()} {
		err := t.Prune.Delete(ctx, name)
		if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
			return err
		}
		e.known.forget(t.Name + "\x00" + name)
	}
	return nil
}

// left is how long something half done lies on a target before it is taken for left
// behind: longer than the longest capture.
const left = 7 * 24 * time.Hour

// Swept is what was cleared away on one target.
type Swept struct {
	Target  string
	Uploads int      // of any set, that were never finished
	Files   []string // of the set, that mean nothing
	Err     error    // why no more went
}

// Sweep removes from the targets of a set what was left by who was killed: uploads that
// never ended, files without a manifest, proofs of nothing. Times are the target's own.
func (e *Engine) Sweep(ctx context.Context, set Set) []Swept {
	var all []Swept
	for _, t := range e.targets(set) {
		s := Swept{Target: t.Name}
		s.Err = e.sweep(ctx, t, set, &s)
		all = append(all, s)
	}
	return all
}

func (e *Engine) sweep(ctx context.Context, t Target, set Set, s *Swept) (err error) {
	if s.Uploads, err = t.Prune.Sweep(ctx, target.SweepAge); err != nil {
		return err
	}
	objects, err := t.At.List(ctx, set.Folder()+"/")
	if err != nil {
		return err
	}
	there := map[string]bool{}
	var newest time.Time
	for _, o := range objects {
		there[o.Name] = true
		if o.Modified.After(newest) {
			newest = o.Modified
		}
	}
	for _, o := range objects {
		if newest.Sub(o.Modified) < left || !lonely(o.Name, there) {
			continue
		}
		if err := t.Prune.Delete(ctx, o.Name); err != nil {
			return err
		}
		s.Files = append(s.Files, o.Name)
	}
	return nil
}

// lonely says whether a file means nothing by itself.
func lonely(name string, there map[string]bool) bool {
	file, manifest := strings.CutSuffix(name, backup.ManifestSuffix)
	if manifest {
		return false // it tells of what is missing
	}
	file, _ = strings.CutSuffix(file, backup.ProofSuffix)
	if _, err := backup.ParseName(file); err != nil {
		return false // not ours
	}
	return !there[file+backup.ManifestSuffix]
}
