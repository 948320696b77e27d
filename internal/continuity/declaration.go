package continuity

import (
	"encoding/json"
	"time"
)

// KindDeclaration is the kind of objects by which engines have incidents declared.
const KindDeclaration = "declaration"

// Declaration says that something is an incident. One origin is one incident, as long
// as that stands: who declares it again is shown the same one.
type Declaration struct {
	ID       string    `json:"id"` // empty: by its origin
	Service  string    `json:"service"`
	Scenario string    `json:"scenario,omitempty"` // of the plan; empty: none fits
	Grade    string    `json:"grade,omitempty"`    // empty: the scenario's
	Title    Text      `json:"title,omitzero"`     // empty: the scenario's name
	Hits     []string  `json:"hits,omitempty"`     // empty: what the scenario hits
	Origin   Origin    `json:"origin"`
	Started  time.Time `json:"started,omitzero"` // of the fault; zero: when it was declared
	Exercise string    `json:"exercise,omitempty"`
	Shown    time.Time `json:"shown_at,omitzero"`
	Began    time.Time `json:"began_shown_at,omitzero"` // in an exercise: what its clock stood for at the fault; zero: what it showed at Started
	Why      string    `json:"why,omitempty"`
	Incident string    `json:"incident,omitempty"` // that it became
}

// Declare is the change that has an incident declared, in the batch of what it comes
// of. The engine of incidents makes it one, and writes which into it.
func Declare(d Declaration) Change {
	if d.ID == "" {
		d.ID = d.Service + ".declared." + d.Origin.Kind + "." + d.Origin.ID
	}
	d.Incident = ""
	body, err := json.Marshal(d)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return Change{Kind: KindDeclaration, ID: d.ID, Service: d.Service, Version: VersionAny, Body: body, Action: "declaration.made", Reason: d.Why}
}
