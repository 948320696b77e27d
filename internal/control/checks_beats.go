package control

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
)

// kindBeat is the kind of the objects that hold the last heartbeat of each check.
const kindBeat = "heartbeat"

// beatPause is how soon another beat of the same kind is worth an event.
const beatPause = 5 * time.Second

// storedBeat is the body of such an object.
type storedBeat struct {
	At     time.Time `json:"at"`
	Failed bool      `json:"failed,omitempty"`
	TookMS int64     `json:"took_ms,omitempty"`
}

// beats knows the last heartbeat of each check, whichever node took it. The last
// one is that of the last event, and not that of the clock that is furthest ahead.
type beats struct {
	mu  sync.Mutex
	all map[string]probe.Beat
}

func newBeats() *beats { return &beats{all: map[string]probe.Beat{}} }

func (b *beats) last(check string) (probe.Beat, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	beat, ok := b.all[check]
	return beat, ok
}

func (b *beats) put(check string, body json.RawMessage) {
	var s storedBeat
	if json.Unmarshal(body, &s) != nil {
		return // a newer program's
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[check] = probe.Beat{At: s.At, Failed: s.Failed, Took: time.Duration(s.TookMS) * time.Millisecond}
}

// beatStore is what beats are kept in.
type beatStore interface {
	Apply(context.Context, continuity.Actor, []continuity.Change) ([]continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
}

// read takes up what is stored.
func (b *beats) read(ctx context.Context, from beatStore) error {
	for cursor := ""; ; {
		page, next, err := from.List(ctx, continuity.Query{Kind: kindBeat, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			b.put(o.ID, o.Body)
		}
		if cursor = next; next == "" {
			return nil
		}
	}
}

// take stores a beat, which counts when its event comes round. What comes again at
// once says nothing new.
func (b *beats) take(ctx context.Context, to beatStore, actor continuity.Actor, service, check string, beat probe.Beat) error {
	if last, ok := b.last(check); ok && last.Failed == beat.Failed && beat.At.Sub(last.At).Abs() < beatPause {
		return nil
	}
	body, err := json.Marshal(storedBeat{At: beat.At.UTC(), Failed: beat.Failed, TookMS: beat.Took.Milliseconds()})
	if err != nil {
		return err
	}
	action := "heartbeat.came"
	if beat.Failed {
		action = "heartbeat.failed"
	}
	_, err = to.Apply(ctx, actor, []continuity.Change{{Kind: kindBeat, ID: check, Service: service, Version: continuity.VersionAny, Body: body, Action: action}})
	return err
}

// follow takes up beats in the order of their events.
func (b *beats) follow(ctx context.Context, seq int64, after func(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error)) {
	for ctx.Err() == nil {
		events, err := after(ctx, seq, 500)
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		for _, e := range events {
			if seq = e.Seq; e.Kind == kindBeat && e.After != nil {
				b.put(e.ID, e.After)
			}
		}
	}
}
