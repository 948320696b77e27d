package continuity

import (
	"slices"
	"time"
)

// Kinds of objects of upgrades.
const (
	KindUpgrade = "upgrade"
	// KindRelease is the version of something that last proved to be right: the one
	// to which an upgrade goes back.
	KindRelease = "release"
)

// States of an upgrade.
const (
	UpgradePlanned   = "planned"   // looked at; it begins when somebody says so
	UpgradeChecking  = "checking"  // whether all is as it has to be
	UpgradeGate      = "gate"      // backups, a rehearsal, and those who have to agree
	UpgradeHolding   = "holding"   // requests are held; how all was before is written down
	UpgradeStepping  = "stepping"  // its runbook is gone through
	UpgradeVerifying = "verifying" // code and data are looked at as a whole
	UpgradeReleasing = "releasing" // requests go to the new version
	UpgradeBaking    = "baking"    // it works, and is watched
	UpgradeDone      = "done"
	UpgradeRolling   = "rolling-back"
	UpgradeWaiting   = "waiting" // for a person: what is held stays held
	UpgradeRolled    = "rolled-back"
	UpgradeSettled   = "settled" // a person put it right by hand
	UpgradeAborted   = "aborted" // nothing had been touched
)

// Classes of failures of upgrades.
const (
	UpgradeCompatibility = "compatibility" // what runs does not fit: code, database, clients
	UpgradeMigration     = "migration"     // data is not as it was, or could not be changed
	UpgradeOperator      = "operator"      // a person's doing, or nobody's; the runner was lost
	UpgradeSecurity      = "security"
)

// Ways in which data goes back.
const (
	UpgradeUntouched = "untouched" // nothing has changed it
	UpgradeDown      = "down"      // by its own migration
	UpgradeRestore   = "restore"   // of a backup
)

// Upgrade is one component on its way to another version, and back.
type Upgrade struct {
	ID      string    `json:"id"` // SERVICE-u-YEAR-N
	Service string    `json:"service"`
	Upgrade string    `json:"upgrade"` // of the plan
	Plan    int64     `json:"plan"`    // the version of the plan that held
	To      string    `json:"to"`      // the version that is wanted
	From    string    `json:"from"`    // what ran when it was looked at last
	Good    string    `json:"good"`    // what last proved to be right: it goes back to that
	State   string    `json:"state"`
	Since   time.Time `json:"since"` // of the state
	Why     string    `json:"why,omitempty"`
	By      Actor     `json:"by"`
	Planned time.Time `json:"planned"`
	Began   time.Time `json:"began,omitzero"` // this attempt
	Ended   time.Time `json:"ended,omitzero"`

	Stage   string       `json:"stage"`            // what is being done; stored before it begins
	Visit   int          `json:"visit"`            // grows with each stage that is come to
	Tries   int          `json:"tries,omitempty"`  // how often it failed, this time
	Trying  *CheckReason `json:"trying,omitempty"` // and why
	Again   time.Time    `json:"again,omitzero"`   // when it is tried again
	Beat    time.Time    `json:"beat,omitzero"`    // when its runner was there
	Attempt int          `json:"attempt"`          // how often it was begun

	Findings  []UpgradeFinding  `json:"findings,omitempty"` // before it begins
	Despite   string            `json:"despite,omitempty"`  // why it begins all the same
	Ticked    []string          `json:"ticked,omitempty"`   // of the list that comes before it
	Sets      []UpgradeSet      `json:"sets,omitempty"`
	Rehearsal *UpgradeRehearsal `json:"rehearsal,omitempty"`
	Approvals []UpgradeApproval `json:"approvals,omitempty"` // of bringing data back

	Baseline []UpgradeFigure `json:"baseline,omitempty"` // how it went before
	Before   *UpgradePicture `json:"before,omitempty"`   // the data before
	Held     time.Time       `json:"held,omitzero"`      // from then on nothing passed
	Moment   time.Time       `json:"moment,omitzero"`    // to which backups bring the data back
	Run      string          `json:"run,omitempty"`      // its runbook's
	Checked  []string        `json:"checked,omitempty"`  // steps of it after which data was looked at
	Touched  bool            `json:"touched,omitempty"`  // steps have begun: code or data may have changed
	Released time.Time       `json:"released,omitzero"`  // from then on requests may have reached the new version
	Bake     time.Time       `json:"bake_until,omitzero"`

	Stopping  *UpgradeStop  `json:"stopping,omitempty"` // a person wants it to go back
	Failure   *UpgradeFault `json:"failure,omitempty"`  // why it goes or went back
	Back      *UpgradeBack  `json:"back,omitempty"`
	Rollbacks int           `json:"rollbacks,omitempty"` // how many were begun
	Asks      *CheckReason  `json:"asks,omitempty"`      // what a person has to decide

	Trail  []UpgradeMark `json:"trail"` // the stages that it came to, the last ones
	Number int           `json:"below,omitempty"`
}

// Over reports whether nothing more is done about it by itself.
func (u *Upgrade) Over() bool {
	switch u.State {
	case UpgradeDone, UpgradeRolled, UpgradeSettled, UpgradeAborted:
		return true
	}
	return false
}

