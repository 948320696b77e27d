package announce

import (
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Phases of templates that are used here.
const (
	PhaseFirst    = "first"
	PhaseUpdate   = "update"
	PhaseAllClear = "all-clear"
	PhaseStart    = "start"
	PhaseOverrun  = "overrun"
	PhaseFailed   = "failed" // of windows; plans have no words of their own for it
)

// May is what a role of a plan must be allowed to do here.
const May = "publish"

// Plans are the plans that hold.
type Plans interface {
	// Of is what the plan of a service says of words, and of people as of a time; ok is
	// false where no plan is known, which may be for a moment only.
	Of(service string, at time.Time) (r *Rules, ok bool)
}

// Rules are what a plan says of words.
type Rules struct {
	Zone      *time.Location
	Known     map[string]string // values of fields that the plan itself has, by NAME@LANGUAGE
	Names     map[string]continuity.Text
	Audiences []Audience // by their ids
	Grades    map[string]Grade
	Find      func(template string) (Template, bool) // by id, or by KIND/PHASE
	Approvers []string                               // people who may publish, in the order in which they are asked
	Anybody   bool                                   // may publish: the plan says of nobody that they may
	Roles     []string                               // that are reminded, the first one first: those that may publish, or else who commands
	Command   string                                 // the role that is in command
	Owner     string                                 // of the plan
	Chiefs    []string                               // people whom the node lets publish whatever the plan says
	Answers   []Answering
}

// Audience is who is told.
type Audience struct {
	ID    string
	Kind  string // customers
	Name  continuity.Text
	From  string        // told of incidents from this grade on; empty: of all
	Clock time.Duration // within which the law wants it told; 0: none
}

// Grade is what a plan promises of an incident's words.
type Grade struct {
	First    time.Duration // within which the first word goes out
	Every    time.Duration // at least so often a further one
	Escalate time.Duration // after which the next approver is asked
}

// Template is a message that was written before it is needed.
type Template struct {
	ID            string
	Kind          string // of audience
	Phase         string
	Subject, Text continuity.Text
	Must          []string // fields without which it is not sent
}

// Answering is a channel or a route that answers by itself, as an audience is told.
type Answering struct {
	Channel  string
	Route    string
	Audience string
}

// ID is the id of the automatic reply.
func (a *Answering) ID(service string) string {
	if a.Route != "" {
		return continuity.RouteAutoreplyID(service, a.Route)
	}
	return continuity.AutoreplyID(service, a.Channel)
}

// Defaults where a plan says nothing of a grade.
const (
	firstWithin   = 5 * time.Minute
	updateEvery   = 20 * time.Minute
	escalateAfter = 5 * time.Minute
)

// grade is what is promised of a grade.
func (r *Rules) grade(name string) Grade {
	g := r.Grades[name]
	if g.First <= 0 {
		g.First = firstWithin
	}
	if g.Every <= 0 {
		g.Every = updateEvery
	}
	if g.Escalate <= 0 {
		g.Escalate = escalateAfter
	}
	return g
}

// audience is the one of an id.
func (r *Rules) audience(id string) (*Audience, bool) {
	i := slices.IndexFunc(r.Audiences, func(a Audience) bool { return a.ID == id })
	if i < 0 {
		return nil, false
	}
	return &r.Audiences[i], true
}

// languages are those in which an audience is told: those of its templates.
func (r *Rules) languages(a *Audience) []catalogue.Lang {
	var all Template
	for _, phase := range []string{PhaseFirst, PhaseUpdate, PhaseAllClear} {
		t, _ := r.Find(a.Kind + "/" + phase)
		all.Text.En, all.Text.Zh = all.Text.En+t.Text.En, all.Text.Zh+t.Text.Zh
	}
	return all.languages()
}

// languages are those that a template has.
func (t *Template) languages() (all []catalogue.Lang) {
	for _, lang := range languages {
		if own(t.Text, lang) != "" {
			all = append(all, lang)
		}
	}
	return all
}

// publishers are who may publish while an incident stands, in the order in which they
// are asked: who commands it, who took another role that may, those of the plan, and
// then those whom the node lets.
func (r *Rules) publishers(i *continuity.Incident) (all []string) {
	add := func(id string) {
		if id != "" && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	if who := r.commander(i); r.Anybody || slices.Contains(r.Roles, r.Command) || slices.Contains(r.Approvers, who) || slices.Contains(r.Chiefs, who) {
		add(who)
	}
	if !r.Anybody {
		for _, role := range r.Roles {
			if h := i.Roles[role]; h.State == continuity.RoleTook {
				add(h.Person)
			}
		}
	}
	for _, id := range slices.Concat(r.Approvers, r.Chiefs) {
		add(id)
	}
	return all
}

// commander is who commands an incident; empty: nobody does yet. Who was handed command
// has it at once, and who is only asked to take it does not.
func (r *Rules) commander(i *continuity.Incident) string {
	h := i.Roles[r.Command]
	handed := len(i.Command) > 0 && i.Command[len(i.Command)-1].To == h.Person
	if h.State == continuity.RoleTook || h.State == continuity.RoleAsked && handed {
		return h.Person
	}
	return ""
}

// hears reports whether an audience is told of incidents of a grade. SEV-1 is the
// worst, and their names sort so.
func (a *Audience) hears(grade string) bool {
	return a.From == "" || strings.Compare(grade, a.From) <= 0
}

// approved reports whether somebody else has to approve what is said at a grade.
func approved(grade string) bool { return grade == "SEV-1" || grade == "SEV-2" }
