package warning

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"holdfast/internal/continuity"
)

// The kinds of objects, and the actions of their events.
const (
	Kind       = "warning"
	KindSignal = "signal"
	KindReport = "report"
	KindMemory = "rule" // what a source remembers of a rule
	KindHook   = "hook" // which messages a webhook has brought

	Opened    = "warning.opened"
	Raised    = "warning.raised"
	Lowered   = "warning.lowered"
	Returned  = "warning.returned" // soon after it was over, or worse than when it was dismissed
	Cleared   = "warning.cleared"
	Confirmed = "warning.confirmed"
	Dismissed = "warning.dismissed"
	Blinded   = "warning.blind"   // nothing is known of it any more
	Seen      = "warning.seen"    // something is again
	Widened   = "warning.widened" // it hits others than before
)

// Store is where state is kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
	Events(context.Context, continuity.EventQuery) ([]continuity.AuditEvent, string, error)
	EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
	LastEvent(context.Context) (int64, [32]byte, error)
}

// Sighting is how one watched thing stands.
type Sighting struct {
	ID       string // of its warning
	Service  string
	Source   string
	Rule     string
	Owner    string
	Text     continuity.Text
	Known    bool // false: nothing was learnt, and nothing ends
	Level    continuity.Level
	Since    time.Time // zero: now
	Partial  bool
	Sign     string
	Scope    string
	Evidence []continuity.Evidence
	Memory   json.RawMessage // what has to be remembered of it; nil: nothing
	Reason   string          // of the event; a code or a system's words
}

// Source watches things.
type Source interface {
	// Begin hands over what was remembered, by the ids of sightings; Look then
	// starts from there. It comes whenever this node begins to lead, and after a
	// commit that failed.
	Begin(memories map[string]json.RawMessage)
	Look(ctx context.Context, now time.Time) Sight
}

// Sight is how all things of some kinds of sources stand. What is missing is watched
// no longer.
type Sight struct {
	All []Sighting
	Of  []string // those kinds
	// Unread are the services of whose plans, as they were looked at, not all can be
	// read: of what is missing there nothing is known, which ends nothing.
	Unread map[string]bool
}

// Rules are what plans say at one moment of checks and of staff's reports.
type Rules struct {
	Checks  []CheckRule
	Reports []ReportRule
	Unread  map[string]bool // as in Sight
}

// Options of an Engine.
type Options struct {
	Store   Store
	Node    string
	Lease   func() (continuity.Lease, bool) // ok while this node leads
	Sources []Source
	Rules   func() Rules
	// Silenced says that nothing new is to be warned of, as under a maintenance
	// window; nil: never.
	Silenced func(service string, now time.Time) bool
	// Tell is what else becomes true with a change of a warning, such as that somebody
	// is to be told; nil: nothing.
	Tell  func(before, after continuity.Warning, action string, now time.Time) []continuity.Change
	Every time.Duration // 1 s
	Now   func() time.Time
	Log   *slog.Logger
}

// Engine turns sightings into warnings while its node leads.
type Engine struct {
	o Options

	// What follows is as stored, while loaded.
	loaded   bool
	fence    int64
	seq      int64 // of the last event that was followed
	warnings map[string]*kept
	memories map[string]memory
	signals  map[string]continuity.Signal
	reports  []continuity.Report
	checks   map[string]continuity.JudgedCheck

	// These begin anew with each load, which only delays an end.
	easing map[string]easing
	blind  map[string]time.Time
}

type kept struct {
	continuity.Warning

	version int64
}

type memory struct {
	service string
	body    json.RawMessage
	version int64
}

// easing is a warning on its way to a better level.
type easing struct {
	to    continuity.Level
	since time.Time
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Engine{o: o}
}

