package keeping_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/calendar"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/keeping"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
	"holdfast/internal/target"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// onBoth runs a test on each kind of store.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	for name, dsn := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "state.db") },
		"postgres": func(t testing.TB) string { return pgtest.Database(t) },
	} {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, dsn(t))) })
	}
}

// world is a store, plans, a clock and a vault that does what the test says.
type world struct {
	t     *testing.T
	store *store.Store
	lease continuity.Lease

	mu     sync.Mutex
	now    time.Time
	sets   []keeping.Set
	unread map[string]bool
	held   map[string][]continuity.Backup
	faults []continuity.BackupFault
	did    []string
	count  int
	fail   map[string]error         // by work
	hang   map[string]chan struct{} // by work: until it is closed
	differ bool
	safe   chan time.Time // what following says
	broken chan error     // how it ends

	log      lines
	wake     chan struct{}
	engine   *keeping.Engine
	follower *follow.Follower
	stop     context.CancelFunc
}

var begin = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, dsn string) *world {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, store: s, now: begin, held: map[string][]continuity.Backup{}, fail: map[string]error{}, hang: map[string]chan struct{}{},
		wake: make(chan struct{}, 1), safe: make(chan time.Time), broken: make(chan error),
	}
	t.Cleanup(func() {
		if w.engine != nil {
			w.kill()
		}
		_ = s.Close()
	})
	w.lead()
	return w
}

// lead begins a term.
func (w *world) lead() {
	w.t.Helper()
	lease, ok, err := w.store.Lead(w.t.Context(), "control", "a", time.Minute)
	if err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	w.lease = lease
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.engine = keeping.New(ctx, keeping.Options{
		Plans: w, Vault: w, Saw: w.store.Saw, Now: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Wake: func() {
			select {
			case w.wake <- struct{}{}:
			default: // it is woken already
			}
		},
	})
	w.follower = follow.New(follow.Options{
		Store: w.store, Name: "backups", Node: "a", Kinds: keeping.Kinds(), Now: w.clock,
		Lease: func() (continuity.Lease, bool) { return w.lease, true },
	}, w.engine)
}

// kill ends a term in the midst of everything: what works were about to say is lost.
func (w *world) kill() {
	w.stop()
	w.engine.Close()
	w.engine = nil
	_ = w.store.Resign(context.Background(), w.lease)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) Sets() ([]keeping.Set, map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sets, w.unread
}

// pass has time go by, and the engine look then.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	w.step()
}

