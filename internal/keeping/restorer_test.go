package keeping_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/keeping"
)

var (
	li    = continuity.Actor{Kind: "user", ID: "li.wei"}
	zhang = continuity.Actor{Kind: "user", ID: "zhang.min"}
)

// shop is what restores are led against: two sets, a relay, and a node that can die
// after each of its doings.
type shop struct {
	*world

	mu       sync.Mutex
	did      []string
	die      int // after so many doings; 0: never
	dead     bool
	failing  map[string]error
	copies   map[string]bool // that can be asked, of this term
	beside   map[string]bool
	switched map[string]bool
	held     bool
	sent     int
	asked    []string
	hang     map[string]chan struct{} // doings, until it is closed; each is named on hung
	hung     chan string
	bad      bool // the copies are not what was recorded

	restorer *keeping.Restorer
	steps    *follow.Follower
	end      context.CancelFunc
	acts     *keeping.RestoreActs
}

var errDied = errors.New("the node died")

func newShop(w *world) *shop {
	s := &shop{world: w, failing: map[string]error{}, beside: map[string]bool{}, switched: map[string]bool{}}
	w.sets = []keeping.Set{orders(w.t, nil), orders(w.t, func(set *keeping.Set) { set.ID = "users" })}
	s.acts = keeping.NewRestoreActs(keeping.RestoreActsOptions{
		Store: w.store, Plans: w, Chooser: s, Copies: s, Now: w.clock, Routes: func(string) []string { return []string{"orders"} },
		Asks: func(r continuity.Restore, what string, wish continuity.RestoreApproval) continuity.Change {
			s.asked = append(s.asked, what+" by "+wish.By.ID)
			return continuity.Tell(continuity.Notification{ID: r.ID + ".n-" + what, Service: r.Service, At: wish.At})
		},
		May: func(_ context.Context, by continuity.Actor, _, _ string) error {
			if by.ID == "he.ping" {
				return continuity.E(continuity.CodeScope, nil)
			}
			return nil
		},
	})
	s.term()
	return s
}

// term begins anew what a node does.
func (s *shop) term() {
	ctx, end := context.WithCancel(context.Background())
	s.mu.Lock()
	s.copies, s.dead, s.end = map[string]bool{}, false, end
	s.mu.Unlock()
	s.restorer = keeping.NewRestorer(ctx, keeping.RestorerOptions{
		Plans: s.world, Bringer: s, Relays: s, Now: s.clock, Analyse: func(context.Context, continuity.Restore) (string, error) {
			return "shop-2026-1.task-1", s.do("analyse")
		},
		Wake: func() {
			select {
			case s.wake <- struct{}{}:
			default: // it is woken already
			}
		},
	})
	s.steps = follow.New(follow.Options{
		Store: s.store, Name: "restores", Node: "a", Kinds: keeping.RestorerKinds(), Now: s.clock,
		Lease: func() (continuity.Lease, bool) { return s.lease, true },
	}, s.restorer)
}

// do notes a doing, after which the node may die: what it did is done, and nobody knows.
func (s *shop) do(what string) error {
	if hang := s.hang[what]; hang != nil {
		s.hung <- what
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errDied
	}
	s.did = append(s.did, what)
	if s.die > 0 {
		if s.die--; s.die == 0 {
			s.dead = true
			s.end()
			return errDied
		}
	}
	return s.failing[what]
}

func (s *shop) Choices(_ context.Context, set keeping.Set, _ time.Time) ([]continuity.RestoreChoice, error) {
	return []continuity.RestoreChoice{
		{Set: set.ID, Target: "far", Backup: "new", Reaches: begin.Add(-time.Second), RealTime: true},
		{Set: set.ID, Target: "far", Backup: "old", Reaches: begin.Add(-24 * time.Hour)},
	}, nil
}

