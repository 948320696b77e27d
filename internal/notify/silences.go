package notify

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// longestSilence bounds how long nothing is told.
const longestSilence = 30 * 24 * time.Hour

// KeptSilence is a silence with its version.
type KeptSilence struct {
	continuity.Silence

	Version int64
}

// Silence keeps the warnings of a service, or some of them, from being told for a
// time.
func (a *Acts) Silence(ctx context.Context, by continuity.Actor, s continuity.Silence) (KeptSilence, error) {
	now := a.now().UTC()
	if s.From.IsZero() {
		s.From = now
	}
	switch {
	case s.Service == "":
		return KeptSilence{}, invalid("silence-service")
	case strings.TrimSpace(s.Why) == "":
		return KeptSilence{}, invalid("silence-why")
	case !s.Until.After(s.From) || !s.Until.After(now) || s.Until.Sub(s.From) > longestSilence:
		return KeptSilence{}, invalid("silence-until", "days", int(longestSilence/(24*time.Hour)))
	}
	s.ID, s.By = s.Service+".s-"+stamp(now), by
	return a.putSilence(ctx, by, s, continuity.VersionNew, "silence.began")
}

// EndSilence ends a silence now.
func (a *Acts) EndSilence(ctx context.Context, by continuity.Actor, id string, version int64) (KeptSilence, error) {
	o, err := a.store.Get(ctx, continuity.KindSilence, id)
	if err != nil {
		return KeptSilence{}, err
	}
	k, err := readSilence(o)
	if err != nil {
		return k, err
	}
	now := a.now().UTC()
	if !now.Before(k.Until) {
		return k, continuity.E(continuity.CodeState, nil, "detail_id", "notify.silence-over", "id", id)
	}
	k.Until = now
	if k.From.After(now) {
		k.From = now
	}
	return a.putSilence(ctx, by, k.Silence, version, "silence.ended")
}

func (a *Acts) putSilence(ctx context.Context, by continuity.Actor, s continuity.Silence, version int64, action string) (KeptSilence, error) {
	change := continuity.Set(continuity.KindSilence, s.ID, s.Service, version, action, "", s)
	change.Reason = s.Why
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{change}})
	if err != nil {
		return KeptSilence{}, err
	}
	return readSilence(objects[0])
}

func readSilence(o continuity.Object) (KeptSilence, error) {
	k := KeptSilence{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Silence)
}

// GetSilence returns one silence.
func (a *Acts) GetSilence(ctx context.Context, id string) (KeptSilence, error) {
	o, err := a.store.Get(ctx, continuity.KindSilence, id)
	if err != nil {
		return KeptSilence{}, err
	}
	return readSilence(o)
}

// Silences returns a page of silences: those that are not over, or all.
func (a *Acts) Silences(ctx context.Context, service string, past bool, cursor string, limit int) (page []KeptSilence, next string, err error) {
	page = []KeptSilence{}
	now := a.now()
	for next = cursor; ; {
		objects, after, err := a.store.List(ctx, continuity.Query{Kind: continuity.KindSilence, Service: service, Cursor: next, Limit: limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := readSilence(o)
			if err != nil {
				return nil, "", err
			}
			if past || now.Before(k.Until) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}
