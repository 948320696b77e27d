package maintenance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// KeptSeries is a series with its version.
type KeptSeries struct {
	continuity.WindowSeries

	Version int64
}

// SeriesDetail is a series with its next windows.
type SeriesDetail struct {
	continuity.WindowSeries

	Next []calendar.Window `json:"next" nullable:"false"`
}

// shownNext is how many of the next windows are shown.
const shownNext = 10

func seriesOf(o continuity.Object) (KeptSeries, error) {
	k := KeptSeries{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.WindowSeries)
}

// Series returns the series of a service, or all.
func (a *Acts) Series(ctx context.Context, service string, past bool, cursor string, limit int) (page []KeptSeries, next string, err error) {
	page = []KeptSeries{}
	objects, next, err := a.o.Store.List(ctx, continuity.Query{Kind: continuity.KindWindowSeries, Service: service, Cursor: cursor, Limit: limit})
	for _, o := range objects {
		k, err := seriesOf(o)
		if err != nil {
			return nil, "", err
		}
		if past || k.Ended.IsZero() {
			page = append(page, k)
		}
	}
	return page, next, err
}

// GetSeries returns a series with its next windows, and its version.
func (a *Acts) GetSeries(ctx context.Context, id string) (SeriesDetail, int64, error) {
	o, err := a.o.Store.Get(ctx, continuity.KindWindowSeries, id)
	if err != nil {
		return SeriesDetail{}, 0, err
	}
	k, err := seriesOf(o)
	d := SeriesDetail{WindowSeries: k.WindowSeries, Next: []calendar.Window{}}
	if err != nil || !k.Ended.IsZero() {
		return d, k.Version, err
	}
	when, err := windowsOf(&k.WindowSeries)
	if err != nil {
		return d, k.Version, err
	}
	clocks, err := a.knows(ctx, k.Service)
	if err != nil {
		return d, k.Version, err
	}
	for w := range when.From(clocks.clocks.At(k.Exercise, a.o.Now())) {
		if len(d.Next) == shownNext {
			break
		}
		d.Next = append(d.Next, calendar.Window{Start: w.Start.UTC(), End: w.End.UTC()})
	}
	return d, k.Version, nil
}

// AddSeries has windows recur. Whoever says so approves of each that lacks nothing
// and falls on nothing.
func (a *Acts) AddSeries(ctx context.Context, by continuity.Actor, s continuity.WindowSeries) (KeptSeries, error) {
	rules, err := a.rules(s.Service)
	if err != nil {
		return KeptSeries{}, err
	}
	if s.Zone == "" {
		s.Zone = rules.Zone.String()
	}
	if (s.To == "") == (s.Minutes <= 0) {
		return KeptSeries{}, invalid("series-length")
	}
	for _, id := range s.Affected {
		if _, known := rules.Affected[id]; !known {
			return KeptSeries{}, invalid("affected", "id", id)
		}
	}
	now := a.o.Now().UTC()
	known, err := a.knows(ctx, s.Service)
	if err != nil {
		return KeptSeries{}, err
	}
	if x, ok := known.clocks[s.Exercise]; s.Exercise != "" && (!ok || !x.Ended.IsZero()) {
		return KeptSeries{}, invalid("exercise", "id", s.Exercise)
	}
	if s.First == "" {
		if zone, err := calendar.ParseZone(s.Zone); err == nil {
			s.First = calendar.DateOf(known.clocks.At(s.Exercise, now).In(zone)).String()
		}
	}
	when, err := windowsOf(&s)
	if err != nil {
		return KeptSeries{}, err
	}
	if err := checkOccurrences(when, rules, known.clocks.At(s.Exercise, now)); err != nil {
		return KeptSeries{}, err
	}
	s.By, s.At, s.Made, s.Ended = by, now, time.Time{}, time.Time{}
	for range mostTries {
		taken := map[string]bool{}
		if err := a.each(ctx, continuity.KindWindowSeries, s.Service, func(o continuity.Object) error {
			taken[o.ID] = true
			return nil
		}); err != nil {
			return KeptSeries{}, err
		}
		for n := 1; s.ID == "" || taken[s.ID]; n++ {
			s.ID = fmt.Sprintf("%s-s-%d", s.Service, n)
		}
		c := continuity.Set(continuity.KindWindowSeries, s.ID, s.Service, continuity.VersionNew, "window-series.added", "", s)
		objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{c}})
		if continuity.CodeOf(err) == continuity.CodeVersion {
			continue
		}
		if err != nil {
			return KeptSeries{}, err
		}
		return seriesOf(objects[0])
	}
	return KeptSeries{}, continuity.E(continuity.CodeBusy, nil)
}

// checkOccurrences refuses a series that has no window to come, or whose windows
// overlap or last longer than they may.
func checkOccurrences(when calendar.Windows, rules *Rules, now time.Time) error {
	var some []calendar.Window
	for w := range when.From(now) {
		if some = append(some, w); len(some) > shownNext {
			break
		}
	}
	if len(some) == 0 {
		return invalid("series-never")
	}
	for i := 1; i < len(some); i++ {
		if some[i].Overlaps(some[i-1]) {
			return invalid("series-overlap")
		}
	}
	if rules.Longest > 0 && slices.ContainsFunc(some, func(w calendar.Window) bool { return w.Length() > rules.Longest+time.Hour }) {
		return invalid("longest", "most_seconds", rules.Longest.Seconds()) // an hour is left for clocks that change
	}
	return nil
}

// EndSeries has no more windows come of a series. Those that did stay.
func (a *Acts) EndSeries(ctx context.Context, by continuity.Actor, id string, version int64) (KeptSeries, error) {
	o, err := a.o.Store.Get(ctx, continuity.KindWindowSeries, id)
	if err != nil {
		return KeptSeries{}, err
	}
	k, err := seriesOf(o)
	if err != nil {
		return k, err
	}
	if version != continuity.VersionAny && version != k.Version {
		return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindWindowSeries, "id", id, "version", k.Version)
	}
	if !k.Ended.IsZero() {
		return k, nil
	}
	k.Ended = a.o.Now().UTC()
	c := continuity.Set(continuity.KindWindowSeries, id, k.Service, k.Version, "window-series.ended", "", k.WindowSeries)
	objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{c}})
	if err != nil {
		return k, err
	}
	return seriesOf(objects[0])
}
