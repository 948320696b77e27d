package continuity

import (
	"cmp"
	"time"
)

// Kinds of objects of incidents. All but the first are below an incident's id.
const (
	KindIncident  = "incident"
	KindTask      = "task"
	KindDecision  = "decision"
	KindSituation = "situation" // a CAN report: conditions, actions, needs
	KindUpdate    = "update"    // words to an audience
	KindResource  = "resource"  // what was used
	KindAutoreply = "autoreply"
)

// States of an incident.
const (
	Investigating = "investigating"
	Identified    = "identified"
	Monitoring    = "monitoring"
	Resolved      = "resolved"
	Closed        = "closed"
	Merged        = "merged" // it goes on in another one
)

// Phases of an incident.
const (
	PhaseActivation     = "activation"
	PhaseRecovery       = "recovery"
	PhaseReconstitution = "reconstitution"
)

// Incident is trouble of which somebody is in command.
type Incident struct {
	ID       string    `json:"id"` // SERVICE-YEAR-N
	Service  string    `json:"service"`
	Plan     int64     `json:"plan,omitempty"` // the version that held when it was declared
	Scenario string    `json:"scenario,omitempty"`
	Title    Text      `json:"title"`
	Grade    string    `json:"grade"` // SEV-1 ... SEV-4
	State    string    `json:"state"`
	Phase    string    `json:"phase"`
	Started  time.Time `json:"started"`  // of the fault
	Declared time.Time `json:"declared"` // from then on somebody knew
	Origin   Origin    `json:"origin"`
	Exercise string    `json:"exercise,omitempty"` // the drill that it is played in
	Shown    time.Time `json:"shown_at,omitzero"`  // what its clock showed at the last change
	Partial  bool      `json:"partial,omitempty"`
	Scope    string    `json:"scope,omitempty"`
	Hits     []string  `json:"hits,omitempty"` // processes and components

	Roles    map[string]Holder `json:"roles"` // by role of the plan
	Expected time.Time         `json:"expected,omitzero"`
	Next     time.Time         `json:"next_update,omitzero"`
	NextSaid time.Time         `json:"next_update_said,omitzero"` // when it was said, by the clock that its schedules go by
	Public   map[string]Word   `json:"public,omitempty"`          // by audience: the last that it was told
	Heard    time.Time         `json:"first_word,omitzero"`       // really: when an audience was told something for the first time
	Causes   []string          `json:"causes,omitempty"`

	Personal *LegalClock `json:"personal_data,omitempty"`
	Resolved time.Time   `json:"resolved,omitzero"`
	Restored time.Time   `json:"restored,omitzero"` // operational again: measured RTO = restored - started
	Closed   time.Time   `json:"closed,omitzero"`
	Review   time.Time   `json:"review_due,omitzero"`
	Into     string      `json:"merged_into,omitempty"`
	From     []string    `json:"from,omitempty"` // merged into this one, or what it was split from
	Reopened int         `json:"reopened,omitempty"`
	Number   int         `json:"below,omitempty"` // how many objects below it were numbered

	Why      string               `json:"why,omitempty"`              // whoever declared it said
	Began    time.Time            `json:"began_shown_at,omitzero"`    // in an exercise: what its clock would have shown at Started
	Learnt   time.Time            `json:"declared_shown_at,omitzero"` // in an exercise whose clock jumped since Began: what it showed at Declared
	Again    time.Time            `json:"again_shown_at,omitzero"`    // and at Restored
	RTO      time.Duration        `json:"rto,omitempty"`              // of what it hits, the tightest
	MTD      time.Duration        `json:"mtd,omitempty"`              // 0: none is at stake
	GradedBy *Actor               `json:"graded_by,omitempty"`        // a person: impact no longer changes the grade
	Scoped   time.Time            `json:"scoped,omitzero"`            // a person said whom it hits
	Warned   map[string]time.Time `json:"warned,omitempty"`           // what was reminded of: rto/50, scope, review/due ...
	Command  []Handover           `json:"command,omitempty"`          // who was in command, in turn
	Run      string               `json:"run,omitempty"`              // of its scenario's runbook
	Summary  string               `json:"summary,omitempty"`          // at closing
	Reviewed time.Time            `json:"reviewed,omitzero"`          // the review was held

	Commander string    `json:"commander,omitempty"`   // who is in command now, as its role says
	Despite   string    `json:"despite,omitempty"`     // why people say so of its state although what it came of is bad
	Fell      time.Time `json:"fell_again,omitzero"`   // since when it is down, where it had worked again
	Downs     []Down    `json:"down_before,omitempty"` // when it was down before that
	Holding   []string  `json:"holding,omitempty"`     // routes that relays kept in its name as it was resolved, or closed
}

