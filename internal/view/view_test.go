package view_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/view"
)

// scene is a view over a small history, caught up.
type scene struct {
	*world
	t    *testing.T
	path string
	logs bytes.Buffer
	v    *view.View
}

func newScene(t *testing.T) *scene {
	s := &scene{world: newWorld(), t: t, path: filepath.Join(t.TempDir(), "view.db")}
	t.Cleanup(func() { s.close() })
	return s
}

func (s *scene) open() {
	s.t.Helper()
	v, err := view.Open(s.t.Context(), view.Options{
		Path: s.path, Log: s.log, Decode: s.log.decode, Batch: 3,
		Logger: slog.New(slog.NewTextHandler(&s.logs, nil)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.v = v
}

func (s *scene) close() {
	s.t.Helper()
	if s.v != nil {
		if err := s.v.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.v = nil
}

func (s *scene) catchUp() {
	s.t.Helper()
	if err := s.v.CatchUp(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.same(s.t, s.v, logBegin)
}

func (s *scene) rebuilt(want string) {
	s.t.Helper()
	if got := s.logs.String(); !strings.Contains(got, "rebuilding the view") || !strings.Contains(got, want) {
		s.t.Errorf("log: %q, want a rebuilding because of %q", got, want)
	}
}

// life puts a few records through what can happen to them.
func (s *scene) life() []continuity.Receipt {
	a, b, c := s.accept("orders", 1, false), s.accept("orders", 1, false), s.accept("stock", 2, true)
	s.attempt(a)
	s.outcome(a, continuity.Delivered, continuity.ReasonNone, 201)
	s.attempt(b)
	s.outcome(b, continuity.Dead, continuity.ReasonPoison, 500)
	return []continuity.Receipt{a, b, c}
}

func TestRebuildsWhatCannotBeContinued(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, s *scene)
		why   string
	}{
		{"deleted", func(t *testing.T, s *scene) { remove(t, s.path) }, ""},
		{"another schema", func(t *testing.T, s *scene) { exec(t, s.path, "PRAGMA user_version = 999") }, "another schema"},
		{"another program's file", func(t *testing.T, s *scene) { exec(t, s.path, "PRAGMA application_id = 1") }, "another schema"},
		{"no database at all", func(t *testing.T, s *scene) { overwrite(t, s.path, 0, "this is no database") }, "not a database"},
		{"a table lost", func(t *testing.T, s *scene) { exec(t, s.path, "DROP TABLE event") }, "event"},
		{"progress lost", func(t *testing.T, s *scene) { exec(t, s.path, "DELETE FROM progress") }, "rebuilding"},
		{"cut short", func(t *testing.T, s *scene) {
			if err := os.Truncate(s.path, 9000); err != nil {
				t.Fatal(err)
			}
		}, "rebuilding"},
		{"damaged in the middle, seen after a boot", func(t *testing.T, s *scene) {
			exec(t, s.path, "UPDATE progress SET boot = 'another'")
			overwrite(t, s.path, 4096*4, strings.Repeat("\xff", 4096))
		}, "rebuilding"},
		{"an index that lacks a row, seen after a boot", func(t *testing.T, s *scene) {
			exec(t, s.path, `UPDATE progress SET boot = 'another';
				PRAGMA writable_schema = on;
				UPDATE sqlite_schema SET sql = 'CREATE INDEX record_outcome ON record (outcome) WHERE state IN (5, 6, 7, 8)' WHERE name = 'record_outcome'`)
		}, "damaged"},
		{"another journal", func(t *testing.T, s *scene) {
			other := newWorld()
			other.log.seed = 2
			s.world = other
			s.life()
			s.life()
			s.life()
		}, "another journal"},
		{"the journal's end is gone", func(t *testing.T, s *scene) {
			short := newWorld()
			short.accept("orders", 1, false)
			s.world = short
		}, "beyond the journal's end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			s.life()
			s.life()
			s.life()
			s.open()
			s.catchUp()
			s.close()
			test.spoil(t, s)
			s.open()
			s.life()
			s.catchUp()
			if test.why != "" {
				s.rebuilt(test.why)
			}
			s.close()
			s.logs.Reset()
			s.open()
			s.catchUp()
			if s.logs.Len() > 0 {
				t.Errorf("rebuilt once, and again: %s", &s.logs)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func exec(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, at int64, with string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(with), at); err != nil {
		t.Fatal(err)
	}
}

func TestRebuildsWhenTheFileIsDeletedMeanwhile(t *testing.T) {
	s := newScene(t)
	s.life()
	s.open()
	s.catchUp()
	remove(t, s.path)
	s.life()
	s.catchUp()
	s.rebuilt("taken away")
	if _, err := os.Stat(s.path); err != nil {
		t.Error(err)
	}
}

func TestRebuildsWhenAQueryMeetsDamage(t *testing.T) {
	s := newScene(t)
	receipts := s.life()
	s.open()
	s.catchUp()
	s.close()
	overwrite(t, s.path, 4096*4, strings.Repeat("\xff", 4096)) // the table of records
	s.open()
	if _, _, _, err := s.v.Show(t.Context(), receipts[0]); err == nil {
		t.Fatal("nothing met the damage")
	}
	s.catchUp()
	s.rebuilt("a query met it")
}

func TestRebuildsWhenTheNextEntriesAreGone(t *testing.T) {
	s := newScene(t)
	s.life()
	s.open()
	s.catchUp()
	s.life()
	s.log.retire(s.log.end)
	s.put(continuity.Event{Kind: continuity.KindClock})
	if err := s.v.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.rebuilt("before the journal's start")
	if lag := s.v.Lag(); !lag.Partial || lag.Behind != 0 {
		t.Errorf("lag: %+v, want it to say that records are missing", lag)
	}
}

func TestAnEntryThatCannotBeReadStopsTheViewWithoutLosingWhatCameBefore(t *testing.T) {
	s := newScene(t)
	receipts := s.life()
	s.open()
	good := s.log.end
	s.accept("orders", 1, false)
	s.log.hook = func(_ int, at continuity.Position) error {
		if at == good {
			return journal.ErrDamaged
		}
		return nil
	}
	for range 2 {
		if err := s.v.CatchUp(t.Context()); !errors.Is(err, journal.ErrDamaged) {
			t.Fatalf("error: %v", err)
		}
	}
	if at := s.v.Position(); at != good {
		t.Errorf("position %d, want %d", at, good)
	}
	if _, _, _, err := s.v.Show(t.Context(), receipts[1]); err != nil {
		t.Error(err)
	}
	if s.logs.Len() > 0 {
		t.Errorf("log: %s", &s.logs)
	}
	s.log.hook = nil
	s.catchUp()
}

func TestRunFollowsAndTellsItsLag(t *testing.T) {
	s := newScene(t)
	s.life()
	s.open()
	if lag := s.v.Lag(); lag.Behind == 0 || lag.Age <= 0 || lag.End != s.log.end {
		t.Errorf("before: %+v", lag)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.v.Run(ctx) }()
	for range 3 {
		s.life()
		if err := s.v.Wait(ctx, s.log.End()); err != nil {
			t.Fatal(err)
		}
		if at := s.v.Position(); at != s.log.End() {
			t.Errorf("position %d, want %d", at, s.log.End())
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	s.same(t, s.v, logBegin)
	if lag := s.v.Lag(); lag.Behind != 0 || lag.Age != 0 || lag.Trouble != nil || lag.Partial {
		t.Errorf("after: %+v", lag)
	}
}

func TestRunTellsItsTroubleAndGoesOn(t *testing.T) {
	s := newScene(t)
	s.life()
	fixed := make(chan struct{})
	failed := make(chan struct{}, 100)
	s.log.hook = func(int, continuity.Position) error {
		select {
		case <-fixed:
			return nil
		default:
			failed <- struct{}{}
			return errBadEntry
		}
	}
	v, err := view.Open(t.Context(), view.Options{Path: s.path, Log: s.log, Decode: s.log.decode, Poll: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.v = v
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	<-failed
	<-failed // it tried again, so the first failure has been told
	if lag := v.Lag(); !errors.Is(lag.Trouble, errBadEntry) {
		t.Errorf("lag: %+v", lag)
	}
	close(fixed)
	if err := v.Wait(ctx, s.log.End()); err != nil {
		t.Fatal(err)
	}
	stop()
	<-done
	s.same(t, v, logBegin)
	if lag := v.Lag(); lag.Trouble != nil {
		t.Errorf("trouble that is over: %v", lag.Trouble)
	}
}

// TestRule10_3 holds the file to what may stand outside segments.
func TestRule10_3_NothingPlainInTheFile(t *testing.T) {
	s := newScene(t)
	rec := s.record("orders", 3)
	rec.KeyText, rec.IdempotencyKey, rec.Target = "PLAIN-key", "PLAIN-idem", "/PLAIN-path?q=PLAIN"
	rec.Body, rec.Host, rec.Caller = []byte("PLAIN-body"), "PLAIN.host", "PLAIN-caller"
	rec.Header = []continuity.Field{{Name: "Authorization", Value: "PLAIN-token"}}
	s.put(continuity.Event{Kind: continuity.KindAccepted, Accepted: rec})
	s.attempt(rec.Receipt)
	s.put(continuity.Event{Kind: continuity.KindOutcome, Outcome: &continuity.Outcome{
		Receipt: rec.Receipt, To: continuity.Refused, Reason: continuity.ReasonRefused,
		Response: &continuity.Response{Status: 409, Body: []byte("PLAIN-response"), Header: []continuity.Field{{Name: "X", Value: "PLAIN"}}},
	}})
	s.open()
	s.catchUp()
	found := false
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("PLAIN")) {
			t.Errorf("view.db%s holds what it must not", suffix)
		}
		found = found || bytes.Contains(b, []byte("orders"))
		if info, err := os.Stat(s.path + suffix); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("view.db%s can be read by others: %v %v", suffix, info.Mode(), err)
		}
	}
	if !found {
		t.Error("the files hold nothing: they were not looked at")
	}
}

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

func TestRule2_1_CompareFindsWhatDoesNotAgree(t *testing.T) {
	s := newScene(t)
	s.life()
	s.open()
	s.catchUp()
	books := []view.Books{*s.model.books["orders"]} // "stock" is missing
	books[0].DeliveredAtOnce++
	got, ok, err := s.v.Compare(t.Context(), s.log.end, books)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want := []view.Difference{
		{Route: "orders", What: "delivered_at_once", Ledger: 2, View: 1},
		{Route: "stock", What: "accepted", Ledger: 0, View: 1},
		{Route: "stock", What: "in_doubt", Ledger: 0, View: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	if _, ok, err := s.v.Compare(t.Context(), s.log.end+1, books); ok || err != nil {
		t.Errorf("at another position: %v %v", ok, err)
	}
}

func TestForgetsInStepsAndAgainAfterAKill(t *testing.T) {
	s := newScene(t)
	for i := range 4_500 { // more than two steps
		r := s.accept("orders", continuity.KeyTag(i), false)
		s.attempt(r)
		s.outcome(r, continuity.Delivered, continuity.ReasonNone, 200)
	}
	kept := s.accept("orders", 1, false)
	s.open()
	if err := s.v.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.put(continuity.Event{Kind: continuity.KindHorizon, Horizon: s.log.end})
	if err := s.v.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.same(t, s.v, logBegin)
	counts, _, err := s.v.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if c.State == continuity.Delivered && (c.N != 0 || c.Gone != 4_500 || c.Bytes != 0) {
			t.Errorf("forgotten: %+v", c)
		}
	}
	if _, _, _, err := s.v.Show(t.Context(), kept); err != nil {
		t.Error(err)
	}
}
