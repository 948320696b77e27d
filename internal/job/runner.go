package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// Store keeps timers for all nodes; *store.Store is one.
type Store interface {
	Claim(ctx context.Context, node string, now time.Time, lease time.Duration) (continuity.Timer, bool, error)
	Extend(ctx context.Context, t continuity.Timer, lease time.Duration) error
	Retry(ctx context.Context, t continuity.Timer, due time.Time, reason string) error
	Done(ctx context.Context, t continuity.Timer, b continuity.Batch) ([]continuity.Object, error)
}

// Handler does one timer and returns what becomes true with its end; to come
// again, schedule a timer of the same id in the batch. An error means that the
// timer is tried again later; who gives up says so by a batch. The context ends
// when the claim is lost or the node stops.
type Handler func(ctx context.Context, t continuity.Timer) (continuity.Batch, error)

// Options is what a Runner needs. Zero durations and counts take their defaults.
type Options struct {
	Store    Store
	Node     string
	Handlers map[string]Handler // by kind of timer
	Log      *slog.Logger

	Lease    time.Duration // how long a dead node holds a timer up; 30 s
	Poll     time.Duration // how often is looked for what is due; 1 s
	Parallel int           // handlers at a time; 8
}

// Waits between attempts at one timer.
const (
	firstRetry   = 5 * time.Second
	longestRetry = time.Hour
	// Who overtook a job has changed what it started from: it starts again soon.
	overtakenRetry = time.Second
	// A kind that this program does not know is left to a newer one.
	strangerRetry = time.Minute
	// givingBack bounds the last words of a job whose node stops.
	givingBack = 5 * time.Second
)

// Reasons for an attempt's failure as they stand in Timer.Error, besides codes.
const (
	reasonUnknownKind = "unknown-kind"
	reasonStopped     = "stopped"
)

var errClaimLost = errors.New("the claim is lost")

// Runner does the timers of a node.
type Runner struct {
	o     Options
	wake  chan struct{}
	slots chan struct{}
}

// New returns a runner that does nothing until Run.
func New(o Options) *Runner {
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	return &Runner{o: o, wake: make(chan struct{}, 1), slots: make(chan struct{}, o.Parallel)}
}

// Wake has the runner look at once, as after a timer was scheduled for now.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it is going to look already
	}
}

// Run does what is due until the context ends, and returns when the last handler
// has ended. Timers that it could not finish are given back to other nodes.
func (r *Runner) Run(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	tick := time.NewTicker(r.o.Poll)
	defer tick.Stop()
	failing := false
	for {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		t, ok, err := r.o.Store.Claim(ctx, r.o.Node, now, r.o.Lease)
		if err != nil && ctx.Err() == nil && !failing {
			r.o.Log.Error("timers can't be claimed", "code", continuity.CodeOf(err), "error", err)
		}
		failing = err != nil
		if ok && err == nil {
			working.Go(func() {
				defer func() { <-r.slots; r.Wake() }()
				r.do(ctx, t, now.Add(r.o.Lease))
			})
			continue
		}
		<-r.slots
		select {
		case <-tick.C:
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

// do has one timer done that is claimed until then by this node's clock, renewing
// its claim, and says how it ended.
func (r *Runner) do(ctx context.Context, t continuity.Timer, until time.Time) {
	log := r.o.Log.With("timer", t.ID, "kind", t.Kind, "attempt", t.Attempts)
	handle := r.o.Handlers[t.Kind]
	if handle == nil {
		log.Warn("no handler for this kind of timer")
		r.giveBack(ctx, log, t, strangerRetry, reasonUnknownKind)
		return
	}
	working, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { r.renew(working, t, until, stop) })
	batch, err := safely(working, handle, t)
	lost := errors.Is(context.Cause(working), errClaimLost)
	stop(nil)
	renewing.Wait()
	if lost {
		log.Warn("another node took over")
		return
	}
	if err == nil {
		_, err = r.o.Store.Done(context.WithoutCancel(ctx), t, batch)
	}
	switch code := continuity.CodeOf(err); {
	case err == nil:
	case ctx.Err() != nil:
		r.giveBack(ctx, log, t, 0, reasonStopped)
	case code == continuity.CodeVersion:
		r.giveBack(ctx, log, t, overtakenRetry, string(code))
	default:
		log.Error("a job failed and is tried again", "code", code, "error", err)
		r.giveBack(ctx, log, t, continuity.Backoff(t.Attempts, firstRetry, longestRetry), string(code))
	}
}

// renew holds the claim while the handler works, and stops it when it is lost or
// could not be renewed in time.
func (r *Runner) renew(working context.Context, t continuity.Timer, until time.Time, stop context.CancelCauseFunc) {
	tick := time.NewTicker(r.o.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-working.Done():
			return
		case now := <-tick.C:
			err := r.o.Store.Extend(working, t, r.o.Lease)
			switch {
			case err == nil:
				until = now.Add(r.o.Lease)
			case continuity.CodeOf(err) == continuity.CodeVersion, !now.Add(r.o.Lease / 3).Before(until):
				stop(errClaimLost)
				return
			}
		}
	}
}

// giveBack lets any node try the timer after a wait, also while this one stops.
func (r *Runner) giveBack(ctx context.Context, log *slog.Logger, t continuity.Timer, wait time.Duration, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), givingBack)
	defer cancel()
	err := r.o.Store.Retry(ctx, t, time.Now().Add(wait), reason)
	if err != nil && continuity.CodeOf(err) != continuity.CodeVersion {
		log.Error("a timer can't be given back and waits for its lease", "error", err)
	}
}

// safely turns a panic into an error: one faulty job must not end the node.
func safely(ctx context.Context, handle Handler, t continuity.Timer) (b continuity.Batch, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = continuity.E(continuity.CodeInternal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return handle(ctx, t)
}
