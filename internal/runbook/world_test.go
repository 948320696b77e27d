package runbook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/runbook"
	"holdfast/internal/store"
)

var (
	began = time.Date(2026, 3, 6, 10, 0, 0, 0, time.UTC)
	li    = runbook.Who{Actor: continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}}
	zhang = runbook.Who{Actor: continuity.Actor{Kind: "user", ID: "zhang.min", Via: "cli"}}
	wu    = runbook.Who{Actor: continuity.Actor{Kind: "user", ID: "wu.hao", Via: "cli"}}
	robot = runbook.Who{Actor: continuity.Actor{Kind: "token", ID: "t1"}, All: true}
)

// world is a store with an engine over it, whose actions tests end when they like.
type world struct {
	*testing.T

	store    *store.Store
	script   *runbook.Script
	actions  runbook.Actions
	acts     *runbook.Acts
	follower *follow.Follower
	engine   *runbook.Engine
	fence    int64
	now      time.Time
	woken    chan struct{}

	mu   sync.Mutex
	did  []string
	well map[string]bool
	lose bool // the next commit fails after it happened
	fail bool // the next commit fails before

	before func() // each commit of the engine
}

func newWorld(t *testing.T, steps ...runbook.Step) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &world{T: t, store: s, now: began, well: map[string]bool{}, woken: make(chan struct{}, 100)}
	for i := range steps {
		if steps[i].After == nil && i > 0 && steps[i].Failed == "" {
			steps[i].After = []string{steps[i-1].ID}
		}
		if steps[i].Owner == "" {
			steps[i].Owner = "technical"
		}
	}
	w.script = &runbook.Script{Service: "orders", Plan: 3, Runbook: "back", Steps: steps, Roles: map[string]runbook.Role{
		"technical": {People: []string{"wu.hao", "sun.yu"}}, "commander": {People: []string{"li.wei", "zhang.min"}, May: []string{"approve", "switch"}},
	}}
	note := func(name string) { w.mu.Lock(); w.did = append(w.did, name); w.mu.Unlock() }
	w.actions = runbook.Actions{
		runbook.Approve: {},
		"set": { // changes the world outside, and can be taken back
			Do: func(ctx context.Context, c runbook.Call) runbook.Result {
				if err := c.Keep(ctx, json.RawMessage(`{"was":"`+c.Step.With["was"]+`"}`)); err != nil {
					return runbook.Fail("runbook.failed.ended", nil)
				}
				note("set " + c.Step.ID)
				return runbook.Result{Output: json.RawMessage(`{"set":true}`)}
			},
			Undo: func(_ context.Context, c runbook.Call) runbook.Result {
				note("unset " + c.Step.ID + " " + string(c.Undo))
				return runbook.Result{}
			},
		},
		"slow": {
			Do: func(ctx context.Context, c runbook.Call) runbook.Result {
				note("slow " + c.Step.ID)
				<-ctx.Done()
				note("ended " + c.Step.ID)
				return runbook.Fail("runbook.failed.ended", nil)
			},
			Lost: func(key string) { note("lost " + key) },
		},
		"fails": {Do: func(context.Context, runbook.Call) runbook.Result {
			note("fails")
			return runbook.Fail("runbook.failed.command", map[string]any{"command": "x", "why": "y"})
		}},
		"once": {Again: true, Do: func(_ context.Context, c runbook.Call) runbook.Result {
			note("once " + c.Step.ID)
			return runbook.Result{}
		}},
		"wait": {Again: true, Waits: true, Do: func(ctx context.Context, _ runbook.Call) runbook.Result {
			<-ctx.Done()
			return runbook.Fail("runbook.failed.wait", map[string]any{"what": "x"})
		}},
		"plain": {
			Plain: true,
			Do: func(_ context.Context, c runbook.Call) runbook.Result {
				return runbook.Result{Changes: []continuity.Change{continuity.Put("mark", c.Step.ID, "", "mark.set", c.Attempt)}}
			},
			Undo: func(_ context.Context, c runbook.Call) runbook.Result {
				return runbook.Result{Changes: []continuity.Change{continuity.Put("mark", c.Step.ID, "", "mark.gone", nil)}}
			},
		},
		"guarded": {Needs: "switch", Do: func(_ context.Context, c runbook.Call) runbook.Result { note("guarded"); return runbook.Result{} }},
		"backup":  {Hand: "runbook.hand.outbox"},
	}
	w.acts = runbook.NewActs(runbook.ActsOptions{Store: s, Plans: w, Actions: w.actions, Now: func() time.Time { return w.now }})
	w.restart()
	return w
}

func (w *world) Script(_ context.Context, service string, _ int64, id string) (*runbook.Script, error) {
	if service != "orders" || id != "back" {
		return nil, continuity.E(continuity.CodeNotFound, nil)
	}
	s := *w.script
	s.Steps = slices.Clone(s.Steps)
	return &s, nil
}

