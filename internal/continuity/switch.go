package continuity

import "time"

// Intake says what happens to a request that arrives. Of standing settings the
// later in this list wins.
type Intake uint8

// The intake settings known so far; divert, reply and block join them.
const (
	IntakeUnset Intake = iota
	IntakePass
	IntakeHold
)

// String returns pass, hold or the empty string.
func (i Intake) String() string { return [...]string{"", "pass", "hold"}[i] }

// Replay says whether held records are sent. The later in this list wins.
type Replay uint8

// The replay settings.
const (
	ReplayUnset Replay = iota
	ReplayOn
	ReplayTrial // one record at a time, to see whether the upstream bears it
	ReplayOff
)

// String returns on, trial, off or the empty string.
func (r Replay) String() string { return [...]string{"", "on", "trial", "off"}[r] }

// OwnerHealth owns the switches that health sets; their reasons are its own
// words, not a person's.
const OwnerHealth = "health"

// OwnerLine owns the waiting line that begins by itself after an outage.
const OwnerLine = "line"

// Switch puts or lifts one standing setting. There is at most one for each
// route and owner; a later one takes its place.
type Switch struct {
	Route  string
	Owner  string // OwnerHealth, or the person or engine that set it
	Reason string
	Intake Intake
	Replay Replay
	Force  bool      // beats every setting that is not forced
	Until  time.Time // zero: until lifted
	Lift   bool      // remove the owner's setting

	// Admission: of all standing settings the lowest limit wins; 0: none.
	Rate        float64 // requests a second, to a thousandth
	Concurrency int
	Line        *LineState // the route's waiting line stands
}

// Mode is what people see of a route.
type Mode string

// The modes shown so far.
const (
	ModeObserve Mode = "observe" // everything passes, the report says what would be held
	ModePass    Mode = "pass"
	ModeHold    Mode = "hold"
	ModeDrain   Mode = "drain"   // intake passes while kept records go out
	ModeLatched Mode = "latched" // the journal failed a sync: nothing is accepted or replayed
	ModeKeyless Mode = "keyless" // no master key: everything passes, nothing can be held
	ModeShed    Mode = "shed"    // a limit or the waiting line turns requests away
)