func (s *shop) Bring(_ context.Context, set keeping.Set, r continuity.Restore, c continuity.RestoreChoice, _ backup.Report) (continuity.RestoredCopy, error) {
	if err := s.do("bring " + set.ID); err != nil {
		return continuity.RestoredCopy{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Into == continuity.IntoCopy {
		s.copies[set.ID] = true
	} else {
		s.beside[set.ID] = true
	}
	return continuity.RestoredCopy{Reached: c.Reaches, Good: !s.bad, Address: "postgres://127.0.0.1/" + set.ID}, nil
}

func (s *shop) Alive(set keeping.Set, _ string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies[set.ID]
}

func (s *shop) Switch(_ context.Context, set keeping.Set, _ string) error {
	s.mu.Lock()
	ok := s.held && s.beside[set.ID]
	s.switched[set.ID] = true
	s.mu.Unlock()
	if !ok {
		s.t.Error("switched while requests reached it, or nothing was there")
	}
	return s.do("switch " + set.ID)
}

func (s *shop) Undo(_ context.Context, set keeping.Set, _ string) error {
	s.mu.Lock()
	s.switched[set.ID] = false
	s.mu.Unlock()
	return s.do("undo " + set.ID)
}

func (s *shop) Drop(_ context.Context, set keeping.Set, _, _ string) error {
	s.mu.Lock()
	delete(s.copies, set.ID)
	s.mu.Unlock()
	return s.do("drop " + set.ID)
}

func (s *shop) Hold(context.Context, continuity.Restore, string) error {
	s.mu.Lock()
	s.held = true
	s.mu.Unlock()
	return s.do("hold")
}

func (s *shop) Redeliver(_ context.Context, r continuity.Restore, _ string, since time.Time) (int, int, error) {
	s.mu.Lock()
	if !s.held || !s.switched["orders"] || !s.switched["users"] {
		s.t.Error("delivered again to what was not restored")
	}
	if want := r.Sets[0].Copy.Reached.Add(-30 * time.Second); !since.Equal(want) {
		s.t.Errorf("since %s, want %s", since, want)
	}
	again := 7 - s.sent // what is on its way is not counted again
	s.sent = 7
	s.mu.Unlock()
	return again, 1, s.do("redeliver")
}

func (s *shop) Release(context.Context, continuity.Restore, string) error {
	s.mu.Lock()
	s.held = false
	s.mu.Unlock()
	return s.do("release")
}

// until steps until a restore is in a state; where the node died, the next one goes on.
func (s *shop) until(id, state string) keeping.KeptRestore {
	s.t.Helper()
	late := time.After(20 * time.Second)
	for {
		_, stepped := s.steps.Step(s.t.Context())
		k, err := s.acts.Restore(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		s.mu.Lock()
		dead := s.dead
		s.mu.Unlock()
		if !dead && stepped != nil {
			s.t.Fatal(stepped)
		}
		if dead {
			s.restorer.Close()
			s.term()
			continue
		}
		if k.State == state && k.Trying.Code == "" {
			return k
		}
		select {
		case <-s.wake:
		case <-time.After(10 * time.Millisecond):
		case <-late:
			s.t.Fatalf("%s: %+v\n%q", state, k.Restore, s.did)
		}
	}
}

// TestARestoreOverTheOriginal goes all the way, with a node that dies after each of its
// doings: nothing is left out, and nothing is switched while requests reach it.
func TestARestoreOverTheOriginal(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for die := range 12 {
			s := newShop(w)
			s.die = die
			k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Into: continuity.IntoOver, Why: "amounts are wrong", Incident: "shop-2026-1", Fault: begin.Add(-10 * time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			k = s.until(k.ID, continuity.RestoreReady)
			if _, err := s.acts.Switch(t.Context(), li, k.ID, k.Version, ""); continuity.CodeOf(err) != continuity.CodeApproval {
				t.Error("it was switched by one person: ", err)
			}
			for _, by := range []continuity.Actor{li, {Kind: "token", ID: "robot"}} {
				if _, err := s.acts.Approve(t.Context(), by, k.ID, k.Version, ""); continuity.CodeOf(err) != continuity.CodeApproval {
					t.Errorf("%s approved: %v", by.ID, err)
				}
			}
			if k, err = s.acts.Approve(t.Context(), zhang, k.ID, k.Version, "agreed"); err != nil {
				t.Fatal(err)
			}
			if _, err = s.acts.Switch(t.Context(), li, k.ID, k.Version, ""); err != nil {
				t.Fatal(err)
			}
			k = s.until(k.ID, continuity.RestoreDone)
			if s.held || !s.switched["orders"] || !s.switched["users"] || s.sent != 7 || k.Analysis == "" || !k.Routes[0].Delivered {
				t.Errorf("died after %d: %+v, held %t, sent %d", die, k.Restore, s.held, s.sent)
			}
			if k.RPO < 0 || k.RTO != 10*time.Minute {
				t.Errorf("RTO %s, RPO %s", k.RTO, k.RPO)
			}
			// In the end the originals that were put aside go.
			for _, by := range []continuity.Actor{{Kind: "token", ID: "robot"}, li, li} { // one person is not enough
				if _, err = s.acts.Drop(t.Context(), by, k.ID, continuity.VersionAny); by.Kind != "user" && continuity.CodeOf(err) != continuity.CodeApproval {
					t.Errorf("%s removed it: %v", by.ID, err)
				}
			}
			if k = s.until(k.ID, continuity.RestoreDone); k.Dropping == nil || continuity.CodeOf(err) != continuity.CodeApproval {
				t.Errorf("%+v, %v", k.Dropping, err)
			}
			if _, err = s.acts.Drop(t.Context(), zhang, k.ID, k.Version); err != nil {
				t.Fatal(err)
			}
			s.until(k.ID, continuity.RestoreDropped)
			s.restorer.Close()
		}
	})
}

// TestWhatCantBeDeliveredAgainIsAPersonsWord fails at redelivery until somebody says why
// it goes on, and is undone in the end.
func TestWhatCantBeDeliveredAgainIsAPersonsWord(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		s.failing["redeliver"] = continuity.E(continuity.CodeState, errors.New("nothing was recorded"))
		k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Into: continuity.IntoOver, Why: "x", Pick: map[string]string{"orders": "old"}})
		if err != nil {
			t.Fatal(err)
		}
		if k.Sets[0].Choice.Backup != "old" || k.Sets[1].Choice.Backup != "new" {
			t.Errorf("%+v", k.Sets)
		}
		k = s.until(k.ID, continuity.RestoreReady)
		if k, err = s.acts.Approve(t.Context(), zhang, k.ID, k.Version, ""); err != nil {
			t.Fatal(err)
		}
		if _, err = s.acts.Switch(t.Context(), zhang, k.ID, k.Version, ""); err != nil {
			t.Fatal(err)
		}
		for k.Trying.Code == "" || k.State != continuity.RestoreRedelivering {
			if _, err = s.steps.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if k, err = s.acts.Restore(t.Context(), k.ID); err != nil {
				t.Fatal(err)
			}
		}
		if !s.held {
			t.Error("requests reach it before what is missing")
		}
		if wait := k.Again.Sub(w.clock()); wait > 10*time.Second {
			t.Errorf("customers wait for %s until it is tried again", wait)
		}
		if _, err = s.acts.Skip(t.Context(), li, k.ID, k.Version, " "); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(err)
		}
		if _, err = s.acts.Skip(t.Context(), li, k.ID, k.Version, "nothing came meanwhile"); err != nil {
			t.Fatal(err)
		}
		k = s.until(k.ID, continuity.RestoreDone)
		if k.Skipped == "" || k.SkippedBy.ID != "li.wei" || s.held {
			t.Errorf("%+v", k)
		}
		// Requests went on: one person is not enough, whoever asks twice, and a program is none.
		robot := continuity.Actor{Kind: "token", ID: "robot"}
		for i, by := range []continuity.Actor{robot, li, li} {
			if _, err = s.acts.Undo(t.Context(), by, k.ID, continuity.VersionAny, "the old ones are better"); (continuity.CodeOf(err) == continuity.CodeApproval) != (i != 1) {
				t.Errorf("%s: %v", by.ID, err)
			}
		}
		if k = s.until(k.ID, continuity.RestoreDone); k.Undoing == nil || k.Undoing.By.ID != li.ID || k.Undoing.Note != "the old ones are better" || !s.switched["orders"] {
			t.Errorf("%+v", k.Restore)
		}
		if want := []string{"undo by li.wei"}; !slices.Equal(s.asked, want) {
			t.Errorf("%q were asked, want %q", s.asked, want)
		}
		if _, err = s.acts.Undo(t.Context(), zhang, k.ID, k.Version, "they are"); err != nil {
			t.Fatal(err)
		}
		s.until(k.ID, continuity.RestoreUndone)
		if s.switched["orders"] || s.switched["users"] || s.held {
			t.Errorf("%+v", s.switched)
		}
		s.restorer.Close()
	})
}

