package continuity

import "time"

// States of a version of a plan.
const (
	PlanDraft    = "draft"
	PlanApplied  = "applied"  // the one that holds
	PlanReplaced = "replaced" // held once
)

// PlanVersion is what a plan said, who wrote it and who agreed.
type PlanVersion struct {
	Service  string       `json:"service"`
	Number   int64        `json:"number"` // 1, 2, 3 of the service
	Base     int64        `json:"base"`   // the applied version that it started from; 0: none
	Hash     string       `json:"hash"`   // of both texts
	Author   Actor        `json:"author"`
	Made     time.Time    `json:"made"`
	Reason   string       `json:"reason,omitempty"`
	State    string       `json:"state"`
	Review   *PlanVerdict `json:"review,omitempty"`
	Approval *PlanVerdict `json:"approval,omitempty"`
	Applied  time.Time    `json:"applied,omitzero"`
}

// PlanVerdict is a person's word on a version.
type PlanVerdict struct {
	By   Actor     `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// PlanTexts is a plan as it was written, comments included.
type PlanTexts struct {
	Plan string `json:"plan"` // what the business decided
	Tech string `json:"tech"` // bindings that engineers own
}
