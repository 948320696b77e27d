package maintenance

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// ahead is how long before the longest notice an occurrence becomes a window: days
// off may have the notice go out so much earlier.
const ahead = 14 * day

// windowsOf is when the windows of a series are.
func windowsOf(s *continuity.WindowSeries) (w calendar.Windows, err error) {
	zone, err := calendar.ParseZone(s.Zone)
	if err != nil {
		return w, err
	}
	first, err := calendar.ParseDate(s.First)
	if err != nil {
		return w, err
	}
	from, err := calendar.ParseClock(s.From)
	if err != nil {
		return w, err
	}
	w.Length = time.Duration(s.Minutes) * time.Minute
	if s.To != "" {
		if w.Until, err = calendar.ParseClock(s.To); err != nil {
			return w, err
		}
	}
	w.Schedule, err = calendar.New(calendar.Spec{Zone: zone, Rule: s.Rule, From: first, FromAt: from})
	if err != nil {
		return w, err
	}
	return w, w.Check()
}

// fromSeries makes windows of the occurrences that are near, one at a time. next is
// when another one will be.
func (e *Engine) fromSeries(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	for _, id := range e.facts.ids(continuity.KindWindowSeries) {
		var s continuity.WindowSeries
		version, ok := e.facts.get(continuity.KindWindowSeries, id, &s)
		if !ok || !s.Ended.IsZero() {
			continue
		}
		changes, due, err := e.occur(ctx, &s, version, now)
		if changes = follow.Free(ctx, changes); err != nil || changes != nil {
			return changes, next, err
		}
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return nil, next, nil
}

// occur makes a window of the next occurrence of a series, if it is near.
func (e *Engine) occur(ctx context.Context, s *continuity.WindowSeries, version int64, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	if e.facts.clocks.Over(s.Exercise) {
		s.Ended, s.Shown = now, e.facts.clocks.Shown(s.Exercise, now)
		return []continuity.Change{continuity.Set(continuity.KindWindowSeries, s.ID, s.Service, version, "window-series.ended", "exercise.over", s)}, next, nil
	}
	when, err := windowsOf(s)
	if err != nil {
		return nil, next, nil // it was checked when it was made: another version of the program did
	}
	w := e.fresh(s.Service, s.Exercise, now)
	if w.rules == nil {
		return nil, next, nil
	}
	horizon := ahead
	if len(w.rules.Notices) > 0 {
		horizon += slices.Max(w.rules.Notices)
	}
	after := w.shown
	if s.Made.After(after) {
		after = s.Made
	}
	for o := range when.From(after) {
		if !o.Start.After(after) || !o.End.After(o.Start) { // it goes on already, or clocks jump over all of it
			continue
		}
		if near := o.Start.Add(-horizon); near.After(w.shown) {
			if due, ok := e.facts.clocks.Due(s.Exercise, near); ok {
				next = due
			}
			return nil, next, nil
		}
		w.Kind, w.Start, w.End = continuity.WindowPlanned, o.Start.UTC(), o.End.UTC()
		w.Title, w.Reason, w.Affected, w.Hits, w.Meanwhile, w.Contact, w.Standby = s.Title, s.Reason, s.Affected, s.Hits, s.Meanwhile, s.Contact, s.Standby
		w.Zone, w.Series, w.Occurs = s.Zone, s.ID, w.Start.Format(time.RFC3339)
		w.Origin = continuity.Origin{Kind: OriginSeries, ID: s.ID}
		scene, err := sceneOf(ctx, e.o.World, w.rules, w.span(), e.all())
		if err != nil {
			return nil, next, err
		}
		if w.Placed, err = scene.place(ctx, w.span(), ""); err != nil {
			return nil, next, err
		}
		w.Lacks = w.lacks()
		switch {
		case len(w.Lacks) == 0 && !w.Placed.Clashes(): // who made the series approved of it
			w.schedule(&s.By)
		default:
			w.mark("window.proposed")
			w.owner("maintenance.proposed.", continuity.UrgencyNotice, map[string]any{"items": w.lackTexts()})
		}
		s.Made, s.Shown = w.Start, w.Shown
		body, err := json.Marshal(s)
		if err != nil {
			return nil, next, err
		}
		return append(w.changes(), continuity.Change{
			Kind: continuity.KindWindowSeries, ID: s.ID, Service: s.Service, Version: version, Body: body, Action: "window-series.occurred",
		}), next, nil
	}
	return nil, next, nil
}

// all are the windows as they are stored.
func (e *Engine) all() []continuity.Window {
	all := make([]continuity.Window, 0, len(e.windows))
	for _, h := range e.windows {
		all = append(all, h.Window)
	}
	return all
}
