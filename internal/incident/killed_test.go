package incident_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/incident"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

// dying is a store at whose n-th commit its node dies: before it was made, or after it
// was and before anybody knew.
type dying struct {
	*store.Store

	n     int
	after bool
	made  int
}

var errKilled = errors.New("the node is dead")

func (d *dying) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	d.made++
	if d.made == d.n && !d.after {
		return nil, errKilled
	}
	objects, err := d.Store.Commit(ctx, b)
	if d.made == d.n {
		return nil, errKilled
	}
	return objects, err
}

// life plays an incident from its first sign to the review, with an engine that dies
// at one commit; it returns what was told, what became of the incident, and how many
// commits there were.
func life(t *testing.T, n int, after bool) (said []string, commits int) {
	w := newWorld(t)
	d := &dying{Store: w.store, n: n, after: after}
	engine := func() *follow.Follower {
		return follow.New(follow.Options{
			Store: d, Name: incident.Name, Node: "n1", Kinds: incident.Kinds(), Now: func() time.Time { return w.now },
			Lease: func() (continuity.Lease, bool) {
				l, ok, err := w.store.Lead(t.Context(), "control", "n1", time.Minute)
				if err != nil {
					t.Error(err)
				}
				return l, ok
			},
		}, incident.New(w.options()))
	}
	f := engine()
	step := func(pass time.Duration) {
		t.Helper()
		w.now = w.now.Add(pass)
		_, err := f.Step(t.Context())
		if errors.Is(err, errKilled) {
			f = engine()
			_, err = f.Step(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.check("database", continuity.CheckDown)
	step(time.Second)
	id := w.only().ID
	w.became(w.page(id, "commander"), acknowledge("li.wei", w.now))
	step(time.Second)
	w.became(w.page(id, "technical"), func(n *continuity.Notification) { n.State, n.Step = continuity.NotifyWaiting, 1 })
	step(time.Second)
	must[continuity.Task](t)(w.acts.Assign(t.Context(), li, id, "Call", "technical", w.now.Add(time.Minute)))
	step(20 * time.Minute)
	step(10 * time.Minute)
	step(10 * time.Minute)
	step(160 * time.Minute)
	w.check("database", continuity.CheckUp)
	step(time.Minute)
	must[incident.Kept](t)(w.acts.State(t.Context(), li, id, latest, incident.Stating{State: continuity.Resolved}))
	step(48 * time.Hour)
	step(48 * time.Hour)
	k := w.only()
	for _, n := range w.told(id) {
		said = append(said, n.Subject.En)
	}
	slices.Sort(said)
	return append(said, fmt.Sprint(k.Roles["commander"].Person, k.Roles["technical"].Person, k.Incident.Grade, len(k.Command), len(k.Warned), k.Run)), d.made
}

// TestDyingAnywhereTellsTheSame has the engine die at each of its commits, by turns before
// and after it: nothing is told twice, and nothing is forgotten.
func TestDyingAnywhereTellsTheSame(t *testing.T) {
	want, commits := life(t, 0, false)
	if commits < 10 || len(want) < 10 {
		t.Fatalf("%d commits, %q", commits, want)
	}
	for n := 1; n <= commits; n++ {
		after := n%2 == 0
		if got, _ := life(t, n, after); !slices.Equal(got, want) {
			t.Errorf("dead at commit %d (made: %v):\n%q\n%q", n, after, got, want)
		}
	}
}

// TestItWorksByItself runs engines as a node does, one after the other as leaders
// come and go.
func TestItWorksByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, plans: shop()}
		w.store = storetest.Open(t, filepath.Join(t.TempDir(), "state.db"))
		w.acts = incident.NewActs(w.store, w.options(), time.Now)
		began := time.Now()
		w.now = began
		w.check("database", continuity.CheckDown)
		for leader := range 7 {
			lease, ok, err := w.store.Lead(t.Context(), "control", fmt.Sprint(leader), 10*time.Minute)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			f := follow.New(follow.Options{
				Store: w.store, Name: incident.Name, Node: "n", Kinds: incident.Kinds(), Every: 5 * time.Second,
				Lease: func() (continuity.Lease, bool) { return lease, true },
			}, incident.New(w.options()))
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); f.Run(ctx) }()
			time.Sleep(6 * time.Minute)
			synctest.Wait()
			stop()
			<-done
			if err := w.store.Resign(t.Context(), lease); err != nil {
				t.Fatal(err)
			}
		}
		id := w.only().ID
		for part, want := range map[string]int{"you are asked": 2, "50 %": 1, "75 %": 1, "100 %": 1, "whom does it hit": 1} {
			if n := w.subjects(id, part); n != want {
				t.Errorf("%s: %d", part, n)
			}
		}
		if first := w.told(id)[0].At.Sub(began); first > 2*time.Second {
			t.Errorf("paged after %s", first)
		}
	})
}