func (w *world) step() {
	w.t.Helper()
	if _, err := w.follower.Step(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// rest steps until a condition holds: works end beside the engine.
func (w *world) rest(what string, holds func(s keeping.Standing) bool) keeping.Standing {
	w.t.Helper()
	late := time.After(20 * time.Second)
	for {
		w.step()
		s := w.standing()
		if holds(s) {
			return s
		}
		select {
		case <-w.wake:
		case <-late:
			w.t.Fatalf("%s: %+v\nrunning %+v failing %+v; %q", what, s.BackupSet, s.Running, s.Failing, w.did)
		}
	}
}

func (w *world) standing() keeping.Standing {
	w.t.Helper()
	all, err := keeping.Standings(w.t.Context(), w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	return all["shop/orders"]
}

func (w *world) do(ctx context.Context, work string) error {
	w.mu.Lock()
	w.did = append(w.did, work)
	err, hang := w.fail[work], w.hang[work]
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // it is woken already
	}
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (w *world) Capture(ctx context.Context, set keeping.Set, work string, report backup.Report) (keeping.Captured, error) {
	report(backup.Progress{Phase: "capture", Done: 30, Total: 100})
	if err := w.do(ctx, work); err != nil {
		return keeping.Captured{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	m := backup.Manifest{ID: fmt.Sprintf("p%d", w.count), Type: work, Taken: w.now, Bytes: 10}
	b := continuity.Backup{ID: set.Key() + "/" + m.ID, Service: set.Service, Set: set.ID, Piece: m.ID, Type: work, Taken: w.now, Reaches: w.now, Targets: []string{"far"}}
	if held := w.held[set.Key()]; work == continuity.WorkDelta {
		last := held[len(held)-1]
		if m.Base = last.Base; m.Base == "" {
			m.Base = last.Piece
		}
		b.Base = m.Base
	}
	w.held[set.Key()] = append(w.held[set.Key()], b)
	return keeping.Captured{Manifest: m, Targets: []continuity.TargetResult{{Target: "far"}}}, nil
}

func (w *world) Verify(ctx context.Context, set keeping.Set, piece string, _ backup.Report) (keeping.Verdict, error) {
	if err := w.do(ctx, continuity.WorkVerify); err != nil {
		return keeping.Verdict{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.held[set.Key()]
	b := &held[len(held)-1]
	for i := range held {
		if held[i].Piece == piece {
			b = &held[i]
		}
	}
	b.Proof = &continuity.Proven{At: w.now, Good: !w.differ, Target: "far", Figures: 3}
	if w.differ {
		b.Proof.Differ = []string{"orders rows"}
	}
	return keeping.Verdict{Piece: b.Piece, Taken: b.Taken, Proven: *b.Proof}, nil
}

func (w *world) Prune(ctx context.Context, _ keeping.Set) (int, error) {
	return 0, w.do(ctx, continuity.WorkPrune)
}

func (w *world) Holdings(_ context.Context, set keeping.Set) (keeping.Holdings, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return keeping.Holdings{Backups: append([]continuity.Backup(nil), w.held[set.Key()]...), Faults: w.faults}, nil
}

func (w *world) Follow(ctx context.Context, _ keeping.Set, safe func(time.Time)) error {
	if err := w.do(ctx, continuity.WorkFollow); err != nil {
		return err
	}
	for {
		select {
		case at := <-w.safe:
			safe(at)
		case err := <-w.broken:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func orders(t testing.TB, more func(*keeping.Set)) keeping.Set {
	t.Helper()
	full, fault := calendar.ParseCron("30 2 * * *")
	if fault != nil {
		t.Fatal(fault)
	}
	set := keeping.Set{
		Service: "shop", ID: "orders", Kind: "folder", Path: "/srv", Targets: []string{"far"}, Every: 24 * time.Hour, Full: full, Zone: time.UTC,
		Keep: 31 * 24 * time.Hour, Proven: 3, Verify: 31 * 24 * time.Hour,
	}
	if more != nil {
		more(&set)
	}
	return set
}

func proven(s keeping.Standing) bool {
	return s.Full != nil && s.Proven != nil && s.Proven.Backup == s.Full.Backup && s.Proving == nil && s.Running == nil
}

// TestASetIsCapturedAtOnceAndThenByItsSchedule leads a set from nothing through three
// days: each full backup is proven, and nothing is made twice.
func TestASetIsCapturedAtOnceAndThenByItsSchedule(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.sets = []keeping.Set{orders(t, nil)}
		set := &w.sets[0]
		s := w.rest("the first", proven)
		if state := keeping.State(set, &s, w.clock()); state != continuity.SetGreen || !s.Proven.Good || !s.Waits.IsZero() {
			t.Errorf("%s: %+v", state, s)
		}
		if want := time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC); !s.Due.Equal(want) {
			t.Error(s.Due)
		}
		w.rest("old ones are removed", func(s keeping.Standing) bool { return !s.Pruned.IsZero() && s.Running == nil })
		w.pass(16 * time.Hour) // 02:00
		if got := w.standing(); got.Running != nil || got.Full.Backup != "p1" {
			t.Errorf("too early: %+v", got)
		}
		for day := 2; day <= 3; day++ {
			w.pass(30 * time.Minute)
			s = w.rest("the next", func(s keeping.Standing) bool { return proven(s) && s.Full.Backup == fmt.Sprintf("p%d", day) })
			w.pass(23*time.Hour + 30*time.Minute)
		}
		o, err := w.store.Get(t.Context(), continuity.KindBackup, "shop/orders/p3")
		if err != nil || o.Service != "shop" {
			t.Error(err)
		}
		// The plan wants it no more: what is known goes, and what lies on targets stays.
		w.mu.Lock()
		w.sets = nil
		w.mu.Unlock()
		w.step()
		if _, err := w.store.Get(t.Context(), continuity.KindBackupSet, "shop/orders"); continuity.CodeOf(err) != continuity.CodeNotFound {
			t.Error(err)
		}
		if len(w.held["shop/orders"]) != 3 {
			t.Error(w.held)
		}
	})
}

// TestChangesAreCapturedBetween has deltas follow on a full one, and the chain proven
// again as it grows.
func TestChangesAreCapturedBetween(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.sets = []keeping.Set{orders(t, func(s *keeping.Set) { s.Deltas, s.Every = true, time.Hour })}
		w.rest("full", proven)
		for i := range 11 {
			w.pass(time.Hour)
			w.rest("delta", func(s keeping.Standing) bool {
				return s.Captured.Backup == fmt.Sprintf("p%d", i+2) && s.Running == nil
			})
		}
		if s := w.standing(); s.Proven.Backup != "p1" || s.Full.Backup != "p1" || s.Captured.Work != continuity.WorkDelta {
			t.Errorf("%+v", s)
		}
		w.pass(time.Hour) // half a day since the proof
		s := w.rest("the chain is proven", func(s keeping.Standing) bool { return s.Proven.Backup != "p1" && s.Proving == nil && s.Running == nil })
		if !s.Proven.Good || !s.Waits.IsZero() {
			t.Errorf("%+v", s.Proven)
		}
	})
}

// TestANodeThatDiesLeavesAWorkThatIsBegunAnew kills the leader in each kind of work.
func TestANodeThatDiesLeavesAWorkThatIsBegunAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.sets = []keeping.Set{orders(t, nil)}
		for _, work := range []string{continuity.WorkFull, continuity.WorkVerify} {
			w.mu.Lock()
			w.hang[work] = make(chan struct{})
			w.mu.Unlock()
			w.rest("it runs", func(s keeping.Standing) bool {
				w.mu.Lock()
				defer w.mu.Unlock()
				return len(w.did) > 0 && w.did[len(w.did)-1] == work
			})
			w.kill()
			w.mu.Lock()
			delete(w.hang, work)
			w.mu.Unlock()
			w.lead()
			w.step()
		}
		s := w.rest("all is made up for", proven)
		if s.Failing != nil || !s.Proven.Good {
			t.Errorf("%+v", s.Failing)
		}
		if n := len(w.held["shop/orders"]); n != 1 {
			t.Errorf("%d backups", n)
		}
	})
}

// TestHowFarAWorkGotIsShown has a capture go on for ten seconds.
func TestHowFarAWorkGotIsShown(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "state.db"))
	w.sets = []keeping.Set{orders(t, nil)}
	hang := make(chan struct{})
	w.hang[continuity.WorkFull] = hang
	acts := keeping.NewActs(keeping.ActsOptions{Store: w.store, Plans: w, Now: w.clock, Progress: func(id string) []keeping.Progress { return w.engine.Progress(id) }})
	shown := func() []keeping.Progress {
		t.Helper()
		s, err := acts.Set(t.Context(), "shop", "orders")
		if err != nil {
			t.Fatal(err)
		}
		return s.Progress
	}
	w.rest("it goes on", func(keeping.Standing) bool { return len(shown()) == 1 })
	w.mu.Lock()
	w.now = w.now.Add(10 * time.Second)
	w.mu.Unlock()
	want := keeping.Progress{Work: continuity.WorkFull, Phase: "capture", Done: 30, Total: 100, Rate: 3, Left: 70. / 3}
	if got := shown(); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	close(hang)
	w.rest("it is over", proven)
	if got := shown(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// TestWhatFailsIsTriedLessAndLessOften counts tries against a target that is gone, and
// what people are told meanwhile.
func TestWhatFailsIsTriedLessAndLessOften(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.sets = []keeping.Set{orders(t, nil)}
		set := &w.sets[0]
		w.fail[continuity.WorkFull] = continuity.E(continuity.CodeUnreachable, errors.New("gone"))
		w.rest("it failed", func(s keeping.Standing) bool { return s.Failing != nil })
		for range 36 * 60 {
			w.pass(time.Minute)
			w.rest("it settles", func(s keeping.Standing) bool { return s.Running == nil })
		}
		s := w.standing()
		if n := s.Failing.Tries; n < 30 || n > 45 || len(w.did) != n {
			t.Errorf("%d tries of %d", n, len(w.did))
		}
		for i, line := range w.log.have("a work on backups failed") {
			if want := fmt.Sprintf("set=shop/orders work=full targets=far tries=%d reason=error.unreachable error=\"unreachable: gone\"", i+1); i >= s.Failing.Tries || !strings.Contains(line, want) {
				t.Errorf("line %d: %s", i, line)
			}
		}
		if n := len(w.log.have("")); n != s.Failing.Tries {
			t.Errorf("%d lines of %d failures", n, s.Failing.Tries)
		}
		problems := keeping.Problems(set, &s, w.clock())
		if len(problems) != 1 || problems[0].ID != continuity.SetFailing || keeping.State(set, &s, w.clock()) != continuity.SetFailing {
			t.Errorf("%+v", problems)
		}
		w.pass(time.Minute)
		s = w.standing()
		if problems = keeping.Problems(set, &s, w.clock()); len(problems) != 2 || problems[0].ID != continuity.SetStale {
			t.Errorf("after 1.5 of a day: %+v", problems)
		}
		w.mu.Lock()
		delete(w.fail, continuity.WorkFull)
		w.mu.Unlock()
		w.pass(time.Hour)
		s = w.rest("it goes again", proven)
		if p := keeping.Problems(set, &s, w.clock()); len(p) > 0 || s.Failing != nil {
			t.Errorf("%+v", p)
		}
	})
}

