package notify

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// attempt is one try to send a message.
type attempt struct {
	ship    string
	sender  string
	fence   int64
	time    time.Duration
	channel Channel
	message *Message

	unsent bool // it was not tried after all
	sent   Sent
	err    error
}

// begin makes durable which attempts begin, and begins them.
func (e *Engine) begin(ctx, working context.Context, lease continuity.Lease, now time.Time) error {
	ready := e.started
	e.started = nil
	slices.SortFunc(ready, rank)
	var all []*attempt
	for _, s := range ready {
		if a := e.start(ctx, s, ready, now); a != nil {
			a.fence = lease.Fence
			all = append(all, a)
			e.inflight[a.ship] = a
		}
	}
	var begun []*ship
	for _, a := range all {
		begun = append(begun, e.ships[a.ship])
	}
	err := e.flush(ctx, lease)
	for i, a := range all {
		if err != nil && !errors.Is(err, errRefused) || begun[i].action != "" {
			delete(e.inflight, a.ship) // it is not known that it begins
			continue
		}
		go e.work(working, a)
	}
	return err
}

// start makes the attempt of a delivery that is due, where its channel has room.
func (e *Engine) start(ctx context.Context, s *ship, ready []*ship, now time.Time) *attempt {
	if s.State != continuity.DeliveryDue && (s.State != continuity.DeliveryHeld || s.By != "") || s.Due.After(now) {
		return nil // it was joined to another one, or dropped
	}
	give := func(code string) *attempt {
		e.failed(ctx, s, &Failure{Code: code}, now)
		e.release(s)
		return nil
	}
	opened, ok := e.o.Channels.Sender(s.Sender)
	if !ok {
		return give(FailSettings)
	}
	page := s.note.Urgency == continuity.UrgencyPage
	room := e.roomOf(s.Sender)
	if at := room.free(now, &opened, numberOf(&s.Delivery), page); at.After(now) {
		if page && at.Sub(now) > pageHeld && e.passOn(ctx, s, now) {
			return nil
		}
		e.hold(s, at)
		if page && at.Sub(now) > pageStuck {
			e.wakeNote(s.note, now) // others may be told meanwhile
		}
		return nil
	}
	if e.crowds(s, page) {
		switch {
		case s.crowded.IsZero():
			s.crowded = now
		case page && now.Sub(s.crowded) >= pageRetry && e.passOn(ctx, s, now):
			return nil
		}
		s.Due = now.Add(crowded)
		e.wakeShip(s)
		return nil
	}
	s.crowded = time.Time{}
	target, way, ok, err := e.wayOf(ctx, s, now)
	switch {
	case err != nil:
		s.Due = now.Add(unknownAgain)
		e.wakeShip(s)
		return nil
	case !ok:
		return give(FailAddress)
	}
	if !page && target.Free != nil && s.Attempts > 0 { // a further attempt disturbs no less than the first
		if at := target.Free(now); at.After(now) {
			e.hold(s, at)
			return nil
		}
	}
	riders := e.riders(s)
	if len(s.With) == 0 && s.State == continuity.DeliveryHeld {
		riders = joined(s, ready, now)
	}
	var with []*continuity.Notification
	for _, r := range riders {
		with = append(with, &r.note.Notification)
	}
	message := compose(&s.note.Notification, &s.Delivery, with, &target, &way, &opened.Kind)
	before := s.With
	s.With = nil
	for _, r := range riders {
		s.With = append(s.With, r.Notification)
	}
	var proofs []continuity.Change
	if e.o.Prove != nil {
		message.Link, message.Reply, proofs = e.o.Prove(&s.note.Notification, &s.Delivery)
	}
	if err := approve(message, &s.note.Notification, way.Approved); err != nil {
		s.With = before
		return give(FailTemplate)
	}
	e.extra = append(e.extra, proofs...)
	for _, r := range riders {
		r.State, r.By = continuity.DeliveryHeld, s.ID
		e.markShip(r, "delivery.joined")
	}
	s.State, s.Attempts, s.By = continuity.DeliverySending, s.Attempts+1, ""
	s.Tried = append(s.Tried, now)
	s.Tried = s.Tried[max(0, len(s.Tried)-keepTried):]
	room.took(numberOf(&s.Delivery), now)
	e.markShip(s, "delivery.sending")
	a := &attempt{ship: s.ID, sender: s.Sender, channel: opened.Channel, message: message, time: noticeTime}
	if page {
		a.time = pageTime
	}
	return a
}

