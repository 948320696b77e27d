package continuity

import (
	"maps"
	"time"
)

// States of a version of a plan.
const (
	PlanDraft    = "draft"
	PlanApplied  = "applied"  // the one that holds
	PlanReplaced = "replaced" // held once
)

// The parts of a plan, which are approved apart.
const (
	PartPlan = "plan" // what the business decided
	PartTech = "tech" // what engineers bound to it, with the files it names
)

// PlanVersion is what a plan said, who wrote it and who agreed.
type PlanVersion struct {
	Service  string       `json:"service"`
	Number   int64        `json:"number"` // 1, 2, 3 of the service
	Base     int64        `json:"base"`   // the applied version that it started from; 0: none
	Hash     string       `json:"hash"`   // of all texts
	Parts    []string     `json:"parts"`  // that differ from the base's
	Author   Actor        `json:"author"`
	Made     time.Time    `json:"made"`
	Reason   string       `json:"reason,omitempty"`
	State    string       `json:"state"`
	Review   *PlanVerdict `json:"review,omitempty"`
	Approval *PlanVerdict `json:"approval,omitempty"`      // of PartPlan
	TechOK   *PlanVerdict `json:"tech_approval,omitempty"` // of PartTech
	Applied  time.Time    `json:"applied,omitzero"`
	Reread   *PlanVerdict `json:"reread,omitempty"` // the last time that it was read through while it held
	// Of parts that somebody else had approved already.
	Further []PlanApproval `json:"further_approvals,omitempty"`
}

// Approvals are all words that let a part hold, the first of each part first.
func (v PlanVersion) Approvals() (all []PlanApproval) {
	if v.Approval != nil {
		all = append(all, PlanApproval{PartPlan, *v.Approval})
	}
	if v.TechOK != nil {
		all = append(all, PlanApproval{PartTech, *v.TechOK})
	}
	return append(all, v.Further...)
}

// Approved adds a word on a part; the words that were there stay. false: the same
// person has said so before.
func (v *PlanVersion) Approved(part string, word PlanVerdict) bool {
	for _, a := range v.Approvals() {
		if a.Part == part && a.By.Kind == word.By.Kind && a.By.ID == word.By.ID {
			return false
		}
	}
	switch {
	case part == PartTech && v.TechOK == nil:
		v.TechOK = &word
	case part == PartPlan && v.Approval == nil:
		v.Approval = &word
	default:
		v.Further = append(v.Further, PlanApproval{part, word})
	}
	return true
}

// PlanApproval is a person's word on a part of a version.
type PlanApproval struct {
	Part string `json:"part"`
	PlanVerdict
}

// Lacks lists the parts that changed and that nobody has approved.
func (v PlanVersion) Lacks() []string {
	var parts []string
	for _, part := range v.Parts {
		if part == PartTech && v.TechOK == nil || part == PartPlan && v.Approval == nil {
			parts = append(parts, part)
		}
	}
	return parts
}

// PlanVerdict is a person's word on a version.
type PlanVerdict struct {
	By   Actor     `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// PlanTexts is a plan as it was written, comments included.
type PlanTexts struct {
	Plan  string            `json:"plan"`            // what the business decided
	Tech  string            `json:"tech"`            // bindings that engineers own; empty: there are none
	Files map[string]string `json:"files,omitempty"` // which the bindings name
}

// Differ lists the parts in which two texts differ, byte for byte.
func (t PlanTexts) Differ(from PlanTexts) []string {
	parts := []string{}
	if t.Plan != from.Plan {
		parts = append(parts, PartPlan)
	}
	if t.Tech != from.Tech || !maps.Equal(t.Files, from.Files) {
		parts = append(parts, PartTech)
	}
	return parts
}

// PlanProposal is a plan on its way.
type PlanProposal struct {
	Service string
	Base    int64 // the applied version that it was written from; 0: none
	Texts   PlanTexts
	Parts   []string // that differ from the base's
	Reason  string
	Apply   bool // it holds at once
}
