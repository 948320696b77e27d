package maintenance

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Bounds of what people say of windows.
const (
	longestWindow = 31 * day
	mostProposals = 20
)

// Proposals are times in which a window would disturb little, the best first.
func (a *Acts) Proposals(ctx context.Context, service string, wish Wish) ([]WindowTime, error) {
	rules, err := a.rules(service)
	if err != nil {
		return nil, err
	}
	now := a.o.Now().UTC()
	if wish.Exercise != "" {
		known, err := a.knows(ctx, service)
		if err != nil {
			return nil, err
		}
		if _, there := known.clocks[wish.Exercise]; !there || known.clocks.Over(wish.Exercise) {
			return nil, invalid("exercise", "id", wish.Exercise)
		}
		now = known.clocks.At(wish.Exercise, now).UTC()
	}
	if wish.Length <= 0 || wish.Length > longestWindow {
		return nil, invalid("length")
	}
	if rules.Longest > 0 && wish.Length > rules.Longest {
		return nil, invalid("longest", "most_seconds", rules.Longest.Seconds())
	}
	if wish.From.IsZero() {
		wish.From = rules.earliest(now)
	}
	if wish.Until.IsZero() {
		wish.Until = wish.From.Add(searches)
	}
	if wish.From.Before(now) || !wish.Until.After(wish.From) || wish.Until.Sub(wish.From) > mostAhead {
		return nil, invalid("search")
	}
	wish.Count = min(max(wish.Count, 1), mostProposals)
	s, err := a.scene(ctx, rules, calendar.Window{Start: wish.From, End: wish.Until})
	if err != nil {
		return nil, err
	}
	return s.propose(ctx, wish)
}

// Zone is the time zone of a service's people.
func (a *Acts) Zone(service string) string {
	r, ok := a.o.Plans.Of(service)
	if !ok || r.Zone == nil {
		return ""
	}
	return r.Zone.String()
}

// Draft is what a person wants a window to be like. What is nil stays as it is, or as
// the plan says.
type Draft struct {
	Service   string
	Kind      string
	Start     *time.Time
	End       *time.Time
	Title     *continuity.Text
	Reason    *continuity.Text
	Affected  *[]string
	Hits      *continuity.Text
	Meanwhile *continuity.Text
	Contact   *string
	Standby   *string
	Despite   string // why it lies where it does, whatever it falls on
	Exercise  string
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// onto has a window be as drafted.
func (d *Draft) onto(w *window) error {
	set(&w.Start, d.Start)
	set(&w.End, d.End)
	set(&w.Title, d.Title)
	set(&w.Reason, d.Reason)
	set(&w.Affected, d.Affected)
	set(&w.Hits, d.Hits)
	set(&w.Meanwhile, d.Meanwhile)
	set(&w.Contact, d.Contact)
	set(&w.Standby, d.Standby)
	if d.Despite != "" {
		w.Despite = d.Despite
	}
	w.Start, w.End = w.Start.UTC().Truncate(time.Second), w.End.UTC().Truncate(time.Second)
	for _, id := range w.Affected {
		if _, known := w.rules.Affected[id]; !known {
			return invalid("affected", "id", id)
		}
	}
	switch {
	case w.End.IsZero() || w.Start.IsZero(): // said by what is lacking
	case !w.End.After(w.Start), w.End.Sub(w.Start) > longestWindow:
		return invalid("length")
	case !w.End.After(w.shown):
		return invalid("past")
	}
	return nil
}

// Propose writes down a window that somebody has to plan yet.
func (a *Acts) Propose(ctx context.Context, by continuity.Actor, d Draft) (Kept, error) {
	rules, err := a.rules(d.Service)
	if err != nil {
		return Kept{}, err
	}
	if d.Kind == "" {
		d.Kind = continuity.WindowPlanned
	}
	for range mostTries {
		w, err := a.open(ctx, Kept{Window: continuity.Window{Service: d.Service, Kind: d.Kind, Exercise: d.Exercise}, Version: continuity.VersionNew})
		if err != nil {
			return Kept{}, err
		}
		if x, known := w.facts.clocks[d.Exercise]; d.Exercise != "" && (!known || !x.Ended.IsZero()) {
			return Kept{}, invalid("exercise", "id", d.Exercise)
		}
		if w.Start.IsZero() && d.Kind == continuity.WindowEmergency && d.Start == nil {
			w.Start = w.shown.Truncate(time.Second)
		}
		if err := d.onto(w); err != nil {
			return Kept{}, err
		}
		if d.Kind == continuity.WindowEmergency && w.Reason == (continuity.Text{}) { // a slip would stand in the way of the real one
			return Kept{}, invalid("reason")
		}
		taken := map[string]bool{}
		all, err := a.windows(ctx, d.Service)
		if err != nil {
			return Kept{}, err
		}
		for i := range all {
			taken[all[i].ID] = true
		}
		w.ID = numbered(d.Service, w.shown.Year(), func(id string) bool { return taken[id] })
		w.State, w.By, w.At, w.Zone = continuity.WindowProposed, by, w.now, rules.Zone.String()
		w.Origin = continuity.Origin{Kind: OriginPerson, ID: by.ID}
		if w.Lacks = w.lacks(); !slices.Contains(w.Lacks, "start") && !slices.Contains(w.Lacks, "end") {
			if err := a.place(ctx, w); err != nil {
				return Kept{}, err
			}
		}
		w.mark("window.proposed")
		objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: w.changes()})
		if continuity.CodeOf(err) == continuity.CodeVersion {
			continue // somebody else got the number
		}
		if err != nil {
			return Kept{}, err
		}
		return keptOf(objects[0])
	}
	return Kept{}, continuity.E(continuity.CodeBusy, nil)
}