// TestACopyIsMadeAnewWhenItsNodeIsGone has people look things up, and nobody touch
// anything.
// TestDifferingCopiesTakeTwoWhoKnowIt: a leave that was given before the copies were there
// is none for what was not found to be the recorded data.
func TestDifferingCopiesTakeTwoWhoKnowIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		s.bad = true
		k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Sets: []string{"orders"}, Into: continuity.IntoOver, Why: "amounts are wrong"})
		if err != nil {
			t.Fatal(err)
		}
		if k, err = s.acts.Approve(t.Context(), zhang, k.ID, k.Version, "whatever comes"); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		k = s.until(k.ID, continuity.RestoreReady)
		if k.Sets[0].Copy.Good {
			t.Fatal("the copy is good")
		}
		for despite, want := range map[string]continuity.Code{"": continuity.CodeState, "in a hurry": continuity.CodeApproval} {
			if _, err := s.acts.Switch(t.Context(), li, k.ID, k.Version, despite); continuity.CodeOf(err) != want {
				t.Errorf("%q: %v", despite, err)
			}
		}
		if k, err = s.acts.Approve(t.Context(), zhang, k.ID, k.Version, "I looked at it"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.acts.Switch(t.Context(), li, k.ID, k.Version, "the rest is worse"); err != nil {
			t.Error(err)
		}
		// Why stays to be read.
		events, err := w.store.EventsSince(t.Context(), 0, 1000)
		if err != nil || !slices.ContainsFunc(events, func(e continuity.AuditEvent) bool {
			return e.Action == "restore.switch" && e.Actor.ID == li.ID && e.Reason == "the rest is worse"
		}) {
			t.Errorf("nobody can read why it was switched: %v", err)
		}
	})
}