// Run works until the context ends.
func (e *Engine) Run(ctx context.Context) {
	tick := time.NewTicker(e.o.Every)
	defer tick.Stop()
	failing := false
	for {
		err := e.Step(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			e.o.Log.Warn("writing warnings", "failing", failing, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Step looks once and writes what changed; nothing happens on a node that does
// not lead.
func (e *Engine) Step(ctx context.Context) error {
	lease, ok := e.o.Lease()
	if !ok {
		e.loaded = false
		return nil
	}
	if !e.loaded || lease.Fence != e.fence {
		if err := e.load(ctx); err != nil {
			return err
		}
		e.fence = lease.Fence
	}
	if err := e.follow(ctx); err != nil {
		e.loaded = false
		return err
	}
	now := e.o.Now().UTC()
	next := e.decide(ctx, now)
	if ctx.Err() != nil {
		e.loaded = false
		return ctx.Err()
	}
	for len(next) > 0 {
		n := min(len(next), mostChanges)
		if err := e.commit(ctx, lease, next[:n]); err != nil {
			e.loaded = false // some of it may have happened
			return err
		}
		next = next[n:]
	}
	return nil
}

// mostChanges bounds a commit, so that a storm holds up nobody for long.
const mostChanges = 200

// outcome is one change with what it makes of the engine's knowledge.
type outcome struct {
	change continuity.Change
	became *continuity.Warning // or
	memory json.RawMessage
	tell   []continuity.Change // true with it
}

func (e *Engine) commit(ctx context.Context, lease continuity.Lease, all []outcome) error {
	b := continuity.Batch{Actor: continuity.Actor{Kind: continuity.ActorEngine, ID: "warnings", Via: e.o.Node}, Leader: &lease}
	for i := range all {
		b.Changes = append(b.Changes, all[i].change)
	}
	for i := range all {
		b.Changes = append(b.Changes, all[i].tell...)
	}
	objects, err := e.o.Store.Commit(ctx, b)
	if err != nil {
		return err
	}
	if len(objects) != len(b.Changes) {
		return errors.New("a commit answered with fewer objects than changes")
	}
	for i := range all {
		id := all[i].change.ID
		switch {
		case all[i].became != nil:
			e.warnings[id] = &kept{*all[i].became, objects[i].Version}
		case all[i].memory == nil:
			delete(e.memories, id)
		default:
			e.memories[id] = memory{all[i].change.Service, all[i].memory, objects[i].Version}
		}
	}
	return nil
}

// load reads everything.
func (e *Engine) load(ctx context.Context) error {
	e.warnings, e.memories, e.signals, e.reports = map[string]*kept{}, map[string]memory{}, map[string]continuity.Signal{}, nil
	e.checks = map[string]continuity.JudgedCheck{}
	e.easing, e.blind = map[string]easing{}, map[string]time.Time{}
	seq, _, err := e.o.Store.LastEvent(ctx)
	if err != nil {
		return err
	}
	for _, kind := range []string{Kind, KindMemory, KindSignal, continuity.ObjectCheck} {
		for cursor := ""; ; {
			page, next, err := e.o.Store.List(ctx, continuity.Query{Kind: kind, Cursor: cursor, Limit: 1000})
			if err != nil {
				return err
			}
			for _, o := range page {
				if err := e.take(o.Kind, o.ID, o.Service, o.Version, o.Body); err != nil {
					return err
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	since := e.o.Now().Add(-mostHorizon)
	for cursor := ""; ; {
		page, next, err := e.o.Store.Events(ctx, continuity.EventQuery{Action: reported, After: since, Oldest: true, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for i := range page {
			if page[i].Seq > seq || page[i].After == nil {
				continue // it is followed below; or erased
			}
			if err := e.take(page[i].Kind, page[i].ID, page[i].Service, page[i].Seq, page[i].After); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	memories := make(map[string]json.RawMessage, len(e.memories))
	for id, m := range e.memories {
		memories[id] = m.body
	}
	for _, s := range e.o.Sources {
		s.Begin(memories)
	}
	e.seq, e.loaded = seq, true
	return nil
}

// follow takes what happened since: what people did, what came in.
func (e *Engine) follow(ctx context.Context) error {
	for {
		events, err := e.o.Store.EventsSince(ctx, e.seq, 1000)
		if err != nil {
			return err
		}
		for i := range events {
			ev := &events[i]
			if err := e.take(ev.Kind, ev.ID, ev.Service, ev.Seq, ev.After); err != nil {
				return err
			}
			e.seq = ev.Seq
		}
		if len(events) < 1000 {
			return nil
		}
	}
}

// take learns of an object; a body of nil means that it is gone. What is known
// already, or newer, stays.
func (e *Engine) take(kind, id, service string, version int64, body json.RawMessage) error {
	switch kind {
	case Kind:
		if have := e.warnings[id]; have != nil && have.version >= version {
			return nil
		}
		if body == nil {
			delete(e.warnings, id)
			return nil
		}
		k := &kept{version: version}
		if err := json.Unmarshal(body, &k.Warning); err != nil {
			return err
		}
		e.warnings[id] = k
	case KindMemory:
		if have, ok := e.memories[id]; ok && have.version >= version {
			return nil
		}
		if body == nil {
			delete(e.memories, id)
			return nil
		}
		e.memories[id] = memory{service, body, version}
	case KindSignal:
		if body == nil {
			delete(e.signals, id)
			return nil
		}
		var s continuity.Signal
		if err := json.Unmarshal(body, &s); err != nil {
			return err
		}
		e.signals[id] = s
	case continuity.ObjectCheck:
		if body == nil {
			delete(e.checks, id)
			return nil
		}
		var c continuity.JudgedCheck
		if err := json.Unmarshal(body, &c); err != nil {
			return err
		}
		e.checks[id] = c
	case KindReport:
		if body == nil {
			return nil
		}
		var r continuity.Report
		if err := json.Unmarshal(body, &r); err != nil {
			return err
		}
		e.reports = append(e.reports, r)
	}
	return nil
}