// TestARefutedBackupIsNotGreen has a restore find other data.
func TestARefutedBackupIsNotGreen(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.sets = []keeping.Set{orders(t, nil)}
		set := &w.sets[0]
		w.differ = true
		s := w.rest("it was tried", proven)
		p := keeping.Problems(set, &s, w.clock())
		if keeping.State(set, &s, w.clock()) != continuity.SetFaulty || len(p) != 1 || p[0].Why.Args["what"] != "orders rows" || s.Waits.IsZero() {
			t.Errorf("%+v %+v", s, p)
		}
		if said := w.log.have("level=ERROR"); len(said) != 1 || !strings.Contains(said[0], `msg="a backup is bad" set=shop/orders work=verify backup=p1 target=far differ="orders rows"`) {
			t.Errorf("in the log: %q", said)
		}
		// Nothing is removed on account of it, and it is not green the day after.
		for range 24 {
			w.pass(time.Hour)
			w.rest("it settles", func(s keeping.Standing) bool { return s.Running == nil && s.Proving == nil })
		}
		for _, work := range w.did {
			if work == continuity.WorkPrune {
				t.Error("something was removed")
			}
		}
		w.mu.Lock()
		w.differ = false
		w.mu.Unlock()
		ask(t, w, continuity.WorkVerify)
		s = w.rest("it was proven", func(s keeping.Standing) bool { return s.Answered != nil })
		if keeping.State(set, &s, w.clock()) != continuity.SetGreen || !s.Answered.Good || s.Answered.By.ID != "li.wei" {
			t.Errorf("%+v", s)
		}
	})
}