// Down is a time in which it was down.
type Down struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Handover is one passing on of command.
type Handover struct {
	From string    `json:"from,omitempty"`
	To   string    `json:"to"`
	At   time.Time `json:"at"`
	By   Actor     `json:"by"`
	Why  string    `json:"why,omitempty"`
}

// Stands reports whether somebody still has to work on it.
func (i *Incident) Stands() bool {
	return i.State == Investigating || i.State == Identified || i.State == Monitoring
}

// Since is when the fault began, and Known when it was declared, by the clock that
// its schedules go by.
func (i *Incident) Since() time.Time {
	if !i.Began.IsZero() {
		return i.Began
	}
	return i.Started
}

// Known is explained with Since.
func (i *Incident) Known() time.Time {
	return cmp.Or(i.Learnt, i.Since().Add(i.Declared.Sub(i.Started)))
}

// DownSince is since when it has been down, the last time that it was.
func (i *Incident) DownSince() time.Time { return cmp.Or(i.Fell, i.Started) }

// Falls notes that what had worked again is down since a time.
func (i *Incident) Falls(since time.Time) {
	if i.Restored.IsZero() || since.Before(i.Restored) {
		return
	}
	i.Downs = append(i.Downs[:len(i.Downs):len(i.Downs)], Down{i.DownSince(), i.Restored})
	i.Fell = since
}

// Times are those in which it was down, up to now; running reports whether the last one
// goes on.
func (i *Incident) Times(now time.Time) (all []Down, running bool) {
	last := Down{i.DownSince(), cmp.Or(i.Restored, i.Resolved, i.Closed)}
	if running = last.Until.IsZero(); running {
		last.Until = now
	}
	if last.Until.Before(last.From) {
		last.Until = last.From
	}
	return append(i.Downs[:len(i.Downs):len(i.Downs)], last), running
}

// Lasted is how long it was down by a time, in all.
func (i *Incident) Lasted(now time.Time) (d time.Duration) {
	all, _ := i.Times(now)
	for _, one := range all {
		d += one.Until.Sub(one.From)
	}
	return d
}

// Unrestored reports whether people ended it, or say that it is mended, although what it
// came of is bad, and not that it works.
func (i *Incident) Unrestored() bool { return i.Despite != "" && i.Restored.IsZero() }

// Works is since when it works again, by the clock that its schedules go by; zero: it
// does not.
func (i *Incident) Works() time.Time {
	switch {
	case i.Unrestored():
		return time.Time{}
	case !i.Again.IsZero():
		return i.Again
	case !i.Restored.IsZero():
		return i.Restored
	}
	return i.Resolved
}

// Origin is what something came of.
type Origin struct {
	Kind string `json:"kind"` // warning, check, notice, reports, window, upgrade, drill, person, api
	ID   string `json:"id,omitempty"`
}

// Holder is who has a role in an incident.
type Holder struct {
	Person string    `json:"person,omitempty"`
	State  string    `json:"state"` // asked, took, passed-over, not-asked
	Since  time.Time `json:"since"`
	Asked  []string  `json:"asked,omitempty"` // all who were, in turn
	Page   string    `json:"page,omitempty"`  // the notification by which they were; who acknowledges it takes the role
}

