package keeping_test

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// TestWhatPeopleSayDuringAWorkStays has somebody approve while copies are made, and undo
// while requests are still held, alone.
func TestWhatPeopleSayDuringAWorkStays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		s.hang = map[string]chan struct{}{"bring orders": make(chan struct{}), "redeliver": make(chan struct{})}
		s.hung = make(chan string)
		during := func(what string, do func()) {
			t.Helper()
			for {
				if _, err := s.steps.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				select {
				case got := <-s.hung:
					if got != what {
						t.Fatalf("%s, not %s", got, what)
					}
					do()
					close(s.hang[what])
					return
				case <-s.wake:
				case <-time.After(time.Minute):
					t.Fatal("it never came to " + what)
				}
			}
		}
		k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Sets: []string{"orders"}, Into: continuity.IntoOver, Why: "amounts are wrong"})
		if err != nil {
			t.Fatal(err)
		}
		during("bring orders", func() {
			if _, err = s.acts.Approve(t.Context(), zhang, k.ID, continuity.VersionAny, "go"); err != nil {
				t.Fatal(err)
			}
		})
		if k = s.until(k.ID, continuity.RestoreReady); k.Approved == nil || k.Approved.By.ID != zhang.ID {
			t.Fatalf("the approval is lost: %+v", k.Restore)
		}
		s.mu.Lock()
		s.switched["users"] = true // it is not of this restore
		s.mu.Unlock()
		if _, err = s.acts.Switch(t.Context(), li, k.ID, k.Version, ""); err != nil {
			t.Fatal(err)
		}
		during("redeliver", func() {
			if _, err = s.acts.Undo(t.Context(), li, k.ID, continuity.VersionAny, "it is the wrong day"); err != nil {
				t.Fatal(err)
			}
		})
		s.until(k.ID, continuity.RestoreUndone)
		s.restorer.Close()
	})
}

// TestWhatWasPutAsideStaysAsLongAsThePlanSays has a plan say how long the originals are
// kept, and an upgrade put originals aside that are seen, and go, like others.
func TestWhatWasPutAsideStaysAsLongAsThePlanSays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := newShop(w)
		for i := range w.sets {
			w.sets[i].Aside = time.Duration(i+1) * 24 * time.Hour
		}
		of := continuity.Restore{ID: "shop-u-2026-1-1", Service: "shop", Upgrade: "shop-u-2026-1", Why: "it spoiled amounts", Sets: []continuity.RestoreSet{{Set: "orders"}}}
		upgrade := continuity.Actor{Kind: continuity.ActorEngine, ID: "upgrade"}
		for _, switched := range []bool{false, false, true, true} {
			if err := s.acts.OfUpgrade(t.Context(), upgrade, of, switched); err != nil {
				t.Fatal(err)
			}
		}
		k, err := s.acts.Propose(t.Context(), li, keeping.Draft{Service: "shop", Into: continuity.IntoOver, Why: "amounts are wrong"})
		if err != nil {
			t.Fatal(err)
		}
		k = s.until(k.ID, continuity.RestoreReady)
		if k, err = s.acts.Approve(t.Context(), zhang, k.ID, k.Version, ""); err != nil {
			t.Fatal(err)
		}
		if _, err = s.acts.Switch(t.Context(), li, k.ID, k.Version, ""); err != nil {
			t.Fatal(err)
		}
		k = s.until(k.ID, continuity.RestoreDone)
		if want := w.clock().Add(48 * time.Hour); !k.AsideUntil.Equal(want) {
			t.Errorf("%s, want %s", k.AsideUntil, want)
		}
		all, _, err := s.acts.Restores(t.Context(), "shop", false, "", 10)
		if err != nil || len(all) != 2 || !all[0].Aside() || !all[1].Aside() {
			t.Errorf("%+v, %v", all, err)
		}
		if _, err = s.acts.Undo(t.Context(), li, of.ID, continuity.VersionAny, "x"); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(err)
		}
		later := func(d time.Duration) {
			w.mu.Lock()
			w.now = w.now.Add(d)
			w.mu.Unlock()
		}
		later(24*time.Hour + time.Second)
		s.until(of.ID, continuity.RestoreDropped)
		s.until(k.ID, continuity.RestoreDone)
		later(24 * time.Hour)
		s.until(k.ID, continuity.RestoreDropped)
		s.restorer.Close()
	})
}
