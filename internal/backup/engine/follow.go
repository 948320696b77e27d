package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// Followed is how far the log of a set got.
type Followed struct {
	To      backup.Position
	Newest  time.Time // its newest change, or when it was received
	At      time.Time // when the span was safe
	Targets []Outcome // a target that is away gets what it missed once it is back
	// NeedsFull says that the source has no more what would have come next: the log goes on
	// from now, and is of use behind a full piece that is taken from now on.
	NeedsFull bool
}

const (
	again   = 15 * time.Second       // until a target that was away is asked again
	backOff = 500 * time.Millisecond // until a span that nobody took is tried again; doubled up to again
	settled = 15 * time.Minute       // until a span that others cover is deleted: who restores may be reading it
	recent  = 10000                  // spans that are remembered so that it is known when others cover them
)

// Follow publishes the changes of a set as they happen, until the context ends. It goes on
// where the log on the targets ends. A span is safe once one target has it; while none
// takes it the source keeps it, and tell hears why. tell is called for each span, and
// returns at once.
func (e *Engine) Follow(ctx context.Context, set Set, tell func(Followed)) error {
	driver, can := set.Driver.(backup.Following)
	if !can {
		return continuity.E(continuity.CodeState, nil, "detail_id", "backup.no-follow", "set", set.ID, "kind", set.Kind)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{engine: e, set: set, tell: tell, away: map[string]error{}}
	listings := e.List(ctx, set)
	for _, l := range listings {
		f.told = append(f.told, backup.Superseded(l.Pieces)...)
	}
	f.targets = e.targets(set)
	defer f.wait.Wait()
	defer cancel()
	for _, t := range f.targets {
		// Who can't be given what it misses is away, too: what nobody took must not be
		// taken for safe on it.
		if err := e.level(ctx, t, listingOf(listings, t.Name), listings, logOf(listings)); err != nil {
			f.mu.Lock()
			f.leave(ctx, t, err)
			f.mu.Unlock()
		}
	}
	err := driver.Follow(ctx, end(listings), f.publish)
	if errors.Is(err, backup.ErrNeedsFull) {
		tell(Followed{NeedsFull: true})
		err = driver.Follow(ctx, backup.Position{}, f.publish)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follower publishes the spans of one set, one after the other.
type follower struct {
	engine  *Engine
	set     Set
	tell    func(Followed)
	targets []Target
	wait    sync.WaitGroup

	mu   sync.Mutex // of what follows
	away map[string]error
	told []backup.Manifest // spans that are superseded and not deleted yet
	made []backup.Manifest // spans that may become so
}

func (f *follower) publish(ctx context.Context, span backup.Span) error {
	for pause := backOff; ; pause = min(2*pause, again) {
		outcomes, err := f.once(ctx, span)
		if err == nil && good(outcomes) {
			return nil
		}
		if err == nil {
			f.tell(Followed{Targets: outcomes})
		} else if ctx.Err() == nil && continuity.CodeOf(err) != continuity.CodeInternal {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// once tries to give a span to all targets that are there, or to all where none is.
func (f *follower) once(ctx context.Context, span backup.Span) ([]Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var targets []Target
	var outcomes []Outcome
	for _, t := range f.targets {
		if err, away := f.away[t.Name]; away {
			outcomes = append(outcomes, Outcome{t.Name, err})
		} else {
			targets = append(targets, t)
		}
	}
	if len(targets) == 0 {
		return outcomes, nil
	}
	m := f.engine.manifest(f.set, backup.TypeLog)
	m.From, m.To, m.Taken = span.From, span.To, span.Newest.UTC()
	for name, version := range span.Versions {
		m.Versions[name] = version
	}
	took, err := f.engine.store(ctx, targets, &m, func(_ context.Context, w io.Writer) error {
		r, err := span.Open()
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		return errors.Join(err, r.Close())
	})
	if err != nil {
		return nil, err
	}
	for i, o := range took {
		if o.Err != nil && ctx.Err() == nil {
			f.leave(ctx, targets[i], o.Err)
		}
	}
	outcomes = append(outcomes, took...)
	if good(took) {
		f.tell(Followed{To: m.To, Newest: m.Taken, At: now(), Targets: outcomes})
		f.tidy(ctx, m)
	}
	return outcomes, nil
}

// leave has a target stand aside until it took what it misses. The follower is locked.
func (f *follower) leave(ctx context.Context, t Target, why error) {
	f.away[t.Name] = why
	f.wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(again):
			}
			if f.back(ctx, t) {
				return
			}
		}
	})
}

// back gives a target what it misses: most of it while others go on, the rest while they
// wait, so that nothing comes between.
func (f *follower) back(ctx context.Context, t Target) bool {
	e := f.engine
	catchUp := func() error {
		listings := e.List(ctx, f.set)
		return e.level(ctx, t, listingOf(listings, t.Name), listings, logOf(listings))
	}
	err := catchUp()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		err = catchUp()
	}
	if err != nil {
		f.away[t.Name] = err
		return false
	}
	delete(f.away, t.Name)
	return true
}

// tidy deletes spans that others cover since a while, where this is allowed: slices of a
// log are many. What it can't delete is pruned by who may.
func (f *follower) tidy(ctx context.Context, m backup.Manifest) {
	covered := func(p backup.Manifest) bool {
		return p.From.Along(m.From) && p.From.Compare(m.From) >= 0 && p.To.Compare(m.To) <= 0
	}
	var rest []backup.Manifest
	for _, p := range f.made {
		if covered(p) {
			f.told = append(f.told, p)
		} else {
			rest = append(rest, p)
		}
	}
	f.made = append(rest[max(0, len(rest)-recent):], m)
	for len(f.told) > 0 && m.Started.Sub(f.told[0].Started) > settled {
		for _, t := range f.targets {
			if _, away := f.away[t.Name]; away {
				continue
			}
			if err := f.engine.deletePiece(ctx, t, f.told[0]); err != nil {
				f.engine.o.Log.DebugContext(ctx, "a span that another one covers was not deleted", "target", t.Name, "error", err)
			}
		}
		f.told = f.told[1:]
	}
}

// end is where the log behind the newest full piece ends, over all targets, which is the
// piece's own end where nothing was followed yet; no place where there is no such piece.
func end(listings []Listing) backup.Position {
	var at backup.Position
	newest := 0
	for _, l := range listings {
		for _, c := range l.Chains {
			to := c.Full.To
			if len(c.Logs) > 0 {
				to = c.Logs[len(c.Logs)-1].To
			}
			if !to.IsZero() && (c.Full.Number > newest || c.Full.Number == newest && to.Compare(at) > 0) {
				at, newest = to, c.Full.Number
			}
		}
	}
	return at
}

// logOf are the spans of the log that any target has and no other span covers.
func logOf(listings []Listing) []backup.Manifest {
	var all []backup.Manifest
	seen := map[string]bool{}
	for _, l := range listings {
		for _, p := range l.Pieces {
			if p.Type == backup.TypeLog && !seen[p.ID] {
				seen[p.ID] = true
				all = append(all, p)
			}
		}
	}
	old := map[string]bool{}
	for _, p := range backup.Superseded(all) {
		old[p.ID] = true
	}
	var log []backup.Manifest
	for _, p := range all {
		if !old[p.ID] {
			log = append(log, p)
		}
	}
	return log
}

func listingOf(listings []Listing, target string) Listing {
	for _, l := range listings {
		if l.Target == target {
			return l
		}
	}
	return Listing{Target: target, Err: errors.New("the target is none of the set's")}
}