func TestACopyIsMadeAnewWhenItsNodeIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Sets: []string{"orders"}, Into: continuity.IntoCopy, Why: "finance looks up payments", Moment: begin.Add(-time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		k = s.until(k.ID, continuity.RestoreReady)
		if k.Sets[0].Copy.Address == "" || k.Readied.IsZero() {
			t.Errorf("%+v", k)
		}
		s.restorer.Close()
		s.term()
		for n := 0; n < 2; {
			s.until(k.ID, continuity.RestoreReady)
			s.mu.Lock()
			n = len(s.did)
			s.mu.Unlock()
		}
		if _, err = s.acts.Switch(t.Context(), li, k.ID, continuity.VersionAny, ""); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(err)
		}
		if _, err = s.acts.Drop(t.Context(), li, k.ID, continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		s.until(k.ID, continuity.RestoreDropped)
		if want := []string{"bring orders", "bring orders", "drop orders"}; !slices.Equal(s.did, want) {
			t.Errorf("%q", s.did)
		}
		s.restorer.Close()
	})
}

func TestWhoMayNotBringsNothingBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		for name, c := range map[string]struct {
			by   continuity.Actor
			d    keeping.Draft
			want continuity.Code
		}{
			"no right": {continuity.Actor{Kind: "user", ID: "he.ping"}, keeping.Draft{Service: "shop", Into: continuity.IntoOver, Why: "x"}, continuity.CodeScope},
			"no why":   {li, keeping.Draft{Service: "shop", Into: continuity.IntoOver}, continuity.CodeInvalid},
			"nowhere":  {li, keeping.Draft{Service: "shop", Into: "there", Why: "x"}, continuity.CodeInvalid},
			"later":    {li, keeping.Draft{Service: "shop", Into: continuity.IntoCopy, Why: "x", Moment: begin.Add(time.Hour)}, continuity.CodeInvalid},
			"no set":   {li, keeping.Draft{Service: "shop", Into: continuity.IntoCopy, Why: "x", Sets: []string{"goods"}}, continuity.CodeNotFound},
			"no plan":  {li, keeping.Draft{Service: "till", Into: continuity.IntoCopy, Why: "x"}, continuity.CodeNotFound},
			"no piece": {li, keeping.Draft{Service: "shop", Into: continuity.IntoCopy, Why: "x", Pick: map[string]string{"users": "gone"}}, continuity.CodeNotFound},
			"no route": {li, keeping.Draft{Service: "shop", Into: continuity.IntoOver, Why: "x", Routes: []string{"pay"}}, continuity.CodeInvalid},
		} {
			if _, err := s.acts.Propose(t.Context(), c.by, c.d); continuity.CodeOf(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(s.did) > 0 {
			t.Error(fmt.Sprint(s.did))
		}
		s.restorer.Close()
	})
}

