package continuity

import "time"

// The kinds of objects of backups.
const (
	KindBackupSet = "backup-set" // what is known of a set of data's backups
	KindBackup    = "backup"     // one of them that stands on the targets
	KindRestore   = "restore"    // a set of data that is being brought back
	KindLookUp    = "look-up"    // what was last asked of a restore's copies; each question is an event
)

// How a set of data stands, the worst that holds.
const (
	SetWaiting  = "waiting"  // nothing was captured yet, and nothing is late
	SetGreen    = "green"    // in time, and the newest full backup was proven by restoring it
	SetLacking  = "lacking"  // in time, but a target could not be asked or did not take the newest backup
	SetUnproven = "unproven" // in time, but nobody has restored the newest full backup yet
	SetFailing  = "failing"  // nothing is late yet, but what is done for it fails
	SetStale    = "stale"    // there is nothing new where there should be
	SetFaulty   = "faulty"   // something of the backups is missing, or a restore found other data
)

// Works that are done on a set of data.
const (
	WorkFull   = "full"
	WorkDelta  = "delta"
	WorkFollow = "follow"
	WorkVerify = "verify"
	WorkPrune  = "prune"
)

// BackupSet is what is known of a set of data's backups. When something of it was last
// safe on a target is noted beside it (the store's Saw), without an event each time.
type BackupSet struct {
	ID      string        `json:"id"` // SERVICE/SET
	Service string        `json:"service"`
	Set     string        `json:"set"`
	Kind    string        `json:"kind"`
	Every   time.Duration `json:"every"`
	Since   time.Time     `json:"since"` // it is to be backed up

	Captured *BackupWork `json:"captured,omitempty"` // the newest that succeeded
	Full     *BackupWork `json:"full,omitempty"`     // the newest full one that succeeded
	Proven   *BackupWork `json:"proven,omitempty"`   // the newest restore for proof's sake
	Failing  *BackupWork `json:"failing,omitempty"`  // what fails at present
	Running  *BackupWork `json:"running,omitempty"`
	Proving  *BackupWork `json:"proving,omitempty"` // beside what runs
	Follow   *Followed   `json:"follow,omitempty"`  // nil: nobody follows its changes
	Asked    *BackupWork `json:"asked,omitempty"`   // what a person, or a step, wants done now
	Answered *BackupWork `json:"answered,omitempty"`

	Waits  time.Time     `json:"waits,omitzero"` // since when the oldest full one that nobody has proven waits for it
	Pruned time.Time     `json:"pruned,omitzero"`
	Faults []BackupFault `json:"faults,omitempty"`
	Due    time.Time     `json:"due,omitzero"` // the next full one

	Away []TargetResult `json:"away,omitempty"` // targets that could not be asked when it was last looked
}

// BackupWork is one work on a set of data: what it was, how it went.
type BackupWork struct {
	Work    string         `json:"work"`
	By      Actor          `json:"by,omitzero"` // who asked for it; none: it was due
	Asked   time.Time      `json:"asked,omitzero"`
	Started time.Time      `json:"started,omitzero"`
	Ended   time.Time      `json:"ended,omitzero"`
	Backup  string         `json:"backup,omitempty"` // the piece's id
	Taken   time.Time      `json:"taken,omitzero"`   // the moment to which it brings back
	Bytes   int64          `json:"bytes,omitempty"`
	Good    bool           `json:"good,omitempty"`    // of a proof: everything was found again
	Why     CheckReason    `json:"why,omitzero"`      // of a failure
	Tries   int            `json:"tries,omitempty"`   // how often in a row it failed
	Targets []TargetResult `json:"targets,omitempty"` // of a capture
}

// TargetResult is what became of a piece on one target.
type TargetResult struct {
	Target string      `json:"target"`
	Why    CheckReason `json:"why,omitzero"` // nothing: it is there
}

// Followed is how the following of a set's changes stands.
type Followed struct {
	Since   time.Time   `json:"since"` // it goes on, or fails
	Failing bool        `json:"failing,omitempty"`
	Why     CheckReason `json:"why,omitzero"`
	Tries   int         `json:"tries,omitempty"`
}

// BackupFault is something wrong with the backups of a set.
type BackupFault struct {
	Kind   string `json:"kind"` // missing, truncated, double, forked, system, unsigned
	Target string `json:"target"`
	Backup string `json:"backup,omitempty"` // a piece's id
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
}

// Backup is a full backup, or what changed since one, as it stands on targets.
type Backup struct {
	ID      string    `json:"id"` // SERVICE/SET/PIECE
	Service string    `json:"service"`
	Set     string    `json:"set"`
	Piece   string    `json:"piece"`
	Type    string    `json:"type"` // full, delta
	Base    string    `json:"base,omitempty"`
	File    string    `json:"file"`
	Started time.Time `json:"started"`
	Taken   time.Time `json:"taken"`
	Reaches time.Time `json:"reaches"` // with the log behind it
	Bytes   int64     `json:"bytes"`
	Key     string    `json:"key"`
	Targets []string  `json:"targets"`
	Proof   *Proven   `json:"proof,omitempty"` // nil: nobody has restored it yet
}

// Proven is what the newest restore of a backup for proof's sake found.
type Proven struct {
	At      time.Time `json:"at"`
	Good    bool      `json:"good"`
	Target  string    `json:"target"`
	Figures int       `json:"figures"`           // that were compared
	Differ  []string  `json:"differ,omitempty"`  // those that were not found again, at most a few
	Restore float64   `json:"restore,omitempty"` // seconds until it could be asked
	Failed  Code      `json:"failed,omitempty"`
}
