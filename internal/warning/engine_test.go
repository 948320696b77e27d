package warning

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/continuity"
)

const slow = "orders.orders-slow"

var li = continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}

// world is an engine with what it sees, and a clock.
type world struct {
	*testing.T

	store *memoryStore
	sees  *watcher
	e     *Engine
}

func newWorld(t *testing.T, rules ...ReportRule) *world {
	w := &world{T: t, store: newMemoryStore(), sees: newWatcher()}
	w.e = w.store.engine(w.sees, 1, rules...)
	return w
}

func (w *world) step() {
	w.Helper()
	if err := w.e.Step(w.Context()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) after(d time.Duration, level continuity.Level) {
	w.Helper()
	w.store.now = w.store.now.Add(d)
	w.sees.show(slow, level)
	w.step()
}

func (w *world) want(state string, level continuity.Level, actions string) {
	w.Helper()
	got := w.store.of(slow)
	all := strings.ReplaceAll(strings.Join(w.store.actions(slow), " "), "warning.", "")
	if got.State != state || got.Level != level || all != actions {
		w.Errorf("%s %s after %q, want %s %s after %q", got.State, got.Level, all, state, level, actions)
	}
}

// TestUnreadPlanEndsNothing has a program begin that can't read the plan of which a
// warning came: it is not known, and neither cleared nor forgotten.
func TestUnreadPlanEndsNothing(t *testing.T) {
	w := newWorld(t)
	w.sees.shows[slow] = Sighting{ID: slow, Service: "orders", Source: continuity.FromMeasure, Rule: slow, Known: true, Level: "red", Memory: json.RawMessage(`1`)}
	w.step()
	shown := w.sees.shows[slow]
	w.restart()
	w.sees.unread = map[string]bool{"orders": true}
	delete(w.sees.shows, slow)
	w.pass(0)
	w.pass(blindAfter)
	w.want("open", "red", "opened blind")
	w.pass(24 * time.Hour)
	w.want("open", "red", "opened blind")
	if string(w.e.memories[slow].body) != "1" {
		t.Errorf("%q is remembered", w.e.memories[slow].body)
	}
	w.sees.unread = nil
	w.sees.shows[slow] = shown
	w.step()
	w.want("open", "red", "opened blind seen")
	delete(w.sees.shows, slow)
	w.step()
	w.want("cleared", "red", "opened blind seen cleared")
}

// TestToldWithTheChange has what is told become true with the warning's change, or
// not at all.
func TestToldWithTheChange(t *testing.T) {
	w := newWorld(t)
	w.e.o.Tell = func(before, after continuity.Warning, action string, _ time.Time) []continuity.Change {
		return []continuity.Change{{Kind: "told", ID: action, Version: continuity.VersionNew, Body: json.RawMessage(`"` + before.Level + `-` + after.Level + `"`), Action: "told"}}
	}
	w.store.lose = "before"
	w.sees.show(slow, "yellow")
	if err := w.e.Step(t.Context()); err == nil || len(w.store.objects) != 0 {
		t.Fatal(w.store.objects, err)
	}
	w.store.lose = ""
	w.after(time.Minute, "yellow")
	w.after(time.Minute, "red")
	for id, want := range map[string]string{Opened: `"-yellow"`, Raised: `"yellow-red"`} {
		if o := w.store.objects["told/"+id]; string(o.Body) != want {
			t.Errorf("%s: %s", id, o.Body)
		}
	}
	w.want("open", "red", "opened raised")
}

// TestEachLookKnowsWhatItReadOf has a plan become unread between two looks of a step:
// the one that still saw all of it says nothing for the other.
func TestEachLookKnowsWhatItReadOf(t *testing.T) {
	w := newWorld(t)
	rules := Rules{Checks: []CheckRule{{Service: "orders", Rule: "orders-slow", Check: "orders/database", State: "down", Level: "red", For: time.Second}}}
	w.e.o.Rules = func() Rules { return rules }
	w.judge(continuity.CheckDown)
	w.pass(time.Second)
	w.want("open", "red", "opened")
	rules = Rules{Unread: map[string]bool{"orders": true}}
	w.pass(time.Second)
	w.want("open", "red", "opened")
	if w.e.memories[slow].body == nil {
		t.Error("it is forgotten since when")
	}
}

// TestWhatSystemsTakeBackEnds has a system take its alert back for a service of whose
// plan not all can be read: the alert does not come of it.
func TestWhatSystemsTakeBackEnds(t *testing.T) {
	w := newWorld(t)
	unread := map[string]bool{"orders": true}
	w.sees.unread, w.e.o.Rules = unread, func() Rules { return Rules{Unread: unread} }
	stand := func() (n int) {
		for _, k := range w.e.warnings {
			if k.Service == "orders" && k.Stands() {
				n++
			}
		}
		return n
	}
	for i, status := range []string{"firing", "resolved"} {
		if _, _, err := w.inbox().Alerts(t.Context(), bot, []byte(firing(status, "critical", "full"))); err != nil {
			t.Fatal(err)
		}
		w.step()
		w.pass(firstQuiet)
		if stand() != 1-i {
			t.Errorf("%s: %d stand", status, stand())
		}
	}
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	w.after(0, "")
	w.want("", "", "")
	w.after(time.Minute, "yellow")
	w.after(time.Minute, "yellow")
	w.want("open", "yellow", "opened")
	w.after(time.Minute, "red")
	w.after(time.Minute, "orange")
	w.want("open", "orange", "opened raised lowered")
	w.sees.hide(slow)
	w.step()
	w.want("open", "orange", "opened raised lowered")
	w.store.now = w.store.now.Add(blindAfter)
	w.step()
	w.step()
	w.want("open", "orange", "opened raised lowered blind")
	w.after(time.Minute, "orange")
	w.want("open", "orange", "opened raised lowered blind seen")
	w.after(time.Minute, "")
	w.want("cleared", "orange", "opened raised lowered blind seen cleared")
	if got := w.store.of(slow); got.Peak != "red" || got.Episode != 1 || got.Until != w.store.now {
		t.Errorf("%+v", got)
	}
	w.after(soon, "blue")
	if got := w.store.of(slow); got.Peak != "blue" || got.Episode != 2 || !got.Until.IsZero() || got.Returns != 0 {
		t.Errorf("%+v", got)
	}
}

// TestReturning counts how long what keeps coming back has to be better.
func TestReturning(t *testing.T) {
	w := newWorld(t)
	w.after(0, "red")
	for i, wait := range []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 30 * time.Minute, 30 * time.Minute} {
		w.after(time.Second, "")
		if wait > 0 {
			w.after(wait-time.Second, "")
			if got := w.store.of(slow); got.State != "open" {
				t.Errorf("%d: %s before %s", i, got.State, wait)
			}
			w.after(time.Second, "")
		}
		if got := w.store.of(slow); got.State != "cleared" {
			t.Errorf("%d: %s after %s", i, got.State, wait)
		}
		w.after(time.Second, "red")
	}
	if got := w.store.of(slow); got.Episode != 1 || got.Returns != 8 {
		t.Errorf("%+v", got)
	}
	// What is unknown, or worse, in between counts from the beginning.
	w.after(time.Second, "")
	w.after(29*time.Minute, "")
	w.sees.hide(slow)
	w.step()
	w.after(time.Minute, "")
	if got := w.store.of(slow); got.State != "open" {
		t.Error("an unknown moment counted as a good one")
	}
}

