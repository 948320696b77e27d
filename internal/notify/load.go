package notify

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// load reads everything. A delivery that was under way when its node died is due
// at once, as a repeat.
func (e *Engine) load(ctx context.Context) error {
	e.notes, e.ships, e.groups, e.sames = map[string]*note{}, map[string]*ship{}, map[string]*group{}, map[string]same{}
	e.told, e.silences, e.rooms, e.due = map[string]map[string]receiver{}, map[string]continuity.Silence{}, map[string]*room{}, nil
	e.exercises = continuity.Clocks{}
	e.dirty, e.extra, e.started, e.bounced, e.returned = map[string]*note{}, nil, nil, nil, nil
	seq, _, err := e.o.Store.LastEvent(ctx)
	if err != nil {
		return err
	}
	for _, kind := range []string{continuity.KindExercise, continuity.KindSilence, continuity.KindNotification, continuity.KindDelivery} {
		for cursor := ""; ; {
			page, next, err := e.o.Store.List(ctx, continuity.Query{Kind: kind, Cursor: cursor, Limit: 1000})
			if err != nil {
				return err
			}
			for _, o := range page {
				e.learn(o.Kind, o.ID, o.Service, o.Version, o.Body)
				e.missed(&o, e.o.Now())
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	now := e.o.Now().UTC()
	for _, s := range e.ships { // one message told both; what became of them need not be one commit
		if by := e.ships[s.By]; s.State == continuity.DeliveryHeld && by != nil && by.State == continuity.DeliveryDelivered {
			e.delivered(s, Sent{Arrived: !by.Confirmed.IsZero()}, by.ID, by.Sent)
		}
	}
	for _, n := range e.notes {
		e.forget(n)
	}
	for _, s := range e.ships {
		if n := len(s.Tried); !s.Over() && n > 0 && s.Tried[n-1].After(now.Add(clocks)) {
			s.Due = now // by a clock that has been put back since
		}
		switch {
		case s.State == continuity.DeliverySending && e.inflight[s.ID] == nil && s.By == droppedInstead && !s.Rest:
			e.instead(s)
		case s.State == continuity.DeliverySending && e.inflight[s.ID] == nil:
			s.State, s.Due, s.Repeat = continuity.DeliveryDue, now, true
			e.markShip(s, "delivery.interrupted")
		case s.State == continuity.DeliveryHeld && s.By != "" && !e.carries(s.By):
			s.State, s.Due, s.By = continuity.DeliveryDue, now, ""
			e.markShip(s, "delivery.released")
		}
		e.wakeShip(s)
	}
	e.seq, e.loaded = seq, true
	return nil
}

// carries reports whether a delivery tells others and is not through.
func (e *Engine) carries(id string) bool {
	s := e.ships[id]
	return s != nil && (s.State == continuity.DeliverySending || (s.State == continuity.DeliveryDue || s.State == continuity.DeliveryHeld) && len(s.With) > 0)
}

// follow takes what happened since: what others want told, what people did.
func (e *Engine) follow(ctx context.Context) error {
	for {
		events, err := e.o.Store.EventsSince(ctx, e.seq, 1000)
		if err != nil {
			return err
		}
		for i := range events {
			ev := &events[i]
			if ev.Kind == continuity.KindDelivery && ev.Actor.Kind != continuity.ActorEngine && e.ships[ev.ID] == nil {
				e.cameBack(ev.After)
			}
			e.learn(ev.Kind, ev.ID, ev.Service, ev.Seq, ev.After)
			e.seq = ev.Seq
		}
		if len(events) < 1000 {
			return nil
		}
	}
}

// take learns of an object; a body of nil means that it is gone. What is known
// already, or newer, stays.
func (e *Engine) take(kind, id string, version int64, body json.RawMessage) error {
	switch kind {
	case continuity.KindExercise:
		return e.takeExercise(id, body)
	case continuity.KindSilence:
		delete(e.silences, id)
		if body != nil {
			var s continuity.Silence
			if err := json.Unmarshal(body, &s); err != nil {
				return err
			}
			e.silences[id] = s
		}
	case continuity.KindNotification:
		return e.takeNote(id, version, body)
	case continuity.KindDelivery:
		return e.takeShip(id, version, body)
	}
	return nil
}

func (e *Engine) takeNote(id string, version int64, body json.RawMessage) error {
	n := e.notes[id]
	if n != nil && n.version >= version {
		return nil
	}
	if body == nil {
		delete(e.notes, id)
		return nil
	}
	var v continuity.Notification
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	e.remember(&v)
	if n == nil {
		if v.Over() && e.loaded {
			return nil // nothing is to be done, and its deliveries are over, too
		}
		n = &note{ships: map[string]*ship{}}
		e.notes[id] = n
	}
	n.Notification, n.version = v, version
	e.wakeNote(n, e.o.Now())
	return nil
}

// remember keeps what later notifications are judged by.
func (e *Engine) remember(n *continuity.Notification) {
	if n.Group != "" && !n.Told.IsZero() {
		g := e.group(n)
		if !n.Told.Before(g.told) {
			g.told, g.rank = n.Told, n.Rank
		}
		if leader := e.notes[g.leader]; !n.Over() && (leader == nil || leader.Over() || n.Rank >= leader.Rank) {
			g.leader = n.ID
		}
	}
	if n.Same != "" && n.State != continuity.NotifyNew && counts(n) && n.At.After(e.sames[sameKey(n)].at) {
		e.sames[sameKey(n)] = same{n.ID, n.At}
	}
}

func (e *Engine) takeShip(id string, version int64, body json.RawMessage) error {
	s := e.ships[id]
	if s != nil && s.version >= version {
		return nil
	}
	if body == nil {
		return nil // it went with its notification
	}
	var v continuity.Delivery
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	if s == nil && e.loaded {
		return nil // nobody else makes deliveries: it was let go of
	}
	if s == nil {
		e.roomOf(v.Sender).add(&v)
		n := e.notes[v.Notification]
		if n == nil {
			return nil
		}
		s = &ship{note: n}
		e.ships[id], n.ships[id] = s, s
	}
	bounced := s.State == continuity.DeliveryDelivered && v.State == continuity.DeliveryFailed
	s.Delivery, s.version = v, version
	switch {
	case v.State == continuity.DeliveryDelivered, v.State == continuity.DeliveryDropped && v.By == droppedInstead:
		e.reached(s)
	case bounced:
		delete(e.told[s.note.About], s.Target)
		e.bounced = append(e.bounced, s)
	}
	e.wakeShip(s)
	return nil
}

// droppedInstead is why a delivery was dropped whose receiver hears something newer in
// its place, and so counts as reached.
const droppedInstead = "instead"

// reached notes whom a message reached.
func (e *Engine) reached(s *ship) {
	at := s.Sent
	if at.IsZero() {
		at = s.Due
	}
	about := s.note.About
	if e.told[about] == nil {
		e.told[about] = map[string]receiver{}
	}
	r, of := e.told[about][s.Target], audienceOf(s)
	if at.After(r.at) {
		r.to, r.at = s.To, at
		r.of = cmp.Or(of, r.of) // who was paged besides is still one of the audience
	}
	r.meant = r.meant || of == ""
	e.told[about][s.Target] = r
}

// audienceOf is the audience as which somebody was told; empty: as none.
func audienceOf(s *ship) string {
	if s.To.Kind == continuity.ToAudience {
		return s.To.ID
	}
	return audienceMeant(&s.note.Notification)
}

// audienceMeant is the audience that a notification tells as such; empty: none.
func audienceMeant(n *continuity.Notification) string {
	if len(n.To) != 1 {
		return ""
	}
	switch to := n.To[0]; to.Kind {
	case continuity.ToAudience:
		return to.ID
	case continuity.ToTold:
		return to.Of
	}
	return ""
}

// number is what an id ends with: deliveries are numbered.
func number(id string) int {
	n, _ := strconv.Atoi(id[strings.LastIndex(id, "-")+1:])
	return n
}

// dues are what is to be looked at, the earliest first. An entry that came to
// nothing meanwhile does no harm.
type dues []due

type due struct {
	at time.Time
	id string // of a notification or, with ship, a delivery
	of bool
}

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

func (e *Engine) wakeNote(n *note, at time.Time) { heap.Push(&e.due, due{at, n.ID, false}) }

func (e *Engine) wakeShip(s *ship) {
	if s.State == continuity.DeliveryDue || s.State == continuity.DeliveryHeld && s.By == "" {
		heap.Push(&e.due, due{s.Due, s.ID, true})
	}
}

// ripe takes what is due.
func (e *Engine) ripe(now time.Time) (notes []*note, ships []*ship) {
	seen := map[due]bool{}
	for len(e.due) > 0 && !e.due[0].at.After(now) {
		d := heap.Pop(&e.due).(due)
		d.at = time.Time{}
		if seen[d] {
			continue
		}
		seen[d] = true
		if n := e.notes[d.id]; n != nil && !d.of {
			notes = append(notes, n)
		}
		if s := e.ships[d.id]; s != nil && d.of {
			ships = append(ships, s)
		}
	}
	return notes, ships
}
