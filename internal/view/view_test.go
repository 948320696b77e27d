package view_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
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
