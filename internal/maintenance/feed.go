package maintenance

import (
	"cmp"
	"context"
	"strings"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// keepInFeed is how long windows that are over stay in the calendar.
const keepInFeed = 90 * day

// Feed is the windows of a service, or of all, as an iCalendar file. A window keeps
// its UID; each change raises its sequence; one that does not take place is cancelled
// there. Exercises are in no calendar.
func (a *Acts) Feed(ctx context.Context, service, lang string) ([]byte, error) {
	now := a.o.Now().UTC()
	language := catalogue.Lang(lang)
	var entries []calendar.Entry
	if _, err := a.rules(service); service != "" && err != nil {
		if all, failed := a.windows(ctx, service); failed != nil || len(all) == 0 {
			return nil, cmp.Or(failed, err)
		}
	}
	err := a.each(ctx, continuity.KindWindow, service, func(o continuity.Object) error {
		k, err := keptOf(o)
		if err != nil || k.Exercise != "" || k.Start.IsZero() || !k.End.After(k.Start) || over(&k.Window) && k.End.Before(now.Add(-keepInFeed)) {
			return err
		}
		entries = append(entries, a.entry(&k.Window, o.Updated, language))
		return nil
	})
	return calendar.Write(catalogue.Text(language, "maintenance.calendar.name", nil), entries), err
}

// entry is a window in the calendar.
func (a *Acts) entry(w *continuity.Window, changed time.Time, lang catalogue.Lang) calendar.Entry {
	e := calendar.Entry{UID: w.ID + "@holdfast", Sequence: w.Sequence, Changed: changed, Start: w.Start, End: (&window{Window: *w}).until(), Status: calendar.EntryConfirmed}
	switch w.State {
	case continuity.WindowProposed:
		e.Status = calendar.EntryTentative
	case continuity.WindowCancelled:
		e.Status = calendar.EntryCancelled
	}
	e.Title = in(w.Title, lang)
	if e.Title == "" {
		e.Title = catalogue.Text(lang, "maintenance.title."+w.Kind, nil)
	}
	rules, ok := a.o.Plans.Of(w.Service)
	if !ok {
		e.Title = w.Service + ": " + e.Title
		return e
	}
	e.Title = in(rules.Name, lang) + ": " + e.Title
	says := (&window{Window: *w, rules: rules}).said()
	e.Description = catalogue.Text(lang, "maintenance.calendar.about", catalogue.Args{
		"affected": in(says.affected, lang), "reason": in(says.reason, lang), "contact": in(says.contact, lang), "standby": in(says.standby, lang),
		"state": strings.TrimSpace(catalogue.Text(lang, "maintenance.states."+w.State, nil)),
	})
	return e
}
