package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/swap"
	"holdfast/internal/continuity"
)

// Want says what is to be restored, and where.
type Want struct {
	backup.Candidate           // of Candidates
	Moment           time.Time // changes after it are left out; zero: none
	Dir              string    // a new place, which may be there if it is empty; none: a scratch folder
}

// Restored is a set that was restored, by itself and apart from its source.
type Restored struct {
	ID       string // by which it can be put in the place of its source
	Instance backup.Instance
	Dir      string
	Reached  backup.Position
	Moment   time.Time // the newest change in it
	Speed    backup.Speed
	// Found holds it against what was recorded. What changed since the figures were taken
	// can't be compared; Exact says that everything could. Good says that what could be
	// compared agrees.
	Found       []backup.Compared
	Exact, Good bool

	scratch *scratch // nil: it was asked for in a folder
}

// Close ends what was started for the instance, and removes it unless it is to be kept.
// What is kept in a scratch folder is nobody's but the caller's then; what is kept in a
// place of its own outlives a power cut.
func (r *Restored) Close(keep bool) error {
	err := r.Instance.Close()
	switch {
	case r.scratch == nil && keep:
		return errors.Join(err, swap.SyncAll(r.Dir))
	case r.scratch == nil:
		return err
	case keep:
		return errors.Join(err, os.Remove(r.scratch.lock.Name()), r.scratch.lock.Close())
	}
	return errors.Join(err, r.scratch.remove())
}

// Candidates ranks the ways to bring a set back to a moment, or to its newest change, over
// all targets that answer; the error says which do not, and is one only where none does.
func (e *Engine) Candidates(ctx context.Context, set Set, moment time.Time) ([]backup.Candidate, []Listing, error) {
	listings := e.List(ctx, set)
	var offers []backup.Offer
	var errs []error
	for _, l := range listings {
		if l.Err != nil {
			errs = append(errs, l.Err)
			continue
		}
		offers = append(offers, l.Offer(set))
	}
	if len(offers) == 0 {
		return nil, listings, errors.Join(errs...)
	}
	return backup.Choose(offers, moment, now()), listings, nil
}

// Restore restores a candidate, and compares what can be compared. The source is not
// touched.
func (e *Engine) Restore(ctx context.Context, set Set, want Want, report backup.Report) (*Restored, error) {
	if len(want.Pieces) == 0 {
		return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "backup.no-candidate", "set", set.ID)
	}
	if err := sameKind(set, want.Pieces[0]); err != nil {
		return nil, err
	}
	r := &Restored{ID: backup.NewID(), Dir: want.Dir}
	if want.Dir == "" {
		s, err := e.newScratch("restore")
		if err != nil {
			return nil, err
		}
		r.scratch, r.Dir = s, s.dir
	} else if err := emptyDir(want.Dir); err != nil {
		return nil, err
	}
	drop := func(err error) (*Restored, error) {
		if r.Instance != nil {
			err = errors.Join(err, r.Close(false))
		} else if r.scratch != nil {
			err = errors.Join(err, r.scratch.remove())
		}
		if r.scratch == nil { // a part looks like the whole
			err = errors.Join(err, clearDir(want.Dir))
		}
		return nil, err
	}
	var err error
	last := want.Pieces[len(want.Pieces)-1]
	how := backup.Restore{Until: want.Moment, Queries: set.Queries}
	if r.Exact = last.Type != backup.TypeLog; r.Exact {
		how.At = last.Exact // there the figures held
	}
	if r.Instance, r.Speed, err = e.restore(ctx, set, e.target(want.Target), want.Pieces, r.Dir, how, quiet(report)); err != nil {
		return drop(err)
	}
	r.Reached, r.Moment = reached(r.Instance, want.Pieces)
	began := time.Now()
	found, err := r.Instance.Figures(ctx, set.Queries, quiet(report))
	if err != nil {
		return drop(err)
	}
	r.Speed.Figures = time.Since(began).Seconds()
	recorded := recordedOf(want.Pieces)
	if !r.Exact {
		recorded, found = unchanging(recorded, set.Queries), unchanging(found, set.Queries)
	}
	r.Found, r.Good = backup.Compare(recorded, found, set.Queries)
	r.Good = r.Good || len(r.Found) == 0 && !r.Exact
	return r, nil
}

// reached is how far an instance is. Where no change tells a time, nothing was changed in
// the log, and it is as the last piece that is no log found it.
func reached(i backup.Instance, pieces []backup.Manifest) (backup.Position, time.Time) {
	position, moment := i.Reached()
	if !moment.IsZero() {
		return position, moment
	}
	for _, p := range pieces {
		if p.Type != backup.TypeLog {
			moment = p.Taken
		}
	}
	return position, moment
}

