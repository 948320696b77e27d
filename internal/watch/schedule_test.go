package watch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
)

// look is a Looker that takes its time and notes when it began.
type look struct {
	id   string
	took time.Duration

	mu    sync.Mutex
	began []time.Time
}

func (l *look) Run(ctx context.Context) continuity.CheckResult {
	l.mu.Lock()
	l.began = append(l.began, time.Now())
	l.mu.Unlock()
	at := time.Now()
	state := continuity.CheckUp
	if l.took > 0 {
		select {
		case <-time.After(l.took):
		case <-ctx.Done():
			state = continuity.CheckUnknown
		}
	}
	return continuity.CheckResult{Check: l.id, At: at, State: state, Took: time.Since(at)}
}

func (l *look) times() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.began)
}

// rig runs a scheduler in a bubble of time.
type rig struct {
	*Scheduler
	looks map[string]*look
	got   map[string]int
	mu    sync.Mutex
	stop  func()
}

func newRig(t *testing.T, o Options) *rig {
	r := &rig{looks: map[string]*look{}, got: map[string]int{}}
	o.Deliver = func(results []continuity.CheckResult) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, x := range results {
			r.got[x.Check]++
		}
	}
	r.Scheduler = NewScheduler(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	r.stop = func() { cancel(); <-done }
	return r
}

func (r *rig) task(id string, every, took time.Duration) Task {
	r.looks[id] = &look{id: id, took: took}
	return Task{ID: id, Every: every, Look: r.looks[id]}
}

func (r *rig) results(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[id]
}

// broken is a Looker with a fault.
type broken struct{}

func (broken) Run(context.Context) continuity.CheckResult { panic("a fault") }

// TestAFaultInOneLook has a look panic: the check is unknown, and the others go on.
func TestAFaultInOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		r := newRig(t, Options{Node: "here", Quick: 1, Slow: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
		r.Set([]Task{{ID: "shop/broken", Every: time.Second, Look: broken{}}, r.task("shop/well", time.Second, 0)})
		time.Sleep(time.Minute)
		synctest.Wait()
		found, err := r.Look(t.Context(), "shop/broken")
		r.stop()
		if err != nil || found.State != continuity.CheckUnknown || found.Reason.Code != "watch.broke" || found.Check != "shop/broken" || found.Node != "here" {
			t.Errorf("%+v, %v", found, err)
		}
		for _, id := range []string{"shop/broken", "shop/well"} {
			if n := r.results(id); n < 58 {
				t.Errorf("%s: %d results", id, n)
			}
		}
		if !strings.Contains(log.String(), "check=shop/broken") || !strings.Contains(log.String(), "schedule_test.go") {
			t.Error(log.String())
		}
	})
}

// fading is a Looker that finds nothing wrong until the fault, and then waits in vain.
type fading struct {
	look

	timeout time.Duration // how long a bad look takes
	mu      sync.Mutex
	faulty  bool
	state   continuity.CheckState // of a bad look
}

func (f *fading) Run(ctx context.Context) continuity.CheckResult {
	f.mu.Lock()
	faulty := f.faulty
	f.mu.Unlock()
	r := f.look.Run(ctx)
	if faulty {
		time.Sleep(f.timeout)
		r.State = f.state
	}
	return r
}

func (f *fading) fail(faulty bool) {
	f.mu.Lock()
	f.faulty = faulty
	f.mu.Unlock()
}

