package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
)

func judged(id string, nodes ...string) Judged {
	return Judged{ID: id, Service: "shop", Every: 10 * time.Second, Timeout: 5 * time.Second, Nodes: nodes, Fingerprint: "1"}
}

func results(id string, state continuity.CheckState) []continuity.CheckResult {
	r := continuity.CheckResult{Check: id, State: state, At: time.Now()}
	if state == continuity.CheckDown {
		r.Reason.Code = "watch.refused"
	}
	return []continuity.CheckResult{r}
}

func (b *Board) must(t *testing.T, id string, state continuity.CheckState, reason string) {
	t.Helper()
	if v, ok := b.Verdict(id); !ok || v.State != state || v.Reason.Code != reason {
		t.Errorf("%s is %s (%s), not %s (%s)", id, v.State, v.Reason.Code, state, reason)
	}
}

func TestVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard()
		b.Set([]Judged{judged("shop/a", "here")}, nil)
		b.must(t, "shop/a", continuity.CheckUnknown, "watch.not-looked")
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		b.must(t, "shop/a", continuity.CheckUp, "")
		since := time.Now()
		time.Sleep(10 * time.Second)
		b.Add("here", false, results("shop/a", continuity.CheckDown))
		b.must(t, "shop/a", continuity.CheckUp, "")
		b.Add("here", false, results("shop/a", continuity.CheckDown))
		b.must(t, "shop/a", continuity.CheckDown, "watch.refused")
		if v, _ := b.Verdict("shop/a"); !v.Since.Equal(since.Add(10 * time.Second)) {
			t.Errorf("down since %s", v.Since)
		}
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		b.must(t, "shop/a", continuity.CheckDown, "watch.refused")

		// The same fingerprint keeps the trend, another one begins anew.
		b.Set([]Judged{judged("shop/a", "here"), judged("shop/b", "here")}, nil)
		b.must(t, "shop/a", continuity.CheckDown, "watch.refused")
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		b.must(t, "shop/a", continuity.CheckUp, "")
		other := judged("shop/a", "here")
		other.Fingerprint = "2"
		b.Set([]Judged{other}, nil)
		b.must(t, "shop/a", continuity.CheckUnknown, "watch.not-looked")
		if got := b.Add("stranger", false, results("shop/a", continuity.CheckUp)); len(got) != 0 {
			t.Error("a stranger's word counts")
		}
		b.must(t, "shop/a", continuity.CheckUnknown, "watch.not-looked")
	})
}

// TestSilence: what nobody reports any more is unknown, never up.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard()
		b.Set([]Judged{judged("shop/a", "here")}, nil)
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		time.Sleep(25 * time.Second)
		if missing := b.Sweep(); len(missing) != 0 {
			t.Errorf("%v", missing)
		}
		b.must(t, "shop/a", continuity.CheckUp, "")
		time.Sleep(time.Second)
		if missing := b.Sweep(); len(missing) != 1 || missing[0].State != continuity.CheckUnknown {
			t.Errorf("%v", missing)
		}
		b.must(t, "shop/a", continuity.CheckUnknown, "watch.silent")
		if missing := b.Sweep(); len(missing) != 0 {
			t.Errorf("again: %v", missing)
		}
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		b.must(t, "shop/a", continuity.CheckUp, "")
	})
}

func TestVotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBoard()
		b.Set([]Judged{judged("shop/a", "n1", "n2", "n3"), judged("shop/few", "n1", "n2", "n3")}, nil)
		say := func(node string, isolated bool, state continuity.CheckState) {
			for range 2 {
				b.Add(node, isolated, results("shop/a", state))
			}
		}
		b.Add("n1", false, results("shop/few", continuity.CheckUp))
		b.must(t, "shop/few", continuity.CheckUnknown, "watch.disagree")
		say("n1", false, continuity.CheckUp)
		b.must(t, "shop/a", continuity.CheckUnknown, "watch.disagree")
		say("n2", false, continuity.CheckUp)
		b.must(t, "shop/a", continuity.CheckUp, "")
		say("n3", false, continuity.CheckDown)
		b.must(t, "shop/a", continuity.CheckUp, "")
		say("n1", true, continuity.CheckDown) // cut off: not believed
		b.must(t, "shop/a", continuity.CheckUp, "")
		time.Sleep(26 * time.Second) // the two others don't come to agree
		say("n2", false, continuity.CheckUp)
		b.must(t, "shop/a", continuity.CheckUnknown, "watch.isolated")
		say("n2", false, continuity.CheckDown)
		b.must(t, "shop/a", continuity.CheckDown, "watch.refused")
		say("n1", false, continuity.CheckUp)
		say("n2", false, continuity.CheckUp)
		b.must(t, "shop/a", continuity.CheckUp, "")
	})
}

