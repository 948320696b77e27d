package extract

import (
	"slices"
	"time"
)

// What a reading may lack; Reading.Unread names them.
const (
	FieldKind       = "kind"
	FieldStart      = "start"
	FieldEnd        = "end"
	FieldComponents = "components"
	FieldLevel      = "level"
)

// Why a reading may be wrong; messages of the catalogue under "notice.doubt.".
const (
	DoubtZone          = "zone"           // none was written: the plan's
	DoubtAmbiguousZone = "ambiguous-zone" // CST, IST
	DoubtSeason        = "season"         // PST in summer
	DoubtYear          = "year"           // none was written: the nearest
	DoubtRelative      = "relative"       // "tomorrow" of a text without a date
	DoubtNextWeekday   = "next-weekday"   // "next Saturday"
	DoubtWeekday       = "weekday"        // the date is not that day of the week
	DoubtAmbiguousDate = "ambiguous-date" // 03/04/2026
	DoubtWholeDays     = "whole-days"     // dates without times of day
	DoubtOvernight     = "overnight"      // "22:00 - 02:00 on December 2"
	DoubtLonger        = "longer"         // "2 to 4 hours": 4
	DoubtSeveral       = "several"        // several windows
	DoubtTimes         = "times"          // a time that can't be understood
)

// Text is what a provider wrote.
type Text struct {
	Title, Body string
	Written     time.Time // zero: not known
	Affected    string    // what it names as concerned, apart; else title and body are looked through
}

// Setting is what a text is read by.
type Setting struct {
	Zone  *time.Location // of times without one
	Now   time.Time
	Names []Name
}

// Reading is what was understood.
type Reading struct {
	Kind       Kind      `json:"kind,omitempty"`
	Moved      bool      `json:"moved,omitempty"` // an earlier time is changed
	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Zone       string    `json:"zone,omitempty"` // in which it was written
	Candidates []Window  `json:"candidates,omitempty"`
	Components []string  `json:"components,omitempty"`
	Level      Level     `json:"level,omitempty"`
	Unread     []string  `json:"unread,omitempty"`
	Doubts     []string  `json:"doubts,omitempty"`
}

// Read reads a text.
func Read(t Text, by Setting) Reading {
	title, body := fold(t.Title), fold(t.Body)
	all := title + "\n" + body
	r := Reading{Kind: kindOf(title, body, false), Moved: moved.MatchString(title) || moved.MatchString(body)}
	r.times(all, t, by)
	if r.Kind == Resolved && r.Start.After(by.Now) && r.Start.After(t.Written) {
		r.Kind = kindOf(title, body, true) // something else is over
	}
	r.Level = levelOf(r.Kind, all)
	affected := t.Affected
	if affected == "" {
		affected = all
	}
	r.Components = Mentioned(affected, by.Names)
	r.Settle()
	return r
}

// times reads when it happens.
func (r *Reading) times(s string, t Text, by Setting) {
	f := &frame{home: by.Zone, base: t.Written, sure: !t.Written.IsZero(), doubt: r.Doubt}
	if f.home == nil {
		f.home = time.UTC
	}
	if t.Written.IsZero() {
		f.base = by.Now
	}
	p := &parser{s: s, toks: lex(s, f.home)}
	f.one, f.text = only(p.toks), s
	got := f.resolve(p.spans())
	if r.Kind == Cancelled && len(got.windows) == 0 {
		got.windows = got.former
	}
	switch {
	case len(got.windows) == 1:
		r.Start, r.End = got.windows[0].Start, got.windows[0].End
	case len(got.windows) > 1:
		r.Candidates = got.windows
		r.Doubt(DoubtSeveral)
	case len(got.starts) == 1 && len(got.ends) == 1:
		if got.ends[0].After(got.starts[0]) {
			r.Start, r.End = got.starts[0], got.ends[0]
		}
	case len(got.starts) == 1:
		r.Start = got.starts[0]
		if lasts := f.lasting(s); lasts > 0 {
			r.End = r.Start.Add(lasts)
		}
	case len(got.starts) > 1 && r.Kind != Outage && r.Kind != Resolved:
		for _, start := range got.starts[:min(len(got.starts), maxCandidates)] {
			r.Candidates = append(r.Candidates, Window{Start: start})
		}
		r.Doubt(DoubtSeveral)
	case len(got.starts) > 1: // of an outage the first time is when it began
		r.Start = slices.MinFunc(got.starts, time.Time.Compare)
	case len(got.ends) == 1 && r.Kind == Outage:
		r.End = got.ends[0]
	}
	if len(r.Candidates) > maxCandidates {
		r.Candidates = r.Candidates[:maxCandidates]
	}
	if got.unclear && r.Start.IsZero() {
		r.Doubt(DoubtTimes)
	}
	if r.Start.IsZero() && r.End.IsZero() && len(r.Candidates) == 0 {
		r.Doubts = slices.DeleteFunc(r.Doubts, func(d string) bool { return d != DoubtTimes && d != DoubtAmbiguousDate })
		return
	}
	if !r.Start.IsZero() {
		r.Zone = r.Start.Location().String()
	}
	r.Start, r.End = r.Start.UTC(), r.End.UTC()
	for i := range r.Candidates {
		r.Candidates[i].Start, r.Candidates[i].End = r.Candidates[i].Start.UTC(), r.Candidates[i].End.UTC()
	}
}

const maxCandidates = 8

// only is the zone of a text that names no other, be it for another place.
func only(toks []token) *zoneAt {
	var one *zoneAt
	for i, t := range toks {
		if t.kind != isZone || t.zone.bare && (i == 0 || toks[i-1].kind != isClock && toks[i-1].kind != isZone) {
			continue
		}
		if one != nil && one.zone.String() != t.zone.zone.String() {
			return nil
		}
		one = &toks[i].zone
	}
	return one
}

// Doubt notes why the reading may be wrong, once.
func (r *Reading) Doubt(id string) {
	if !slices.Contains(r.Doubts, id) {
		r.Doubts = append(r.Doubts, id)
	}
}

// Settle names what the reading lacks.
func (r *Reading) Settle() {
	r.Unread = nil
	miss := func(missing bool, field string) {
		if missing {
			r.Unread = append(r.Unread, field)
		}
	}
	window := r.Kind == Maintenance || r.Kind == Emergency
	miss(r.Kind == "", FieldKind)
	miss(r.Start.IsZero() && window, FieldStart)
	miss(r.End.IsZero() && window, FieldEnd)
	over := r.Kind == Resolved || r.Kind == Cancelled
	miss(len(r.Components) == 0 && !over, FieldComponents)
	miss(r.Level == "" && !over, FieldLevel)
}