// recordedOf are the figures of the last piece that has any of its own.
func recordedOf(pieces []backup.Manifest) []backup.Figure {
	for _, p := range slices.Backward(pieces) {
		if p.Type != backup.TypeLog {
			return p.Figures
		}
	}
	return nil
}

// unchanging are the figures that hold whatever was changed since: that the data is whole
// in itself, and what the plan expects at any time.
func unchanging(figures []backup.Figure, queries []backup.Query) []backup.Figure {
	return slices.DeleteFunc(slices.Clone(figures), func(f backup.Figure) bool {
		expects := slices.ContainsFunc(queries, func(q backup.Query) bool { return q.ID == f.Of && q.Expect != "" })
		return f.Measure != "orphans" && f.Measure != "integrity" && !(f.Measure == backup.MeasureResult && expects)
	})
}

// emptyDir makes a folder where there is none, and refuses one that holds anything.
func emptyDir(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var entries []os.DirEntry
		if entries, err = os.ReadDir(dir); err == nil && len(entries) > 0 {
			return continuity.E(continuity.CodeState, nil, "detail_id", "backup.not-empty", "folder", dir)
		}
	}
	if err != nil {
		return noFolder(err)
	}
	return nil
}

// clearDir removes what is in a folder that had been empty.
func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// sameKind refuses to take a set for what its backups are not of.
func sameKind(set Set, m backup.Manifest) error {
	if set.Kind == m.Driver {
		return nil
	}
	return continuity.E(continuity.CodeInvalid, nil, "detail_id", "backup.invalid.other-kind", "set", set.ID, "kind", set.Kind, "is", m.Driver)
}

// restore has the driver make an instance of pieces as they lie on a target.
func (e *Engine) restore(ctx context.Context, set Set, from Target, pieces []backup.Manifest, dir string, how backup.Restore, report backup.Report) (backup.Instance, backup.Speed, error) {
	var speed backup.Speed
	var read atomic.Int64
	for _, p := range pieces {
		speed.Bytes += p.Bytes
	}
	how.Dir, how.Report = dir, report
	for _, p := range pieces {
		how.Pieces = append(how.Pieces, backup.Piece{Manifest: p, Open: func(ctx context.Context) (io.ReadCloser, error) {
			return e.open(ctx, from, p, func(n int) {
				report(backup.Progress{Phase: "download", Done: min(read.Add(int64(n)), speed.Bytes), Total: speed.Bytes})
			})
		}})
	}
	began := time.Now()
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, speed, err
	}
	how.Dir = dir
	instance, err := set.Driver.Restore(ctx, how)
	speed.Restore = time.Since(began).Seconds()
	return instance, speed, err
}

// Replaceable fails for sets that can't be put in the place of their source.
func (e *Engine) Replaceable(set Set) error {
	_, err := replacer(set)
	return err
}

// Replace prepares a restored set beside its source; clients notice nothing. Switch puts
// it in the source's place, later and perhaps by another process.
func (e *Engine) Replace(ctx context.Context, set Set, r *Restored, report backup.Report) error {
	driver, err := replacer(set)
	if err != nil {
		return err
	}
	return driver.Prepare(ctx, r.Instance, r.ID, set.Tables, quiet(report))
}

// Switch puts what was prepared under the id in the place of the source, and what was
// there aside. Done again it changes nothing.
func (e *Engine) Switch(ctx context.Context, set Set, id string) error {
	return withReplacer(set, func(r backup.Replacer) error { return r.Switch(ctx, id) })
}

// Undo puts back what Switch had put aside.
func (e *Engine) Undo(ctx context.Context, set Set, id string) error {
	return withReplacer(set, func(r backup.Replacer) error { return r.Undo(ctx, id) })
}

// Drop removes what was prepared or put aside under the id.
func (e *Engine) Drop(ctx context.Context, set Set, id string) error {
	return withReplacer(set, func(r backup.Replacer) error { return r.Drop(ctx, id) })
}

func withReplacer(set Set, do func(backup.Replacer) error) error {
	driver, err := replacer(set)
	if err != nil {
		return err
	}
	return do(driver)
}

func replacer(set Set) (backup.Replacer, error) {
	if driver, can := set.Driver.(backup.Replacer); can {
		return driver, nil
	}
	return nil, continuity.E(continuity.CodeState, nil, "detail_id", "backup.no-replace", "set", set.ID, "kind", set.Kind)
}
