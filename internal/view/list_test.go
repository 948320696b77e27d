package view_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/view"
)

func TestListsPageByPage(t *testing.T) {
	s := newScene(t)
	var orders, dead []continuity.Receipt
	for i := range 25 {
		route := "orders"
		if i%5 == 0 {
			route = "stock"
		}
		r := s.accept(route, continuity.KeyTag(100+i), i%3 == 0)
		switch {
		case i%4 == 0:
			s.attempt(r)
			s.outcome(r, continuity.Dead, continuity.ReasonPoison, 0)
			dead = append(dead, r)
		case route == "orders":
			orders = append(orders, r)
		}
	}
	// A dead one that is sent again is as young as that decision.
	again := dead[0]
	s.act(again, continuity.VerbRetry)
	dead = dead[1:]
	s.open()
	s.catchUp()

	pages := func(f view.Filter) (all []continuity.Receipt) {
		for {
			page, err := s.v.Backlog(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Rows) > f.Limit || page.Position != s.log.end {
				t.Fatalf("page: %d rows at %d", len(page.Rows), page.Position)
			}
			for _, r := range page.Rows {
				all = append(all, r.Receipt)
			}
			if page.Next == "" {
				return all
			}
			f.After = page.Next
		}
	}
	if got := pages(view.Filter{Route: "orders", Limit: 2}); !slices.Equal(got, orders) {
		t.Errorf("orders: %v, want %v", got, orders)
	}
	if got := pages(view.Filter{States: []continuity.State{continuity.Dead}, Limit: 2}); !slices.Equal(got, dead) {
		t.Errorf("dead: %v, want %v", got, dead)
	}
	if all := pages(view.Filter{Limit: 3}); len(all) != 25-len(dead) || all[len(all)-1] != again {
		t.Errorf("all: %d, the last is %v, want %v", len(all), all[len(all)-1], again)
	}
	var inDoubt []continuity.Receipt
	for _, r := range orders {
		if s.model.rows[r].State == continuity.InDoubt {
			inDoubt = append(inDoubt, r)
		}
	}
	if got := pages(view.Filter{Route: "orders", States: []continuity.State{continuity.InDoubt, continuity.Parked}, Limit: 1}); !slices.Equal(got, inDoubt) || len(got) < 3 {
		t.Errorf("in doubt: %v, want %v", got, inDoubt)
	}
	if got := pages(view.Filter{Route: "nowhere", Limit: 1}); got != nil {
		t.Errorf("a route that does not exist: %v", got)
	}
	oldest, ok, err := s.v.Oldest(t.Context(), "stock")
	if err != nil || !ok || oldest.Key != 105 {
		t.Errorf("oldest: %+v %v %v", oldest, ok, err)
	}
	if _, ok, err := s.v.Oldest(t.Context(), "nowhere"); ok || err != nil {
		t.Errorf("oldest of nothing: %v %v", ok, err)
	}
	for _, f := range []view.Filter{{After: "nonsense"}, {States: []continuity.State{continuity.Delivered}}} {
		if _, err := s.v.Backlog(t.Context(), f); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestByKeyShowsTheLatestInTheirOrder(t *testing.T) {
	s := newScene(t)
	var all []continuity.Receipt
	for range 6 {
		all = append(all, s.accept("orders", 9, false))
	}
	s.accept("orders", 10, false)
	s.attempt(all[0])
	s.outcome(all[0], continuity.Delivered, continuity.ReasonNone, 200)
	s.attempt(all[1])
	s.outcome(all[1], continuity.Dead, continuity.ReasonPoison, 0)
	s.act(all[1], continuity.VerbRetry) // to the end of its key
	s.open()
	s.catchUp()
	page, err := s.v.ByKey(t.Context(), 9, 5)
	if err != nil {
		t.Fatal(err)
	}
	var got []continuity.Receipt
	for _, r := range page.Rows {
		got = append(got, r.Receipt)
	}
	if want := append(slices.Clone(all[2:]), all[1]); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestFindByBeginning(t *testing.T) {
	s := newScene(t)
	all := s.life()
	s.open()
	s.catchUp()
	for _, r := range all {
		for n := 4; n <= 26; n++ {
			for _, prefix := range []string{r.String()[:n], strings.ToUpper(r.String()[:n]) + " "} {
				found, err := s.v.Find(t.Context(), prefix)
				if err != nil {
					t.Fatalf("%q: %v", prefix, err)
				}
				var want []continuity.Receipt
				for _, o := range s.sorted() {
					if strings.HasPrefix(o.String(), r.String()[:n]) {
						want = append(want, o)
					}
				}
				if !slices.Equal(found, want) {
					t.Errorf("%q: %v, want %v", prefix, found, want)
				}
			}
		}
	}
	if found, err := s.v.Find(t.Context(), "zzzz"); err != nil || found != nil {
		t.Errorf("nothing: %v %v", found, err)
	}
	for _, bad := range []string{"", "abc", "ilou", "ab-d", "12345678901234567890123456z", "%%%%"} {
		if _, err := s.v.Find(t.Context(), bad); !errors.Is(err, view.ErrPrefix) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestShowOfAnUnknownRecord(t *testing.T) {
	s := newScene(t)
	s.open()
	s.catchUp()
	if _, _, _, err := s.v.Show(t.Context(), continuity.Receipt{1}); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Errorf("error: %v", err)
	}
}

// A record that is tried for days keeps a history of bounded length: how it
// began, and what happened last.
func TestHistoryIsBounded(t *testing.T) {
	s := newScene(t)
	r := s.accept("orders", 1, false)
	for range 300 {
		s.attempt(r)
		s.outcome(r, continuity.Queued, continuity.ReasonUnreachable, 0)
	}
	s.open()
	if err := s.v.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, history, left, err := s.v.Show(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	all := s.model.events[r]
	if len(history) != 100 || left != len(all)-100 {
		t.Fatalf("%d events, %d left out, of %d", len(history), left, len(all))
	}
	if want := append(slices.Clone(all[:20]), all[len(all)-80:]...); !slices.EqualFunc(history, want, sameEvent) {
		t.Errorf("history: %+v", history)
	}
}

func TestCountsByRouteAndState(t *testing.T) {
	s := newScene(t)
	s.life()
	s.open()
	s.catchUp()
	counts, at, err := s.v.Counts(t.Context())
	if err != nil || at != s.log.end {
		t.Fatal(at, err)
	}
	var got []string
	for _, c := range counts {
		got = append(got, fmt.Sprintf("%s %s doubted=%v %d", c.Route, c.State, c.Doubted, c.N))
		if c.Bytes <= 0 {
			t.Errorf("%+v: no bytes", c)
		}
	}
	want := []string{"orders delivered doubted=false 1", "orders dead doubted=false 1", "stock in-doubt doubted=true 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
