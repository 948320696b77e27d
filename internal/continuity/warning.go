package continuity

import (
	"slices"
	"time"
)

// Level is how loud a warning is; none is silence.
type Level string

// The levels, from the least to the worst.
const (
	LevelNone   Level = ""
	LevelBlue   Level = "blue"
	LevelYellow Level = "yellow"
	LevelOrange Level = "orange"
	LevelRed    Level = "red"
)

var levels = []Level{LevelNone, LevelBlue, LevelYellow, LevelOrange, LevelRed}

// ParseLevel returns the level of a name.
func ParseLevel(name string) (Level, bool) {
	return Level(name), name != "" && slices.Contains(levels, Level(name))
}

// Over reports whether a level is worse than another.
func (l Level) Over(other Level) bool { return slices.Index(levels, l) > slices.Index(levels, other) }

// States of a warning.
const (
	WarningOpen      = "open"
	WarningConfirmed = "confirmed" // a person says that it is so
	WarningDismissed = "dismissed" // a person says that it is not; it opens again if it gets worse
	WarningCleared   = "cleared"   // it is over
)

// Where warnings come from.
const (
	FromMeasure = "measure" // a threshold
	FromCheck   = "check"   // a check's state
	FromSLO     = "slo"     // the budget of a promise burns
	FromStaff   = "staff"   // people report it
	FromAlert   = "alert"   // an Alertmanager
	FromHook    = "hook"    // another system, by a signed webhook
	FromNotice  = "notice"  // a provider, and a person confirmed it
	FromChannel = "channel" // a channel of the node fails
	FromNotify  = "notify"  // somebody should have been told, and nobody was, or nobody answered
	FromBackup  = "backup"  // how a set of data's backups stand
	FromEngine  = "engine"  // the node itself can't bring something on
)

// How many a trouble hits, as far as reports tell.
const (
	ScopeOne      = "one"    // only you
	ScopeOffice   = "office" // one department or place
	ScopeEveryone = "everyone"
)

// Text is a text for people; either language may be missing.
type Text struct {
	En string `json:"en,omitempty"`
	Zh string `json:"zh,omitempty"`
}

// Evidence is what a warning rests on.
type Evidence struct {
	Kind  string    `json:"kind"` // measure, check, report, link
	ID    string    `json:"id,omitempty"`
	Query string    `json:"query,omitempty"` // PromQL that shows it again
	Value *float64  `json:"value,omitempty"`
	Limit *float64  `json:"limit,omitempty"`
	Text  string    `json:"text,omitempty"` // a state or a person's words
	URL   string    `json:"url,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// Reason is why a check is in its state.
	Reason CheckReason `json:"reason,omitzero"`
}

// Warning is an early warning: something is on its way to trouble, or in it.
// There is one for each thing that is watched; when it comes again it is the same
// one, in its next episode.
type Warning struct {
	ID        string     `json:"id"` // orders.orders-slow, orders.slo.answered, orders.staff.reports ...
	Service   string     `json:"service,omitempty"`
	Source    string     `json:"source"`
	Rule      string     `json:"rule"`
	Text      Text       `json:"text"`
	Level     Level      `json:"level"`
	Peak      Level      `json:"peak"` // the worst of this episode
	State     string     `json:"state"`
	Since     time.Time  `json:"since"` // of this episode
	Until     time.Time  `json:"until,omitzero"`
	Episode   int64      `json:"episode"`
	Returns   int64      `json:"returns,omitempty"` // how often it came back within this episode
	Blind     bool       `json:"blind,omitempty"`   // nothing is known of it at present: it goes on standing
	Partial   bool       `json:"partial,omitempty"` // a part fails: a precursor
	Sign      string     `json:"sign,omitempty"`    // which kind of partial failure
	Scope     string     `json:"scope,omitempty"`
	Owner     string     `json:"owner,omitempty"`
	Evidence  []Evidence `json:"evidence,omitempty"`
	Confirmed *Judgement `json:"confirmed,omitempty"`
	Dismissed *Judgement `json:"dismissed,omitempty"`
}

// Stands reports whether the warning is not over.
func (w *Warning) Stands() bool { return w.State != "" && w.State != WarningCleared }

// Judgement is a person's word on a warning.
type Judgement struct {
	By    Actor     `json:"by"`
	At    time.Time `json:"at"`
	Note  string    `json:"note,omitempty"`
	Level Level     `json:"level"` // that it had then
}

// Signal is what another system says and has not taken back.
type Signal struct {
	ID       string     `json:"id"` // that of its warning
	Service  string     `json:"service,omitempty"`
	Source   string     `json:"source"`
	Rule     string     `json:"rule"`
	Text     Text       `json:"text"`
	Level    Level      `json:"level"`
	At       time.Time  `json:"at"` // since when it is so
	Partial  bool       `json:"partial,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Report is one person's word that something does not work.
type Report struct {
	ID         string    `json:"id"`
	Service    string    `json:"service"`
	Component  string    `json:"component,omitempty"`
	By         string    `json:"by"`
	Department string    `json:"department,omitempty"`
	Location   string    `json:"location,omitempty"`
	What       string    `json:"what"` // down, or a kind of partial failure
	Text       string    `json:"text,omitempty"`
	At         time.Time `json:"at"`
}
