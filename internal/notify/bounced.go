package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"holdfast/internal/continuity"
)

// back sends what a provider had taken and could not deliver another way. Of a page
// that is over nobody has to be told; what is no page may be over because it was
// thought to be delivered.
func (e *Engine) back(ctx context.Context, s *ship, now time.Time) {
	n := s.note
	late := mistaken(&n.Notification) && !s.elsewhere()
	s.Rest = s.Rest || late // nothing else tells it
	s.Back = true
	switch wanted := !n.Over() || s.Rest; {
	case wanted && e.fallBack(ctx, s, now):
		e.markShip(s, "delivery.replaced")
	case late:
		e.markShip(s, "delivery.bounced")
		e.untold(s, s.Failure, now)
	default:
		e.markShip(s, "delivery.bounced")
	}
	e.wakeNote(n, now)
}

// mistaken reports whether a notification may have ended because a provider took
// its message.
func mistaken(n *continuity.Notification) bool {
	return n.Urgency != continuity.UrgencyPage && n.State == continuity.NotifyDelivered && n.By == ""
}

// elsewhere reports whether another message reached the same one.
func (s *ship) elsewhere() bool {
	for _, d := range s.note.ships {
		if d != s && d.Target == s.Target && d.Step == s.Step && (d.State == continuity.DeliveryDelivered || !d.Over()) {
			return true
		}
	}
	return false
}

// untold says what else becomes true where what only one delivery tells gets to
// nobody.
func (e *Engine) untold(s *ship, code string, now time.Time) {
	if e.o.Failed == nil {
		return
	}
	n := s.note.Notification
	n.Failure = code
	e.extra = append(e.extra, e.o.Failed(&n, now)...)
}

// cameBack notes a delivery that its provider took back, of a notification that was
// let go of.
func (e *Engine) cameBack(body json.RawMessage) {
	var v continuity.Delivery
	if json.Unmarshal(body, &v) == nil && v.State == continuity.DeliveryFailed && !v.Sent.IsZero() {
		e.returned = append(e.returned, v)
	}
}

// lateBounce is how long after it a bounce is seen to of which nobody who led knew.
const lateBounce = 24 * time.Hour

// missed notes a delivery that its provider took back while nobody led.
func (e *Engine) missed(o *continuity.Object, now time.Time) {
	var v continuity.Delivery
	if o.Kind == continuity.KindDelivery && now.Sub(o.Updated) < lateBounce && json.Unmarshal(o.Body, &v) == nil &&
		v.State == continuity.DeliveryFailed && !v.Sent.IsZero() && !v.Back && v.Next == "" {
		e.returned = append(e.returned, v)
	}
}

// recall takes up what was let go of, as a message came back.
func (e *Engine) recall(ctx context.Context) {
	for len(e.returned) > 0 {
		v := &e.returned[0]
		n, err := e.fetch(ctx, v.Notification)
		if err != nil {
			e.o.Log.Warn("a message that came back can't be looked up", "code", continuity.CodeOf(err), "err", err)
			return
		}
		if n != nil {
			if s := n.ships[v.ID]; s != nil {
				e.bounced = append(e.bounced, s)
			}
		}
		e.returned = e.returned[1:]
	}
}

// fetch reads a notification with its deliveries; nil: there is nothing to be done
// about it.
func (e *Engine) fetch(ctx context.Context, id string) (*note, error) {
	if n := e.notes[id]; n != nil {
		return n, nil
	}
	n := &note{ships: map[string]*ship{}}
	version, err := e.object(ctx, continuity.KindNotification, id, &n.Notification)
	if n.version = version; err != nil || version == 0 || !mistaken(&n.Notification) {
		return nil, err
	}
	for i := 1; i <= n.Deliver; i++ {
		s := &ship{note: n}
		if s.version, err = e.object(ctx, continuity.KindDelivery, fmt.Sprintf("%s.d-%d", id, i), &s.Delivery); err != nil {
			return nil, err
		}
		if s.version != 0 {
			n.ships[s.ID] = s
		}
	}
	e.notes[id] = n
	for _, s := range n.ships {
		e.ships[s.ID] = s
	}
	return n, nil
}

// object reads one object; its version is 0 where it is there no more.
func (e *Engine) object(ctx context.Context, kind, id string, v any) (version int64, err error) {
	o, err := e.o.Store.Get(ctx, kind, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return o.Version, json.Unmarshal(o.Body, v)
}
