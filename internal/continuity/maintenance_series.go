package continuity

import "time"

// KindWindowSeries is the kind of objects of windows that recur.
const KindWindowSeries = "window-series"

// WindowSeries is windows that recur. Each becomes a window of its own ahead of its
// first notice.
type WindowSeries struct {
	ID        string    `json:"id"` // SERVICE-s-N
	Service   string    `json:"service"`
	Title     Text      `json:"title"`
	Reason    Text      `json:"reason,omitzero"`
	Affected  []string  `json:"affected,omitempty"`
	Hits      Text      `json:"hits,omitzero"`
	Meanwhile Text      `json:"meanwhile,omitzero"`
	Contact   string    `json:"contact,omitempty"`
	Standby   string    `json:"standby,omitempty"`
	Rule      string    `json:"rule"` // an RRULE of days, weeks, months or years
	Zone      string    `json:"zone"`
	First     string    `json:"first"`             // the first day: 2026-12-05
	From      string    `json:"from"`              // a local time of day
	To        string    `json:"to,omitempty"`      // a local time of day; or
	Minutes   int       `json:"minutes,omitempty"` // that pass
	By        Actor     `json:"by"`
	At        time.Time `json:"at"`
	Made      time.Time `json:"made,omitzero"` // the beginning of the last one that became a window
	Ended     time.Time `json:"ended,omitzero"`
	Exercise  string    `json:"exercise,omitempty"`
	Shown     time.Time `json:"shown_at,omitzero"`
}

// Placed is what a window falls on.
type Placed struct {
	Low     bool     `json:"low"`               // all of it is in the plan's hours of low traffic
	Outside bool     `json:"outside,omitempty"` // the plan names such hours, and not all of it is in them
	Share   float64  `json:"share"`             // measured: live requests of its hours by those of the mean hour; -1: not known
	Weeks   int      `json:"weeks,omitempty"`   // that were measured
	Minutes int      `json:"minutes,omitempty"` // of it that are working hours
	Falls   []Falls  `json:"falls,omitempty"`   // what it falls on
	Blind   []string `json:"blind,omitempty"`   // calendars that can't be read
	Doubts  []string `json:"doubts,omitempty"`  // about days off: messages of the catalogue
}

// Falls is something that a window falls on.
type Falls struct {
	Kind  string    `json:"kind"` // peaks, meetings, freeze, window, longest
	ID    string    `json:"id"`   // of the calendar or window
	Title string    `json:"title,omitempty"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Clashes reports whether somebody has to say why the window lies there all the same.
func (p *Placed) Clashes() bool { return p != nil && len(p.Falls) > 0 }
