package replay

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
	"holdfast/internal/upstream"
)

// Ledger is what replay needs of the ledger.
type Ledger interface {
	Claim(route string) (ledger.Status, bool)
	Release(r continuity.Receipt)
	Record(at continuity.Position) (*continuity.Record, error)
	Attempt(r continuity.Receipt) (ledger.Status, error)
	Finish(o continuity.Outcome) (ledger.Status, error)
	FinishAsync(o continuity.Outcome, done func(ledger.Status, error))
	Ready(route string) <-chan struct{}
	NextDue(route string) (time.Duration, bool)
	Effective(route string) (continuity.Intake, continuity.Replay)
	Switch(s continuity.Switch) error
	Switches(route string) []continuity.Switch
	Counters(route string) ledger.Counters
	Outside() continuity.Clock // what Status.FirstAttempt is measured by
	Latched() error
}

// Health hears what attempts say about the route's upstream, and switches the
// route. What it returns is that a switch could not be kept.
type Health interface {
	Succeeded()
	CleanFailed() error
	LostAttempt() error
}

// Owner owns the switches that replay sets. To resume a route after its
// credentials were refused, lift this owner's switch.
const Owner = "replay"

// Options say what a Drainer works with.
type Options struct {
	Route  continuity.Route
	Ledger Ledger
	Sender upstream.Sender
	// Standby sends what was attempted at the route's standby; nil: there is none.
	Standby upstream.Sender
	Meter   *Meter // counts the upstream's load; the live path counts there too
	Health  Health // nil: nobody listens
	Logger  *slog.Logger
	Seed    uint64 // of the jitter between tries
	// StopWithin is how long Stop lets attempts go on; 0: ten seconds.
	StopWithin time.Duration
}

const (
	tickBusy = 100 * time.Millisecond // how often the ramp looks at live traffic
	tickIdle = time.Second
	// distrustAfter this many lost attempts in a row records go out one by one.
	distrustAfter = 3
	probeFirst    = 250 * time.Millisecond
	probeMost     = 5 * time.Second
)

// Drainer replays one route's records. Start it once; Stop returns when what
// was in flight has been recorded.
type Drainer struct {
	Options
	route string
	ramp  *Ramp
	gains gains

	cancel  context.CancelFunc
	started chan struct{}
	stopped chan struct{}
	send    context.Context // ends when stopping took too long
	abort   context.CancelFunc
	work    sync.WaitGroup
	jobs    chan ledger.Status
	nudged  chan struct{} // something about pauses changed
	freed   chan struct{} // an attempt ended

	mu       sync.Mutex
	random   *rand.Rand
	inFlight int
	workers  int
	mode     continuity.Replay
	entered  time.Time // when mode began
	began    time.Time // this drain
	paused   Pause
	denied   bool // a pause for credentials that has yet to become a switch
	distrust distrust
	journal  time.Time // the journal had trouble: no attempt before; zero once one was recorded
	flow     flow

	// The dispatcher's own:
	ticked, counted time.Time
	warned          bool // of records that would expire first
}

// distrust keeps a backlog from being burnt on an upstream that is down: one
// record at a time, after a growing pause where nothing could be reached, until
// an answer comes.
type distrust struct {
	since     time.Time // zero: trusted
	until     time.Time
	unreached int
	lost      int
}

// New returns a Drainer that has yet to be started.
func New(o Options) *Drainer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = NewMeter(Estimate{})
	}
	if o.StopWithin <= 0 {
		o.StopWithin = 10 * time.Second
	}
	o.Route.Ramp.InFlight = max(1, o.Route.Ramp.InFlight)
	return &Drainer{
		Options: o, route: o.Route.ID, ramp: NewRamp(o.Route.Ramp),
		started: make(chan struct{}), stopped: make(chan struct{}),
		jobs: make(chan ledger.Status), nudged: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		random: rand.New(rand.NewPCG(o.Seed, 0)), // #nosec G404 -- jitter
	}
}

// Start begins to replay until ctx is done or Stop is called.
func (d *Drainer) Start(ctx context.Context) {
	ctx, d.cancel = context.WithCancel(ctx)
	d.send, d.abort = context.WithCancel(context.WithoutCancel(ctx))
	go d.run(ctx)
}

// Started is closed once the Drainer works.
func (d *Drainer) Started() <-chan struct{} { return d.started }

// Stop begins nothing new, lets attempts in flight end for StopWithin, breaks
// off the rest, and returns when the outcome of each is recorded.
func (d *Drainer) Stop() {
	if d.cancel == nil {
		return
	}
	d.cancel()
	<-d.stopped
}

// Nudge makes the Drainer look at the route's switches at once.
func (d *Drainer) Nudge() { signal(d.nudged) }

