package watch

import (
	"cmp"
	"context"
	"hash/fnv"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// Looker looks once; package probe makes them.
type Looker interface {
	Run(context.Context) continuity.CheckResult
}

// Task is a check as it is looked at.
type Task struct {
	ID    string // service/check
	Every time.Duration
	// Closer has a first bad look be followed by another one soon: not where looks
	// count what came since the one before, or wait for somebody to report.
	Closer bool
	// Fingerprint is of all that the check says: with the same one it is left as it is.
	Fingerprint string
	Look        Looker
}

// Options of a Scheduler; what is zero has its default.
type Options struct {
	Node     string                         // part of the phase: no two nodes look at the same moment
	Quick    int                            // looks at a time of what answered quickly; 256
	Slow     int                            // looks at a time of what did not; 4096
	Patience time.Duration                  // what is quick; 1 s
	Deliver  func([]continuity.CheckResult) // gets what was found, twice a second; it keeps no slice
	Log      *slog.Logger                   // nil: the default one
}

const (
	quantum  = 20 * time.Millisecond  // looks that are due within it begin together: fewer wake-ups
	delivery = 500 * time.Millisecond // how often results are handed on
	firstBy  = 30 * time.Second       // how long the first look waits at most
	atHand   = 8                      // looks at a time that somebody asked for
	soon     = 5 * time.Second        // after a first bad look began, the next one does ...
	rest     = time.Second            // ... though not before it has been over for so long
	free     = 64                     // workers that stay for the next look, as their stacks have grown already
)

// Scheduler looks at each check every so often.
//
// The first look comes within the check's interval, but at most firstBy, and
// the next ones by a phase that comes of the ids of check and node: they never
// drift, and are spread evenly whatever is set at once. Times go by the
// monotonic clock, so that one that is set neither stops looks nor heaps them.
//
// After a first bad look the next one comes soon, where there is room for it before
// the one that is due: what fails is known within a minute by the default settings.
// It is one look more, and counts as any other.
//
// A check is looked at once at a time. If its next look is due while it runs or
// waits, that one is skipped and counted.
//
// Slow targets can't starve others: what took longer than Patience the last
// time is looked at in a lane of its own, and what turns out to be slow moves
// there while it runs.
type Scheduler struct {
	opts Options
	wake chan struct{}
	hand chan struct{}
	jobs chan *task // to a worker that is free
	runs sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context // of the looks; nil: not running
	tasks   map[string]*task
	due     dues
	quick   lane
	slow    lane
	idle    int  // workers
	oldest  line // of those that run in the quick lane
	found   []continuity.CheckResult
	spare   []continuity.CheckResult
	looks   uint64
	skipped uint64
}

// Stats says how a scheduler keeps up.
type Stats struct {
	Checks, Running, Waiting int
	Looks, Skipped           uint64 // since it began
}

// NewScheduler makes one without checks.
func NewScheduler(o Options) *Scheduler {
	o.Quick = cmp.Or(o.Quick, 256)
	o.Slow = cmp.Or(o.Slow, 4096)
	o.Patience = cmp.Or(o.Patience, time.Second)
	o.Log = cmp.Or(o.Log, slog.Default())
	return &Scheduler{
		opts: o, wake: make(chan struct{}, 1), hand: make(chan struct{}, atHand), jobs: make(chan *task), tasks: map[string]*task{},
		quick: lane{most: o.Quick}, slow: lane{most: o.Slow},
	}
}

// Set says what is to be looked at from now on. A check whose fingerprint is the same
// goes on as it was; a look under way at one that is gone or changed is not told.
func (s *Scheduler) Set(all []Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	wanted := make(map[string]bool, len(all))
	for _, t := range all {
		wanted[t.ID] = true
		old := s.tasks[t.ID]
		if old != nil && old.Fingerprint == t.Fingerprint && old.Every == t.Every {
			continue
		}
		if old != nil {
			s.drop(old)
		}
		s.add(t, now)
	}
	for id, t := range s.tasks {
		if !wanted[id] {
			s.drop(t)
		}
	}
	s.poke()
}

func (s *Scheduler) add(t Task, now time.Time) {
	t.Every = max(t.Every, quantum)
	phase := s.phase(t.ID, t.Every)
	// The grid of looks stands on the wall clock once, so that a restart keeps it.
	next := now.Add(phase - time.Duration(now.UnixNano())%t.Every)
	for !next.After(now) {
		next = next.Add(t.Every)
	}
	k := &task{Task: t, next: next}
	if t.Every > firstBy { // what is seldom looked at is looked at soon, once
		k.first = now.Add(time.Duration(float64(firstBy) * float64(phase) / float64(t.Every)))
		if !k.first.Before(next) {
			k.first = time.Time{}
		}
	}
	k.when = k.at()
	s.tasks[t.ID] = k
	s.due.push(k)
}

// phase spreads checks over their interval.
func (s *Scheduler) phase(id string, every time.Duration) time.Duration {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.opts.Node))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(id))
	x := h.Sum64() // the sum's high bits of short texts are alike: mix them
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return time.Duration(x % uint64(every)) //nolint:gosec // less than every
}

