package controlapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/watch"
)

// Events is the chain of changes.
type Events interface {
	Events(ctx context.Context, q continuity.EventQuery) (page []continuity.AuditEvent, next string, err error)
	EventsSince(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
	LastEvent(ctx context.Context) (seq int64, hash [32]byte, err error)
	VerifyEvents(ctx context.Context) (n, firstBad int64, err error)
	// After waits until there are events after a number and returns the first ones
	// of them.
	After(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)
}

// EventHead is an event without the content before and after it.
type EventHead struct {
	Seq     int64            `json:"seq"`
	At      time.Time        `json:"at"`
	Actor   continuity.Actor `json:"actor"`
	Action  string           `json:"action"`
	Kind    string           `json:"kind"`
	ID      string           `json:"id"`
	Service string           `json:"service,omitempty"`
	Reason  string           `json:"reason,omitempty"` // a person's words, or a code
	Why     string           `json:"why,omitempty"`    // the reason in the caller's language
	Erased  bool             `json:"erased,omitempty"`
}

// Event is a change of state.
type Event struct {
	EventHead

	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Withheld says that the content is for those only who may export it.
	Withheld bool `json:"withheld,omitempty"`
	// Masked says that addresses in the content are for those only who may read people.
	Masked bool   `json:"masked,omitempty"`
	Hash   string `json:"hash"`
}

// EventsHead is the end of the chain.
type EventsHead struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Verification is what reading the whole chain showed.
type Verification struct {
	Events   int64  `json:"events"`
	FirstBad int64  `json:"first_bad"` // 0: all are as they were written
	Seq      int64  `json:"seq"`
	Hash     string `json:"hash"`
}

// guarded are the kinds whose content only those see who may export the state:
// who logs in from where, and which tokens there are, concerns nobody else.
var guarded = map[string]bool{"user": true, "token": true, "session": true}

const verifyTime = 10 * time.Minute

func registerEvents(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/events", ID: "listEvents", Scope: access.EventsRead}, s.listEvents)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/events/{seq}", ID: "getEvent", Scope: access.EventsRead}, s.getEvent)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/events/head", ID: "getEventsHead", Scope: access.EventsRead}, s.eventsHead)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/events/verification", ID: "verifyEvents", Scope: access.EventsRead, Time: verifyTime}, s.verifyEvents)
}

// EventFilter is the input of lists of events.
type EventFilter struct {
	Service string    `query:"service"`
	Kind    string    `query:"kind"`
	ID      string    `query:"id"` // with kind
	Actor   string    `query:"actor"`
	Action  string    `query:"action"`
	After   time.Time `query:"after"`
	Before  time.Time `query:"before"`
	Order   string    `query:"order" enum:"newest,oldest" default:"newest"`
}

func (s *server) listEvents(ctx context.Context, in *struct {
	EventFilter
	Paging
}) (*list[Event], error) {
	page, next, err := s.Events.Events(ctx, continuity.EventQuery{
		Service: in.Service, Kind: in.Kind, ID: in.ID, Actor: in.Actor, Action: in.Action,
		After: in.After, Before: in.Before, Oldest: in.Order == "oldest", Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	items := make([]Event, len(page))
	for i, e := range page {
		items[i] = shownEvent(ctx, e)
	}
	return listOf(items, next), nil
}

func (s *server) getEvent(ctx context.Context, in *struct {
	Seq int64 `path:"seq" minimum:"1"`
}) (*plain[Event], error) {
	page, err := s.Events.EventsSince(ctx, in.Seq-1, 1)
	if err != nil {
		return nil, err
	}
	if len(page) == 0 || page[0].Seq != in.Seq {
		return nil, continuity.E(continuity.CodeNotFound, nil, "kind", "event", "id", in.Seq)
	}
	return &plain[Event]{shownEvent(ctx, page[0])}, nil
}

func (s *server) eventsHead(ctx context.Context, _ *struct{}) (*plain[EventsHead], error) {
	seq, hash, err := s.Events.LastEvent(ctx)
	return &plain[EventsHead]{EventsHead{seq, hex.EncodeToString(hash[:])}}, err
}

func (s *server) verifyEvents(ctx context.Context, _ *struct{}) (*plain[Verification], error) {
	if !s.verifying.TryLock() {
		return nil, continuity.E(continuity.CodeBusy, nil, "seconds", 10)
	}
	defer s.verifying.Unlock()
	seq, hash, err := s.Events.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	n, bad, err := s.Events.VerifyEvents(ctx)
	return &plain[Verification]{Verification{Events: n, FirstBad: bad, Seq: seq, Hash: hex.EncodeToString(hash[:])}}, err
}

func headOf(lang catalogue.Lang, e continuity.AuditEvent) EventHead {
	return EventHead{
		Seq: e.Seq, At: e.At, Actor: e.Actor, Action: e.Action, Kind: e.Kind, ID: e.ID, Service: e.Service, Reason: e.Reason, Why: why(lang, e), Erased: e.Erased,
	}
}

// why puts an event's reason into words. What engines give is a code; of a check
// the content says more, unless it is gone.
func why(lang catalogue.Lang, e continuity.AuditEvent) string {
	if e.Actor.Kind != continuity.ActorEngine || e.Reason == "" {
		return e.Reason
	}
	var kept continuity.JudgedCheck
	if e.Kind != continuity.ObjectCheck {
		return catalogue.Because(lang, e.Kind, e.Reason)
	}
	if json.Unmarshal(e.After, &kept) != nil || kept.Reason.Code == "" {
		kept.Reason = continuity.CheckReason{Code: e.Reason}
	}
	return watch.Say(lang, kept.Reason)
}

func shownEvent(ctx context.Context, e continuity.AuditEvent) Event {
	caller := callerOf(ctx)
	shown := Event{EventHead: headOf(langOf(ctx), e), Hash: hex.EncodeToString(e.Hash[:])}
	if shown.Withheld = guarded[e.Kind] && !caller.Scopes.Has(access.StateRead); !shown.Withheld {
		shown.Before, shown.After = e.Before, e.After
	}
	if mask := addressed[e.Kind]; mask != nil && !caller.Scopes.Has(access.PeopleRead) {
		shown.Masked, shown.Before, shown.After = true, mask(e.Before), mask(e.After)
	}
	return shown
}

// addressed are the kinds whose content may bear addresses, and how these are
// masked.
var addressed = map[string]func(json.RawMessage) json.RawMessage{
	"person": unaddressed(func(p *continuity.Person) {
		for i := range p.Addresses {
			p.Addresses[i].Value = p.Addresses[i].Masked()
		}
	}),
	continuity.KindNotification: unaddressed(maskNotification),
	continuity.KindDelivery:     unaddressed(maskDelivery),
}

// unaddressed masks what a content holds; what can't be read is nothing.
func unaddressed[T any](mask func(*T)) func(json.RawMessage) json.RawMessage {
	return func(content json.RawMessage) json.RawMessage {
		if content == nil {
			return nil
		}
		var v T
		if json.Unmarshal(content, &v) != nil {
			return nil
		}
		mask(&v)
		return marshalled(v)
	}
}

func marshalled(v any) json.RawMessage {
	masked, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return masked
}
