package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

const (
	// pageAttempts are made of a page before the next way is taken, so that a dead
	// channel costs less than 30 s: 0 to 10 s, and 10 to 20 s.
	pageAttempts = 2
	pageRetry    = 5 * time.Second
	pageTime     = 10 * time.Second
	// noticeAttempts are made of what is no page before the next way is taken.
	noticeAttempts = 3
	noticeTime     = 30 * time.Second
	// noticeRetry is how long its channel may ask to wait, where there is another way.
	noticeRetry = 5 * time.Minute
	// pageHeld is how long a page waits for room at most while there is another way.
	pageHeld = 15 * time.Second
	// pageStuck is how long it waits on its last way before others are told.
	pageStuck = time.Minute
	// atOnce is how many attempts a channel makes at a time, besides those of pages.
	atOnce      = 4
	pagesAtOnce = 16
	// crowded is when it is looked again whether one of those has ended.
	crowded = 500 * time.Millisecond
	// mostJoined bounds what one message tells besides its own.
	mostJoined = 500
	// keepTried bounds what is kept of when attempts began.
	keepTried = 12
)

// schedule is how long after an attempt the next one is, where there is no other
// way: as Standard Webhooks has it.
var schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// pageSchedule is the same for a page, until it is over.
var pageSchedule = []time.Duration{pageRetry, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}

// jitter makes a time longer by up to a tenth, so that what failed together does
// not come again together.
func (e *Engine) jitter(d time.Duration) time.Duration {
	return d + time.Duration(e.random.Int64N(int64(d/10)+1))
}

