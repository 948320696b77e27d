package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Plans are what the plans that hold say of incidents.
type Plans interface {
	Of(service string) (*Rules, bool)
	All() []*Rules
}

// Duty says who is asked to take a role, one after the other: who leads it, each
// deputy, the whole team.
type Duty interface {
	Ladder(service, role, grade string, at time.Time) ([]continuity.Recipient, error)
}

// Rules are what the plan of a service says of its incidents.
type Rules struct {
	Service    string
	Version    int64 // of the plan that holds
	Name       continuity.Text
	Owner      string // of the plan
	Scenarios  []Scenario
	Grades     map[string]Grade
	Processes  []Process
	Components []Component
	Roles      map[string]Role
	Legal      map[string]time.Duration // how long there is to tell an audience where personal data is at stake
	Resources  []string
	Causes     []string // that an incident may be closed with
}

// Scenario is a failure that was thought through.
type Scenario struct {
	ID      string
	Name    continuity.Text
	Partial bool
	Scope   string
	Hits    []string // processes and components
	Grade   string
	Runbook string
	Trigger Trigger // its zero value: people declare it
}

// Trigger is what begins a scenario; one of its parts is there.
type Trigger struct {
	Check   string // SERVICE/CHECK, in State or worse
	State   continuity.CheckState
	Warning string // a rule's or promise's id, of Level or worse
	Level   continuity.Level
	Reports int // of so many people Within
	Within  time.Duration
	Notice  string // of a provider, that somebody confirmed
	Window  string // starts or overruns
}

// Grade is what is promised for how hard something hits.
type Grade struct {
	Name     continuity.Text
	Recover  time.Duration
	Scope    time.Duration
	Escalate time.Duration
	Review   time.Duration
}

// Process is a row of the business impact analysis.
type Process struct {
	ID       string
	Name     continuity.Text
	RTO, MTD time.Duration
	Needs    []string // components
}

// Component is a part of the service.
type Component struct {
	ID     string
	Needs  []string // other components
	Checks []string // SERVICE/CHECK
}

// Role is who decides and does.
type Role struct {
	Name   continuity.Text
	People []string
	May    []string
	Under  string
}

// What a role may do.
const (
	MayDeclare = "declare"
	MayGrade   = "grade"
	MayClose   = "close"
)

// Commander is the role that is in command.
const Commander = "commander"

// Scenario finds one by its id; nil: there is none.
func (r *Rules) Scenario(id string) *Scenario {
	i := slices.IndexFunc(r.Scenarios, func(s Scenario) bool { return s.ID == id })
	if i < 0 || id == "" {
		return nil
	}
	return &r.Scenarios[i]
}

// worst is the hardest grade of the plan; grades' names order them.
func (r *Rules) worst() string {
	all := slices.Sorted(maps.Keys(r.Grades))
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// mildest is the softest grade of the plan.
func (r *Rules) mildest() string {
	all := slices.Sorted(maps.Keys(r.Grades))
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// InCommand is the role that leads: commander, or the first that stands under none.
func (r *Rules) InCommand() string {
	if _, there := r.Roles[Commander]; there {
		return Commander
	}
	for _, name := range slices.Sorted(maps.Keys(r.Roles)) {
		if r.Roles[name].Under == "" {
			return name
		}
	}
	return ""
}

// inOrder are the names of all roles, the one in command first.
func (r *Rules) inOrder() []string {
	first := r.InCommand()
	all := slices.Sorted(maps.Keys(r.Roles))
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(b2i(a != first), b2i(b != first)) })
	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hit reports whether a process is among what is hit, itself or by a component that
// it needs, directly or by way of others.
func (r *Rules) hit(p *Process, hits []string) bool {
	if slices.Contains(hits, p.ID) {
		return true
	}
	seen := map[string]bool{}
	var needs func(ids []string) bool
	needs = func(ids []string) bool {
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			if slices.Contains(hits, id) {
				return true
			}
			i := slices.IndexFunc(r.Components, func(c Component) bool { return c.ID == id })
			if i >= 0 && needs(r.Components[i].Needs) {
				return true
			}
		}
		return false
	}
	return needs(p.Needs)
}

// Hit are the processes that are hit.
func (r *Rules) Hit(hits []string) (all []*Process) {
	for i := range r.Processes {
		if p := &r.Processes[i]; r.hit(p, hits) {
			all = append(all, p)
		}
	}
	return all
}

// knows reports whether something can be hit.
func (r *Rules) knows(id string) bool {
	return slices.ContainsFunc(r.Processes, func(p Process) bool { return p.ID == id }) ||
		slices.ContainsFunc(r.Components, func(c Component) bool { return c.ID == id })
}

// limits are the tightest times to recovery and to what can't be borne, of what is
// hit at a grade.
func (r *Rules) limits(grade string, hits []string) (rto, mtd time.Duration) {
	rto = r.Grades[grade].Recover
	for _, p := range r.Hit(hits) {
		if p.RTO > 0 && (rto == 0 || p.RTO < rto) {
			rto = p.RTO
		}
		if p.MTD > 0 && (mtd == 0 || p.MTD < mtd) {
			mtd = p.MTD
		}
	}
	return rto, mtd
}

// fitting is the mildest grade whose promise ends before what is left until nothing
// more can be borne; where none does, the worst.
func (r *Rules) fitting(left time.Duration) string {
	all := slices.Sorted(maps.Keys(r.Grades))
	for _, name := range slices.Backward(all) {
		if r.Grades[name].Recover <= left {
			return name
		}
	}
	return r.worst()
}

// worse is the harder of two grades.
func worse(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

// deputised reports whether a person has a role that may do something. Where no role
// of the plan may, all may.
func (r *Rules) deputised(person, may string) bool {
	said := false
	for _, role := range r.Roles {
		if !slices.Contains(role.May, may) {
			continue
		}
		said = true
		if slices.Contains(role.People, person) {
			return true
		}
	}
	return !said
}