// Gained counts a record that joined a key which was in the gate already.
func (d *Drainer) Gained(key continuity.KeyTag) { d.gains.in(key) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// hurdle is what the dispatcher waits for, and for how long at most.
type hurdle struct {
	wait   time.Duration
	record bool // until a record can be claimed
	slot   bool // until an attempt ends
}

func (d *Drainer) run(ctx context.Context) {
	defer close(d.stopped)
	defer d.finish()
	ready := d.Ledger.Ready(d.route)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	close(d.started)
	for ctx.Err() == nil {
		h := d.step(time.Now())
		if h.wait <= 0 {
			continue
		}
		var record, slot <-chan struct{}
		if h.record {
			record = ready
		}
		if h.slot {
			slot = d.freed
		}
		timer.Reset(h.wait)
		select {
		case <-ctx.Done():
		case <-d.nudged:
		case <-record:
		case <-slot:
		case <-timer.C:
		}
	}
}

// finish waits for what is in flight.
func (d *Drainer) finish() {
	close(d.jobs)
	defer d.abort()
	defer time.AfterFunc(d.StopWithin, d.abort).Stop()
	d.work.Wait()
}

// step begins one attempt, or tells what stands in its way.
func (d *Drainer) step(now time.Time) hurdle {
	d.tick(now)
	limit, pause, wait := d.permitted(now)
	d.setPaused(pause, wait)
	if limit == 0 {
		return hurdle{wait: min(wait, tickIdle)}
	}
	if d.flying() >= limit {
		d.bound()
		return hurdle{wait: tickBusy, slot: true}
	}
	if wait := d.ramp.Wait(now); wait > 0 {
		return hurdle{wait: min(wait, tickBusy)}
	}
	st, ok := d.Ledger.Claim(d.route)
	if !ok {
		return d.starved()
	}
	d.ramp.Take(now)
	d.hand(st)
	return hurdle{}
}

// starved waits for a record that can be claimed.
func (d *Drainer) starved() hurdle {
	d.bound()
	h := hurdle{wait: tickIdle, record: true}
	if d.flying() > 0 {
		h.wait = tickBusy
	}
	if due, ok := d.Ledger.NextDue(d.route); ok {
		h.wait = min(h.wait, max(due, time.Millisecond))
	}
	return h
}

// hand gives a claimed record to a worker that waits, or to a new one.
func (d *Drainer) hand(st ledger.Status) {
	d.mu.Lock()
	d.inFlight++
	d.mu.Unlock()
	select {
	case d.jobs <- st:
		return
	default:
	}
	if d.workers == d.Route.Ramp.InFlight {
		d.jobs <- st // a worker is on its way back
		return
	}
	d.workers++
	d.work.Go(func() {
		for ok := true; ok; st, ok = <-d.jobs {
			d.deliver(st)
			d.mu.Lock()
			d.inFlight--
			d.mu.Unlock()
			signal(d.freed)
		}
	})
}

func (d *Drainer) flying() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inFlight
}

// permitted tells how many records may be out at once, and, where something is
// wrong, why no more; if none may, also when to ask again.
func (d *Drainer) permitted(now time.Time) (limit int, pause Pause, wait time.Duration) {
	if d.makeSwitch() {
		return 0, PauseCredentials, tickIdle
	}
	_, mode := d.Ledger.Effective(d.route)
	d.enter(mode, now)
	if mode == continuity.ReplayOff {
		return 0, PauseOff, tickBusy
	}
	if wait := d.ramp.Silent(now); wait > 0 {
		return 0, PauseRetryAfter, wait
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.journal.IsZero():
		limit, pause, wait = 1, PauseJournal, d.journal.Sub(now)
	case d.distrust.unreached > 0:
		limit, pause, wait = 1, PauseUnreachable, d.distrust.until.Sub(now)
	case mode == continuity.ReplayTrial, !d.distrust.since.IsZero():
		return 1, "", 0
	default:
		return d.Route.Ramp.InFlight, "", 0
	}
	if wait > 0 {
		limit = 0
	}
	return limit, pause, wait
}

// enter notices a change of the replay setting; each drain begins with a new
// ramp.
func (d *Drainer) enter(mode continuity.Replay, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if mode == d.mode {
		return
	}
	d.mode, d.entered = mode, now
	d.distrust = distrust{}
	d.ramp.Reset()
	if mode == continuity.ReplayOn { // what was held until now passes beside
		d.flow.returning, d.flow.gain, d.flow.drained = d.flow.gain, 0, 0
	}
	d.began = time.Time{}
	if mode != continuity.ReplayOff {
		d.began = now
	}
}

// makeSwitch turns a refusal of credentials into a durable switch, and reports
// whether that has yet to succeed.
func (d *Drainer) makeSwitch() bool {
	d.mu.Lock()
	denied := d.denied
	d.mu.Unlock()
	if !denied {
		return false
	}
	err := d.Ledger.Switch(continuity.Switch{
		Route: d.route, Owner: Owner, Reason: string(continuity.ReasonCredentials), Replay: continuity.ReplayOff,
	})
	if err != nil {
		d.Logger.Error("replay paused, but the switch could not be kept", "route", d.route, "error", err)
		return true
	}
	d.mu.Lock()
	d.denied = false
	d.mu.Unlock()
	return false
}

// tick lets the ramp follow live traffic, and counts what was drained.
func (d *Drainer) tick(now time.Time) {
	if now.Sub(d.ticked) < tickBusy {
		return
	}
	d.ticked = now
	d.Meter.Sample(now)
	live, _ := d.Meter.Rates()
	d.ramp.Tick(now, d.capacity(), live, d.busy())
	if now.Sub(d.counted) >= time.Second {
		d.counted = now
		d.account(now)
		d.warn()
	}
}

// busy reports whether there is something to send and nothing forbids it.
func (d *Drainer) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inFlight > 0 || d.paused == PauseNone && d.flow.drainable > 0
}

// capacity is what bounds live requests and replay together. Where nobody stated
// it, it is no lower than what clients ask for: that much reaches the upstream
// anyhow, key by key as their gates open, and a drain that is slower than
// records join it would never end. A minute in which requests were held back is
// healthy and yet shows less than that.
func (d *Drainer) capacity() float64 {
	if d.Route.Capacity > 0 {
		return d.Route.Capacity
	}
	return max(d.Meter.Capacity(), measuredMargin*d.Meter.Demand())
}
