package maintenance

import (
	"cmp"
	"context"
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Busy is what a calendar of the plan has on.
type Busy struct {
	calendar.Busy

	Calendar string
	Kind     string // peaks, meetings, freeze
}

// World is what windows are placed by, besides the plan.
type World interface {
	// Busy is what the calendars of a service have on in a time, and the calendars of
	// which nothing is known.
	Busy(ctx context.Context, service string, in calendar.Window) (busy []Busy, blind []string, err error)
	// Traffic is how busy the service was; nil: nothing is known.
	Traffic(ctx context.Context, service string, zone *time.Location) (*Traffic, error)
}

const hoursOfWeek = 7 * 24

// Traffic is how many live requests there were in each local hour of the week, of
// several weeks.
type Traffic struct {
	Hours [hoursOfWeek]float64 // from Monday 00:00
	Known [hoursOfWeek]bool
	Weeks int
}

// HourOfWeek is the hour of the week of a local time.
func HourOfWeek(local time.Time) int { return (int(local.Weekday())+6)%7*24 + local.Hour() }

// share is how busy the hours of a time are, by the mean of all; -1: not known.
func (t *Traffic) share(w calendar.Window, zone *time.Location) float64 {
	if t == nil {
		return -1
	}
	var sum, mean float64
	var hours, known int
	for at := w.Start; at.Before(w.End); at = at.Add(30 * time.Minute) {
		h := HourOfWeek(at.In(zone))
		if !t.Known[h] {
			return -1
		}
		sum += t.Hours[h]
		hours++
	}
	for h := range t.Hours {
		if t.Known[h] {
			mean += t.Hours[h]
			known++
		}
	}
	if hours == 0 || mean == 0 {
		return -1
	}
	return sum / float64(hours) / (mean / float64(known))
}

// covers reports whether a time is wholly in one stretch with little to do.
func (r *Rules) low(w calendar.Window) bool {
	end := w.Start
	for moved := true; moved && end.Before(w.End); { // stretches may follow each other
		moved = false
		for _, l := range r.Low {
			for d := calendar.DateOf(end.In(r.Zone)).Plus(-1); !calendar.DateOf(end.In(r.Zone)).Before(d); d = d.Plus(1) {
				if s, ok := l.on(d, r); ok && !s.Start.After(end) && s.End.After(end) {
					end, moved = s.End, true
				}
			}
		}
	}
	return !end.Before(w.End)
}

// on is the stretch that begins on a day.
func (l *Low) on(d calendar.Date, r *Rules) (calendar.Window, bool) {
	working := r.Days.Day(d).Working()
	all := len(l.Days) == 0 && !l.Workdays && !l.Holidays
	if !all && !l.Days[d.Weekday()] && !(l.Workdays && working) && !(l.Holidays && !working) {
		return calendar.Window{}, false
	}
	at := func(day calendar.Date, after time.Duration) time.Time {
		wall := time.Date(day.Year, day.Month, day.Day, 0, 0, 0, 0, time.UTC).Add(after)
		return calendar.Resolve(wall, r.Zone)
	}
	end := d
	if l.To <= l.From {
		end = d.Plus(1)
	}
	return calendar.Window{Start: at(d, l.From), End: at(end, l.To)}, true
}

// scene is all that windows of a service are placed by in a time.
type scene struct {
	rules   *Rules
	busy    []Busy
	blind   []string
	traffic *Traffic
	others  []continuity.Window
}

func sceneOf(ctx context.Context, world World, r *Rules, in calendar.Window, others []continuity.Window) (*scene, error) {
	s := &scene{rules: r, others: others}
	if world == nil {
		return s, nil
	}
	var err error
	if s.busy, s.blind, err = world.Busy(ctx, r.Service, in); err != nil {
		return nil, err
	}
	s.traffic, err = world.Traffic(ctx, r.Service, r.Zone)
	return s, err
}

// place says what a window falls on.
func (s *scene) place(ctx context.Context, w calendar.Window, self string) (*continuity.Placed, error) {
	p := &continuity.Placed{Low: s.rules.low(w), Share: s.traffic.share(w, s.rules.Zone), Blind: s.blind}
	p.Outside = !p.Low && len(s.rules.Low) > 0
	if s.traffic != nil {
		p.Weeks = s.traffic.Weeks
	}
	v, err := calendar.Placement{Zone: s.rules.Zone, Days: s.rules.Days, Hours: s.rules.Hours}.Judge(ctx, w)
	if err != nil {
		return nil, err
	}
	p.Minutes = int(v.Working / time.Minute)
	for _, d := range v.Doubts {
		p.Doubts = append(p.Doubts, d.ID)
	}
	for i := range s.busy {
		if b := &s.busy[i]; b.Overlaps(w) {
			p.Falls = append(p.Falls, continuity.Falls{Kind: b.Kind, ID: b.Calendar, Title: b.Title, Start: b.Start.UTC(), End: b.End.UTC()})
		}
	}
	p.Falls = append(p.Falls, s.overlaps(w, self)...)
	if s.rules.Longest > 0 && w.Length() > s.rules.Longest {
		p.Falls = append(p.Falls, continuity.Falls{Kind: "longest", ID: stepOf(s.rules.Longest), Start: w.Start, End: w.End})
	}
	return p, nil
}

// overlaps are the other windows that are at the same time.
func (s *scene) overlaps(w calendar.Window, self string) (falls []continuity.Falls) {
	for i := range s.others {
		o := &s.others[i]
		if o.ID != self && !over(o) && o.Service == s.rules.Service && (calendar.Window{Start: o.Start, End: o.End}).Overlaps(w) {
			falls = append(falls, continuity.Falls{Kind: continuity.KindWindow, ID: o.ID, Title: cmp.Or(o.Title.En, o.Title.Zh), Start: o.Start, End: o.End})
		}
	}
	return falls
}

// WindowTime is a time in which a window would disturb little.
type WindowTime struct {
	Start  time.Time         `json:"start"`
	End    time.Time         `json:"end"`
	Placed continuity.Placed `json:"placed"`
}

// Wish is what a window is to be like.
type Wish struct {
	Length time.Duration
	From   time.Time // not before
	Until  time.Time // not after
	Count  int       // how many proposals

	Exercise string // by whose clock it is searched
}

// Bounds of a search.
const (
	grid      = 30 * time.Minute // of beginnings
	searches  = 28 * day         // how far it is searched
	mostAhead = 92 * day
)

// propose searches for the times in which a window would disturb least: in hours of
// low traffic by the plan and by what was measured, on nothing that calendars have
// on, outside working hours, and far enough ahead for all notices. Of two that are as
// good the earlier one comes first; of those that overlap only the better one.
func (s *scene) propose(ctx context.Context, wish Wish) ([]WindowTime, error) {
	var all []WindowTime
	start := wish.From.Truncate(grid)
	if start.Before(wish.From) {
		start = start.Add(grid)
	}
	for ; !start.Add(wish.Length).After(wish.Until); start = start.Add(grid) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w := calendar.Window{Start: start.UTC(), End: start.Add(wish.Length).UTC()}
		p, err := s.place(ctx, w, "")
		if err != nil {
			return nil, err
		}
		if !p.Clashes() {
			all = append(all, WindowTime{w.Start, w.End, *p})
		}
	}
	slices.SortStableFunc(all, func(a, b WindowTime) int { return cmp.Compare(a.disturbs(), b.disturbs()) })
	var chosen []WindowTime
	for _, p := range all {
		if len(chosen) == wish.Count {
			break
		}
		if !slices.ContainsFunc(chosen, func(c WindowTime) bool { return c.Start.Before(p.End) && p.Start.Before(c.End) }) {
			chosen = append(chosen, p)
		}
	}
	return chosen, nil
}

// disturbs is how much a window disturbs; less is better. What was measured speaks
// in steps, so that noise does not outweigh that one time is sooner.
func (p *WindowTime) disturbs() float64 {
	var sum float64
	if !p.Placed.Low {
		sum += 1
	}
	sum += float64(p.Placed.Minutes) / p.End.Sub(p.Start).Minutes() // of it in working hours
	if p.Placed.Share >= 0 {
		sum += 2 * float64(int(min(p.Placed.Share, 5)*10)) / 10
	} else {
		sum += 2
	}
	return sum
}

// earliest is when a window may begin whose notices are all still to be told.
func (r *Rules) earliest(now time.Time) time.Time {
	start := now
	if len(r.Notices) > 0 {
		start = now.Add(slices.Max(r.Notices))
	}
	for range mostOff { // the first step may be due on an earlier working day
		rungs := r.Ladder(continuity.WindowPlanned, start)
		if len(rungs) == 0 || !rungs[0].Due.Before(now) {
			break
		}
		start = start.Add(day)
	}
	return start
}
