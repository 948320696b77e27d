package continuity

import (
	"encoding/json"
	"time"
)

// CheckState is what a look at a service found.
type CheckState string

// The states of a check. Unknown is no kind of well: nothing was learnt.
const (
	CheckUp       CheckState = "up"
	CheckDegraded CheckState = "degraded" // it works, but slowly or not for long
	CheckDown     CheckState = "down"
	CheckUnknown  CheckState = "unknown"
)

// ObjectCheck is the kind of the objects that hold what is judged of checks.
const ObjectCheck = "check"

// JudgedCheck is what is judged of a check, as it is stored and as events show it.
type JudgedCheck struct {
	State  CheckState  `json:"state"`
	Since  time.Time   `json:"since"`
	Reason CheckReason `json:"reason,omitzero"`
}

// CheckReason says why, for people: an id of the catalogue with what fills its
// placeholders. It never bears a secret, nor what a service sent.
type CheckReason struct {
	Step string         `json:"step,omitempty"` // of a flow: where it was seen
	Code string         `json:"code"`
	Args map[string]any `json:"args,omitempty"`
}

// Line is the reason in one line, as an event bears it: the id, and what fills its
// placeholders as JSON.
func (r CheckReason) Line() string {
	if len(r.Args) == 0 {
		return r.Code
	}
	args, err := json.Marshal(r.Args)
	if err != nil { // what can't be written can't be said either
		return r.Code
	}
	return r.Code + " " + string(args)
}

// CheckResult is what one look found.
type CheckResult struct {
	Check       string             `json:"check"`
	Node        string             `json:"node"`
	At          time.Time          `json:"at"` // when it began
	State       CheckState         `json:"state"`
	Took        time.Duration      `json:"took"`
	Reason      CheckReason        `json:"reason,omitzero"`
	Values      map[string]float64 `json:"values,omitempty"`
	CertExpires time.Time          `json:"cert_expires,omitzero"`
}
