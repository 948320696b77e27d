package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Store is where state is kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
	EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
	LastEvent(context.Context) (int64, [32]byte, error)
}

// Options of an Engine.
type Options struct {
	Store    Store
	Node     string
	Lease    func() (continuity.Lease, bool) // ok while this node leads
	Router   Router
	Channels Channels
	// Prove gives a message the link and the token by which it is answered, and the
	// changes that let them be known again; nil: messages are not answered.
	Prove func(n *continuity.Notification, d *continuity.Delivery) (link, reply string, changes []continuity.Change)
	// Number is a keyed hash of an address: what masks alike is bounded apart, and no
	// event bears an address. nil: bounds go by what masks alike.
	Number func(address string) string
	// Tried is told how attempts on a channel ended; f is nil where its provider took
	// the message. nil: nobody wants to know.
	Tried func(ctx context.Context, sender string, f *Failure, at time.Time)
	// Failed is what else becomes true where nobody could be told, or nobody answered.
	Failed func(n *continuity.Notification, at time.Time) []continuity.Change
	// Refused is told of what can't be brought on, whenever that has changed; everything
	// else goes on. nil: only the log says so.
	Refused func(context.Context, []continuity.Refusal) error
	Every   time.Duration // 1 s: how often what others wrote is looked for
	Seed    uint64        // of the jitter
	Now     func() time.Time
	Log     *slog.Logger
}

// Engine tells people while its node leads.
type Engine struct {
	o      Options
	random *rand.Rand

	// What follows is as stored, while loaded, or about to be: what is not is dirty.
	loaded    bool
	fence     int64
	lease     continuity.Lease
	seq       int64 // of the last event that was followed
	notes     map[string]*note
	ships     map[string]*ship // deliveries that are not over
	groups    map[string]*group
	sames     map[string]same
	told      map[string]map[string]receiver // by what they were told of
	silences  map[string]continuity.Silence
	rooms     map[string]*room // by sender
	exercises continuity.Clocks
	due       dues
	pruned    time.Time

	dirty   map[string]*note // what is to be committed, by notification
	extra   []continuity.Change
	started []*ship // attempts that begin with the next commit
	bounced []*ship // delivered, as it was thought

	refused map[string]*refusal // by notification
	blind   map[[2]string]continuity.Refusal
	unsaid  bool // of either

	returned []continuity.Delivery // the same, of notifications that were let go of

	inflight map[string]*attempt
	results  chan *attempt
	pending  []*attempt // ended, and not yet committed
}

// note is a notification with all its deliveries.
type note struct {
	continuity.Notification

	version int64
	action  string // that is to be committed; empty: nothing is
	ships   map[string]*ship
	older   []*note // in whose place it is told, once they are routed
}

// ship is a delivery.
type ship struct {
	continuity.Delivery

	note    *note
	version int64
	action  string
	crowded time.Time // since when its channel has had too much to do
}

// receiver is whom a message reached.
type receiver struct {
	to    continuity.Recipient
	of    string // the audience as which they were told last
	meant bool   // they were told as somebody, not only as one of an audience
	at    time.Time
}

type same struct {
	id string
	at time.Time
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Engine{
		o: o, random: rand.New(rand.NewPCG(o.Seed, 1)), // #nosec G404 -- not a secret
		inflight: map[string]*attempt{}, results: make(chan *attempt, 64),
	}
}

