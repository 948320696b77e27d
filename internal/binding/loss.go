package binding

import (
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/incident"
	"holdfast/internal/plan"
)

// Losses are what those processes of a plan lose that something hits: by themselves, or
// by what they need, directly or by way of others. Where nothing is said to be hit, all
// are.
func Losses(p *plan.Plan, hits []string) (all []incident.Losing) {
	open := openHours(p)
	for i := range p.Impact {
		from := &p.Impact[i]
		if len(hits) > 0 && !slices.Contains(hits, from.Process) && !needs(p, from.Needs, hits, map[string]bool{}) {
			continue
		}
		l := incident.Losing{Process: from.Process, Name: text(from.Name, from.Process), Rate: moneyOf(from.Loss.Money), Per: from.Loss.Per, Open: open}
		for _, stage := range from.OverTime {
			l.Stages = append(l.Stages, incident.LossStage{After: stage.After, Loss: moneyOf(stage.Loss), Says: continuity.Text(stage.Says)})
		}
		all = append(all, l)
	}
	return all
}

func moneyOf(m plan.Money) continuity.Money {
	return continuity.Money{Units: m.Parts, Currency: m.Currency} // both count ten-thousandths
}

func needs(p *plan.Plan, ids, hits []string, seen map[string]bool) bool {
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if slices.Contains(hits, id) {
			return true
		}
		i := slices.IndexFunc(p.Components, func(c plan.Component) bool { return c.ID == id })
		if i >= 0 && needs(p, p.Components[i].DependsOn, hits, seen) {
			return true
		}
	}
	return false
}

// longestCounted bounds for how long hours of a service are counted one by one.
const longestCounted = 400 * 24 * time.Hour

// openHours is how much of a stretch of time lies in the hours of a service; nil: it
// has none, and is always there.
func openHours(p *plan.Plan) func(from, to time.Time) time.Duration {
	hours := p.Service.Hours
	if len(hours) == 0 {
		return nil
	}
	zone, days := zoneOf(p.Service.Zone), calendar.China()
	return func(from, to time.Time) time.Duration {
		if to.Sub(from) > longestCounted {
			from = to.Add(-longestCounted)
		}
		var spans []calendar.Window
		last := calendar.DateOf(to.In(zone))
		for d := calendar.DateOf(from.In(zone)).Plus(-1); !last.Before(d); d = d.Plus(1) {
			for _, h := range hours {
				if !onDay(h.Days, d, days) {
					continue
				}
				end := d
				if h.To <= h.From {
					end = d.Plus(1)
				}
				spans = append(spans, calendar.Window{Start: clockOn(d, h.From, zone), End: clockOn(end, h.To, zone)})
			}
		}
		slices.SortFunc(spans, func(a, b calendar.Window) int { return a.Start.Compare(b.Start) })
		var open time.Duration
		at := from
		for _, s := range spans { // what several say counts once
			if s.Start.Before(at) {
				s.Start = at
			}
			if s.End.After(to) {
				s.End = to
			}
			if s.End.After(s.Start) {
				open += s.End.Sub(s.Start)
				at = s.End
			}
		}
		return open
	}
}

// onDay reports whether hours are said for a day: by its name, or by whether it is
// worked on.
func onDay(names []string, d calendar.Date, days *calendar.Workdays) bool {
	if len(names) == 0 {
		return true
	}
	for _, name := range names {
		switch day, ok := continuity.Weekday(name); {
		case ok && day == d.Weekday():
			return true
		case name == "workdays" && days.Day(d).Working(), name == "holidays" && !days.Day(d).Working():
			return true
		}
	}
	return false
}

func clockOn(d calendar.Date, clock time.Duration, zone *time.Location) time.Time {
	return calendar.Resolve(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Add(clock), zone)
}
