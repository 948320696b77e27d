package access

import (
	"maps"
	"slices"
)

// Scope is leave to do one kind of thing in one area of the API.
type Scope string

// The scopes, by the least role that has them.
const (
	EventsRead   Scope = "events:read"
	PlansRead    Scope = "plans:read"
	ChecksRead   Scope = "checks:read"
	WarningsRead Scope = "warnings:read"
	NoticesRead  Scope = "notices:read"
	MeasuresRead Scope = "measures:read"
	PeopleRead   Scope = "people:read"
	ChannelsRead Scope = "channels:read"

	NotificationsRead Scope = "notifications:read"
	IncidentsRead     Scope = "incidents:read"
	RunsRead          Scope = "runs:read"

	WindowsRead   Scope = "windows:read"
	CalendarRead  Scope = "calendar:read" // windows as a calendar: all that the address of one may
	ExercisesRead Scope = "exercises:read"

	BackupsRead  Scope = "backups:read"
	UpgradesRead Scope = "upgrades:read"

	ReportsWrite Scope = "reports:write" // tell that something does not work

	WarningsWrite   Scope = "warnings:write" // confirm, dismiss
	NoticesWrite    Scope = "notices:write"
	HeartbeatsWrite Scope = "heartbeats:write"
	TokensWrite     Scope = "tokens:write" // one's own

	NotificationsWrite Scope = "notifications:write" // send, acknowledge, silence
	IncidentsWrite     Scope = "incidents:write"     // declare, and take part, as far as the plan says
	UpgradesAgree      Scope = "upgrades:agree"      // tick off, agree to bringing data back, abort
	RunsWrite          Scope = "runs:write"          // go through runbooks; what a step decides is up to the plan's roles

	RestoresLookUp Scope = "restores:look-up" // ask copies of restored data, as far as the plan says

	BackupsRestore Scope = "backups:restore" // bring data back, as far as the plan says

	WindowsWrite   Scope = "windows:write"   // propose, plan, change, cancel, lead
	ExercisesWrite Scope = "exercises:write" // set the clocks of drills

	BackupsRun    Scope = "backups:run"    // have one made, proven, old ones removed
	UpgradesWrite Scope = "upgrades:write" // plan, begin, take back; what changes the service is up to the plan's roles

	SignalsWrite     Scope = "signals:write" // say for another system that something does not work, or does again
	PlansWrite       Scope = "plans:write"
	PlansApproveTech Scope = "plans:approve-tech" // what engineers bound to a plan
	ChecksWrite      Scope = "checks:write"
	PeopleWrite      Scope = "people:write"
	ChannelsWrite    Scope = "channels:write" // have a test message sent
	ProbesReport     Scope = "probes:report"

	PlansApprove Scope = "plans:approve" // what the business decided
	UsersRead    Scope = "users:read"

	EvidenceRead     Scope = "evidence:read"     // take sealed evidence of an incident out of the node
	IncidentsCommand Scope = "incidents:command" // decide in the place of those whom the plan names

	UsersWrite Scope = "users:write" // and everybody's sessions and tokens
	StateRead  Scope = "state:read"  // an export bears the hashes of passwords
	StateWrite Scope = "state:write"
)

// Role is what a user is on this node. Each role may do what those before it may.
type Role string

// The roles, from the least to the most.
const (
	Viewer    Role = "viewer"    // looks
	Responder Role = "responder" // takes part in an incident
	Operator  Role = "operator"  // keeps plans and checks
	Commander Role = "commander" // decides
	Admin     Role = "admin"     // says who may what
)

// rung is a role and what it may besides what the rungs below it may.
type rung struct {
	role Role
	adds []Scope
}

var ladder = []rung{
	{Viewer, []Scope{EventsRead, PlansRead, ChecksRead, WarningsRead, NoticesRead, MeasuresRead, PeopleRead, ChannelsRead, NotificationsRead, IncidentsRead, RunsRead, WindowsRead, CalendarRead, ExercisesRead, BackupsRead, UpgradesRead, ReportsWrite, RestoresLookUp}},
	{Responder, []Scope{WarningsWrite, NoticesWrite, HeartbeatsWrite, TokensWrite, NotificationsWrite, IncidentsWrite, UpgradesAgree, RunsWrite, BackupsRestore}},
	{Operator, []Scope{SignalsWrite, PlansWrite, PlansApproveTech, ChecksWrite, PeopleWrite, ChannelsWrite, ProbesReport, WindowsWrite, ExercisesWrite, BackupsRun, UpgradesWrite}},
	{Commander, []Scope{PlansApprove, UsersRead, IncidentsCommand, EvidenceRead}},
	{Admin, []Scope{UsersWrite, StateRead, StateWrite}},
}

// Roles lists the roles from the least to the most.
func Roles() []Role {
	var list []Role
	for _, step := range ladder {
		list = append(list, step.role)
	}
	return list
}

// Scopes lists all scopes by the least role that has them.
func Scopes() []Scope { return Admin.Scopes().List() }

// Known says whether there is such a role.
func (r Role) Known() bool { return r.rank() > 0 }

// Above says whether the role may more than another one.
func (r Role) Above(other Role) bool { return r.rank() > other.rank() }

func (r Role) rank() int {
	return 1 + slices.IndexFunc(ladder, func(step rung) bool { return step.role == r })
}

// Scopes returns what the role may do; an unknown one, nothing.
func (r Role) Scopes() Set {
	set := Set{}
	for _, step := range ladder[:r.rank()] {
		for _, scope := range step.adds {
			set[scope] = true
		}
	}
	return set
}

// Set is a set of scopes.
type Set map[Scope]bool

// SetOf makes a set.
func SetOf(scopes ...Scope) Set {
	set := Set{}
	for _, scope := range scopes {
		set[scope] = true
	}
	return set
}

// Has says whether the scope is in the set.
func (s Set) Has(scope Scope) bool { return s[scope] }

// Within returns what is in both sets.
func (s Set) Within(bound Set) Set {
	both := maps.Clone(s)
	maps.DeleteFunc(both, func(scope Scope, in bool) bool { return !in || !bound[scope] })
	return both
}

// List returns the scopes in the order of the table.
func (s Set) List() []Scope {
	var list []Scope
	for _, step := range ladder {
		for _, scope := range step.adds {
			if s[scope] {
				list = append(list, scope)
			}
		}
	}
	return list
}