// TestALookAtOnceAfterAFirstBadOne counts the looks from a fault on: one comes soon,
// where there is room for it, and all others as they are due.
func TestALookAtOnceAfterAFirstBadOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		every   time.Duration
		timeout time.Duration
		state   continuity.CheckState
		closer  bool
		want    string // looks after the fault, counted from the first
	}{
		{"refused", 30 * time.Second, 0, continuity.CheckDown, true, "0s 5s 30s 1m0s 1m30s"},
		{"slow", 30 * time.Second, 0, continuity.CheckDegraded, true, "0s 5s 30s 1m0s 1m30s"},
		{"timed out", 30 * time.Second, 10 * time.Second, continuity.CheckDown, true, "0s 11s 30s 1m0s 1m30s"},
		{"seldom", 10 * time.Minute, 10 * time.Second, continuity.CheckDown, true, "0s 11s 10m0s 20m0s 30m0s"},
		{"no room", 15 * time.Second, 10 * time.Second, continuity.CheckDown, true, "0s 15s 30s 45s 1m0s"},
		{"often", 4 * time.Second, 0, continuity.CheckDown, true, "0s 4s 8s 12s 16s"},
		{"it learnt nothing", 30 * time.Second, 0, continuity.CheckUnknown, true, "0s 30s 1m0s 1m30s 2m0s"},
		{"a heartbeat", 30 * time.Second, 0, continuity.CheckDown, false, "0s 30s 1m0s 1m30s 2m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{Node: "here"})
				defer r.stop()
				f := &fading{timeout: c.timeout, state: c.state}
				r.Set([]Task{{ID: "shop/web", Every: c.every, Closer: c.closer, Look: f}})
				time.Sleep(2 * c.every)
				synctest.Wait()
				f.fail(true)
				before := len(f.times())
				time.Sleep(5 * c.every)
				synctest.Wait()
				times := f.times()[before:]
				var got []string
				for _, at := range times[:5] {
					got = append(got, at.Sub(times[0]).Round(100*time.Millisecond).String())
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%q, want %q", got, c.want)
				}
				// Once it was well, the next fault is a first one again.
				f.fail(false)
				time.Sleep(3 * c.every)
				synctest.Wait()
				if skipped := r.Skipped("shop/web"); skipped != 0 {
					t.Errorf("%d looks were skipped", skipped)
				}
				f.fail(true)
				before = len(f.times())
				time.Sleep(3 * c.every)
				synctest.Wait()
				times = f.times()[before:]
				if again := times[1].Sub(times[0]).Round(100 * time.Millisecond).String(); again != strings.Fields(c.want)[1] {
					t.Errorf("the second time after %s", again)
				}
			})
		})
	}
}

// TestSpread has three hundred checks begin at once: none is looked at in a herd,
// each is looked at once in its interval, and none drifts.
func TestSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		var all []Task
		for i := range 300 {
			all = append(all, r.task(fmt.Sprintf("shop/c%d", i), 10*time.Second, 0))
		}
		r.Set(all)
		start := time.Now()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		r.stop()
		seconds := map[time.Duration]int{}
		for id, l := range r.looks {
			times := l.times()
			if n := len(times); n < 59 || n > 60 {
				t.Fatalf("%s: %d looks in ten minutes", id, n)
			}
			for i, at := range times {
				if i > 0 {
					if gap := at.Sub(times[i-1]); gap < 10*time.Second-2*quantum || gap > 10*time.Second+2*quantum {
						t.Fatalf("%s: a gap of %s", id, gap)
					}
				}
				seconds[at.Sub(start).Truncate(time.Second)%(10*time.Second)]++
			}
		}
		for second, n := range seconds {
			if n < 900 || n > 2700 {
				t.Errorf("%d looks in second %s of the interval", n, second)
			}
		}
		if s := r.Stats(); s.Skipped != 0 || s.Checks != 300 {
			t.Errorf("%+v", s)
		}
	})
}

// TestOverrun has a target that answers later than the next look is due.
func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		r.Set([]Task{r.task("a/slow", 10*time.Second, 25*time.Second), r.task("a/quick", 10*time.Second, 0)})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		slow := r.looks["a/slow"].times()
		for i := 1; i < len(slow); i++ {
			if gap := slow[i].Sub(slow[i-1]); gap < 29*time.Second {
				t.Errorf("a look after %s, while the last one ran", gap)
			}
		}
		if skipped := r.Skipped("a/slow"); skipped < 38 || skipped > 41 {
			t.Errorf("%d skipped", skipped)
		}
		if n := len(r.looks["a/quick"].times()); n < 59 || r.Skipped("a/quick") != 0 {
			t.Errorf("%d quick ones, %d skipped", n, r.Skipped("a/quick"))
		}
		r.stop()
	})
}

