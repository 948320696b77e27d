package calendar

import (
	"context"
	"slices"
	"time"
)

// Busy is one occurrence of an event.
type Busy struct {
	Window
	UID    string `json:"uid"`
	Title  string `json:"title"`
	AllDay bool   `json:"allDay,omitempty"`
}

// Between returns what a calendar has on between two instants, in order;
// exceptions and cancelled events are left out.
func (f *Feed) Between(ctx context.Context, w Window) ([]Busy, error) {
	type one struct {
		uid string
		at  int64
	}
	instead := map[one]bool{}
	for _, e := range f.Events {
		if !e.Instead.IsZero() {
			instead[one{e.UID, e.Instead.Unix()}] = true
		}
	}
	var out []Busy
	for i := range f.Events {
		e := &f.Events[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if e.Cancelled {
			continue
		}
		for wall := range e.walls(ctx, w) {
			v := e.at(wall)
			if e.Instead.IsZero() && instead[one{e.UID, v.Start.Unix()}] {
				continue
			}
			if !v.Overlaps(w) && !(v.Length() == 0 && !v.Start.Before(w.Start) && v.Start.Before(w.End)) {
				continue
			}
			if len(out) >= maxBusy {
				return nil, invalid("calendar.ical.events", "max", maxBusy)
			}
			out = append(out, Busy{Window: v, UID: e.UID, Title: e.Title, AllDay: e.AllDay})
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b Busy) int { return a.Start.Compare(b.Start) })
	return out, nil
}

// at returns the occurrence of a local time.
func (e *Event) at(wall time.Time) Window {
	start := Resolve(wall, e.zone)
	if e.AllDay {
		return Window{start, DateOf(wall).Plus(e.days).Begin(e.zone)}
	}
	return Window{start, start.Add(e.End.Sub(e.Start))}
}

// patience is how many occurrences are passed over before somebody asks whether
// the answer is still wanted.
const patience = 1 << 12

// walls walks the local times of an event's occurrences that may touch a window.
// It ends early where nobody waits any more.
func (e *Event) walls(ctx context.Context, w Window) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		early := w.Start.UTC().Add(-2*farthest - e.End.Sub(e.Start))
		late := w.End.UTC().Add(farthest)
		skip := func(t time.Time) bool {
			return t.Before(early) || t.After(late) || slices.ContainsFunc(e.less, t.Equal)
		}
		seen := map[time.Time]bool{}
		for _, t := range append([]time.Time{e.wall}, e.more...) { // the first one counts, whatever the rule
			if !skip(t) && !seen[t] {
				seen[t] = true
				if !yield(t) {
					return
				}
			}
		}
		if e.rule == nil {
			return
		}
		next, passed := e.rule.Iterator(), 0
		for t, ok := next(); ok && !t.After(late); t, ok = next() {
			if passed++; passed%patience == 0 && ctx.Err() != nil {
				return
			}
			if !skip(t) && !seen[t] && !yield(t) {
				return
			}
		}
	}
}