// UpgradeFinding is something that was looked at before an upgrade.
type UpgradeFinding struct {
	ID     string      `json:"id"`
	Level  string      `json:"level"` // ok, warn, block
	Reason CheckReason `json:"reason"`
	Advice CheckReason `json:"advice,omitzero"`
}

// Levels of findings.
const (
	FindingOK    = "ok"
	FindingWarn  = "warn"
	FindingBlock = "block"
)

// UpgradeSet is how a set of backups stands at the gate.
type UpgradeSet struct {
	Set    string       `json:"set"`
	Backup string       `json:"backup,omitempty"` // the newest that was proven
	Taken  time.Time    `json:"taken,omitzero"`
	Proven time.Time    `json:"proven,omitzero"`
	Lacks  *CheckReason `json:"lacks,omitempty"` // nil: it is fresh, and proven
}

// UpgradeRehearsal is what came of going there and back on a copy.
type UpgradeRehearsal struct {
	At       time.Time     `json:"at"`
	Up       time.Duration `json:"up"`
	Down     time.Duration `json:"down,omitempty"` // 0: there is no way down, or it does not lead back
	Restore  time.Duration `json:"restore"`
	Findings []CheckReason `json:"findings,omitempty"` // what was wrong with the data afterwards
	NoDown   *CheckReason  `json:"no_down,omitempty"`  // why there is no way down
}

// UpgradeApproval is one person's agreement that data may be brought back.
type UpgradeApproval struct {
	By      Actor     `json:"by"`
	At      time.Time `json:"at"`
	Minutes int       `json:"minutes"` // at most so much time of what was done since may be undone ...
	Records int64     `json:"records"` // ... and so many requests
	Note    string    `json:"note,omitempty"`
}

// UpgradeFigure is a number by which data, or how it is served, is known.
type UpgradeFigure struct {
	Of      string `json:"of"`      // a table, a query of the plan, a measure
	Measure string `json:"measure"` // rows, hash, orphans, invariant, ...
	Value   string `json:"value"`
	Expect  string `json:"expect,omitempty"` // of an invariant that has one right value
}

// Measures of figures.
const (
	UpgradeMeasureRows      = "rows" // as many as before
	UpgradeMeasureMore      = "more" // as many, or more
	UpgradeMeasureHash      = "hash"
	UpgradeMeasureOrphans   = "orphans"   // not more than before
	UpgradeMeasureInvariant = "invariant" // as before, or the one right value
)

// UpgradePicture is data at a moment.
type UpgradePicture struct {
	At      time.Time       `json:"at"`
	Schema  string          `json:"schema,omitempty"` // as far as migrations went
	Figures []UpgradeFigure `json:"figures"`
}

// UpgradeStop is a person's wish that an upgrade goes back.
type UpgradeStop struct {
	By    Actor     `json:"by"`
	At    time.Time `json:"at"`
	Why   string    `json:"why"`
	Class string    `json:"class"`
}

// UpgradeFault is why an upgrade goes back.
type UpgradeFault struct {
	At      time.Time     `json:"at"`
	Class   string        `json:"class"`
	State   string        `json:"state"` // in which it was found
	Stage   string        `json:"stage"`
	Step    string        `json:"step,omitempty"` // of the runbook, after which or in which it was found first
	Data    bool          `json:"data,omitempty"` // data is not as it should be: a way down does not mend that
	Reasons []CheckReason `json:"reasons"`
}

// UpgradeBack is how an upgrade went back.
type UpgradeBack struct {
	Began       time.Time `json:"began"`
	Version     string    `json:"version"` // it goes back to
	Way         string    `json:"way,omitempty"`
	NotDown     bool      `json:"not_down,omitempty"` // the way down was tried, and did not lead back
	Minutes     int       `json:"minutes,omitempty"`  // so much time is undone
	Records     int64     `json:"records,omitempty"`  // and so many requests
	Beyond      []Actor   `json:"beyond,omitempty"`   // who agreed to more than the limits
	Switched    time.Time `json:"switched,omitzero"`
	Redelivered int64     `json:"redelivered,omitempty"`
	Ended       time.Time `json:"ended,omitzero"`
}

// UpgradeMark is a stage that was come to.
type UpgradeMark struct {
	Stage string    `json:"stage"`
	At    time.Time `json:"at"`
}

// Release is a version that proved to be right.
type Release struct {
	ID      string    `json:"id"` // SERVICE.release-UPGRADE
	Service string    `json:"service"`
	Upgrade string    `json:"upgrade"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`
	By      string    `json:"by"` // the upgrade that baked, or was planned when it ran well
}

// ReleaseID is the id of what last proved to be right for an upgrade of a plan.
func ReleaseID(service, upgrade string) string { return service + ".release-" + upgrade }

// Unchecked is the first step of the upgrade's run that was done, and after which data
// has not been looked at yet: none begins before that. Empty: there is none.
func (u *Upgrade) Unchecked(r *Run) string {
	for i := range r.Steps {
		st := &r.Steps[i]
		over := st.State == StepDone || st.State == StepFailed || st.State == StepSkipped
		if over && st.Attempt > 0 && !slices.Contains(u.Checked, st.ID) {
			return st.ID
		}
	}
	return ""
}
