// Package ical reads a provider's calendar of its work.
package ical

import (
	"context"
	"encoding/json"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/outgoing/plain"
)

// Of events that recur those are taken that are not over yet and begin within
// this time.
const horizon = 62 * 24 * time.Hour

// reading bounds how long a calendar is worked at: rules can be made to cost.
const reading = 10 * time.Second

type source struct {
	web  *notices.Web
	zone *time.Location
	now  func() time.Time
}

// New reads the calendar at a spec's URL.
func New(s *notices.Spec, tools *notices.Tools) (notices.Source, error) {
	web, err := notices.NewWeb(s, tools, "text/calendar", calendar.MaxICal)
	if err != nil {
		return nil, err
	}
	return &source{web, s.Zone, tools.Now}, nil
}

func (s *source) Read(ctx context.Context, _ json.RawMessage) (notices.Look, error) {
	// Always the whole of it: what lies within the horizon changes by itself.
	answer, err := s.web.Get(ctx, fetch.Mark{})
	if err != nil {
		return notices.Look{}, err
	}
	return Parse(ctx, answer.Body, s.zone, s.now())
}

// Parse reads a calendar.
func Parse(ctx context.Context, src []byte, zone *time.Location, now time.Time) (look notices.Look, err error) {
	ctx, cancel := context.WithTimeout(ctx, reading)
	defer cancel()
	feed, err := calendar.Parse(ctx, src, zone)
	if err != nil {
		return look, fetch.Fail(fetch.Format, err)
	}
	busy, err := feed.Between(ctx, calendar.Window{Start: now, End: now.Add(horizon)})
	if err != nil {
		return look, fetch.Fail(fetch.Format, err)
	}
	look.Left = len(feed.Left)
	events := map[string]*calendar.Event{}
	for i := range feed.Events {
		e := &feed.Events[i]
		if _, there := events[e.UID]; !there || e.Instead.IsZero() {
			events[e.UID] = e
		}
		if e.Cancelled && e.End.After(now) {
			look.Items = append(look.Items, item(e, calendar.Window{Start: e.Start, End: e.End}))
		}
	}
	for _, b := range busy {
		if e := events[b.UID]; e != nil {
			one := *e
			one.Title, one.AllDay = b.Title, b.AllDay
			look.Items = append(look.Items, item(&one, b.Window))
		}
	}
	look.Items = notices.Bound(look.Items)
	return look, nil
}

func item(e *calendar.Event, w calendar.Window) notices.Item {
	key := e.UID
	if at := e.Instead; !at.IsZero() {
		key += "@" + at.UTC().Format(time.RFC3339)
	} else if e.Recurs {
		key += "@" + w.Start.UTC().Format(time.RFC3339)
	}
	out := notices.Item{
		Key: key, Title: plain.Line(e.Title, 300), Text: plain.FromHTML(e.Description), URL: e.URL,
		Stated: notices.Stated{Start: w.Start.UTC(), End: w.End.UTC()},
	}
	if e.Cancelled {
		out.Stated.Kind = extract.Cancelled
	}
	if e.AllDay {
		out.Doubts = append(out.Doubts, extract.DoubtWholeDays)
	}
	return out
}