// memory is a store of objects in memory.
type memory struct {
	mu      sync.Mutex
	objects map[string]continuity.Object
	actions []string
	fence   int64
}

func (m *memory) Commit(_ context.Context, b continuity.Batch) ([]continuity.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.Leader == nil || b.Leader.Fence != m.fence {
		return nil, continuity.E(continuity.CodeVersion, nil, "kind", "lease", "id", "control", "version", int64(0))
	}
	for _, c := range b.Changes {
		m.actions = append(m.actions, c.ID+" "+c.Action)
		if c.Body == nil {
			delete(m.objects, c.ID)
			continue
		}
		m.objects[c.ID] = continuity.Object{Kind: c.Kind, ID: c.ID, Service: c.Service, Body: c.Body}
	}
	return nil, nil
}

func (m *memory) List(_ context.Context, q continuity.Query) (all []continuity.Object, next string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.objects {
		if o.Kind == q.Kind {
			all = append(all, o)
		}
	}
	return all, "", nil
}

// TestKeeper writes changes only, by the leader only, and begins where the one
// before ended: a restart is no change.
func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{objects: map[string]continuity.Object{}, fence: 7}
		said := func(want ...string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			synctest.Wait()
			store.mu.Lock()
			defer store.mu.Unlock()
			got := store.actions
			store.actions = nil
			if len(got) != len(want) {
				t.Fatalf("%q, not %q", got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%q, not %q", got, want)
				}
			}
		}
		var mu sync.Mutex
		leads := false
		lease := continuity.Lease{Name: "control", Node: "here", Fence: 7}
		lead := func(on bool, fence int64) { mu.Lock(); leads, lease.Fence = on, fence; mu.Unlock() }
		begin := func(b *Board) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			k := &Keeper{Board: b, Store: store, Node: "here", Log: slog.New(slog.DiscardHandler), Lease: func() (continuity.Lease, bool) {
				mu.Lock()
				defer mu.Unlock()
				return lease, leads
			}}
			done := make(chan struct{})
			go func() { k.Run(ctx); close(done) }()
			return func() { cancel(); <-done }
		}
		b := NewBoard()
		stop := begin(b)
		said() // nothing is set
		b.Set([]Judged{judged("shop/a", "here"), judged("shop/b", "here")}, nil)
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		said() // it does not lead
		lead(true, 7)
		said("shop/a check.up") // of the other one nothing is known yet
		time.Sleep(30 * time.Second)
		b.Add("here", false, results("shop/a", continuity.CheckUp))
		b.Sweep()
		said("shop/b check.unknown")
		for range 2 {
			b.Add("here", false, results("shop/a", continuity.CheckDown))
		}
		said("shop/a check.down")
		var kept continuity.JudgedCheck
		if err := json.Unmarshal(store.objects["shop/a"].Body, &kept); err != nil || kept.Reason.Code != "watch.refused" {
			t.Errorf("%+v, %v", kept, err)
		}
		stop()

		time.Sleep(time.Minute)
		b = NewBoard()
		b.Set([]Judged{judged("shop/a", "here"), judged("shop/b", "here")}, nil)
		stop = begin(b)
		said()
		for range 2 {
			b.Add("here", false, results("shop/a", continuity.CheckDown))
		}
		said() // it was down before, and since then
		if v, _ := b.Verdict("shop/a"); !v.Since.Equal(kept.Since) {
			t.Errorf("down since %s, not %s", v.Since, kept.Since)
		}
		store.mu.Lock()
		store.fence = 8 // somebody else leads
		store.mu.Unlock()
		for range 2 {
			b.Add("here", false, results("shop/a", continuity.CheckUp))
		}
		said()
		lead(true, 8)
		said("shop/a check.up")
		b.Set([]Judged{judged("shop/a", "here")}, map[string]bool{"shop": true})
		said() // it may be there still: not all of the plan can be read
		b.Set([]Judged{judged("shop/a", "here")}, nil)
		said("shop/b check.removed")
		stop()
	})
}

