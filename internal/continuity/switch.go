package continuity

import "time"

// Intake says what happens to a request that arrives. The numbers are part of
// the journal's format; which of two standing settings wins tells Over.
type Intake uint8

// The intake settings.
const (
	IntakeUnset  Intake = iota
	IntakePass          // to the upstream
	IntakeHold          // kept
	IntakeDivert        // to the standby
	IntakeReply         // answered here; nothing is kept
	IntakeBlock         // refused
)

var intakeNames = [...]string{"", "pass", "hold", "divert", "reply", "block"}

// String returns the setting's name, or the empty string.
func (i Intake) String() string {
	if int(i) < len(intakeNames) {
		return intakeNames[i]
	}
	return ""
}

// ParseIntake returns the setting of a name.
func ParseIntake(name string) (Intake, bool) {
	for i, n := range intakeNames {
		if n == name && n != "" {
			return Intake(i), true // #nosec G115 -- a handful
		}
	}
	return IntakeUnset, false
}

// strength orders the settings: pass, divert, hold, reply, block.
var strength = [...]uint8{IntakeUnset: 0, IntakePass: 1, IntakeDivert: 2, IntakeHold: 3, IntakeReply: 4, IntakeBlock: 5}

// Over reports whether i wins over another setting that stands at the same time.
func (i Intake) Over(other Intake) bool { return strength[i] > strength[other] }

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

// OwnerCheck is how the owners of settings begin that a control node's check put;
// the check's name follows. Their reasons are health's, too.
const OwnerCheck = "check:"

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
	// Block makes the setting one that refuses some requests and leaves the rest
	// alone; Intake is IntakeBlock then.
	Block *Block `json:",omitempty"`
}

// Partial reports whether the setting concerns some requests only: it takes no
// part in what intake is.
func (s *Switch) Partial() bool { return s.Block != nil }

// IntakeOf is what standing settings amount to: of those that stand the
// strongest, and of forced ones again, which beat all others.
func IntakeOf(switches []Switch) Intake {
	var intake [2]Intake
	for i := range switches {
		s, at := &switches[i], 0
		if s.Force {
			at = 1
		}
		if !s.Partial() && s.Intake.Over(intake[at]) {
			intake[at] = s.Intake
		}
	}
	switch {
	case intake[1] != IntakeUnset:
		return intake[1]
	case intake[0] != IntakeUnset:
		return intake[0]
	}
	return IntakePass
}

// Mode is what people see of a route.
type Mode string

// The modes shown.
const (
	ModeObserve Mode = "observe" // everything passes, the report says what would be held
	ModePass    Mode = "pass"
	ModeHold    Mode = "hold"
	ModeDivert  Mode = "divert"  // requests go to the standby
	ModeReply   Mode = "reply"   // the relay answers, and keeps nothing
	ModeBlock   Mode = "block"   // everything is refused
	ModeDrain   Mode = "drain"   // intake passes while kept records go out
	ModeLatched Mode = "latched" // the journal failed a sync: nothing is accepted or replayed
	ModeKeyless Mode = "keyless" // no master key: everything passes, nothing can be held
	ModeShed    Mode = "shed"    // a limit or the waiting line turns requests away
)
