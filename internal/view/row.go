package view

import (
	"time"

	"holdfast/internal/continuity"
)

// Row is what the view knows of one record.
type Row struct {
	Receipt continuity.Receipt
	Route   string
	Key     continuity.KeyTag
	State   continuity.State
	Reason  continuity.Reason
	Version uint16

	Attempts int
	Doubted  bool // may have been processed by an earlier attempt

	Position continuity.Position // where its accepted (or carried) entry stands
	Outcome  continuity.Position // where the entry that ended it stands; 0 while pending

	// Running time: what ages and limits are counted by. 0 means never. The age
	// of a dead record that is sent again begins anew.
	AcceptedAt   continuity.Clock
	FirstAttempt continuity.Clock
	LastAttempt  continuity.Clock
	EndedAt      continuity.Clock

	// Wall time, for people.
	AcceptedWall time.Time
	EndedWall    time.Time // zero while pending

	Status int   // of the last response that came; 0: none
	Size   int64 // of its entry in the journal, as the limits count it
	Method string

	Replaces   continuity.Receipt // the record whose edited copy this is
	ReplacedBy continuity.Receipt // the edited copy that took its place

	Told bool // it ended undelivered, and the customer knows
}

// Event is one entry in the history of a record: what happened, and where it
// left the record.
type Event struct {
	Position continuity.Position
	Kind     continuity.Kind
	Clock    continuity.Clock
	At       time.Time
	State    continuity.State
	Reason   continuity.Reason
	Attempt  int // number of the attempt, where one started
	Status   int // of the response, where one came

	Verb   continuity.Verb // of an act
	Person string
	Why    string
}

// entry is a row as a batch works on it.
type entry struct {
	Row
	id     int64
	turn   int64
	route  int64
	events int
	stored bool // a row of the file already
	dirty  bool
	before tallied // what the tally has of it, if stored
}

type tallied struct {
	tallyKey
	size int64
}

type tallyKey struct {
	route   int64
	state   continuity.State
	doubted bool
}

func (e *entry) tallied() tallied { return tallied{tallyKey{e.route, e.State, e.Doubted}, e.Size} }
