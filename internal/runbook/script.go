package runbook

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// KindScript is the kind of objects that keep what runs go through.
const KindScript = "script"

// Script is a runbook as the plan said it when its run began: it does not change when
// the plan does.
type Script struct {
	Run     string          `json:"run,omitempty"`
	Service string          `json:"service"`
	Plan    int64           `json:"plan"`
	Runbook string          `json:"runbook"`
	Name    continuity.Text `json:"name,omitzero"`
	Steps   []Step          `json:"steps"`
	Roles   map[string]Role `json:"roles,omitempty"`
	Zone    string          `json:"zone,omitempty"` // that people are told times in
}

// Role is who has a role of the plan, and what they may decide.
type Role struct {
	People []string `json:"people"`
	May    []string `json:"may,omitempty"`
}

// What a step that failed has become of the run.
const (
	IfNotEscalate = "escalate" // it waits for a person
	IfNotStop     = "stop"
	IfNotGoOn     = "go-on"
)

// Step is one step of a script.
type Step struct {
	ID       string            `json:"id"`
	Say      continuity.Text   `json:"say,omitzero"`
	Do       string            `json:"do,omitempty"` // an action; none: a person does what Say says
	With     map[string]string `json:"with,omitempty"`
	Runbook  string            `json:"runbook,omitempty"` // it ends the steps of this one, which stand before it
	Owner    string            `json:"owner,omitempty"`   // a role or a person
	After    []string          `json:"after,omitempty"`
	Failed   string            `json:"failed,omitempty"` // it is done only where this step fails
	Within   time.Duration     `json:"within,omitempty"`
	IfNot    string            `json:"if_not,omitempty"`
	Else     []string          `json:"else,omitempty"` // the steps that are done where this one fails
	Before   *Condition        `json:"before,omitempty"`
	Proof    *Condition        `json:"proof,omitempty"`
	Items    []Item            `json:"items,omitempty"` // to be ticked off before it is done
	Back     []Item            `json:"back,omitempty"`  // to be ticked off before it is taken back
	Isolates bool              `json:"isolates,omitempty"`
	Typed    string            `json:"typed,omitempty"` // a person types it: nobody says by accident that it is done, or may be
}

// Item is a line that a person ticks off.
type Item struct {
	ID    string          `json:"id"`
	Say   continuity.Text `json:"say"`
	First bool            `json:"first,omitempty"` // before the action begins
}

// Condition is what must be so.
type Condition struct {
	Check string `json:"check,omitempty"` // SERVICE/CHECK that has to be up
	Via   string `json:"via,omitempty"`   // relay or direct: the way that it is looked at
	Query string `json:"query,omitempty"` // PromQL that has to have a value that is not 0
}

// Plans are the runbooks of plans.
type Plans interface {
	// Script is a runbook of a version of a service's plan, and version 0 of the one
	// that holds; CodeNotFound: there is none.
	Script(ctx context.Context, service string, version int64, runbook string) (*Script, error)
}

// Eyes look at what is so.
type Eyes interface {
	Look(ctx context.Context, service string, c *Condition) (well bool, why continuity.CheckReason)
}

// step returns a step by its id; -1: there is none.
func (s *Script) step(id string) int {
	return slices.IndexFunc(s.Steps, func(step Step) bool { return step.ID == id })
}

// only leaves the steps that were asked for, those of sub-runbooks with theirs, and the
// approvals that they come after: nobody gets round one by asking for what it guards.
func (s *Script) only(ids []string) {
	if len(ids) == 0 {
		return
	}
	all, kept := slices.Clone(s.Steps), map[string]bool{}
	before := func(id string) []string {
		if i := slices.IndexFunc(all, func(step Step) bool { return step.ID == id }); i >= 0 {
			return all[i].After
		}
		return nil
	}
	seen := map[string]bool{}
	var guarded func(id string)
	guarded = func(id string) {
		for _, prior := range before(id) {
			if seen[prior] {
				continue
			}
			seen[prior] = true
			if slices.ContainsFunc(all, func(step Step) bool { return step.ID == prior && step.Do == Approve }) {
				kept[prior] = true
			}
			guarded(prior)
		}
	}
	for _, step := range all {
		if slices.ContainsFunc(ids, func(id string) bool { return step.ID == id || strings.HasPrefix(step.ID, id+"/") }) {
			kept[step.ID] = true
			guarded(step.ID)
		}
	}
	// A step comes after what is left of the steps before it.
	var left func(after []string, passed map[string]bool) []string
	left = func(after []string, passed map[string]bool) (found []string) {
		for _, id := range after {
			switch {
			case passed[id]:
			case kept[id]:
				passed[id], found = true, append(found, id)
			default:
				passed[id] = true
				found = append(found, left(before(id), passed)...)
			}
		}
		return found
	}
	s.Steps = slices.DeleteFunc(s.Steps, func(step Step) bool { return !kept[step.ID] })
	for i := range s.Steps {
		s.Steps[i].After = left(s.Steps[i].After, map[string]bool{})
	}
}

// rights are what a person's roles let them decide.
func (s *Script) rights(person string) []string {
	var all []string
	for _, name := range sorted(s.Roles) {
		if r := s.Roles[name]; slices.Contains(r.People, person) {
			all = append(all, r.May...)
		}
	}
	return all
}

// has says whether a person is among a step's owners.
func (s *Script) has(owner, person string) bool {
	return owner == person || slices.Contains(s.Roles[owner].People, person)
}

func may(rights []string, right string) bool {
	return right == "" || slices.Contains(rights, allRights) || slices.Contains(rights, right)
}