// resolve returns those whom a step of a notification is for, each once.
func (e *Engine) resolve(ctx context.Context, n *note, step int, now time.Time) ([]Target, error) {
	to := n.To
	if step > 0 {
		to = n.Escalate[step-1 : step]
	}
	var all []Target
	seen := map[string]continuity.Recipient{}
	for _, r := range to {
		targets, err := e.meant(ctx, n, r, now)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			// Addresses of nobody who is known may look alike, as they are masked.
			for base, i := t.ID, 2; seen[t.ID].Kind == continuity.ToAddress && seen[t.ID] != t.to; i++ {
				t.ID = base + "#" + strconv.Itoa(i)
			}
			if _, twice := seen[t.ID]; !twice {
				seen[t.ID] = t.to
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// meant returns those whom one recipient means.
func (e *Engine) meant(ctx context.Context, n *note, to continuity.Recipient, now time.Time) ([]Target, error) {
	ask := Ask{Service: n.Service, To: to, Urgency: n.Urgency, Channels: n.Channels, Template: n.Template, Doubled: n.Doubled, At: now}
	if to.Kind == continuity.ToDeputies {
		ask.At = n.At // of whoever led then: who has taken over since is one of them
	}
	if to.Kind != continuity.ToTold {
		return e.named(ctx, ask)
	}
	since, _ := time.Parse(time.RFC3339Nano, to.ID) // empty: ever
	told := e.told[n.About]
	ids := make([]string, 0, len(told))
	for id, r := range told {
		if !r.at.Before(since) && (to.Of == "" && r.meant || to.Of != "" && to.Of == r.of) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var all []Target
	for _, id := range ids {
		ask.To = told[id].to
		targets, err := e.named(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			if t.ID == id || t.to.Kind == continuity.ToAddress {
				t.ID = id
				all = append(all, t)
			}
		}
	}
	return all, nil
}

// named asks who is meant, and says of each of them for whom they were named: for
// a person, that is themselves, whoever has their role tomorrow.
func (e *Engine) named(ctx context.Context, ask Ask) ([]Target, error) {
	targets, err := e.o.Router.Resolve(ctx, ask)
	for i := range targets {
		t := &targets[i]
		t.to = ask.To
		if t.Person != "" {
			t.to = continuity.Recipient{Kind: continuity.ToPerson, ID: t.Person}
		}
		if len(t.Languages) == 0 {
			t.Languages = []string{"en"}
		}
		t.Ways = masked(t.Ways)
	}
	return targets, err
}

// ways are those of a target that this node can go.
func (e *Engine) ways(t *Target) []Way {
	var all []Way
	for _, w := range t.Ways {
		o, ok := e.o.Channels.Sender(w.Sender)
		if ok && (!o.Kind.Templates || w.Approved != nil) {
			all = append(all, w)
		}
	}
	return all
}

// send makes the deliveries of a step: one for each target, and for what is
// critical a second one by text message or mail.
func (e *Engine) send(n *note, targets []Target, now time.Time) (made []*ship) {
	for i := range targets {
		t := &targets[i]
		ways := e.ways(t)
		if len(ways) == 0 {
			s := e.make(n, t, &Way{}, now)
			s.State, s.Failure = continuity.DeliveryFailed, FailNobody
			made = append(made, s)
			continue
		}
		made = append(made, e.make(n, t, &ways[0], now))
		if !n.Doubled || t.Once {
			continue
		}
		for j := range ways[1:] {
			w := &ways[j+1]
			if o, _ := e.o.Channels.Sender(w.Sender); w.Sender != ways[0].Sender && o.doubles() {
				s := e.make(n, t, w, now)
				s.Doubled = true
				made = append(made, s)
				break
			}
		}
	}
	return made
}

// make makes a delivery that is due now, or when somebody may be told.
func (e *Engine) make(n *note, t *Target, w *Way, now time.Time) *ship {
	n.Deliver++
	s := &ship{note: n, Delivery: continuity.Delivery{
		ID: fmt.Sprintf("%s.d-%d", n.ID, n.Deliver), Notification: n.ID, Service: n.Service, Person: t.Person,
		Channel: w.Channel, Sender: w.Sender, Address: w.masked, Language: strings.Join(t.Languages, "+"),
		State: continuity.DeliveryDue, Due: now, To: t.to, Target: t.ID, Step: n.Step,
	}}
	if w.Address != "" && e.o.Number != nil {
		s.Number = e.o.Number(w.Address)
	}
	if free := t.Free; free != nil && n.Urgency != continuity.UrgencyPage {
		if at := free(now); at.After(now) {
			s.State, s.Due = continuity.DeliveryHeld, at
		}
	}
	n.ships[s.ID], e.ships[s.ID] = s, s
	if n.action == "" {
		n.action = "notification.sending" // it counts its deliveries
	}
	e.markShip(s, "delivery.made")
	e.wakeShip(s)
	return s
}

// wayOf is the target and the way of a delivery as they are now; ok is false where
// that way is there no more.
func (e *Engine) wayOf(ctx context.Context, s *ship, now time.Time) (t Target, w Way, ok bool, err error) {
	targets, err := e.named(ctx, Ask{
		Service: s.note.Service, To: s.To, Urgency: s.note.Urgency, Channels: s.note.Channels, Template: s.note.Template, At: now,
	})
	for _, t := range targets {
		if t.ID != s.Target && s.To.Kind != continuity.ToAddress {
			continue
		}
		t.ID = s.Target
		for _, w := range t.Ways {
			if w.is(&s.Delivery) {
				return t, w, true, err
			}
		}
		return t, Way{}, false, err
	}
	return Target{}, Way{}, false, err
}

// fallBack puts another delivery in the place of one that failed, over the next
// way that was not tried. It says false where there is none.
func (e *Engine) fallBack(ctx context.Context, s *ship, now time.Time) bool {
	if s.Doubled {
		return false
	}
	t, _, _, err := e.wayOf(ctx, s, now)
	if err != nil || t.ID == "" {
		return false
	}
	tried := s.chain()
	for _, w := range e.ways(&t) {
		if slices.ContainsFunc(tried, func(d *ship) bool { return w.is(&d.Delivery) }) {
			continue
		}
		next := e.make(s.note, &t, &w, now)
		next.Step, next.Rest = s.Step, s.Rest
		s.Next = next.ID
		return true
	}
	return false
}

// chain is a delivery with those in whose place it is, and the one beside it.
func (s *ship) chain() []*ship {
	all := []*ship{s}
	for i := 0; i < len(all); i++ {
		for _, d := range s.note.ships {
			if d.Next == all[i].ID || i == 0 && d.Doubled && d.Target == s.Target && d.Step == s.Step && !s.Rest {
				all = append(all, d)
			}
		}
	}
	return all
}

// ended takes the outcome of an attempt.
func (e *Engine) ended(ctx context.Context, a *attempt, now time.Time) {
	s := e.ships[a.ship]
	if s == nil || s.State != continuity.DeliverySending {
		return
	}
	riders := e.riders(s)
	switch {
	case a.unsent && s.By == droppedInstead && !s.Rest:
		e.instead(s)
		return
	case a.unsent:
		s.State, s.Due, s.Attempts = continuity.DeliveryDue, now, s.Attempts-1
		e.markShip(s, "delivery.put-back")
		e.wakeShip(s)
		return
	case a.err == nil:
		e.delivered(s, a.sent, "", now)
		for _, r := range riders {
			e.delivered(r, Sent{Arrived: a.sent.Arrived}, s.ID, now)
		}
		return
	}
	f := FailureOf(a.err)
	if e.failed(ctx, s, f, now) {
		for _, r := range riders {
			r.Attempts = max(r.Attempts, s.Attempts)
			r.By = ""
			e.failed(ctx, r, f, now)
		}
	}
}

func (e *Engine) delivered(s *ship, sent Sent, by string, now time.Time) {
	s.State, s.Sent, s.Provider, s.Failure, s.By = continuity.DeliveryDelivered, now, sent.ID, "", by
	if sent.Arrived {
		s.Confirmed = now
	}
	e.markShip(s, "delivery.delivered")
	e.reached(s)
	e.wakeNote(s.note, now)
}

// failed says what comes after a failure; it returns true where the delivery won't
// be tried again.
func (e *Engine) failed(ctx context.Context, s *ship, f *Failure, now time.Time) bool {
	s.Failure, s.Repeat = f.Code, s.Repeat || f.Maybe
	page := s.note.Urgency == continuity.UrgencyPage
	plan, attempts, patience := schedule, noticeAttempts, noticeRetry
	if page {
		plan, attempts, patience = pageSchedule, pageAttempts, pageTime
	}
	wanted := !s.note.Over() || s.Rest
	if !wanted && s.By == droppedInstead {
		e.instead(s)
		return true
	}
	soon := f.Retry && s.Attempts < attempts && f.After <= patience
	if wanted && !soon && e.fallBack(ctx, s, now) {
		s.State = continuity.DeliveryFailed
		e.markShip(s, "delivery.failed")
		e.wakeNote(s.note, now)
		return true
	}
	last := page && !s.Rest || s.Attempts <= len(plan)
	if !wanted || !f.Retry || !last || s.Doubled && !soon {
		s.State = continuity.DeliveryFailed
		if s.Rest { // and its notification is over
			e.untold(s, f.Code, now)
		}
		e.markShip(s, "delivery.failed")
		e.wakeNote(s.note, now)
		return true
	}
	wait := plan[min(max(s.Attempts, 1), len(plan))-1]
	if page && s.Attempts < attempts {
		s.Due = now
		if len(s.Tried) > 0 {
			s.Due = later(now, s.Tried[len(s.Tried)-1].Add(wait)) // from its beginning
		}
	} else {
		s.Due = now.Add(e.jitter(wait))
	}
	s.Due = later(s.Due, now.Add(f.After))
	s.State = continuity.DeliveryDue
	e.markShip(s, "delivery.retried")
	e.wakeShip(s)
	e.wakeNote(s.note, now)
	return false
}

func (e *Engine) drop(s *ship, why string) {
	s.State, s.By = continuity.DeliveryDropped, why
	e.markShip(s, "delivery.dropped")
	e.wakeNote(s.note, e.o.Now())
	e.release(s)
}

// release has what a delivery was to tell besides go its own way.
func (e *Engine) release(s *ship) {
	for _, r := range e.riders(s) {
		r.State, r.Due, r.By = continuity.DeliveryDue, e.o.Now().UTC(), ""
		e.markShip(r, "delivery.released")
		e.wakeShip(r)
	}
}

// riders are the deliveries that another one tells.
func (e *Engine) riders(s *ship) []*ship {
	if len(s.With) == 0 {
		return nil
	}
	var all []*ship
	for _, id := range s.With {
		if n := e.notes[id]; n != nil {
			for _, r := range n.ships {
				if r.By == s.ID && r.State == continuity.DeliveryHeld {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// rank puts pages first, then what is worse, then what is older.
func rank(a, b *ship) int {
	page := func(s *ship) int {
		if s.note.Urgency == continuity.UrgencyPage {
			return 0
		}
		return 1
	}
	return cmp.Or(page(a)-page(b), b.note.Rank-a.note.Rank, a.note.At.Compare(b.note.At), cmp.Compare(a.ID, b.ID))
}