func (s *shop) Ask(_ context.Context, set keeping.Set, _ string, q backup.LookUp) (backup.Answer, error) {
	if err := s.do("ask " + set.ID + ": " + q.SQL); err != nil {
		return backup.Answer{}, err
	}
	secret := "wang.fang"
	a := backup.Answer{Columns: []string{"customer"}}
	a.Add(q, []*string{&secret})
	return a, nil
}

// TestALookUpIsAskedOfTheCopyAndWrittenDown asks as somebody who may and one who may not,
// and looks for what was written down of it.
func TestALookUpIsAskedOfTheCopyAndWrittenDown(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		defer s.restorer.Close()
		begun := func(into string, sets ...string) string {
			k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Sets: sets, Into: into, Why: "finance looks up payments"})
			if err != nil {
				t.Fatal(err)
			}
			return k.ID
		}
		const sql = "select customer from orders where no = 17"
		refused := func(id, set string, by continuity.Actor, code continuity.Code, detail string) {
			t.Helper()
			_, err := s.acts.LookUp(t.Context(), by, id, keeping.LookUp{Set: set, SQL: sql})
			var e *continuity.Error
			if !errors.As(err, &e) || e.Code != code || detail != "" && e.Args["detail_id"] != detail {
				t.Errorf("%v, want %s", err, detail)
			}
		}
		id := begun(continuity.IntoCopy)
		refused(id, "orders", li, continuity.CodeState, "keeping.state")
		s.until(id, continuity.RestoreReady)
		beside := begun(continuity.IntoBeside, "orders")
		s.until(beside, continuity.RestoreReady)
		refused(beside, "", li, continuity.CodeState, "keeping.look-up.into")
		refused(id, "", li, continuity.CodeInvalid, "keeping.look-up.set") // which of two?
		refused(id, "goods", li, continuity.CodeInvalid, "keeping.look-up.set")
		refused(id, "orders", continuity.Actor{Kind: "user", ID: "he.ping"}, continuity.CodeScope, "")
		refused("shop.restore-none", "", li, continuity.CodeNotFound, "")
		events := func() []continuity.AuditEvent {
			found, _, err := w.store.Events(t.Context(), continuity.EventQuery{Action: "look-up.asked"})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		if n := len(events()); n > 0 {
			t.Errorf("%d were written down that were not asked", n)
		}
		found, err := s.acts.LookUp(t.Context(), zhang, id, keeping.LookUp{Set: "orders", SQL: sql})
		if err != nil || len(found.Rows) != 1 || *found.Rows[0][0] != "wang.fang" || !found.AsOf.Equal(begin.Add(-time.Second)) ||
			found.Age != w.clock().Sub(begin.Add(-time.Second)).Seconds() || !found.Good || found.More {
			t.Errorf("%+v, %v", found, err)
		}
		s.mu.Lock()
		s.failing["ask users: "+sql] = continuity.E(continuity.CodeInvalid, nil)
		did := s.did[len(s.did)-1]
		s.mu.Unlock()
		if did != "ask orders: "+sql {
			t.Error(did)
		}
		refused(id, "users", zhang, continuity.CodeInvalid, "") // by the copy itself: it was asked
		written := events()
		if len(written) != 2 || written[0].Actor.ID != zhang.ID || written[0].Reason != sql || written[0].Service != "shop" || written[0].ID != id {
			t.Errorf("%+v", written)
		}
		for _, e := range written {
			if strings.Contains(string(e.After), "wang.fang") {
				t.Errorf("what was answered was written down: %s", e.After)
			}
		}
		// Another node has the copy now.
		k, err := s.acts.Restore(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		k.Sets[0].Copy.Node = "control-2"
		_, err = w.store.Apply(t.Context(), li, []continuity.Change{continuity.Put(continuity.KindRestore, id, "shop", "restore.ready", k.Restore)})
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		delete(s.copies, "orders")
		s.mu.Unlock()
		refused(id, "orders", zhang, continuity.CodeState, "keeping.look-up.elsewhere")
	})
}
