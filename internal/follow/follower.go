package follow

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Store is where state is kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
	EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
	LastEvent(context.Context) (int64, [32]byte, error)
}

// Engine decides by what it was shown.
type Engine interface {
	// Reset forgets everything: all objects are shown anew.
	Reset()
	// Show shows an object as it is now; a body of nil says that it is gone. by is who
	// made it so, and the zero Actor for what was there at the beginning of a term.
	Show(kind, id string, version int64, body json.RawMessage, by continuity.Actor) error
	// Step decides what is to become true now, and when to look again at the latest;
	// zero: when something was shown. It is called again until it wants nothing.
	Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error)
}

// Options of a Follower.
type Options struct {
	Store Store
	Name  string // of the engine, as actor of its changes
	Node  string
	Lease func() (continuity.Lease, bool) // ok while this node leads
	Kinds []string                        // of objects that are shown
	Every time.Duration                   // 1 s: how often what others wrote is looked for
	Wake  <-chan struct{}                 // has it looked for sooner; nil: never
	// Refused is told of the objects that the engine can't bring on, whenever they have
	// changed, and at the beginning of a term: the engine goes on without them. nil:
	// only the log says so.
	Refused func(context.Context, []Refusal) error
	Now     func() time.Time
	Log     *slog.Logger
}

// Follower runs an engine while its node leads.
type Follower struct {
	o      Options
	engine Engine
	loaded bool
	fence  int64
	seq    int64 // of the last event that was followed

	refused map[ref]*refusal
	blind   map[ref]*Refusal // objects that can't be read
	unseen  map[ref]bool     // those of them that have not been shown anew yet
	changed bool             // of either, and nobody was told yet
}

// New makes a follower.
func New(o Options, engine Engine) *Follower {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{o: o, engine: engine}
}

// Run works until the context ends.
func (f *Follower) Run(ctx context.Context) {
	failing := false
	for {
		next, err := f.Step(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			f.o.Log.Warn("an engine's state", "engine", f.o.Name, "failing", failing, "err", err)
		}
		wait := f.o.Every
		if err == nil && !next.IsZero() {
			wait = max(min(wait, next.Sub(f.o.Now())), time.Millisecond)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-f.o.Wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// mostRounds bounds the rounds of one Step: an engine that wants something each time
// it is asked would hold up its own end.
const mostRounds = 1000

var errRestless = errors.New("an engine never comes to rest")

// Step brings the picture up to date and makes true what the engine wants; nothing
// happens on a node that does not lead.
func (f *Follower) Step(ctx context.Context) (next time.Time, err error) {
	lease, ok := f.o.Lease()
	if !ok {
		f.loaded = false
		return next, nil
	}
	defer func() {
		if err != nil {
			f.loaded = false // some of it may have happened
		}
	}()
	if lease.Fence != f.fence || f.refused == nil {
		f.loaded, f.changed = false, true
		f.refused, f.blind = map[ref]*refusal{}, map[ref]*Refusal{}
	}
	if !f.loaded {
		if err := f.load(ctx); err != nil {
			return next, err
		}
		f.fence = lease.Fence
	}
	f.settle(f.o.Now())
	defer f.tell(ctx)
	var last []continuity.Change
	for range mostRounds {
		if err := f.follow(ctx); err != nil {
			return next, err
		}
		now := f.o.Now().UTC()
		alone := f.alone(now)
		changes, next, err := f.engine.Step(context.WithValue(ctx, leftAloneKey{}, alone), now)
		if err != nil || len(changes) == 0 || ctx.Err() != nil {
			return next, errors.Join(err, ctx.Err())
		}
		if alone.touch(changes) { // it knows nothing else to do
			return next, nil
		}
		if err := f.commit(ctx, lease, changes); err != nil {
			f.refuse(changes, err, now)
			return next, err
		}
		f.accept(changes)
		last = changes
	}
	f.refuse(last, errRestless, f.o.Now().UTC())
	return next, errRestless
}

// commit makes changes true at once: an engine that wants less in a transaction
// returns less.
func (f *Follower) commit(ctx context.Context, lease continuity.Lease, changes []continuity.Change) error {
	_, err := f.o.Store.Commit(ctx, continuity.Batch{
		Actor:   continuity.Actor{Kind: continuity.ActorEngine, ID: f.o.Name, Via: f.o.Node},
		Changes: changes, Leader: &lease,
	})
	return err // what was committed comes back as events
}

func (f *Follower) load(ctx context.Context) error {
	f.engine.Reset()
	f.unseen = map[ref]bool{}
	for r := range f.blind {
		f.unseen[r] = true
	}
	seq, _, err := f.o.Store.LastEvent(ctx)
	if err != nil {
		return err
	}
	for _, kind := range f.o.Kinds {
		for cursor := ""; ; {
			page, next, err := f.o.Store.List(ctx, continuity.Query{Kind: kind, Cursor: cursor, Limit: 1000})
			if err != nil {
				return err
			}
			for i := range page {
				o := &page[i]
				f.unread(ref{o.Kind, o.ID}, o.Service, f.engine.Show(o.Kind, o.ID, o.Version, o.Body, continuity.Actor{}))
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	for r := range f.unseen { // they are gone
		delete(f.blind, r)
		f.changed = true
	}
	f.seq, f.loaded = seq, true
	return nil
}

func (f *Follower) follow(ctx context.Context) error {
	for {
		events, err := f.o.Store.EventsSince(ctx, f.seq, 1000)
		if err != nil {
			return err
		}
		for i := range events {
			ev := &events[i]
			if slices.Contains(f.o.Kinds, ev.Kind) {
				f.unread(ref{ev.Kind, ev.ID}, ev.Service, f.engine.Show(ev.Kind, ev.ID, ev.Seq, ev.After, ev.Actor))
				if r := f.refused[ref{ev.Kind, ev.ID}]; r != nil {
					r.until = time.Time{} // it is another one now
				}
			}
			f.seq = ev.Seq
		}
		if len(events) < 1000 {
			return nil
		}
	}
}