// joined are the deliveries to the same address that have waited for room, too:
// one message tells them all.
func joined(s *ship, ready []*ship, now time.Time) (riders []*ship) {
	for _, r := range ready {
		if len(riders) == mostJoined {
			break
		}
		if r != s && r.Sender == s.Sender && r.Target == s.Target && r.Address == s.Address && r.Language == s.Language &&
			r.State == continuity.DeliveryHeld && r.By == "" && len(r.With) == 0 && !r.Due.After(now) && r.note != s.note {
			riders = append(riders, r)
		}
	}
	return riders
}

// hold puts a delivery off.
func (e *Engine) hold(s *ship, until time.Time) {
	s.Due = until
	if s.State != continuity.DeliveryHeld {
		s.State = continuity.DeliveryHeld
		e.markShip(s, "delivery.held")
	}
	e.wakeShip(s)
}

// passOn has a page go the next way at once, as its own takes nothing for a while.
// It says false where there is none.
func (e *Engine) passOn(ctx context.Context, s *ship, now time.Time) bool {
	if !e.fallBack(ctx, s, now) {
		return false
	}
	s.State, s.Failure = continuity.DeliveryFailed, cmp.Or(s.Failure, FailRate)
	e.markShip(s, "delivery.failed")
	e.wakeNote(s.note, now)
	e.release(s)
	return true
}

// crowds reports whether a channel has as many attempts under way as it may have.
// Pages don't wait for what is none: that may hang for long.
func (e *Engine) crowds(s *ship, page bool) bool {
	n := 0
	for _, a := range e.inflight {
		if a.sender == s.Sender && a.message.Urgent == page {
			n++
		}
	}
	if page {
		return n >= pagesAtOnce
	}
	return n >= atOnce
}

// work makes an attempt, unless this node leads no longer.
func (e *Engine) work(ctx context.Context, a *attempt) {
	defer func() {
		if r := recover(); r != nil {
			a.err = &Failure{Code: FailUnknown, Retry: true, Maybe: true}
			e.o.Log.Error("a channel broke", "channel", a.sender, "panic", r)
		}
		e.results <- a
	}()
	if lease, ok := e.o.Lease(); !ok || lease.Fence != a.fence || ctx.Err() != nil {
		a.unsent = true
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.time)
	defer cancel()
	a.sent, a.err = a.channel.Send(ctx, a.message)
}

// judge says of each channel how its attempts ended: one that was taken counts more
// than those that were not.
func (e *Engine) judge(ctx context.Context, ended []*attempt, now time.Time) {
	if e.o.Tried == nil {
		return
	}
	last := map[string]*Failure{}
	for _, a := range ended {
		before, there := last[a.sender]
		switch {
		case a.unsent:
		case a.err == nil:
			last[a.sender] = nil
		case !there || before != nil:
			last[a.sender] = FailureOf(a.err)
		}
	}
	for _, sender := range slices.Sorted(maps.Keys(last)) {
		e.o.Tried(ctx, sender, last[sender], now)
	}
}

// collect takes the attempts that have ended.
func (e *Engine) collect() {
	for {
		select {
		case a := <-e.results:
			e.pending = append(e.pending, a)
		default:
			return
		}
	}
}

// drain waits until no attempt is under way. What became of them is not known then:
// the store says that they were.
func (e *Engine) drain() {
	for len(e.inflight) > len(e.pending) {
		e.pending = append(e.pending, <-e.results)
	}
	e.pending = nil
	clear(e.inflight)
}
