package continuity

import "time"

// KindWindow is the kind of objects of maintenance windows.
const KindWindow = "window"

// Kinds of windows.
const (
	WindowPlanned   = "planned"
	WindowEmergency = "emergency"
)

// States of a window.
const (
	WindowProposed    = "proposed"
	WindowScheduled   = "scheduled"
	WindowRunning     = "running"
	WindowOverrun     = "overrun"
	WindowVerifying   = "verifying"
	WindowReadmitting = "readmitting"
	WindowDone        = "done"
	WindowCancelled   = "cancelled"
	WindowFailed      = "failed"
)

// Window is a stretch of time in which a service is worked on.
type Window struct {
	ID       string    `json:"id"` // SERVICE-w-YEAR-N
	Service  string    `json:"service"`
	Kind     string    `json:"kind"`
	Title    Text      `json:"title"`
	Affected []string  `json:"affected,omitempty"` // components; none: all of the service
	Reason   Text      `json:"reason,omitzero"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Zone     string    `json:"zone,omitempty"`
	State    string    `json:"state"`
	Origin   Origin    `json:"origin"`
	Series   string    `json:"series,omitempty"` // that it is an occurrence of
	Contact  string    `json:"contact,omitempty"`
	Standby  string    `json:"standby,omitempty"`

	Hits      Text      `json:"hits,omitzero"`      // whom it hits
	Meanwhile Text      `json:"meanwhile,omitzero"` // what they do meanwhile
	Occurs    string    `json:"occurs,omitempty"`   // of a series: which occurrence
	By        Actor     `json:"by"`                 // who proposed it
	At        time.Time `json:"at"`
	Scheduled time.Time `json:"scheduled,omitzero"`
	Approved  *Actor    `json:"approved_by,omitempty"` // who had it scheduled
	Plan      int64     `json:"plan,omitempty"`        // the version by which it was scheduled
	Despite   string    `json:"despite,omitempty"`     // why it lies where it does in spite of what it falls on
	Placed    *Placed   `json:"placed,omitempty"`
	Sequence  int       `json:"sequence,omitempty"`  // how often it was changed
	Lacks     []string  `json:"lacks,omitempty"`     // what its messages would not say: it can't be scheduled
	Noticed   time.Time `json:"noticed,omitzero"`    // when what a provider announced was confirmed, as it was taken over
	Cancelled string    `json:"cancelled,omitempty"` // why
	Exercise  string    `json:"exercise,omitempty"`
	Shown     time.Time `json:"shown_at,omitzero"`

	Ready    []Readiness          `json:"ready,omitempty"`
	Told     map[string]time.Time `json:"told,omitempty"`       // by step of the ladder and audience: "1d/staff"
	Tellings []string             `json:"told_order,omitempty"` // the keys of Told as they were told: of two at one time of a clock, which was first
	Before   map[string]string    `json:"before,omitempty"`     // what is put back afterwards, by what it is
	Began    time.Time            `json:"began,omitzero"`
	Foreseen time.Time            `json:"foreseen,omitzero"`  // the beginning that was announced, where the work began before it
	Complete map[string]time.Time `json:"complete,omitempty"` // by source that says that the work is done
	Checked  []string             `json:"checked,omitempty"`  // items of the verification
	Batch    int                  `json:"batch,omitempty"`    // how many were let back in
	Ended    time.Time            `json:"ended,omitzero"`
	Incident string               `json:"incident,omitempty"` // that its overrun or failure became
	Run      string               `json:"run,omitempty"`
	Review   time.Time            `json:"review_due,omitzero"`
	Number   int                  `json:"below,omitempty"`
	Course   Course               `json:"course,omitzero"`
}

// Readiness is one thing that must be so before a window begins.
type Readiness struct {
	ID     string      `json:"id"`
	State  string      `json:"state"`        // yes, no, unknown, waived
	By     string      `json:"by,omitempty"` // a check, a channel's test, a person
	At     time.Time   `json:"at,omitzero"`
	Reason CheckReason `json:"reason,omitzero"`
}
