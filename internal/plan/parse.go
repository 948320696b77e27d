package plan

import (
	"strings"

	"holdfast/internal/yamldoc"
)

// Source is the text of a file, by its name in problems.
type Source struct {
	Name string
	Text []byte
}

// TechName is the name of a plan's technical file.
func TechName(plan string) string { return strings.TrimSuffix(plan, ".yaml") + techSuffix }

const techSuffix = ".tech.yaml"

// reading is one file on its way.
type reading struct {
	*yamldoc.Findings
	source Source
	lines  []string
	places yamldoc.Places
	ok     bool // there is something to check
}

func read(s Source, language *yamldoc.Language, into any) *reading {
	r := &reading{Findings: yamldoc.NewFindings(s.Name), source: s}
	root, lines := yamldoc.Read(r.Findings, s.Text)
	r.lines = lines
	if root != nil {
		r.places = language.Decode(r.Findings, root, into)
		r.ok = true
	}
	return r
}

func (r *reading) settle() []yamldoc.Problem {
	if r == nil {
		return nil
	}
	return r.Settle(r.lines)
}

// Parse reads a plan and, where tech is not nil, its technical file. people may
// be nil: then whom the plan's roles and teams name is known. The plan is nil if
// any problem is an error.
func Parse(business Source, tech *Source, people *People) (*Plan, []yamldoc.Problem) {
	p, problems := Read(business, tech, people)
	if yamldoc.Failed(problems) {
		return nil, problems
	}
	return p, problems
}

// Read is Parse for a plan that is in force already: it comes as far as it can
// be read, whatever is wrong with it, and is nil only where it is no YAML. A value
// that can't be read is as if it were absent.
func Read(business Source, tech *Source, people *People) (*Plan, []yamldoc.Problem) {
	p := &Plan{File: business.Name}
	first := read(business, planLanguage, p)
	p.Places = first.places
	var second *reading
	if tech != nil {
		p.Tech = &Tech{}
		second = read(*tech, techLanguage, p.Tech)
		p.Tech.Places = second.places
	}
	p.Partly = first.Failed() || second != nil && second.Failed()
	if first.ok && (second == nil || second.ok) {
		check(&checker{plan: p, business: first, tech: second, people: people})
	}
	problems := append(first.settle(), second.settle()...)
	if !first.ok {
		return nil, problems
	}
	return p, problems
}

// ParsePeople reads a file of people.
func ParsePeople(s Source) (*People, []yamldoc.Problem) {
	p := &People{File: s.Name}
	r := read(s, peopleLanguage, p)
	p.Places = r.places
	if r.ok {
		define(r, p, map[string]*entries{})
		checkPeople(r, p)
	}
	problems := r.settle()
	if !r.ok || yamldoc.Failed(problems) {
		return nil, problems
	}
	return p, problems
}