func TestDismissed(t *testing.T) {
	w := newWorld(t)
	acts := NewActs(w.store, func() time.Time { return w.store.now })
	w.after(0, "yellow")
	k, err := acts.Get(t.Context(), slow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := acts.Dismiss(t.Context(), li, slow, k.Version, " "); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("dismissed without a reason: %v", err)
	}
	if _, err := acts.Dismiss(t.Context(), li, slow, k.Version+1, "known"); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Errorf("dismissed in another version: %v", err)
	}
	if _, err := acts.Dismiss(t.Context(), li, slow, k.Version, "a test"); err != nil {
		t.Fatal(err)
	}
	w.after(time.Minute, "yellow")
	w.want("dismissed", "yellow", "opened dismissed")
	if _, err := acts.Dismiss(t.Context(), li, slow, continuity.VersionAny, "again"); continuity.CodeOf(err) != continuity.CodeState {
		t.Errorf("dismissed twice: %v", err)
	}
	w.after(time.Minute, "orange")
	w.want("open", "orange", "opened dismissed returned")
	if _, err := acts.Confirm(t.Context(), li, slow, continuity.VersionAny, ""); err != nil {
		t.Fatal(err)
	}
	w.after(time.Minute, "red")
	w.want("confirmed", "red", "opened dismissed returned confirmed raised")
	if got := w.store.of(slow); got.Confirmed.By != li || got.Confirmed.Level != "orange" {
		t.Errorf("%+v", got.Confirmed)
	}
}

func TestSilenced(t *testing.T) {
	w := newWorld(t)
	silent := true
	w.e.o.Silenced = func(string, time.Time) bool { return silent }
	w.after(0, "red")
	w.want("", "", "")
	silent = false
	w.after(0, "yellow")
	silent = true
	w.after(0, "red")
	w.want("open", "yellow", "opened")
	w.after(0, "")
	w.want("cleared", "yellow", "opened cleared")
}