// TestVerdictsComeWithWhatTheyLack has a plan become unread and be read again while
// verdicts are asked for: one that is missing is always of an unread plan.
func TestVerdictsComeWithWhatTheyLack(t *testing.T) {
	b := NewBoard()
	whole, unread := []Judged{judged("shop/a", "here")}, map[string]bool{"shop": true}
	b.Set(whole, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			b.Set(nil, unread)
			b.Set(whole, nil)
		}
	}()
	for range 5000 {
		if all, of, _ := b.settled(); (len(all) == 1) == of["shop"] {
			t.Fatal(all, of)
		}
	}
	stop()
	<-done
}

func TestStatuses(t *testing.T) {
	parts := []Part{
		{ID: "web", Checks: []string{"w"}, DependsOn: []string{"db"}},
		{ID: "db", Checks: []string{"d1", "d2"}},
		{ID: "queue", DependsOn: []string{"db", "web", "queue"}},
		{ID: "paper"},
	}
	for _, c := range []struct {
		states string // of w, d1, d2
		want   string // of web, db, queue, paper and the whole
	}{
		{"uuu", "ooo?o"}, {"udu", "opp?p"}, {"udd", "omm?p"}, {"ddd", "mmm?m"}, {"ugu", "oss?s"}, {"gdd", "smm?p"},
		{"???", "?????"}, {"uu?", "o????"}, {"u?d", "opp?p"}, {"u?g", "oss?s"}, {"?uu", "?o???"},
	} {
		each, whole := Statuses(parts, map[string]continuity.CheckState{
			"w": states[c.states[0]], "d1": states[c.states[1]], "d2": states[c.states[2]],
		})
		letters := map[Status]string{Operational: "o", SlowStatus: "s", PartialOutage: "p", MajorOutage: "m", UnknownStatus: "?"}
		got := letters[each["web"]] + letters[each["db"]] + letters[each["queue"]] + letters[each["paper"]] + letters[whole]
		if got != c.want {
			t.Errorf("%s: %s, not %s", c.states, got, c.want)
		}
	}
	for want, of := range map[Status][2]continuity.CheckState{ // of the part's check, and of one that no part names
		Operational:   {continuity.CheckUp, continuity.CheckUp},
		SlowStatus:    {continuity.CheckUp, continuity.CheckDegraded},
		PartialOutage: {continuity.CheckUp, continuity.CheckDown},
		UnknownStatus: {continuity.CheckUp, continuity.CheckUnknown},
		MajorOutage:   {continuity.CheckDown, continuity.CheckDown},
	} {
		each, whole := Statuses([]Part{{ID: "web", Checks: []string{"w"}}}, map[string]continuity.CheckState{"w": of[0], "more": of[1]})
		if whole != want || of[0] == continuity.CheckUp && each["web"] != Operational {
			t.Errorf("with a check that no part names: %s, not %s; %s", whole, want, each)
		}
	}
	if _, whole := Statuses(nil, map[string]continuity.CheckState{"a": continuity.CheckDown, "b": continuity.CheckUp}); whole != PartialOutage {
		t.Errorf("without components: %s", whole)
	}
}

func TestAnchors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &look{took: 10 * time.Millisecond}
		hole := &look{took: time.Hour}
		if (Anchors{}).Cut(t.Context()) {
			t.Error("a node without anchors is cut off")
		}
		began := time.Now()
		if (Anchors{Looks: []Looker{hole, up}}).Cut(t.Context()) || time.Since(began) > time.Second {
			t.Errorf("one of two answers: %s", time.Since(began))
		}
		if !(Anchors{Looks: []Looker{hole, hole}}).Cut(t.Context()) || time.Since(began) > 4*time.Second {
			t.Errorf("none answers: %s", time.Since(began))
		}
	})
}
