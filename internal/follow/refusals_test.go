package follow_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/store"
)

// counters is an engine that counts for each of several objects, and the clock.
type counters struct {
	*store.Store

	at    time.Time
	asks  []string // in their order; each is brought to goal
	goal  string
	shown map[string]string
	tries map[string]int
	told  [][]follow.Refusal
	deaf  bool // it does not ask Free
	down  error
}

func (c *counters) Reset() { c.shown = map[string]string{} }

func (c *counters) Show(_, id string, _ int64, body json.RawMessage, _ continuity.Actor) error {
	if string(body) == `"torn"` {
		return errors.New("it can't be read")
	}
	c.shown[id] = string(body)
	return nil
}

func (c *counters) Step(ctx context.Context, _ time.Time) ([]continuity.Change, time.Time, error) {
	for _, id := range c.asks {
		if c.shown[id] == c.goal {
			continue
		}
		changes := []continuity.Change{count(id, c.goal), count(id+".n-"+c.goal, c.goal)}
		changes[1].Version = continuity.VersionNew
		changes[0].Service = "orders"
		if !c.deaf {
			changes = follow.Free(ctx, changes)
		}
		if changes != nil {
			return changes, time.Time{}, nil
		}
	}
	return nil, time.Time{}, nil
}

func (c *counters) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	c.tries[b.Changes[0].ID]++
	if c.down != nil {
		return nil, c.down
	}
	return c.Store.Commit(ctx, b)
}

func newCounters(t *testing.T, asks ...string) (*counters, *follow.Follower) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	lease, ok, err := s.Lead(t.Context(), "control", "a", time.Hour)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	c := &counters{Store: s, at: now, asks: asks, goal: "1", tries: map[string]int{}}
	return c, follow.New(follow.Options{
		Store: c, Name: "counters", Node: "a", Kinds: []string{"count"}, Now: func() time.Time { return c.at },
		Lease:   func() (continuity.Lease, bool) { return lease, true },
		Refused: func(_ context.Context, all []follow.Refusal) error { c.told = append(c.told, all); return nil },
	}, c)
}

// run steps once a second.
func (c *counters) run(t *testing.T, f *follow.Follower, d time.Duration) {
	t.Helper()
	for end := c.at.Add(d); c.at.Before(end); c.at = c.at.Add(time.Second) {
		_, _ = f.Step(t.Context())
	}
}

// bad is an object that no store takes.
const bad = "a\x00"

func TestWhatIsRefusedHoldsUpNothingElse(t *testing.T) {
	c, f := newCounters(t, bad, "b")
	c.run(t, f, 10*time.Second)
	if c.shown["b"] != "1" {
		t.Fatalf("one object that is refused holds up another: %v", c.tries)
	}
	last := c.told[len(c.told)-1]
	if len(last) != 1 || last[0].ID != bad || last[0].Code != continuity.CodeInvalid || last[0].Service != "orders" || !last[0].Since.Equal(now) {
		t.Errorf("told: %+v", last)
	}
	c.goal = "2" // and what comes later is not held up for a moment
	c.run(t, f, time.Second)
	if c.shown["b"] != "2" {
		t.Error("it is held up again")
	}
	before := c.tries[bad]
	c.run(t, f, time.Hour)
	if n := c.tries[bad] - before; n < 10 || n > 20 {
		t.Errorf("it was tried %d times in an hour", n)
	}
	c.asks = []string{"b"} // nothing is wanted of it any more
	c.run(t, f, 10*time.Minute)
	if last := c.told[len(c.told)-1]; len(last) != 0 {
		t.Errorf("told: %+v", last)
	}
}

// TestWhatSomebodyMendsGoesOnAtOnce has a change made elsewhere end the waiting.
func TestWhatSomebodyMendsGoesOnAtOnce(t *testing.T) {
	c, f := newCounters(t, "a")
	if _, err := c.Store.Commit(t.Context(), continuity.Batch{Actor: continuity.Actor{Kind: "user", ID: "li"}, Changes: []continuity.Change{count("a.n-1", "9")}}); err != nil {
		t.Fatal(err)
	}
	c.run(t, f, 5*time.Minute) // what it would make is there already
	if c.shown["a"] != "" || len(c.told[len(c.told)-1]) != 1 {
		t.Fatal(c.shown, c.told)
	}
	gone := count("a.n-1", "")
	gone.Body = nil
	mended := []continuity.Change{gone, count("a", "0")}
	if _, err := c.Store.Commit(t.Context(), continuity.Batch{Actor: continuity.Actor{Kind: "user", ID: "li"}, Changes: mended}); err != nil {
		t.Fatal(err)
	}
	c.run(t, f, time.Second)
	if c.shown["a"] != "1" || len(c.told[len(c.told)-1]) != 0 {
		t.Error(c.shown, c.told)
	}
}

// TestAStoreThatIsDownRefusesNothing has everything go on at once when it is back.
func TestAStoreThatIsDownRefusesNothing(t *testing.T) {
	for _, err := range []error{
		continuity.E(continuity.CodeDatabase, nil), continuity.E(continuity.CodeStateFull, nil), context.DeadlineExceeded,
		continuity.E(continuity.CodeVersion, nil, "kind", "lease", "id", "control"),
	} {
		c, f := newCounters(t, "a")
		c.down = err
		c.run(t, f, time.Minute)
		c.down = nil
		c.run(t, f, time.Second)
		if c.shown["a"] != "1" || len(c.told) != 1 {
			t.Errorf("%v: %v, told %v", err, c.shown, c.told)
		}
	}
}

// TestAnEngineThatDoesNotAskWaits bounds how often it tries.
func TestAnEngineThatDoesNotAskWaits(t *testing.T) {
	c, f := newCounters(t, bad)
	c.deaf = true
	c.run(t, f, time.Hour)
	if c.tries[bad] > 30 {
		t.Errorf("it was tried %d times", c.tries[bad])
	}
}

func TestWhatCantBeReadHoldsUpNothingElse(t *testing.T) {
	c, f := newCounters(t, "b")
	put := func(id, body string) {
		t.Helper()
		change := count(id, body)
		if body == "" {
			change.Body = nil
		}
		if _, err := c.Store.Commit(t.Context(), continuity.Batch{Actor: continuity.Actor{Kind: "user", ID: "li"}, Changes: []continuity.Change{change}}); err != nil {
			t.Fatal(err)
		}
	}
	put("x", `"torn"`)
	c.run(t, f, time.Second)
	put("y", `"torn"`)
	c.run(t, f, time.Second)
	if c.shown["b"] != "1" {
		t.Fatal("an object that can't be read holds up another")
	}
	if last := c.told[len(c.told)-1]; len(last) != 2 || last[0].ID != "x" || !last[0].Unread || last[1].ID != "y" {
		t.Errorf("told: %+v", last)
	}
	put("x", "3")
	put("y", "")
	c.run(t, f, time.Second)
	if last := c.told[len(c.told)-1]; len(last) != 0 {
		t.Errorf("told: %+v", last)
	}
}
