package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// What a record holds goes when its route's retention is over: segment by
// segment, each written anew without it, as in an erasure. Receipts, hashes,
// states and amounts stay until the horizon; what is pending is not touched.
//
// A segment is looked through when something in it may have had its time, and
// not more often than retentionLag says, so that it is written anew a few times
// at most. When that is stands in memory; after a restart every segment is
// looked through once.

// retentionLag is how long after its time content may go: an eighth of the
// retention, within bounds.
func retentionLag(retention time.Duration) time.Duration {
	return min(max(retention/8, time.Minute), 24*time.Hour)
}

const (
	// againAfter is how long a segment rests that could not be written anew.
	againAfter = time.Minute
	// farAway is when a segment is looked through in which nothing is to go.
	farAway = continuity.Clock(1) << 42
	// personRetention stands for a person in the journal where what is dead, and of
	// which its customer knows, can't be sent any more.
	personRetention = "retention"
)

// segmented is a log that tells its segments, and can erase in them.
type segmented interface {
	eraser
	Extents() []journal.Extent
}

// retained is how far a route's retention reaches at one moment.
type retained struct {
	after continuity.Clock // by outside time, after the end
	lag   continuity.Clock
	ended continuity.Position // what ended up to here has had its time
	// What the horizon has passed has no end that is known; it ended at most the
	// longest age after its newest entry, and its entries up to here have had
	// their time.
	forgotten continuity.Position
	late      continuity.Clock // of those entries, after they were written
}

// retention is what the retentions of all routes say at one moment.
type retention struct {
	routes  map[string]retained
	marks   []mark
	horizon continuity.Position
	now     continuity.Clock // outside time
}

// retain looks through one segment that is due, if there is one.
func (l *Ledger) retain(ctx context.Context) error {
	log, ok := l.log.(segmented)
	if !ok {
		return nil
	}
	if err := l.markTime(); err != nil {
		return err
	}
	r := l.retention()
	if len(r.routes) == 0 {
		return nil
	}
	extents := log.Extents()
	looks := make(map[continuity.Position]continuity.Clock, len(extents))
	l.mu.Lock()
	for _, x := range extents {
		looks[x.From] = l.looks[x.From]
	}
	l.looks = looks
	l.mu.Unlock()
	i := slices.IndexFunc(extents, func(x journal.Extent) bool { return looks[x.From] <= r.now })
	if i < 0 {
		return nil
	}
	next, err := l.retainIn(ctx, log, extents[i], r)
	if err != nil {
		next = r.now + millis(againAfter)
	} else if i == len(extents)-1 {
		next = min(next, r.soonest()) // for what is still to come
	}
	l.mu.Lock()
	if l.looks != nil { // the routes are the same
		l.looks[extents[i].From] = next
	}
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("ledger: retention: %w", err)
	}
	return nil
}

func (l *Ledger) retention() *retention {
	l.mu.Lock()
	defer l.mu.Unlock()
	var longest time.Duration
	some := false
	for _, route := range l.routes {
		longest, some = max(longest, route.Hold.Age), some || route.Retention > 0
	}
	if !some {
		return &retention{}
	}
	clock := l.now()
	r := &retention{
		routes: make(map[string]retained), marks: slices.Clone(l.state.marks), horizon: l.state.repeats.horizon,
		now: clock + l.state.away + l.state.missed(time.Now(), clock),
	}
	for _, route := range l.routes {
		if route.Retention > 0 {
			k := retained{after: millis(route.Retention), lag: millis(retentionLag(route.Retention))}
			k.ended = r.past(k.after, clock, millis(route.Record.Keep))
			k.late = max(k.after, millis(route.Record.Keep+longest))
			k.forgotten = r.past(k.after, clock, millis(route.Record.Keep+longest))
			r.routes[route.ID] = k
		}
	}
	return r
}

// past returns the furthest mark that is older than after, by outside time, and
// than keep, by the running clock; or 0.
func (r *retention) past(after, clock, keep continuity.Clock) (at continuity.Position) {
	for _, m := range r.marks {
		if m.Clock+m.Away+after > r.now || m.Clock+keep > clock {
			break
		}
		at = m.At
	}
	return at
}

// when tells an outside time at which an entry had been written.
func (r *retention) when(at continuity.Position) continuity.Clock {
	for _, m := range r.marks {
		if m.At >= at {
			return m.Clock + m.Away
		}
	}
	return r.now
}

// soonest is when something that is not written yet may have had its time.
func (r *retention) soonest() continuity.Clock {
	next := farAway
	for _, k := range r.routes {
		next = min(next, k.after+k.lag)
	}
	return r.now + next
}

// markTime has the newest events get a mark, where nothing that happens makes
// one: nobody would know how old they are.
func (l *Ledger) markTime() error {
	l.mu.Lock()
	n, some := len(l.state.marks), false
	for _, route := range l.routes {
		some = some || route.Retention > 0
	}
	if !some || n == 0 || l.state.unmarked == 0 || l.now()-l.state.marks[n-1].Clock < markEvery {
		l.mu.Unlock()
		return nil
	}
	p := l.propose(continuity.Event{Kind: continuity.KindClock})
	l.mu.Unlock()
	_, err := p.wait()
	return err
}