func (w *world) Look(_ context.Context, _ string, c *runbook.Condition) (bool, continuity.CheckReason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.well[c.Check+c.Query], continuity.CheckReason{Code: "runbook.look.not-yet"}
}

func (w *world) set(name string, well bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.well[name] = well
}

// Commit fails when a test wants it, after or before it happened.
func (w *world) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	if w.before != nil {
		w.before()
	}
	if w.fail {
		w.fail = false
		return nil, continuity.E(continuity.CodeDatabase, nil)
	}
	b.Leader = nil // the term is the test's
	objects, err := w.store.Commit(ctx, b)
	if err == nil && w.lose {
		w.lose = false
		return nil, continuity.E(continuity.CodeDatabase, nil)
	}
	return objects, err
}

func (w *world) List(ctx context.Context, q continuity.Query) ([]continuity.Object, string, error) {
	return w.store.List(ctx, q)
}

func (w *world) EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error) {
	return w.store.EventsSince(ctx, seq, most)
}

func (w *world) LastEvent(ctx context.Context) (int64, [32]byte, error) {
	return w.store.LastEvent(ctx)
}

// restart begins another term: what was under way is lost with the one before.
func (w *world) restart() {
	if w.engine != nil {
		w.engine.Close()
	}
	w.fence++
	w.engine = runbook.New(w.Context(), runbook.Options{Plans: w, Actions: w.actions, Eyes: w, Wake: func() {
		select {
		case w.woken <- struct{}{}:
		default:
		}
	}})
	w.Cleanup(w.engine.Close)
	fence := w.fence
	w.follower = follow.New(follow.Options{
		Store: w, Name: "runbook", Node: "n", Kinds: runbook.Kinds, Now: func() time.Time { return w.now },
		Lease: func() (continuity.Lease, bool) {
			return continuity.Lease{Name: "control", Node: "n", Fence: fence}, true
		},
	}, w.engine)
}

func (w *world) step() {
	w.Helper()
	if _, err := w.follower.Step(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// until goes on as actions end, until a step has a state.
func (w *world) until(id, step, state string) continuity.StepRun {
	w.Helper()
	late := time.After(20 * time.Second)
	for {
		w.step()
		got := w.at(id, step)
		if got.State == state {
			return got
		}
		select {
		case <-w.woken:
		case <-late:
			w.Fatalf("%s is %s (%s), not %s", step, got.State, got.Reason.Code, state)
		}
	}
}

func (w *world) get(id string) continuity.Run {
	w.Helper()
	d, _, err := w.acts.Get(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return d.Run
}

func (w *world) at(id, step string) continuity.StepRun {
	w.Helper()
	run := w.get(id)
	for _, st := range run.Steps {
		if st.ID == step {
			return st
		}
	}
	w.Fatalf("%s has no step %s: %+v", id, step, run)
	return continuity.StepRun{}
}

func (w *world) start(by runbook.Who) string {
	w.Helper()
	k, err := w.acts.Start(w.Context(), by, runbook.Begin{Service: "orders", Runbook: "back"})
	if err != nil {
		w.Fatal(err)
	}
	w.step()
	return k.ID
}

// states are all steps with their states.
func (w *world) states(id string) string {
	w.Helper()
	run := w.get(id)
	all := []string{run.State + ":"}
	for _, st := range run.Steps {
		all = append(all, st.ID+"="+st.State)
	}
	return strings.Join(all, " ")
}

func (w *world) want(id, states string) {
	w.Helper()
	if got := w.states(id); got != states {
		w.Errorf("got  %s\nwant %s", got, states)
	}
}

func (w *world) done(names ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.did, names) {
		w.Errorf("done was %q, want %q", w.did, names)
	}
}

// told are what people were told, in turn: urgency, whom, and what.
func (w *world) told() (all []string) {
	w.Helper()
	page, _, err := w.store.List(w.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	notes := make([]continuity.Notification, len(page))
	for i, o := range page {
		if err := json.Unmarshal(o.Body, &notes[i]); err != nil {
			w.Fatal(err)
		}
		if notes[i].Subject.En == "" || notes[i].Subject.Zh == "" || strings.Contains(notes[i].Subject.En+notes[i].Text.Zh+notes[i].Text.En, "<no value>") {
			w.Errorf("%s says %+v %+v", o.ID, notes[i].Subject, notes[i].Text)
		}
	}
	slices.SortFunc(notes, func(a, b continuity.Notification) int {
		return len(a.ID)*1000 - len(b.ID)*1000 + strings.Compare(a.ID, b.ID)
	})
	for _, n := range notes {
		all = append(all, fmt.Sprintf("%s %s/%s %s", n.Urgency, n.To[0].Kind, n.To[0].ID, n.Subject.En))
	}
	return all
}

// counted calls f before each commit of the engine.
func (w *world) counted(f func()) { w.before = f }