func (s *Scheduler) drop(t *task) {
	delete(s.tasks, t.ID)
	s.due.remove(t)
	t.gone = true // a look that waits or runs ends by itself
}

// Stats says how it keeps up.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Checks: len(s.tasks), Running: s.quick.running + s.slow.running,
		Waiting: s.quick.waiting.len() + s.slow.waiting.len(), Looks: s.looks, Skipped: s.skipped,
	}
}

// Skipped is how many looks at a check were skipped since it was set.
func (s *Scheduler) Skipped(id string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[id]; t != nil {
		return t.skipped
	}
	return 0
}

// Look looks now, beside the looks that are due, and tells only who asked.
func (s *Scheduler) Look(ctx context.Context, id string) (continuity.CheckResult, error) {
	s.mu.Lock()
	t := s.tasks[id]
	s.mu.Unlock()
	if t == nil {
		return continuity.CheckResult{}, continuity.E(continuity.CodeNotFound, nil, "kind", "check", "id", id)
	}
	select {
	case s.hand <- struct{}{}:
		defer func() { <-s.hand }()
	case <-ctx.Done():
		return continuity.CheckResult{}, ctx.Err()
	}
	return s.look(ctx, t), nil
}

// Run looks until the context ends, and returns when the last look has ended.
func (s *Scheduler) Run(ctx context.Context) {
	looks, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.ctx, s.idle = looks, 0
	s.mu.Unlock()
	var delivering sync.WaitGroup
	delivering.Go(func() { s.deliver(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			s.ctx = nil
			s.mu.Unlock()
			s.runs.Wait()
			delivering.Wait()
			return
		case <-s.wake:
		case <-timer.C:
		}
		timer.Reset(s.step(time.Now()))
	}
}

// step begins what is due and says how long there is nothing to do.
func (s *Scheduler) step(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := s.due.first(); t != nil && !t.when.After(now); t = s.due.first() {
		if t.queued {
			s.skip(t, 1)
		} else {
			s.begin(t)
		}
		s.skip(t, t.advance(now))
		s.due.fix(t)
	}
	for t := s.oldest.first; t != nil && now.Sub(t.began) >= s.opts.Patience; t = s.oldest.first {
		s.oldest.remove(t)
		s.quick.running--
		s.slow.running++
		t.lane = &s.slow
		if t := s.quick.next(); t != nil {
			s.start(t)
		}
	}
	wait := time.Hour
	if t := s.due.first(); t != nil {
		wait = t.when.Sub(now)
	}
	if s.quick.waiting.len() > 0 && s.oldest.first != nil {
		wait = min(wait, s.oldest.first.began.Add(s.opts.Patience).Sub(now))
	}
	return max(wait, quantum)
}

func (s *Scheduler) skip(t *task, n uint64) {
	t.skipped += n
	s.skipped += n
}

// begin starts a look, or lets it wait for its lane.
func (s *Scheduler) begin(t *task) {
	t.queued = true
	t.lane = &s.quick
	if t.tardy {
		t.lane = &s.slow
	}
	if t.lane.running < t.lane.most {
		s.start(t)
		return
	}
	t.lane.waiting.push(t)
}

func (s *Scheduler) start(t *task) {
	s.enter(t)
	select {
	case s.jobs <- t:
		s.idle--
	default:
		ctx := s.ctx
		s.runs.Go(func() { s.work(ctx, t) })
	}
}

// work looks until there is nothing to do and enough others wait for it.
func (s *Scheduler) work(ctx context.Context, t *task) {
	for {
		s.run(ctx, t)
		s.mu.Lock()
		if s.idle >= free {
			s.mu.Unlock()
			return
		}
		s.idle++
		s.mu.Unlock()
		select {
		case t = <-s.jobs:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Scheduler) enter(t *task) {
	t.lane.running++
	t.began = time.Now()
	if t.lane == &s.quick {
		s.oldest.push(t)
	}
}

// run looks at one check, and then at what waited for the place.
func (s *Scheduler) run(ctx context.Context, t *task) {
	for t != nil {
		result := s.look(ctx, t)
		s.mu.Lock()
		t.queued, t.tardy = false, time.Since(t.began) > s.opts.Patience
		t.lane.running--
		if t.lane == &s.quick {
			s.oldest.remove(t)
		}
		s.looks++
		if !t.gone && ctx.Err() == nil { // what was cut off learnt nothing
			s.found = append(s.found, result)
			s.closer(t, result.State, time.Now())
		}
		place := t.lane
		t = nil
		if s.ctx != nil && place.running < place.most {
			if t = place.next(); t != nil {
				s.enter(t)
			}
		}
		s.mu.Unlock()
	}
}

// closer has a check looked at again soon whose look was the first bad one.
func (s *Scheduler) closer(t *task, found continuity.CheckState, now time.Time) {
	if severity(found) == 0 || !t.Closer {
		return // it learnt nothing
	}
	first := severity(found) > severity(continuity.CheckUp) && !t.bad
	t.bad = severity(found) > severity(continuity.CheckUp)
	again := t.began.Add(soon)
	if earliest := now.Add(rest); again.Before(earliest) {
		again = earliest
	}
	if !first || !t.first.IsZero() || !again.Add(now.Sub(t.began)).Before(t.next) {
		return
	}
	t.first = again
	t.when = t.at()
	s.due.fix(t)
	s.poke()
}

// look looks once. A fault in one kind of look must not end all the others.
func (s *Scheduler) look(ctx context.Context, t *task) (result continuity.CheckResult) {
	at := time.Now()
	defer func() {
		if fault := recover(); fault != nil {
			s.opts.Log.Error("a look broke", "check", t.ID, "fault", fault, "stack", string(debug.Stack()))
			result = continuity.CheckResult{
				Check: t.ID, Node: s.opts.Node, At: at, Took: time.Since(at), State: continuity.CheckUnknown, Reason: continuity.CheckReason{Code: "watch.broke"},
			}
		}
	}()
	return t.Look.Run(ctx)
}

// deliver hands results on until the context ends.
func (s *Scheduler) deliver(ctx context.Context) {
	ticker := time.NewTicker(delivery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		found := s.found
		s.found, s.spare = s.spare[:0], nil
		s.mu.Unlock()
		if len(found) > 0 && s.opts.Deliver != nil {
			s.opts.Deliver(found)
		}
		clear(found)
		s.mu.Lock()
		s.spare = found[:0]
		s.mu.Unlock()
	}
}

func (s *Scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
