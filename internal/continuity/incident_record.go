package continuity

import "time"

// KindNote is the kind of objects of notes, below an incident's id.
const KindNote = "note"

// Note is what somebody wrote down in an incident.
type Note struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident"`
	Service  string    `json:"service"`
	Text     string    `json:"text"`
	By       Actor     `json:"by"`
	At       time.Time `json:"at"`
	Shown    time.Time `json:"shown_at,omitzero"`
}

// Used is a resource that an incident took.
type Used struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident"`
	Service  string    `json:"service"`
	Resource string    `json:"resource"` // of the plan, or any other in words
	Count    int       `json:"count"`
	Text     string    `json:"text,omitempty"` // what for
	By       Actor     `json:"by"`
	At       time.Time `json:"at"`
	Shown    time.Time `json:"shown_at,omitzero"`
}

// States of a task.
const (
	TaskOpen    = "open"
	TaskDone    = "done"
	TaskDropped = "dropped" // the reason says why
)

// States of a holder of a role.
const (
	RoleAsked  = "asked"
	RoleTook   = "took"
	RolePassed = "passed-over" // nobody who was asked answered
	RoleUntold = "not-asked"   // nobody could be asked: no message reached them
)