// TestGone: a rule that is taken out of the plan takes its warning along, but
// not before it is known what there is.
func TestGone(t *testing.T) {
	w := newWorld(t)
	w.sees.shows[slow] = Sighting{ID: slow, Source: continuity.FromMeasure, Known: true, Level: "red", Memory: json.RawMessage(`{"a":1}`)}
	w.step()
	if len(w.store.objects) != 2 {
		t.Fatalf("%v", w.store.objects)
	}
	w.sees.shows, w.sees.hidden = nil, true
	w.e = w.store.engine(w.sees, 1)
	w.step()
	if string(w.sees.memories[slow]) != `{"a":1}` {
		t.Errorf("remembered %s", w.sees.memories[slow])
	}
	w.want("open", "red", "opened")
	w.sees.hidden = false
	w.step()
	w.want("cleared", "red", "opened cleared")
	if len(w.store.objects) != 1 {
		t.Errorf("%v", w.store.objects)
	}
}

// TestFenced: who does not lead any more writes nothing, and takes up again what
// is stored when it leads again.
func TestFenced(t *testing.T) {
	w := newWorld(t)
	w.after(0, "yellow")
	w.store.fence = 2
	w.sees.show(slow, "red")
	if err := w.e.Step(t.Context()); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Fatalf("wrote without the lease: %v", err)
	}
	next := w.store.engine(w.sees, 2)
	for range 2 {
		if err := next.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.want("open", "red", "opened raised")
}

// TestSequences holds the engine to its promises over whatever may happen.
func TestSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, sees := newMemoryStore(), newWatcher()
		acts := NewActs(store, func() time.Time { return store.now })
		e := store.engine(sees, store.fence)
		ids := []string{"orders.a", "orders.b"}
		for range 30 {
			id := rapid.SampledFrom(ids).Draw(t, "id")
			before := store.of(id)
			known := true
			switch rapid.SampledFrom([]string{"see", "see", "see", "see", "hide", "wait", "crash", "deposed", "before", "after", "confirm", "dismiss"}).Draw(t, "what") {
			case "see":
				sees.show(id, rapid.SampledFrom([]continuity.Level{"", "", "blue", "yellow", "orange", "red"}).Draw(t, "level"))
			case "hide":
				sees.hide(id)
				known = false
			case "wait":
				store.now = store.now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "seconds")) * time.Second)
			case "crash":
				e = store.engine(sees, store.fence)
			case "deposed":
				old := e
				store.fence++
				e = store.engine(sees, store.fence)
				n := len(store.events)
				_ = old.Step(context.Background())
				if len(store.events) != n {
					t.Fatal("who was deposed wrote")
				}
			case "before", "after":
				store.lose = rapid.SampledFrom([]string{"before", "after"}).Draw(t, "lose")
				_ = e.Step(context.Background())
				store.lose = ""
			case "confirm":
				_, _ = acts.Confirm(context.Background(), li, id, continuity.VersionAny, "")
				before = store.of(id)
			case "dismiss":
				_, _ = acts.Dismiss(context.Background(), li, id, continuity.VersionAny, "no")
				before = store.of(id)
			}
			if err := e.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
			n := len(store.events)
			if err := e.Step(context.Background()); err != nil || len(store.events) != n {
				t.Fatalf("the same moment was told twice: %v", err)
			}
			after, s := store.of(id), sees.shows[id]
			switch {
			case !known && before.Stands() && (!after.Stands() || before.Level != after.Level):
				t.Fatalf("what is unknown changed %s %s to %s %s", before.State, before.Level, after.State, after.Level)
			case s.Known && s.Level != "" && !after.Stands():
				t.Fatalf("%s, and no warning: %+v", s.Level, after)
			case s.Known && s.Level.Over(after.Level) && after.State != continuity.WarningDismissed:
				t.Fatalf("%s shown as %s", s.Level, after.Level)
			case after.State == continuity.WarningDismissed && s.Known && s.Level.Over(after.Dismissed.Level):
				t.Fatal("worse than what was dismissed")
			case s.Known && s.Level == "" && after.Stands() && after.Returns == 0:
				t.Fatal("it never came back and does not end")
			}
		}
		for _, id := range ids {
			checkTold(t, store, id)
		}
	})
}

// checkTold reads a warning's life from its events: each goes on where the one
// before ended, and none says again what was said.
func checkTold(t *rapid.T, store *memoryStore, id string) {
	stands := false
	var last json.RawMessage
	for _, ev := range store.events {
		if ev.Kind != Kind || ev.ID != id {
			continue
		}
		if string(ev.Before) != string(last) || slices.Equal(ev.Before, ev.After) {
			t.Fatalf("%s of %s does not follow on the event before", ev.Action, id)
		}
		last = ev.After
		switch ev.Action {
		case Opened:
			if stands {
				t.Fatal("opened twice")
			}
			stands = true
		case Returned:
			stands = true
		case Cleared:
			if !stands {
				t.Fatal("cleared twice")
			}
			stands = false
		default:
			if !stands {
				t.Fatalf("%s of what does not stand", ev.Action)
			}
		}
	}
}