// Word is the last that an audience was told.
type Word struct {
	Update   string    `json:"update"`
	Phase    string    `json:"phase,omitempty"` // of the templates: first, update, all-clear
	Text     Text      `json:"text,omitzero"`
	At       time.Time `json:"at"`
	Expected time.Time `json:"expected,omitzero"`
	Next     time.Time `json:"next_update,omitzero"`
}

// LegalClock runs where personal data is at stake.
type LegalClock struct {
	Since time.Time            `json:"since"` // it was known
	Due   map[string]time.Time `json:"due"`   // by audience
	Done  map[string]time.Time `json:"done,omitempty"`
	By    Actor                `json:"by"`
	Why   string               `json:"why"`
}

// Task is what somebody has to do in an incident.
type Task struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident"`
	Service  string    `json:"service"`
	Text     string    `json:"text"`
	Owner    string    `json:"owner"`
	Due      time.Time `json:"due,omitzero"`
	State    string    `json:"state"` // open, done, dropped
	Reason   string    `json:"reason,omitempty"`
	By       Actor     `json:"by"`
	At       time.Time `json:"at"`
	Ended    time.Time `json:"ended,omitzero"`
	Overdue  time.Time `json:"overdue,omitzero"` // when it was escalated
	Exercise string    `json:"exercise,omitempty"`
	Shown    time.Time `json:"shown_at,omitzero"` // what its clock showed at the last change
}

// Decision is what was decided, by whom and why.
type Decision struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident"`
	Service  string    `json:"service"`
	Text     string    `json:"text"`
	Why      string    `json:"why"`
	By       Actor     `json:"by"`
	At       time.Time `json:"at"`
	Shown    time.Time `json:"shown_at,omitzero"`
}

// Situation is a report of conditions, actions and needs.
type Situation struct {
	ID         string    `json:"id"`
	Incident   string    `json:"incident"`
	Service    string    `json:"service"`
	Conditions string    `json:"conditions"`
	Actions    string    `json:"actions,omitempty"`
	Needs      string    `json:"needs,omitempty"`
	Department string    `json:"department,omitempty"`
	By         Actor     `json:"by"`
	At         time.Time `json:"at"`
	Shown      time.Time `json:"shown_at,omitzero"`
}

// States of an update.
const (
	UpdateDraft    = "draft" // it waits for an approval
	UpdateSent     = "sent"
	UpdateRejected = "rejected"
)

// Update is what an audience is told of an incident or a window.
type Update struct {
	ID       string            `json:"id"`
	About    string            `json:"about"` // the incident or window
	Service  string            `json:"service"`
	Audience string            `json:"audience"`
	Phase    string            `json:"phase"` // of the templates: first, update, all-clear ...
	Template string            `json:"template,omitempty"`
	Vars     map[string]string `json:"vars,omitempty"`
	Subject  Text              `json:"subject,omitzero"`
	Text     Text              `json:"text"` // as it is said
	Expected time.Time         `json:"expected,omitzero"`
	Next     time.Time         `json:"next_update,omitzero"`
	State    string            `json:"state"`
	By       Actor             `json:"by"`
	At       time.Time         `json:"at"`
	Approved *Actor            `json:"approved_by,omitempty"`
	Asked    []string          `json:"asked,omitempty"`  // who was asked to approve it, in turn
	Due      time.Time         `json:"due,omitzero"`     // from then on the next one is asked
	Stuck    time.Time         `json:"stuck,omitzero"`   // since then nobody is left who could approve it
	Reason   string            `json:"reason,omitempty"` // a person's words, or a code of the catalogue
	Exercise string            `json:"exercise,omitempty"`
	Shown    time.Time         `json:"shown_at,omitzero"`
	Sent     time.Time         `json:"sent,omitzero"`
}
