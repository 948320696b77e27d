package continuity

import "time"

// Recording says what a route writes down of requests that pass.
type Recording struct {
	Passed bool          // requests that could be kept are recorded before they are sent
	Keep   time.Duration // how long bodies of what was delivered or recorded are kept after it
}

// Passed is how a recorded request ended.
type Passed struct {
	Position Position // of its recorded entry
	To       State    // delivered, refused, in-doubt (lost), dead (never processed) or queued (kept instead)
	Status   int      // of the answer; 0: none
}

// Proposed is an act that waits for a second person.
type Proposed struct {
	Act    Act
	Amount Money // of the record
}

// Approvals says which acts need a second person.
type Approvals struct {
	Above []Cap // Item: the amount from which on an act on one record does
	Count int64 // acts on more records than this do; 0: any number goes
}

// Over reports whether an act on n records, one of them of this amount, needs a
// second person.
func (a *Approvals) Over(n int64, m Money) bool {
	if a == nil {
		return false
	}
	if a.Count > 0 && n > a.Count {
		return true
	}
	for _, c := range a.Above {
		if c.Currency == m.Currency && m.Units > c.Item {
			return true
		}
	}
	return false
}