// TestFairness has many times as many targets in a black hole as there is room
// for: the quick ones are looked at in time, and the slow ones in turn.
func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Quick: 4, Slow: 8})
		var all []Task
		for i := range 200 {
			all = append(all, r.task(fmt.Sprintf("hole/%d", i), 10*time.Second, 9*time.Second))
		}
		r.Set(all)
		time.Sleep(5 * time.Minute) // each of them turned out to be slow
		for i := range 20 {
			all = append(all, r.task(fmt.Sprintf("shop/%d", i), 10*time.Second, 10*time.Millisecond))
		}
		r.Set(all)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for i := range 20 {
			id := fmt.Sprintf("shop/%d", i)
			if n := r.results(id); n < 59 || r.Skipped(id) > 0 {
				t.Errorf("%s: %d results, %d skipped", id, n, r.Skipped(id))
			}
		}
		if s := r.Stats(); s.Running > 8+4 {
			t.Errorf("%+v", s)
		}
		least, most := 1<<30, 0
		for i := range 200 {
			n := len(r.looks[fmt.Sprintf("hole/%d", i)].times())
			least, most = min(least, n), max(most, n)
		}
		if least == 0 || most > least+2 {
			t.Errorf("slow ones were looked at %d to %d times", least, most)
		}
		r.stop()
	})
}

// TestSet exchanges checks at run time.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		a, b := r.task("x/a", 10*time.Second, 0), r.task("x/b", 10*time.Second, 3*time.Second)
		a.Fingerprint, b.Fingerprint = "1", "1"
		r.Set([]Task{a, b})
		time.Sleep(time.Minute)
		first := r.looks["x/a"]
		again := r.task("x/a", 10*time.Second, 0)
		again.Fingerprint = "1"
		r.Set([]Task{again}) // the same: goes on in its phase, with its look
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(first.times()); n != 12 || len(r.looks["x/a"].times()) != 0 {
			t.Errorf("%d looks of the first, %d of the second", n, len(r.looks["x/a"].times()))
		}
		gone := len(r.looks["x/b"].times())
		changed := r.task("x/a", time.Minute, 0)
		changed.Fingerprint = "2"
		r.Set([]Task{changed})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(r.looks["x/a"].times()); n < 10 || n > 11 {
			t.Errorf("%d looks at what is looked at each minute", n)
		}
		if n := len(r.looks["x/b"].times()); n != gone {
			t.Errorf("%d looks at what is gone, %d before", n, gone)
		}
		seldom := r.task("x/seldom", 24*time.Hour, 0)
		r.Set([]Task{seldom})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(r.looks["x/seldom"].times()); n != 1 {
			t.Errorf("%d looks at what is looked at each day", n)
		}
		if _, err := r.Look(t.Context(), "x/none"); continuity.CodeOf(err) != continuity.CodeNotFound {
			t.Error(err)
		}
		if got, err := r.Look(t.Context(), "x/seldom"); err != nil || got.State != continuity.CheckUp {
			t.Errorf("%+v, %v", got, err)
		}
		r.stop()
	})
}

// TestStop ends while looks run: Run returns at once, nothing is left behind
// (the bubble would notice), and what was cut off is no result.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Quick: 2})
		var all []Task
		for i := range 20 {
			all = append(all, r.task(fmt.Sprintf("x/%d", i), 10*time.Second, 9*time.Second))
		}
		r.Set(all)
		time.Sleep(5 * time.Second)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("took %s", took)
		}
		for id, n := range r.got {
			t.Errorf("%s: %d results of looks that were cut off", id, n)
		}
	})
}
