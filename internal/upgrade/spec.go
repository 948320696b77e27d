package upgrade

import (
	"context"
	"time"

	"holdfast/internal/continuity"
)

// Plans are what the plans that hold say of upgrades.
type Plans interface {
	// Of returns an upgrade of a service's plan; ok is false where there is none, or the
	// plan can't be read.
	Of(service, id string) (*Spec, bool)
}

// Spec is what a plan says of an upgrade.
type Spec struct {
	Service string
	ID      string
	Plan    int64 // the version that holds
	Name    continuity.Text
	Zone    *time.Location

	Owner     string // of the plan
	Commander string // the role that decides; empty: none
	Technical string // the role that does the work; empty: none
	Tell      []continuity.Recipient

	Before  []Item        // what people tick off first
	Sets    []string      // of backups
	Fresh   time.Duration // how old they may be
	Runbook string
	Routes  []Route       // whose requests are held
	Longest time.Duration // for which they may be: then it goes back; 0: as long as the relay holds them
	Lost    time.Duration // how long its runner may be away meanwhile: then it goes back
	Settle  time.Duration // how long what was started may take until it works
	Every   time.Duration // how often it is looked at
	Patient int           // so many looks in a row have to find something wrong
	Bake    time.Duration
	Data    Data
	Limits  Limits
	Times   int // it may go back before a person is asked; 0: three times, which are the most
}

// Item is one line of a list.
type Item struct {
	ID  string
	Say continuity.Text
}

// Route is one whose requests are held or diverted.
type Route struct {
	Relay, Route string
	Mode         string // hold, divert
}

// How data goes back.
const (
	BackDown    = "down"
	BackRestore = "restore"
	BackFaster  = "faster" // by whichever the rehearsal shows to be
)

// Data is what an upgrade does with data.
type Data struct {
	Looked   bool   // it is compared before and after each step
	Back     string // one of the above; empty: nothing brings it back
	Rehearse bool   // there and back on a copy, before anything is touched
}

// Limits are what may be undone without asking again.
type Limits struct {
	Minutes int   // of what was done since
	Records int64 // of requests
}

// AnyRecords is the limit of a plan that states none: JSON bears no greater number.
const AnyRecords = 1 << 53

// SayRecords puts a number of requests among what fills a text: under its name, or in words
// where there is no limit.
func SayRecords(into map[string]any, name string, n int64) {
	if n < AnyRecords {
		into[name] = n
		return
	}
	into[name+"_text"] = "upgrade.requests.any"
}

// Defaults of what a plan leaves open.
const (
	DefaultLost    = 2 * time.Minute
	DefaultSettle  = 2 * time.Minute
	DefaultEvery   = 5 * time.Second
	DefaultPatient = 2
)

func (s *Spec) settle() time.Duration { return or(s.Settle, DefaultSettle) }
func (s *Spec) every() time.Duration  { return or(s.Every, DefaultEvery) }
func (s *Spec) lost() time.Duration   { return or(s.Lost, DefaultLost) }
func (s *Spec) patient() int          { return or(s.Patient, DefaultPatient) }

func or[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// times is how often it may go back before a person is asked.
func (s *Spec) times() int { return min(or(s.Times, mostRollbacks), mostRollbacks) }

// Call is what is to be done for an upgrade at a stage.
type Call struct {
	// Key names this effect of this attempt: done again under it, an effect is the same.
	Key     string
	Copy    string // the id of what is restored in this rollback
	Spec    *Spec
	Upgrade continuity.Upgrade // as it is stored; not to be changed
}

// Hands do what upgrades need. Each effect can be repeated under its key.
type Hands struct {
	Precheck Precheck
	Code     Code
	Data     Store
	Backups  Backups
	Relays   Relays
	Watch    Watch
}

// Precheck says whether an upgrade can be begun.
type Precheck interface {
	Check(ctx context.Context, c Call) ([]continuity.UpgradeFinding, error)
}

// Code is the program that is upgraded.
type Code interface {
	Version(ctx context.Context, c Call) (string, error)
	Stop(ctx context.Context, c Call) error
	Put(ctx context.Context, c Call, version string) error
	Start(ctx context.Context, c Call) error
}

// Store is the data that it works with.
type Store interface {
	Picture(ctx context.Context, c Call) (*continuity.UpgradePicture, error)
	// Rehearse goes there and back on a copy.
	Rehearse(ctx context.Context, c Call) (*continuity.UpgradeRehearsal, error)
	// Down takes migrations back as far as a schema.
	Down(ctx context.Context, c Call, schema string) error
}

// Backups are of that data.
type Backups interface {
	// Ready says how the sets stand, and has made and proven what is missing where it can.
	Ready(ctx context.Context, c Call) ([]continuity.UpgradeSet, error)
	// Moment is one at or after the call to which all sets can be brought back.
	Moment(ctx context.Context, c Call) (time.Time, error)
	// Restore makes a copy of the sets at a moment, proves it and prepares it as c.Copy.
	Restore(ctx context.Context, c Call, moment time.Time) error
	// Switch puts c.Copy in the place of what is there, which is put aside.
	Switch(ctx context.Context, c Call) error
}

// Relays stand before the program.
type Relays interface {
	// Fit says what keeps the routes from being held as long as it may take, or what
	// passed from being delivered again.
	Fit(ctx context.Context, c Call) ([]continuity.CheckReason, error)
	// Hold has requests kept, in the upgrade's name, and returns when nothing is on its
	// way to the program any more.
	Hold(ctx context.Context, c Call) error
	// Since is how many requests reached the program since a moment.
	Since(ctx context.Context, c Call, moment time.Time) (int64, error)
	// Redeliver has what reached it since, and is missing, delivered again.
	Redeliver(ctx context.Context, c Call, moment time.Time) (int64, error)
	// Release has requests pass again.
	Release(ctx context.Context, c Call) error
	// Drained reports whether nothing that was held is left.
	Drained(ctx context.Context, c Call) (bool, error)
}

// Watch looks at how it goes.
type Watch interface {
	// Baseline is how it goes before.
	Baseline(ctx context.Context, c Call) ([]continuity.UpgradeFigure, error)
	// Look compares with that. While requests are held (live is false), the program may
	// be down.
	Look(ctx context.Context, c Call, live bool) ([]Problem, error)
}

// Problem is something that is wrong.
type Problem struct {
	Class  string // of failures
	Data   bool   // data is not as it should be
	Reason continuity.CheckReason
}

// NotYet is the error of what has to be waited for: it says nothing against it.
type NotYet struct{ Reason continuity.CheckReason }

// Error implements error.
func (n *NotYet) Error() string { return "not yet: " + n.Reason.Code }
