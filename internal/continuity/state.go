package continuity

// State is where a record stands.
type State uint8

// The states of a record. The zero value is no state.
const (
	Queued State = iota + 1
	Attempting
	InDoubt
	Parked
	Delivered
	Refused
	Dead
	Discarded
)

var stateNames = [...]string{"", "queued", "attempting", "in-doubt", "parked", "delivered", "refused", "dead", "discarded"}

// States lists every state in order.
func States() []State {
	return []State{Queued, Attempting, InDoubt, Parked, Delivered, Refused, Dead, Discarded}
}

// String returns the name that the API, the CLI and the journal's tools use.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Pending reports whether a record in this state still has to end.
func (s State) Pending() bool { return s >= Queued && s <= Parked }

// Ended reports whether nothing more happens to a record in this state unless
// a person acts.
func (s State) Ended() bool { return s >= Delivered && s <= Discarded }

// Reason says why a record is in its state; its text is a message id.
type Reason string

// The reasons a record's outcome can bear.
const (
	ReasonNone          Reason = ""
	ReasonUnreachable   Reason = "unreachable"    // clean failure: the upstream never saw it
	ReasonRetryStatus   Reason = "retry-status"   // 408, 425, 429 or a status the route retries
	ReasonLost          Reason = "lost"           // bytes were written, no final status came
	ReasonServerError   Reason = "server-error"   // a 5xx in replay
	ReasonRestart       Reason = "restart"        // the relay stopped while it was attempting
	ReasonCredentials   Reason = "credentials"    // 401, 403, 407: the route's replay pauses
	ReasonRefused       Reason = "refused"        // a final 3xx or 4xx
	ReasonExpired       Reason = "expired"        // older than the route's age, known not processed
	ReasonPoison        Reason = "poison"         // attempts used up
	ReasonDoubt         Reason = "doubt"          // only a person or a look-up can tell
	ReasonRemembersOver Reason = "remembers-over" // the upstream may have forgotten the idempotency key
	ReasonSavedError    Reason = "saved-error"    // the upstream saves errors under the key
	ReasonBehindExpired Reason = "behind-expired" // the record before it in its key expired
	ReasonReplaced      Reason = "replaced"       // an edit took its place
	ReasonPerson        Reason = "person"         // a person did it
	ReasonUnsendable    Reason = "unsendable"     // it can't be written as a request
	ReasonElsewhere     Reason = "elsewhere"      // it was attempted at an upstream that is no longer configured
)
