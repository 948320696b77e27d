package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// Captured is a piece that was made, and how it went with each target.
type Captured struct {
	Manifest backup.Manifest
	Targets  []Outcome
	Took     time.Duration
}

// Capture makes a piece of a set: backup.TypeFull, backup.TypeDelta, or with no type a
// delta where one can follow on what there is, and a full piece else. The error says that
// nothing was made that can be restored; that a target was missed is said in its outcome.
func (e *Engine) Capture(ctx context.Context, set Set, kind string, report backup.Report) (Captured, error) {
	release, err := e.hold(set)
	if err != nil {
		return Captured{}, err
	}
	defer release()
	report = quiet(report)
	began := time.Now()
	listings := e.List(ctx, set)
	if chain, found := newestChain(listings); found {
		if err := sameKind(set, chain.Full); err != nil {
			return Captured{}, err
		}
	}
	var c Captured
	err = backup.ErrNeedsFull
	if kind != backup.TypeFull {
		c, err = e.delta(ctx, set, listings, report)
	}
	if errors.Is(err, backup.ErrNeedsFull) && kind != backup.TypeDelta {
		c, err = e.full(ctx, set, listings, report)
	}
	c.Took = time.Since(began)
	if errors.Is(err, backup.ErrNeedsFull) {
		err = continuity.E(continuity.CodeState, err, "detail_id", "backup.needs-full", "set", set.ID)
	}
	if err == nil && !good(c.Targets) {
		err = failures(c.Targets)
	}
	return c, err
}

func (e *Engine) full(ctx context.Context, set Set, listings []Listing, report backup.Report) (Captured, error) {
	m := e.manifest(set, backup.TypeFull)
	for _, l := range listings {
		for _, p := range l.Pieces {
			m.Number = max(m.Number, p.Number)
		}
	}
	m.Number++
	return e.capture(ctx, set, m, e.targets(set), nil, func(ctx context.Context, w io.Writer) (backup.Captured, error) {
		return set.Driver.Full(ctx, w, set.Queries, report)
	})
}

// delta captures what changed since the newest piece. Targets that miss something of the
// chain get it first; those that can't are left out.
func (e *Engine) delta(ctx context.Context, set Set, listings []Listing, report backup.Report) (Captured, error) {
	driver, can := set.Driver.(backup.Incremental)
	chain, found := newestChain(listings)
	if !can || !found {
		return Captured{}, backup.ErrNeedsFull
	}
	pieces := chain.Pieces()
	parent := pieces[len(pieces)-1]
	m := e.manifest(set, backup.TypeDelta)
	m.Base, m.Parent = chain.Full.ID, parent.ID
	var targets []Target
	var left []Outcome
	for i, t := range e.targets(set) {
		if err := e.level(ctx, t, listings[i], listings, pieces); err != nil {
			left = append(left, Outcome{t.Name, err})
		} else {
			targets = append(targets, t)
		}
	}
	return e.capture(ctx, set, m, targets, left, func(ctx context.Context, w io.Writer) (backup.Captured, error) {
		return driver.Delta(ctx, parent.ID, w, set.Queries, report)
	})
}

func (e *Engine) capture(ctx context.Context, set Set, m backup.Manifest, targets []Target, left []Outcome, write func(context.Context, io.Writer) (backup.Captured, error)) (Captured, error) {
	if len(targets) == 0 {
		return Captured{Targets: left}, failures(left)
	}
	outcomes, err := e.store(ctx, targets, &m, func(ctx context.Context, w io.Writer) error {
		c, err := write(ctx, w)
		if err != nil {
			return err
		}
		m.Taken, m.From, m.To = c.Taken.UTC(), c.From, c.To
		m.Figures, m.Exact = c.Figures, c.Exact
		for name, version := range c.Versions {
			m.Versions[name] = version
		}
		return nil
	})
	c := Captured{Manifest: m, Targets: append(outcomes, left...)}
	if err != nil || !good(outcomes) {
		return c, err
	}
	if driver, can := set.Driver.(backup.Incremental); can {
		// It lies there whatever comes of this; at worst the next piece has to be a full one.
		if err := driver.Published(ctx, m.ID); err != nil {
			e.o.Log.WarnContext(ctx, "the next backup of the set will have to be a full one", "set", set.Folder(), "error", err)
		}
	}
	return c, nil
}

func (e *Engine) manifest(set Set, kind string) backup.Manifest {
	return backup.Manifest{
		ID: backup.NewID(), Service: set.Service, Set: set.ID, Type: kind, Driver: set.Kind,
		Started: now().Truncate(time.Second), Versions: map[string]string{"holdfast": e.o.Version},
	}
}

// newestChain is the one that was captured last, on whichever target it goes farthest.
func newestChain(listings []Listing) (backup.Chain, bool) {
	var best backup.Chain
	found := false
	for _, l := range listings {
		if len(l.Chains) == 0 {
			continue
		}
		c := l.Chains[len(l.Chains)-1]
		newer := c.Full.Number > best.Full.Number || c.Full.Number == best.Full.Number && len(c.Deltas) > len(best.Deltas)
		if !found || newer {
			best, found = c, true
		}
	}
	return best, found
}

// hold keeps a set from being captured twice at once.
func (e *Engine) hold(set Set) (release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy[set.Folder()] {
		return nil, continuity.E(continuity.CodeState, nil, "detail_id", "backup.busy", "set", set.ID)
	}
	e.busy[set.Folder()] = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.busy, set.Folder())
	}, nil
}

// level gives a target what it misses of pieces, from others that have it.
func (e *Engine) level(ctx context.Context, to Target, has Listing, listings []Listing, pieces []backup.Manifest) error {
	if has.Err != nil {
		return has.Err
	}
	for _, p := range pieces {
		if _, there := has.Piece(p.ID); there {
			continue
		}
		var errs []error
		for _, from := range listings {
			if _, there := from.Piece(p.ID); !there {
				continue
			}
			err := e.copyPiece(ctx, e.target(from.Target), to, p)
			errs = append(errs, err)
			if err == nil {
				break
			}
		}
		if len(errs) == 0 || errs[len(errs)-1] != nil {
			return errors.Join(errs...)
		}
	}
	return nil
}

func (e *Engine) target(name string) Target {
	i := slices.IndexFunc(e.o.Targets, func(t Target) bool { return t.Name == name })
	return e.o.Targets[i]
}

func quiet(report backup.Report) backup.Report {
	if report == nil {
		return func(backup.Progress) {}
	}
	return report
}