// Run works until the context ends; attempts that are under way have ended then,
// and what became of them is written down if it can be.
func (e *Engine) Run(ctx context.Context) {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer e.leave(working, stop)
	failing := false
	for ctx.Err() == nil {
		next, err := e.run(ctx, working)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			e.o.Log.Warn("telling people", "failing", failing, "err", err)
		}
		wait := e.o.Every
		if err == nil && !next.IsZero() {
			wait = max(min(wait, next.Sub(e.o.Now())), time.Millisecond)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case a := <-e.results:
			e.pending = append(e.pending, a)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Step does what is due and returns when something will be; nothing happens on a
// node that does not lead. Attempts that it begins go on until ctx ends.
func (e *Engine) Step(ctx context.Context) (next time.Time, err error) { return e.run(ctx, ctx) }

// run is Step with a context of its own for attempts.
func (e *Engine) run(ctx, working context.Context) (next time.Time, err error) {
	lease, ok := e.o.Lease()
	if !ok {
		e.loaded = false
		return next, nil
	}
	if lease.Fence != e.fence {
		e.drain() // of another term: what was under way then is known to the store alone
		e.loaded, e.fence = false, lease.Fence
		e.refused, e.blind, e.unsaid = map[string]*refusal{}, map[[2]string]continuity.Refusal{}, true
	}
	e.lease = lease
	defer func() {
		if err != nil {
			e.loaded = false // some of it may have happened
		}
	}()
	e.retry(e.o.Now())
	if !e.loaded {
		if err := e.load(ctx); err != nil {
			return next, err
		}
	}
	defer e.say(ctx)
	if err := e.follow(ctx); err != nil {
		return next, err
	}
	for {
		now := e.o.Now().UTC()
		more, err := e.step(ctx, working, lease, now)
		if err != nil || ctx.Err() != nil {
			return next, cmp.Or(err, ctx.Err())
		}
		if !more {
			break
		}
	}
	if len(e.due) > 0 {
		next = e.due[0].at
	}
	return next, nil
}

// step makes one round, and says whether there is more to do at once.
func (e *Engine) step(ctx, working context.Context, lease continuity.Lease, now time.Time) (more bool, err error) {
	e.collect()
	for _, a := range e.pending {
		e.ended(ctx, a, now)
	}
	ended := len(e.pending)
	e.decide(ctx, now)
	if err := e.flush(ctx, lease); err != nil {
		return false, err
	}
	e.judge(ctx, e.pending[:ended], now)
	for _, a := range e.pending[:ended] {
		delete(e.inflight, a.ship)
	}
	e.pending = e.pending[ended:]
	if err := e.begin(ctx, working, lease, now); err != nil {
		return false, err
	}
	if err := e.prune(ctx, lease, now); err != nil {
		return false, err
	}
	return len(e.due) > 0 && !e.due[0].at.After(now), nil
}

// leave waits for attempts that are under way, for a moment, and writes down what
// became of them. Where that fails, whoever leads next sends them once more.
func (e *Engine) leave(working context.Context, stop context.CancelFunc) {
	late := time.AfterFunc(lastMoment, stop)
	for len(e.inflight) > len(e.pending) {
		e.pending = append(e.pending, <-e.results)
	}
	late.Stop()
	stop()
	if len(e.pending) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(working), lastMoment)
		defer cancel()
		var err error
		if !e.loaded {
			err = e.load(ctx)
		}
		for _, a := range e.pending {
			if err == nil {
				e.ended(ctx, a, e.o.Now().UTC())
			}
		}
		if err == nil {
			err = e.flush(ctx, e.lease)
		}
		if err != nil {
			e.o.Log.Warn("what became of messages was not written down", "messages", len(e.pending), "err", err)
		}
	}
	e.loaded, e.pending = false, nil
	clear(e.inflight)
}

// lastMoment is how long attempts may take that are under way at the end.
const lastMoment = time.Second

// mostChanges bounds a commit, so that a storm holds up nobody for long.
const mostChanges = 200

// flush commits what was decided. What belongs to one notification is true at once,
// and so is what it tells besides.
func (e *Engine) flush(ctx context.Context, lease continuity.Lease) error {
	ids := slices.Sorted(maps.Keys(e.dirty))
	also := &unit{}
	for _, c := range e.extra {
		also.add(c, func(int64) {})
	}
	e.extra = nil
	var units []*unit
	if len(also.changes) > 0 {
		units = append(units, also)
	}
	of := map[string]*unit{}
	for _, id := range ids {
		n := e.dirty[id]
		if e.alone(id) {
			continue
		}
		lead := id
		if n.State == continuity.NotifyGrouped && e.dirty[n.By] != nil {
			lead = n.By
		}
		u := of[lead]
		if u == nil {
			u = &unit{of: lead}
			of[lead] = u
			units = append(units, u)
		}
		if n.action != "" {
			u.add(continuity.Set(continuity.KindNotification, n.ID, n.Service, n.version, n.action, "", n.Notification),
				func(v int64) { n.version, n.action = v, "" })
		}
		for _, s := range sorted(n.ships) {
			if s.action != "" {
				u.add(continuity.Set(continuity.KindDelivery, s.ID, s.Service, s.version, s.action, "", s.Delivery),
					func(v int64) { s.version, s.action = v, "" })
			}
		}
	}
	var refused error
	for from, size, i := 0, 0, 0; i < len(units); i++ {
		if size += len(units[i].changes); size < mostChanges && i < len(units)-1 {
			continue
		}
		if err := e.commit(ctx, lease, units[from:i+1]); err != nil {
			if refused = err; !errors.Is(err, errRefused) {
				return err
			}
		}
		from, size = i+1, 0
	}
	if refused != nil {
		return refused
	}
	for _, id := range ids {
		e.forget(e.dirty[id])
	}
	clear(e.dirty)
	return nil
}

func sorted(ships map[string]*ship) []*ship {
	all := make([]*ship, 0, len(ships))
	for _, s := range ships {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *ship) int { return cmp.Compare(number(a.ID), number(b.ID)) })
	return all
}

// forget lets go of what is over.
func (e *Engine) forget(n *note) {
	if !n.Over() || n.State == continuity.NotifyAcknowledged && n.Grouped > n.Again {
		return
	}
	for _, s := range n.ships {
		if !s.Over() {
			return
		}
	}
	for _, s := range n.ships {
		delete(e.ships, s.ID)
	}
	delete(e.notes, n.ID)
}

// mark notes that a notification has to be committed.
func (e *Engine) mark(n *note, action string) {
	n.action = action
	e.dirty[n.ID] = n
	if shown := e.exercises.Shown(n.Exercise, e.o.Now()); !shown.IsZero() {
		n.Shown = shown
	}
}

func (e *Engine) markShip(s *ship, action string) {
	s.action = action
	e.dirty[s.note.ID] = s.note
	s.Exercise, s.Shown = s.note.Exercise, e.exercises.Shown(s.note.Exercise, e.o.Now())
}
