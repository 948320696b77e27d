package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// SentStore is an AckStore that tells what was sent since.
type SentStore interface {
	AckStore
	EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
	LastEvent(context.Context) (int64, [32]byte, error)
}

const (
	// answersFor is how long after a message answers and receipts of it count.
	answersFor = 14 * 24 * time.Hour
	// mostEvents is how many events are gone through before everything is read anew.
	mostEvents = 20_000
	// callLasts is how long after an attempt a key may be pressed on that call.
	callLasts = 10 * time.Minute
)

// sentOnes are the deliveries to which providers may refer. They are read once, and
// then follow the events: a provider's word costs no look through all of them.
type sentOnes struct {
	mu       sync.Mutex
	loaded   bool
	seq      int64
	all      map[string]sentOne   // by id
	provider map[[2]string]string // sender and what the provider calls it, to id
}

// sentOne is what has to be known of a delivery.
type sentOne struct {
	id, notification, person, sender, provider string

	with    []string
	sent    time.Time
	tried   time.Time // the last attempt
	unknown bool      // what a provider called one of its attempts is not known
}

// refresh takes what came since the last look.
func (s *sentOnes) refresh(ctx context.Context, store SentStore, now time.Time) error {
	last, _, err := store.LastEvent(ctx)
	if err != nil {
		return err
	}
	if !s.loaded || last-s.seq > mostEvents {
		return s.load(ctx, store, last, now)
	}
	for s.seq < last {
		events, err := store.EventsSince(ctx, s.seq, 1000)
		if err != nil {
			return err
		}
		for i := range events {
			if e := &events[i]; e.Kind == continuity.KindDelivery {
				s.take(e.ID, e.After, now)
			}
			s.seq = events[i].Seq
		}
		if len(events) < 1000 {
			break
		}
	}
	return nil
}

func (s *sentOnes) load(ctx context.Context, store SentStore, last int64, now time.Time) error {
	s.loaded, s.all, s.provider = false, map[string]sentOne{}, map[[2]string]string{}
	for cursor := ""; ; {
		page, next, err := store.List(ctx, continuity.Query{Kind: continuity.KindDelivery, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for i := range page {
			s.take(page[i].ID, page[i].Body, now)
		}
		if cursor = next; cursor == "" {
			s.loaded, s.seq = true, last
			return nil
		}
	}
}

func (s *sentOnes) take(id string, body json.RawMessage, now time.Time) {
	if was, there := s.all[id]; there {
		delete(s.provider, [2]string{was.sender, was.provider})
		delete(s.all, id)
	}
	var d continuity.Delivery
	if body == nil || json.Unmarshal(body, &d) != nil || d.Attempts == 0 && d.Sent.IsZero() {
		return
	}
	one := sentOne{id: id, notification: d.Notification, person: d.Person, sender: d.Sender, provider: d.Provider, with: d.With, sent: d.Sent}
	if len(d.Tried) > 0 {
		one.tried = d.Tried[len(d.Tried)-1]
	}
	one.unknown = d.Repeat || d.State == continuity.DeliverySending
	if now.Sub(later(one.sent, one.tried)) > answersFor {
		return
	}
	s.all[id] = one
	if one.provider != "" {
		s.provider[[2]string{one.sender, one.provider}] = id
	}
}

// called is the delivery that a channel's provider calls by a name.
func (a *Acks) called(ctx context.Context, channel, name string) (one sentOne, ok bool, err error) {
	a.sent.mu.Lock()
	defer a.sent.mu.Unlock()
	if err := a.sent.refresh(ctx, a.Store, a.Now()); err != nil || name == "" {
		return one, false, err
	}
	id, ok := a.sent.provider[[2]string{channel, name}]
	return a.sent.all[id], ok, nil
}

// mostAsked bounds how many deliveries are gone through for one answer.
const mostAsked = 200

// toAddress are the deliveries over a channel to whoever has an address, the last one
// first: those that arrived, or, of calls, those of which it is not known what the
// provider calls them.
func (a *Acks) toAddress(ctx context.Context, channel, from string, unknown bool) (all []sentOne, err error) {
	if a.Addresses == nil || from == "" {
		return nil, nil
	}
	a.sent.mu.Lock()
	err = a.sent.refresh(ctx, a.Store, a.Now())
	for _, one := range a.sent.all {
		if one.sender == channel && one.person != "" && (unknown && one.unknown || !unknown && !one.sent.IsZero()) {
			all = append(all, one)
		}
	}
	a.sent.mu.Unlock()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y sentOne) int {
		return cmp.Or(later(y.sent, y.tried).Compare(later(x.sent, x.tried)), strings.Compare(x.id, y.id))
	})
	all = all[:min(len(all), mostAsked)]
	theirs := map[string]bool{}
	for _, one := range all {
		if _, asked := theirs[one.person]; asked {
			continue
		}
		addresses, err := a.Addresses(ctx, one.person)
		if known(err) != nil {
			return nil, err
		}
		theirs[one.person] = slices.ContainsFunc(addresses, func(have string) bool { return sameAddress(have, from) })
	}
	return slices.DeleteFunc(all, func(one sentOne) bool { return !theirs[one.person] }), nil
}
