package calendar

import (
	"context"
	"time"
)

// Hours are the hours that a business works, on working days.
type Hours struct {
	From, To Clock // To before From, or the same, is on the next day
}

// Placement knows when a business is busy.
type Placement struct {
	Zone  *time.Location
	Days  *Workdays
	Hours []Hours
	Peaks []*Feed
}

// Verdict says what a window falls on.
type Verdict struct {
	Peaks   []Busy        `json:"peaks,omitempty"` // busy periods that it touches
	Working time.Duration `json:"working"`         // how much of it is in working hours
	Off     []Day         `json:"off,omitempty"`   // the days off that it touches
	Doubts  []Doubt       `json:"doubts,omitempty"`
}

// Quiet reports whether the window touches no peak and no working hours.
func (v Verdict) Quiet() bool { return len(v.Peaks) == 0 && v.Working == 0 }

// Judge says what a window falls on. It places nothing by itself.
func (p Placement) Judge(ctx context.Context, w Window) (Verdict, error) {
	var v Verdict
	if w.End.Before(w.Start) || w.Length() > maxWindow {
		return v, invalid("calendar.window-length", "max", "31d")
	}
	for _, feed := range p.Peaks {
		busy, err := feed.Between(ctx, w)
		if err != nil {
			return v, err
		}
		v.Peaks = append(v.Peaks, busy...)
	}
	last := DateOf(w.End.In(p.Zone))
	for d := DateOf(w.Start.In(p.Zone)).Plus(-1); !last.Before(d); d = d.Plus(1) {
		day := p.Days.Day(d)
		if touched := (Window{d.Begin(p.Zone), d.Plus(1).Begin(p.Zone)}); touched.Overlaps(w) {
			v.Doubts = with(v.Doubts, day.Warning)
			if !day.Working() {
				v.Off = append(v.Off, day)
			}
		}
		if !day.Working() {
			continue
		}
		for _, h := range p.Hours {
			end := d
			if !h.To.on(d).After(h.From.on(d)) {
				end = d.Plus(1)
			}
			from, to := Resolve(h.From.on(d), p.Zone), Resolve(h.To.on(end), p.Zone)
			if from.Before(w.Start) {
				from = w.Start
			}
			if to.After(w.End) {
				to = w.End
			}
			v.Working += max(0, to.Sub(from))
		}
	}
	return v, nil
}