// Plan is how a window is scheduled.
type Plan struct {
	Despite string            // why it lies where it does, whatever it falls on
	Waive   map[string]string // why what must be so need not be, by item
}

// Schedule has a window announced and begun. One at short notice begins at once, and
// somebody who may approve has to say so.
func (a *Acts) Schedule(ctx context.Context, by continuity.Actor, id string, version int64, p Plan) (Kept, error) {
	return a.act(ctx, by, id, version, func(w *window) error {
		if w.State != continuity.WindowProposed {
			return wrongState(w)
		}
		if w.Kind == continuity.WindowEmergency {
			if err := a.may(ctx, by, w.Service, "approve"); err != nil {
				return err
			}
		}
		if lacks := w.lacks(); len(lacks) > 0 {
			return lackError(lacks)
		}
		if p.Despite != "" {
			w.Despite = p.Despite
		}
		if err := a.settled(ctx, w); err != nil {
			return err
		}
		w.schedule(&by)
		for item, why := range p.Waive {
			if err := w.answer(item, ReadyWaived, why, by); err != nil {
				return err
			}
		}
		return nil
	})
}

// settled reports a window that is past, or that falls on something with nobody
// having said why.
func (a *Acts) settled(ctx context.Context, w *window) error {
	if !w.End.After(w.shown) {
		return invalid("past")
	}
	if err := a.place(ctx, w); err != nil {
		return err
	}
	if w.Placed.Clashes() && strings.TrimSpace(w.Despite) == "" {
		return fallsError(w)
	}
	return nil
}

// Change has a window be otherwise. Who was told of it is told again, and nobody
// else.
func (a *Acts) Change(ctx context.Context, by continuity.Actor, id string, version int64, d Draft) (Kept, error) {
	return a.act(ctx, by, id, version, func(w *window) error {
		if w.over() || w.begun() {
			return wrongState(w)
		}
		if w.Kind == continuity.WindowEmergency && w.State == continuity.WindowScheduled { // it is another one than was approved
			if err := a.may(ctx, by, w.Service, "approve"); err != nil {
				return err
			}
		}
		before := w.Window
		before.Affected = slices.Clone(w.Affected)
		if err := d.onto(w); err != nil {
			return err
		}
		if same(&before, &w.Window) && before.Despite == w.Despite {
			return nil
		}
		if w.State != continuity.WindowScheduled {
			w.Lacks = w.lacks()
			w.changed(&before)
			return a.place(ctx, w)
		}
		if lacks := w.lacks(); len(lacks) > 0 {
			return lackError(lacks)
		}
		if !w.Start.After(w.shown) && !before.Start.Equal(w.Start) {
			return invalid("past")
		}
		if err := a.settled(ctx, w); err != nil {
			return err
		}
		w.changed(&before)
		return nil
	})
}

// Cancel has a window not take place. Who was told of it is told so, and nobody else.
func (a *Acts) Cancel(ctx context.Context, by continuity.Actor, id string, version int64, reason continuity.Text) (Kept, error) {
	if reason == (continuity.Text{}) {
		return Kept{}, invalid("why")
	}
	return a.act(ctx, by, id, version, func(w *window) error {
		if w.over() || w.begun() {
			return wrongState(w)
		}
		w.cancel("maintenance.cancelled.person", reason)
		return nil
	})
}

// Ready notes a person's word on what must be so before a window begins.
func (a *Acts) Ready(ctx context.Context, by continuity.Actor, id, item string, version int64, state, reason string) (Kept, error) {
	return a.act(ctx, by, id, version, func(w *window) error {
		if w.State != continuity.WindowScheduled {
			return wrongState(w)
		}
		w.checkReady()
		return w.answer(item, state, reason, by)
	})
}

// answer takes a person's word on one item: they tick off what only a person can
// see, and say of anything why it may be otherwise.
func (w *window) answer(id, state, why string, by continuity.Actor) error {
	item := find(w.items(), id)
	i := slices.IndexFunc(w.Ready, func(r continuity.Readiness) bool { return r.ID == id })
	if item == nil || i < 0 {
		return continuity.E(continuity.CodeNotFound, nil, "kind", "item", "id", id)
	}
	seen := item.Check != "" || item.Channel != ""
	switch state {
	case ReadyWaived:
		if strings.TrimSpace(why) == "" {
			return invalid("why")
		}
	case ReadyYes, ReadyNo:
		if seen {
			return invalid("seen", "id", id)
		}
	case ReadyUnknown: // a waiver, or a tick, is taken back
	default:
		return invalid("ready", "value", state)
	}
	r := continuity.Readiness{ID: id, State: state, By: by.ID, At: w.now}
	if why != "" {
		r.Reason = continuity.CheckReason{Code: "maintenance.ready.said", Args: map[string]any{"why": why}}
	}
	w.Ready[i] = r
	w.mark("window.readiness")
	if state == ReadyUnknown && seen {
		w.checkReady()
	}
	return nil
}
