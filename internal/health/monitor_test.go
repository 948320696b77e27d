package health_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/health"
	"holdfast/internal/upstream"
)

// world is what surrounds a monitor: an upstream that can be down, the standing
// switches, and whether there is something to replay.
type world struct {
	mu       sync.Mutex
	down     bool
	status   int
	pending  bool
	err      error
	switches []continuity.Switch
	checks   int
}

func (w *world) Send(_ context.Context, a upstream.Attempt) upstream.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks++
	if w.down || a.Method != "GET" || a.Target != "/health" || a.Host != "shop:9001" {
		return upstream.Result{Class: upstream.Clean, Err: errors.New("refused")}
	}
	return upstream.Result{Class: upstream.Answered, Status: w.status, Body: io.NopCloser(strings.NewReader("ok"))}
}

func (w *world) Switch(s continuity.Switch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.switches = append(w.switches, s)
	}
	return w.err
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) history() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var words []string
	for _, s := range w.switches {
		word := s.Intake.String() + "/" + s.Replay.String()
		if s.Lift {
			word = "lift"
		}
		if s.Owner != continuity.OwnerHealth || s.Route != "orders" || s.Reason == "" {
			word += "?"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

var passive = continuity.Detect{Losses: 3, Within: 10 * time.Second, Up: 2, Down: 2}
var active = continuity.Detect{Losses: 3, Within: 10 * time.Second, Path: "/health", Every: time.Second, Up: 2, Down: 3}

func monitor(w *world, d continuity.Detect, standing *continuity.Switch) *health.Monitor {
	w.status = 200
	return health.New(health.Options{
		Route:  &continuity.Route{ID: "orders", Upstream: "http://shop:9001", Detect: d},
		Sender: w, Switches: w, Standing: standing,
		Pending: func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.pending },
	})
}

// start runs a monitor's loop until the test ends, within its bubble.
func start(t *testing.T, d continuity.Detect, standing *continuity.Switch) (*world, *health.Monitor) {
	t.Helper()
	w := &world{}
	m := monitor(w, d, standing)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	synctest.Wait()
	return w, m
}

func expect(t *testing.T, m *health.Monitor, w *world, state health.State, history string) {
	t.Helper()
	synctest.Wait()
	if m.State() != state {
		t.Fatalf("state %s, want %s (%s)", m.State(), state, w.history())
	}
	if got := w.history(); got != history {
		t.Fatalf("switches %q, want %q", got, history)
	}
}

func TestCleanFailureSwitchesAtOnceAndDurably(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		w.set(func() { w.err = continuity.E(continuity.CodeLatched, nil) })
		if err := m.CleanFailed(); continuity.CodeOf(err) != continuity.CodeLatched {
			t.Errorf("error %v, want the journal's", err)
		}
		expect(t, m, w, health.Up, "") // not durable: it does not act
		w.set(func() { w.err = nil })
		for range 3 {
			if err := m.CleanFailed(); err != nil {
				t.Error(err)
			}
		}
		expect(t, m, w, health.Down, "hold/off")
		if i := m.Info(); i.Reason != health.ReasonUnreachable || i.State != health.Down {
			t.Errorf("info %+v", i)
		}
	})
}

func TestLossesWithinAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		for range 5 { // never three within ten seconds
			m.LostAttempt()
			m.LostAttempt()
			time.Sleep(10 * time.Second)
		}
		expect(t, m, w, health.Up, "")
		for range 3 {
			m.LostAttempt()
			time.Sleep(3 * time.Second)
		}
		if got := w.history(); !strings.HasPrefix(got, "hold/off") {
			t.Errorf("switches %q, want a hold", got)
		}
	})
}

// What was lost before the route went down is not counted again afterwards.
func TestLossesCountOnce(t *testing.T) {
	d := passive
	d.Up = 1
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, d, nil)
		w.set(func() { w.pending = true })
		m.LostAttempt()
		m.LostAttempt()
		m.CleanFailed()
		time.Sleep(time.Second)
		synctest.Wait()
		m.Succeeded()
		m.LostAttempt()
		expect(t, m, w, health.Up, "hold/off hold/trial lift")
	})
}

func TestActiveChecksDontCutTheLeastTimeDown(t *testing.T) {
	d := active
	d.Every, d.Up = 100*time.Millisecond, 1
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, d, nil)
		w.set(func() { w.pending = true })
		time.Sleep(50 * time.Millisecond)
		m.CleanFailed()
		time.Sleep(900 * time.Millisecond)
		expect(t, m, w, health.Down, "hold/off")
		time.Sleep(200 * time.Millisecond)
		expect(t, m, w, health.Trial, "hold/off hold/trial")
	})
}

func TestTrialByReplayWithoutActiveCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		w.set(func() { w.pending = true })
		m.CleanFailed()
		m.Succeeded() // sent before it went down
		expect(t, m, w, health.Down, "hold/off")
		time.Sleep(time.Second)
		expect(t, m, w, health.Trial, "hold/off hold/trial")
		if m.TryLive() {
			t.Error("a live request is let through while replay tries")
		}
		m.Succeeded()
		expect(t, m, w, health.Trial, "hold/off hold/trial")
		m.Succeeded()
		expect(t, m, w, health.Up, "hold/off hold/trial lift")
	})
}

func TestTrialByOneLiveRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		if m.TryLive() {
			t.Error("a trial while up")
		}
		m.CleanFailed()
		if m.TryLive() {
			t.Error("a trial while down")
		}
		time.Sleep(time.Second)
		expect(t, m, w, health.Trial, "hold/off hold/trial")
		if !m.TryLive() || m.TryLive() {
			t.Error("want exactly one live trial")
		}
		m.Succeeded()
		if !m.TryLive() {
			t.Error("no second trial after the first was answered")
		}
		m.CleanFailed()
		expect(t, m, w, health.Down, "hold/off hold/trial hold/off")
	})
}

func TestTrialGoesOnWhenReplayIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		w.set(func() { w.pending = true }) // all of it behind a parked key
		m.CleanFailed()
		time.Sleep(time.Second)
		expect(t, m, w, health.Trial, "hold/off hold/trial")
		time.Sleep(9 * time.Second)
		if m.TryLive() {
			t.Error("replay has no time to try")
		}
		time.Sleep(time.Second)
		if !m.TryLive() {
			t.Error("nothing tries the upstream any more")
		}
	})
}

func TestFlappingStaysDownLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		w.set(func() { w.pending = true })
		var stayed []time.Duration
		down := func() {
			m.CleanFailed()
			began := time.Now()
			for m.State() == health.Down {
				time.Sleep(500 * time.Millisecond)
				synctest.Wait()
			}
			stayed = append(stayed, time.Since(began))
		}
		for range 7 {
			down() // and again out of each trial
		}
		m.Succeeded()
		m.Succeeded()
		time.Sleep(time.Minute) // up long enough to count as healthy again
		down()
		want := []time.Duration{1, 2, 4, 8, 16, 30, 30, 1}
		for n, d := range stayed {
			if d != want[n]*time.Second {
				t.Errorf("stayed down %v, want %d times a second", stayed, want)
				break
			}
		}
	})
}

func TestActiveChecksWithHysteresis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, active, nil)
		half := func() { time.Sleep(500 * time.Millisecond) } // checks are at whole seconds
		half()
		w.set(func() { w.down = true })
		time.Sleep(2 * time.Second)
		expect(t, m, w, health.Up, "") // two of three
		w.set(func() { w.down = false })
		time.Sleep(time.Second) // a good one begins the count anew
		w.set(func() { w.status = 500 })
		time.Sleep(2 * time.Second)
		expect(t, m, w, health.Up, "")
		time.Sleep(time.Second)
		expect(t, m, w, health.Down, "hold/off")
		w.set(func() { w.status, w.pending = 204, true })
		time.Sleep(time.Second)
		w.set(func() { w.down = true })
		time.Sleep(time.Second)
		w.set(func() { w.down = false })
		time.Sleep(time.Second)
		expect(t, m, w, health.Down, "hold/off") // good, bad, good is no row
		time.Sleep(time.Second)
		expect(t, m, w, health.Trial, "hold/off hold/trial")
		time.Sleep(3 * time.Second)
		expect(t, m, w, health.Trial, "hold/off hold/trial") // checks don't replace the trial
		w.set(func() { w.down = true })
		time.Sleep(time.Second)
		expect(t, m, w, health.Down, "hold/off hold/trial hold/off")
		w.set(func() { w.down, w.pending = false, false })
		time.Sleep(3 * time.Second)
		expect(t, m, w, health.Up, "hold/off hold/trial hold/off hold/trial lift") // nothing to try with
	})
}

func TestStandingSwitchSurvivesRestart(t *testing.T) {
	hold := &continuity.Switch{Route: "orders", Owner: continuity.OwnerHealth, Reason: health.ReasonUnreachable, Intake: continuity.IntakeHold, Replay: continuity.ReplayOff}
	w := &world{}
	if m := monitor(w, active, hold); m.State() != health.Down || m.Info().Reason != health.ReasonUnreachable {
		t.Errorf("state %s after a restart while down", m.State())
	}
	trial := *hold
	trial.Replay = continuity.ReplayTrial
	if m := monitor(w, active, &trial); m.State() != health.Trial {
		t.Errorf("state %s after a restart in a trial", m.State())
	}
	if w.history() != "" {
		t.Errorf("a restart switched: %s", w.history())
	}
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, hold)
		expect(t, m, w, health.Trial, "hold/trial")
	})
}

func TestUndurableChangeIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, m := start(t, passive, nil)
		m.CleanFailed()
		w.set(func() { w.err = continuity.E(continuity.CodeDiskFull, nil) })
		time.Sleep(5 * time.Second)
		expect(t, m, w, health.Down, "hold/off")
		w.set(func() { w.err = nil })
		time.Sleep(time.Second)
		expect(t, m, w, health.Trial, "hold/off hold/trial")
	})
}

// Who fails while the switch is on its way to disk waits for it.
func TestConcurrentFailuresSwitchOnce(t *testing.T) {
	w := &world{}
	m := monitor(w, passive, nil)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := m.CleanFailed(); err != nil || m.State() != health.Down {
				t.Errorf("returned before the route was down: %v", err)
			}
		})
	}
	wg.Wait()
	if w.history() != "hold/off" {
		t.Errorf("switches %q", w.history())
	}
}