// retainIn takes out of a segment what has had its time, and tells when it is to
// be looked through again.
func (l *Ledger) retainIn(ctx context.Context, log segmented, x journal.Extent, r *retention) (continuity.Clock, error) {
	next := r.now + farAway
	var over []continuity.Position
	routes := make(map[continuity.Receipt]string)
	for s, err := range l.log.All(x.From) {
		if errors.Is(err, journal.ErrGone) {
			return next, nil
		}
		if err != nil {
			return 0, err
		}
		if s.Position >= x.To || ctx.Err() != nil {
			break
		}
		c, err := contentOf(s)
		if err != nil {
			return 0, err
		}
		if c.route != "" {
			routes[c.receipt] = c.route
		}
		if !c.held {
			continue
		}
		if c.route == "" {
			c.route = routes[c.receipt]
		}
		again, err := l.over(&c, r)
		switch {
		case err != nil:
			return 0, err
		case again == 0:
			over = append(over, s.Position)
		default:
			next = min(next, max(again, r.now+1))
		}
	}
	if len(over) == 0 || ctx.Err() != nil {
		return next, nil
	}
	if err := log.Erase(over, expire); err != nil {
		return 0, err
	}
	l.logger.Info("content went, as its retention was over", "segment", uint64(x.From)>>32, "entries", len(over))
	return next, nil
}

// content is what an entry holds.
type content struct {
	held    bool
	at      continuity.Position
	receipt continuity.Receipt // none of what only passed
	route   string             // of an answer it is not known
	passed  bool
}

func contentOf(s journal.Stored) (content, error) {
	c := content{at: s.Position}
	switch s.Kind {
	case continuity.KindAccepted, continuity.KindCarried, continuity.KindRecorded, continuity.KindAct, continuity.KindProposed, continuity.KindOutcome:
	default:
		return c, nil
	}
	e, err := Decode(s)
	if err != nil {
		return c, continuity.E(continuity.CodeDamaged, err)
	}
	request := func(r *continuity.Record) { c.route, c.held = r.Route, !r.Erased }
	switch {
	case e.Outcome != nil:
		c.receipt, c.held = e.Outcome.Receipt, says(e.Outcome.Response)
	case e.Recorded != nil:
		c.passed = true
		request(e.Recorded)
	case e.Proposed != nil:
		if c.receipt = e.Proposed.Act.Receipt; e.Proposed.Act.Replacement != nil {
			request(e.Proposed.Act.Replacement)
		}
	default:
		if r, err := recordOf(&e); err == nil { // else an act without a request
			c.receipt = r.Receipt
			request(r)
		}
	}
	return c, nil
}

// over says when content has to be looked at again; 0: it has had its time.
func (l *Ledger) over(c *content, r *retention) (again continuity.Clock, err error) {
	if c.passed {
		return r.ended(c.route, c.at), nil
	}
	st, known := l.Status(c.receipt)
	if c.route == "" && known {
		if c.route = st.Route; c.route == "" {
			rec, err := l.Record(st.Position)
			if err != nil { // its request is gone; with the horizon its answer is
				return r.now + millis(24*time.Hour), nil //nolint:nilerr // nothing is wrong
			}
			c.route = rec.Route
		}
	}
	k, limited := r.routes[c.route]
	switch {
	case !known && c.route == "":
		if c.at < r.horizon {
			return 0, nil // nobody can ask for this answer any more
		}
		return r.soonest(), nil
	case !limited:
		return r.now + farAway, nil
	case !known:
		if c.at <= k.forgotten {
			return 0, nil
		}
		return r.when(c.at) + k.late + k.lag, nil
	case st.State.Pending(), st.State == continuity.Dead && !st.Told:
		return r.now + k.after + k.lag, nil
	case st.State == continuity.Dead && st.Outcome <= k.ended:
		return l.discardDead(c.receipt, r.now+k.lag)
	}
	return r.ended(c.route, st.Outcome), nil
}

// ended says when to look again for what ended at a position; 0: it has had its
// time.
func (r *retention) ended(route string, at continuity.Position) continuity.Clock {
	k, limited := r.routes[route]
	switch {
	case !limited:
		return r.now + farAway
	case at <= k.ended:
		return 0
	}
	again := r.when(at) + k.after + k.lag
	if again <= r.now { // its mark is coarse, or keep is by another clock
		again = r.now + k.lag
	}
	return again
}

// discardDead ends for good what is dead. Where a person was faster, it is left
// alone until again.
func (l *Ledger) discardDead(receipt continuity.Receipt, again continuity.Clock) (continuity.Clock, error) {
	l.mu.Lock()
	ref, err := l.hold(receipt, true)
	if err != nil {
		l.mu.Unlock()
		return again, nil //nolint:nilerr // it is another's now
	}
	st := l.state.statusOf(ref)
	if st.State != continuity.Dead {
		l.drop(ref)
		l.mu.Unlock()
		return again, nil
	}
	p := l.newProposal(continuity.Event{Kind: continuity.KindAct, Act: &continuity.Act{
		Receipt: receipt, Version: st.Version, Verb: continuity.VerbExpire, Person: personRetention, Why: personRetention,
	}})
	p.ref = ref
	l.enqueue(p)
	l.mu.Unlock()
	if _, err := p.wait(); err != nil {
		return 0, err
	}
	return 0, nil
}

// expire takes out of an entry what has had its time. An answer so short that the
// sign of it has no room is left without one.
func expire(s journal.Stored) ([]byte, error) {
	b, err := takeOut(s, true)
	if errors.Is(err, errPadding) {
		return takeOut(s, false)
	}
	return b, err
}