// TestAPlaceThatIsGoneIsNamed has the reason speak of the place, and of no relay.
func TestAPlaceThatIsGoneIsNamed(t *testing.T) {
	why := keeping.Reason(fmt.Errorf("capture: %w", target.NoPlace("/srv/nas", errors.New("gone"))))
	if text := catalogue.Text(catalogue.En, why.Code, why.Args); !strings.HasPrefix(text, "/srv/nas is not there") {
		t.Error(text)
	}
}

// TestWhatIsGreen has a place not take the newest backup, another one not be there when it
// was looked, a newer backup wait for its proof, and work fail.
func TestWhatIsGreen(t *testing.T) {
	set := orders(t, nil)
	gone := continuity.CheckReason{Code: "error.unreachable"}
	work := continuity.BackupWork{Backup: "p1", Ended: begin, Good: true}
	failed := func(tries int, code string) *continuity.BackupWork {
		return &continuity.BackupWork{Work: continuity.WorkFull, Started: begin, Tries: tries, Why: continuity.CheckReason{Code: code}}
	}
	for name, want := range map[string]struct {
		state       string
		taken, away []continuity.TargetResult
		waits       time.Time
		failing     *continuity.BackupWork
		follow      *continuity.Followed
	}{
		"a newer one is not proven":  {state: continuity.SetUnproven, waits: begin},
		"work failed once":           {state: continuity.SetFailing, failing: failed(1, gone.Code)},
		"its node died once":         {state: continuity.SetGreen, failing: failed(1, "keeping.why.interrupted")},
		"its node dies of it":        {state: continuity.SetFailing, failing: failed(2, "keeping.why.interrupted")},
		"changes are not followed":   {state: continuity.SetFailing, follow: &continuity.Followed{Since: begin, Failing: true, Tries: 1}},
		"changes are followed again": {state: continuity.SetGreen, follow: &continuity.Followed{Since: begin}},
		"all took it":                {state: continuity.SetGreen, taken: []continuity.TargetResult{{Target: "near"}, {Target: "far"}}},
		"one did not":                {state: continuity.SetLacking, taken: []continuity.TargetResult{{Target: "near"}, {Target: "far", Why: gone}}},
		"one is away":                {state: continuity.SetLacking, taken: []continuity.TargetResult{{Target: "near"}, {Target: "far"}}, away: []continuity.TargetResult{{Target: "far", Why: gone}}},
	} {
		captured, proved := work, work
		captured.Targets = want.taken
		s := keeping.Standing{Safe: begin, BackupSet: continuity.BackupSet{Since: begin, Captured: &captured, Full: &captured, Proven: &proved, Away: want.away, Waits: want.waits, Failing: want.failing, Follow: want.follow}}
		if state := keeping.State(&set, &s, begin.Add(time.Minute)); state != want.state {
			t.Errorf("%s: %s", name, state)
		}
	}
}

func ask(t *testing.T, w *world, work string) {
	t.Helper()
	acts := keeping.NewActs(keeping.ActsOptions{Store: w.store, Plans: w, Now: w.clock})
	if _, err := acts.Ask(t.Context(), continuity.Actor{Kind: "user", ID: "li.wei"}, "shop", "orders", work, ""); err != nil {
		t.Fatal(err)
	}
}

// TestAClockThatIsAheadHidesNothing notes something in the far future: it counts as
// nothing.
func TestAClockThatIsAheadHidesNothing(t *testing.T) {
	set := orders(t, nil)
	s := keeping.Standing{BackupSet: continuity.BackupSet{Since: begin.Add(-48 * time.Hour)}, Safe: begin.AddDate(10, 0, 0)}
	if keeping.State(&set, &s, begin) != continuity.SetStale {
		t.Error("it is in time for ten years")
	}
}
