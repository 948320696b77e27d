package continuity

import (
	"slices"
	"time"
)

// States of a restore.
const (
	RestoreRestoring    = "restoring"    // copies are made and held against what was recorded
	RestoreReady        = "ready"        // a copy to look things up in; or one beside the original
	RestoreHolding      = "holding"      // requests are held
	RestoreSwitching    = "switching"    // copies take the place of the originals
	RestoreRedelivering = "redelivering" // what reached the originals since is delivered again
	RestoreDraining     = "draining"     // what was held goes on
	RestoreDone         = "done"         // copies stand in the place of the originals
	RestoreUndoing      = "undoing"      // the originals are put back
	RestoreUndone       = "undone"
	RestoreDropping     = "dropping" // copies, or what was put aside, are removed
	RestoreDropped      = "dropped"
)

// Where copies go.
const (
	IntoCopy   = "copy"   // by themselves, to be looked things up in
	IntoBeside = "beside" // to where the originals are, under another name
	IntoOver   = "over"   // in the place of the originals
)

// Restore is sets of data of a service that are brought back.
type Restore struct {
	ID       string       `json:"id"` // SERVICE.restore-N
	Service  string       `json:"service"`
	Sets     []RestoreSet `json:"sets"`
	Into     string       `json:"into"`
	Moment   time.Time    `json:"moment,omitzero"` // that is wanted; none: the newest
	Fault    time.Time    `json:"fault"`           // when it went wrong
	Why      string       `json:"why"`
	Incident string       `json:"incident,omitempty"`
	By       Actor        `json:"by"`
	At       time.Time    `json:"at"`

	Approved  *RestoreApproval `json:"approved,omitempty"`
	State     string           `json:"state"`
	Since     time.Time        `json:"since"` // of the state
	Tries     int              `json:"tries,omitempty"`
	Trying    CheckReason      `json:"trying,omitzero"` // why it failed last
	Again     time.Time        `json:"again,omitzero"`  // when it is tried anew by itself
	Routes    []RestoreRoute   `json:"routes,omitempty"`
	Readied   time.Time        `json:"readied,omitzero"` // the copies could be asked
	Switched  time.Time        `json:"switched,omitzero"`
	Ended     time.Time        `json:"ended,omitzero"`
	RTO       time.Duration    `json:"rto,omitempty"` // measured: from the fault until it worked again
	RPO       time.Duration    `json:"rpo,omitempty"` // measured: what before the fault is lost
	Analysis  string           `json:"analysis,omitempty"`
	Skipped   string           `json:"skipped,omitempty"` // why nothing was delivered again
	SkippedBy *Actor           `json:"skipped_by,omitempty"`

	Upgrade    string           `json:"upgrade,omitempty"`    // whose way back it was, by itself
	Undoing    *RestoreApproval `json:"undoing,omitempty"`    // who wants the originals back after requests went on; a second person has it done
	Dropping   *RestoreApproval `json:"dropping,omitempty"`   // who wants the originals removed that were put aside; a second person has it done
	AsideUntil time.Time        `json:"aside_until,omitzero"` // then they are removed, as the plan says; none: when people say so
}

// RestoreApproval is a second person's word.
type RestoreApproval struct {
	By   Actor     `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// RestoreSet is one set of a restore.
type RestoreSet struct {
	Set    string        `json:"set"`
	Choice RestoreChoice `json:"choice"`
	Copy   *RestoredCopy `json:"copy,omitempty"` // what was made of it
}

// RestoreChoice is a backup, with what follows on it, that brings a set back.
type RestoreChoice struct {
	Set      string        `json:"set"`
	Target   string        `json:"target"`
	Backup   string        `json:"backup"` // id of the full piece
	Reaches  time.Time     `json:"reaches"`
	Loss     time.Duration `json:"loss"`            // of the time before the moment
	Takes    time.Duration `json:"takes,omitempty"` // expected; 0: nobody knows
	Bytes    int64         `json:"bytes"`
	RealTime bool          `json:"real_time"`
	State    string        `json:"state"` // proven, unproven, refuted
	Reasons  []string      `json:"reasons"`
}

// RestoredCopy is a set of data that was restored.
type RestoredCopy struct {
	Reached time.Time     `json:"reached"` // its newest change
	Took    time.Duration `json:"took"`
	Good    bool          `json:"good"`  // what could be compared agrees
	Exact   bool          `json:"exact"` // everything could be compared
	Differ  []string      `json:"differ,omitempty"`
	Address string        `json:"address,omitempty"` // where it can be asked, without passwords
	Node    string        `json:"node,omitempty"`    // of a copy for look-ups: the one that has it
}

// RestoreRoute is a route whose requests are held while copies take their place.
type RestoreRoute struct {
	Route     string `json:"route"`
	Held      bool   `json:"held,omitempty"`
	Again     int    `json:"again,omitempty"`     // requests that are delivered again
	Undecided int    `json:"undecided,omitempty"` // that a person has to look at
	Delivered bool   `json:"delivered,omitempty"`
	Released  bool   `json:"released,omitempty"`
}

// Aside says whether something stands beside what is used: the originals after copies took
// their place, or these after that was undone.
func (r *Restore) Aside() bool {
	return r.Into == IntoOver && (r.State == RestoreDone || r.State == RestoreUndone)
}

// WentOn says whether requests reach what took the originals' place.
func (r *Restore) WentOn() bool {
	return r.State == RestoreDone || r.State == RestoreDraining && slices.ContainsFunc(r.Routes, func(route RestoreRoute) bool { return route.Released })
}

// Over says whether nothing more is done about it by itself, nor anything of it left.
func (r *Restore) Over() bool {
	return r.State == RestoreUndone || r.State == RestoreDropped
}

// LookUp is a question that somebody asked of a restore's copy. What was answered is
// nowhere kept; the statement is the reason of the event.
type LookUp struct {
	Restore string    `json:"restore"`
	Set     string    `json:"set"`
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
}
