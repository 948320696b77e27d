package health

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// The reasons that health's switches give; their texts are in the catalogue
// under "health.reason." and the reason.
const (
	ReasonUnreachable = "unreachable"  // a clean failure
	ReasonLost        = "lost"         // too many lost attempts
	ReasonCheck       = "check"        // active checks failed
	ReasonTrialFailed = "trial-failed" // a trial did not go well
	ReasonChecksPass  = "checks-pass"  // trial: active checks pass again
	ReasonWaited      = "waited"       // trial: the waiting time is over
	ReasonProven      = "proven"       // up: the trials were answered
	ReasonFollows     = "follows"      // down: a control node's check says so; not health's own
)

// State is what a Monitor holds of its upstream.
type State uint32

// The states.
const (
	Up State = iota
	Down
	Trial
)

// String returns up, down or trial.
func (s State) String() string { return [...]string{"up", "down", "trial"}[s] }

// Least and most time that a route stays down, and how long it must have been
// up for the least to count again.
const (
	leastDown  = time.Second
	mostDown   = 30 * time.Second
	stable     = time.Minute
	trialGuard = time.Minute // a live trial that never reports stops no other
	trialGrace = 10 * time.Second
)

// Switches is where a decision becomes durable.
type Switches interface {
	Switch(s continuity.Switch) error
}

// Options say what a Monitor watches.
type Options struct {
	Route    *continuity.Route
	Sender   upstream.Sender // for active checks
	Switches Switches
	Pending  func() bool        // reports whether the route has records that replay could try
	Standing *continuity.Switch // health's own switch as the journal has it; nil: none
	Logger   *slog.Logger
}

// Monitor is the health of one route. Its methods are safe for concurrent use.
type Monitor struct {
	o     Options
	state atomic.Uint32

	mu        sync.Mutex // held over the durable switch: who fails meanwhile waits for it
	since     time.Time
	reason    string
	losses    []time.Time // within Detect.Within
	row       int         // checks or trials in a row that speak for a change
	backoff   time.Duration
	notBefore time.Time // of the next trial
	trialAt   time.Time // when a live request was let through; zero: none is on its way
	heard     time.Time // when the trial began or an attempt in it was last reported
	wake      chan struct{}
}

// New makes a Monitor in the state that the standing switch tells.
func New(o Options) *Monitor {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Monitor{o: o, since: time.Now(), heard: time.Now(), wake: make(chan struct{}, 1)}
	if s := o.Standing; s != nil && s.Intake.Over(continuity.IntakePass) {
		m.reason = s.Reason
		m.state.Store(uint32(Down))
		if s.Replay == continuity.ReplayTrial {
			m.state.Store(uint32(Trial))
		}
	}
	return m
}

// State returns the present state.
func (m *Monitor) State() State { return State(m.state.Load()) }

// Info is what people see of a Monitor.
type Info struct {
	State  State
	Since  time.Time
	Reason string // of the last change; empty before the first
}

// Info describes the present state.
func (m *Monitor) Info() Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Info{m.State(), m.since, m.reason}
}

// Succeeded reports an attempt that was answered: by replay, or a live request
// that could have been held.
func (m *Monitor) Succeeded() {
	if m.State() != Trial {
		return // up: nothing to learn; down: it was sent before
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trialAt, m.heard = time.Time{}, time.Now()
	if m.State() != Trial {
		return
	}
	if m.row++; m.row >= max(1, m.o.Route.Detect.Up) {
		_ = m.change(Up, ReasonProven) // not durable: the next success tries again
	}
}

// CleanFailed reports an attempt that is known as not processed. When it
// returns nil the route is down, durably.
func (m *Monitor) CleanFailed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail(ReasonUnreachable)
}

// LostAttempt reports an attempt whose outcome is unknown. Its error says that
// the route should have gone down and could not.
func (m *Monitor) LostAttempt() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.State() != Up {
		return m.fail(ReasonLost)
	}
	d := m.o.Route.Detect
	now := time.Now()
	keep := m.losses[:0]
	for _, at := range m.losses {
		if now.Sub(at) < d.Within {
			keep = append(keep, at)
		}
	}
	m.losses = append(keep, now)
	if len(m.losses) < max(1, d.Losses) {
		return nil
	}
	return m.fail(ReasonLost)
}

// fail takes the route down, if it is not; m.mu is held.
func (m *Monitor) fail(reason string) error {
	m.trialAt = time.Time{}
	switch m.State() {
	case Down:
		return nil
	case Trial:
		reason = ReasonTrialFailed
	}
	return m.change(Down, reason)
}

// TryLive lets one live request through as a trial, and no other before that
// one was reported. The caller has found that the request's key is not in the
// gate.
func (m *Monitor) TryLive() bool {
	if m.State() != Trial {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.State() != Trial || m.replaying(now) || (!m.trialAt.IsZero() && now.Sub(m.trialAt) < trialGuard) {
		return false
	}
	m.trialAt = now
	return true
}

// replaying reports whether it is replay that tries the upstream. What waits
// behind a parked key, or for its settle time, tries nothing: after a while of
// silence others may. m.mu is held.
func (m *Monitor) replaying(now time.Time) bool {
	return now.Sub(m.heard) < trialGrace && m.o.Pending()
}

// change makes a new state durable and then takes it; m.mu is held. On an error
// the state stays as it was.
func (m *Monitor) change(to State, reason string) error {
	s := continuity.Switch{Route: m.o.Route.ID, Owner: continuity.OwnerHealth, Reason: reason}
	then := m.o.Route.Detect.Then
	if then == continuity.IntakeUnset {
		then = continuity.IntakeHold
	}
	switch to {
	case Up:
		s.Lift = true
	case Down:
		s.Intake, s.Replay = then, continuity.ReplayOff
	case Trial:
		s.Intake, s.Replay = then, continuity.ReplayTrial
	}
	from, now := m.State(), time.Now()
	began := m.since
	if err := m.o.Switches.Switch(s); err != nil {
		m.o.Logger.Error("health switch not durable, state unchanged", "route", s.Route, "from", from.String(), "to", to.String(), "reason", reason, "error", err)
		return err
	}
	if to == Down {
		m.postpone(from, now.Sub(m.since))
	}
	m.state.Store(uint32(to)) // #nosec G115 -- one of three
	m.since, m.reason, m.row, m.losses, m.trialAt = now, reason, 0, m.losses[:0], time.Time{}
	m.heard = now
	args := []any{"route", s.Route, "from", from.String(), "to", to.String(), "reason", reason, "after", now.Sub(began).String()}
	if to == Down {
		args = append(args, "stays_down", m.backoff.String())
	}
	m.o.Logger.Info("health switched", args...)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return nil
}

// postpone sets how long the route stays down at least.
func (m *Monitor) postpone(from State, lasted time.Duration) {
	switch {
	case from == Up && (lasted >= stable || m.backoff == 0):
		m.backoff = leastDown
	default:
		m.backoff = min(max(leastDown, 2*m.backoff), mostDown)
	}
	m.notBefore = time.Now().Add(m.backoff)
}
