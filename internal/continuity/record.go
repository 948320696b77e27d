package continuity

import "time"

// Field is one header line, in the order and spelling in which it came.
type Field struct{ Name, Value string }

// Record is a request as it was accepted, ready to be sent again.
type Record struct {
	Receipt     Receipt
	Fingerprint Fingerprint
	Route       string
	Key         KeyTag // order key; a record of an unordered route has a tag of its own
	KeyText     string // the key as read, empty on an unordered route
	Caller      string // who sent it, as far as verified; CallerPublic where the route says so
	// Scopes are what the caller's proof allowed, at acceptance.
	Scopes []string
	// IdempotencyKey goes upstream with every attempt: the client's own, or one
	// made at arrival.
	IdempotencyKey string

	Method string
	Target string // path and query as on the wire
	Host   string
	Header []Field // end-to-end fields; no hop-by-hop, no Content-Length
	Body   []byte

	// Lost says that a live attempt preceded acceptance and its outcome is
	// unknown: the record begins in doubt, with attempt 1.
	Lost bool
	// Settle is how long after a lost live attempt nothing of the key is sent.
	// The ledger fills it in from the route.
	Settle time.Duration
	// Replaces names the record whose edited copy this is.
	Replaces Receipt
	// Again names the record, or the recorded request, that a restored upstream
	// has lost and that this one brings back: it goes out before whatever else
	// of its key waits.
	Again Receipt
	// Amount is what the request is worth, where its route says where that stands.
	Amount Money
	// Class is the priority that it gives its key.
	Class Class
	// Upstream is where a lost live attempt was made: no attempt is made anywhere
	// else. Empty: the route's first upstream.
	Upstream string
	// Erased says that what the caller sent was taken out; receipt, hashes and
	// what the books need are left.
	Erased bool
	// Expired says that this was because its route's retention was over.
	Expired bool
}

// Response is what an upstream answered, as far as it was kept.
type Response struct {
	Status int
	Header []Field
	Body   []byte
	Cut    bool // the body was longer than the route keeps
	// Expired says that header and body were taken out when the route's retention
	// was over.
	Expired bool
}

// Kind says what an event is.
type Kind uint8

// The kinds of events. The numbers are part of the journal's format.
const (
	KindAccepted Kind = iota + 1 // a request is kept
	KindAttempt                  // attempt n is about to start
	KindOutcome                  // how an attempt, or an expiry, ended
	KindAct                      // what a person decided
	KindSwitch                   // a standing setting was put or lifted
	KindRestart                  // a relay opened the journal: what was attempting is in doubt
	KindClock                    // running time, saved while nothing else happens
	KindCarried                  // a record copied forward out of a segment that retires
	KindHorizon                  // everything ended below a position is forgotten
	KindRecorded                 // a request that passes, before it is sent
	KindPassed                   // how recorded requests ended
	KindProposed                 // an act that waits for a second person
	KindPrivacy                  // somebody's data was looked for, or erased
)

var kindNames = [...]string{"", "accepted", "attempt", "outcome", "act", "switch", "restart", "clock", "carried", "horizon", "recorded", "passed", "proposed", "privacy"}

// String returns the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Event is one entry of the journal. Only the field that its kind names is set,
// for a restart Settle and First, for clock none.
type Event struct {
	Kind  Kind
	Clock Clock
	At    time.Time // wall clock, for people only; milliseconds

	Accepted *Record
	Attempt  *Attempt
	Outcome  *Outcome
	Act      *Act
	Switch   *Switch
	Carried  *Carried
	Recorded *Record
	Passed   []Passed
	Proposed *Proposed
	Privacy  *Privacy
	Horizon  Position      // what ended below it is forgotten
	Settle   time.Duration // restart: how long interrupted attempts stay in doubt
	First    bool          // restart: the journal begins here
}

// Attempt is written and synced before the first byte of attempt Number.
type Attempt struct {
	Receipt Receipt
	Number  int
}

// Outcome ends an attempt (or, for an expired record, the wait for one).
type Outcome struct {
	Receipt  Receipt
	To       State // queued, in-doubt, parked, delivered, refused or dead
	Reason   Reason
	After    time.Duration // queued: not before this much running time has passed
	Response *Response     // the final response, if one came
	// Counts says that the attempt failed for a reason of the record's own.
	Counts bool
}

// Verb is what a person does to a record.
type Verb string

// What people can do. Settle decides a doubt by hand.
const (
	VerbRetry       Verb = "retry"       // parked, dead, in-doubt: send it again
	VerbDiscard     Verb = "discard"     // parked, dead, queued: never send it
	VerbEdit        Verb = "edit"        // replace what is known as not processed
	VerbPark        Verb = "park"        // queued: keep it and its key back
	VerbDelivered   Verb = "delivered"   // in-doubt: it was processed
	VerbUnprocessed Verb = "unprocessed" // in-doubt: it was not processed
	VerbTold        Verb = "told"        // refused, dead, discarded: the customer knows
	VerbReject      Verb = "reject"      // a proposed act will not happen
	VerbRestore     Verb = "restore"     // what a restored upstream has lost is brought back
	VerbErase       Verb = "erase"       // what is not ended: never send it, as its data goes
	VerbExpire      Verb = "expire"      // dead, and its customer told: what it holds has had its time
)

// Act is a person's decision on a stated version of a record.
type Act struct {
	Receipt Receipt
	Version uint16 // the record's version that the person saw
	Verb    Verb
	Person  string
	Why     string
	// Replacement is the edited request; it joins the end of its key.
	Replacement *Record
	// Approver is the second person, where one had to approve.
	Approver string
	Route    string // of a record that has ended, for VerbTold; the ledger fills it in
}

// Carried is a record's request, copied forward; its state stays as it is.
type Carried struct{ Record *Record }

// Totals counts a route's records since the journal began.
type Totals struct {
	Route               string
	Accepted            int64
	DeliveredAtOnce     int64
	DeliveredAfterDoubt int64
	Refused             int64
	Dead                int64
	Discarded           int64
	Told                int64 // of the refused, dead and discarded: the customer knows
	Recorded            int64 // requests that passed and were written down before
}
