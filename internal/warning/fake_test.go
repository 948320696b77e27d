package warning

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// memoryStore is a store without a database, whose commits can be made to fail:
// before anything happened, or after everything did.
type memoryStore struct {
	now     time.Time
	seq     int64
	objects map[string]continuity.Object
	events  []continuity.AuditEvent
	fence   int64
	lose    string // "", before, after
}

func newMemoryStore() *memoryStore {
	return &memoryStore{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), objects: map[string]continuity.Object{}, fence: 1}
}

var errDown = continuity.E(continuity.CodeDatabase, errors.New("the database is away"))

func (m *memoryStore) Commit(_ context.Context, b continuity.Batch) ([]continuity.Object, error) {
	if m.lose == "before" {
		return nil, errDown
	}
	if b.Leader != nil && b.Leader.Fence != m.fence {
		return nil, continuity.E(continuity.CodeVersion, nil)
	}
	for _, c := range b.Changes {
		o, there := m.objects[c.Kind+"/"+c.ID]
		if c.Version != continuity.VersionAny && c.Version != o.Version {
			return nil, continuity.E(continuity.CodeVersion, nil)
		}
		if c.Body == nil && !there {
			return nil, continuity.E(continuity.CodeNotFound, nil)
		}
	}
	var out []continuity.Object
	for _, c := range b.Changes {
		m.seq++
		before := m.objects[c.Kind+"/"+c.ID]
		o := continuity.Object{Kind: c.Kind, ID: c.ID, Service: c.Service, Version: m.seq, Body: c.Body, Updated: m.now}
		m.events = append(m.events, continuity.AuditEvent{
			Seq: m.seq, At: m.now, Actor: b.Actor, Action: c.Action, Kind: c.Kind, ID: c.ID, Service: c.Service, Reason: c.Reason, Before: before.Body, After: c.Body,
		})
		m.objects[c.Kind+"/"+c.ID] = o
		if c.Body == nil {
			delete(m.objects, c.Kind+"/"+c.ID)
		}
		out = append(out, o)
	}
	if m.lose == "after" {
		return nil, errDown
	}
	return out, nil
}

func (m *memoryStore) Get(_ context.Context, kind, id string) (continuity.Object, error) {
	o, there := m.objects[kind+"/"+id]
	if !there {
		return o, continuity.E(continuity.CodeNotFound, nil)
	}
	return o, nil
}

func (m *memoryStore) List(_ context.Context, q continuity.Query) ([]continuity.Object, string, error) {
	var out []continuity.Object
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if o := m.objects[key]; o.Kind == q.Kind && (q.Service == "" || q.Service == o.Service) {
			out = append(out, o)
		}
	}
	return out, "", nil
}

func (m *memoryStore) Events(_ context.Context, q continuity.EventQuery) ([]continuity.AuditEvent, string, error) {
	var out []continuity.AuditEvent
	for _, e := range m.events {
		if e.Action == q.Action && !e.At.Before(q.After) && (q.Service == "" || q.Service == e.Service) {
			out = append(out, e)
		}
	}
	return out, "", nil
}

func (m *memoryStore) EventsSince(_ context.Context, seq int64, most int) ([]continuity.AuditEvent, error) {
	rest := m.events[seq:]
	return rest[:min(len(rest), most)], nil
}

func (m *memoryStore) LastEvent(context.Context) (int64, [32]byte, error) {
	return m.seq, [32]byte{}, nil
}

// of returns a warning as it is stored.
func (m *memoryStore) of(id string) (w continuity.Warning) {
	if o, there := m.objects[Kind+"/"+id]; there {
		if err := json.Unmarshal(o.Body, &w); err != nil {
			panic(err)
		}
	}
	return w
}

// actions are what happened to a warning.
func (m *memoryStore) actions(id string) (all []string) {
	for _, e := range m.events {
		if e.Kind == Kind && e.ID == id {
			all = append(all, e.Action)
		}
	}
	return all
}

// watcher is a source that sees what a test shows it.
type watcher struct {
	shows    map[string]Sighting
	memories map[string]json.RawMessage
	unread   map[string]bool
	hidden   bool // it does not know yet what there is
}

func (w *watcher) Begin(memories map[string]json.RawMessage) { w.memories = memories }

func (w *watcher) Look(context.Context, time.Time) (seen Sight) {
	if w.hidden {
		return seen
	}
	for _, id := range slices.Sorted(maps.Keys(w.shows)) {
		seen.All = append(seen.All, w.shows[id])
	}
	seen.Of, seen.Unread = []string{continuity.FromMeasure}, w.unread
	return seen
}

func (w *watcher) show(id string, level continuity.Level) {
	w.shows[id] = Sighting{ID: id, Service: "orders", Source: continuity.FromMeasure, Rule: id, Known: true, Level: level}
}

func (w *watcher) hide(id string) {
	s := w.shows[id]
	s.ID, s.Source, s.Known, s.Level = id, continuity.FromMeasure, false, continuity.LevelNone
	w.shows[id] = s
}

func newWatcher() *watcher { return &watcher{shows: map[string]Sighting{}} }

func (m *memoryStore) engine(source Source, fence int64, rules ...ReportRule) *Engine {
	return New(Options{
		Store: m, Node: "a", Lease: func() (continuity.Lease, bool) { return continuity.Lease{Fence: fence}, true },
		Sources: []Source{source}, Rules: func() Rules { return Rules{Reports: rules} }, Now: func() time.Time { return m.now },
	})
}
