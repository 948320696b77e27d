package planbook

import (
	"reflect"
	"slices"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// fileName is what a service's business file is called where nobody said it.
func fileName(service string) string { return service + ".yaml" }

// read reads texts and says what is wrong with them, and what may be. The plan
// comes as far as it can be read.
func read(file string, t continuity.PlanTexts, people *plan.People) (*plan.Plan, []yamldoc.Problem) {
	var tech *plan.Source
	if t.Tech != "" {
		tech = &plan.Source{Name: plan.TechName(file), Text: []byte(t.Tech)}
	}
	p, problems := plan.Read(plan.Source{Name: file, Text: []byte(t.Plan)}, tech, people)
	if p == nil {
		return nil, problems
	}
	if p.Files = t.Files; p.Files == nil {
		p.Files = map[string]string{} // none came, which is not that nobody looked
	}
	if !yamldoc.Failed(problems) { // else an engine would only refuse the echo of a mistake
		problems = append(problems, binding.Check(p)...)
	}
	return p, problems
}

// readBeside is read for texts that are to hold beside the other services' plans.
func (b *Book) readBeside(file string, t continuity.PlanTexts) (*plan.Plan, []yamldoc.Problem) {
	b.mu.RLock()
	people, others := b.people.people, slices.Clone(b.holding.Plans)
	b.mu.RUnlock()
	p, problems := read(file, t, people)
	if p == nil || yamldoc.Failed(problems) {
		return p, problems
	}
	problems = append(problems, b.refused(p, others)...)
	others = slices.DeleteFunc(others, func(other *plan.Plan) bool { return other.ID == p.ID })
	for _, problem := range plan.CheckPlans(append(others, p)) {
		switch {
		case problem.ID == "plan.cycle-plans": // whichever file it is told of
			problems = append(problems, problem)
		case problem.File == file:
			// A plan that this one needs may be applied after it.
			problem.Severity = yamldoc.Warning
			problems = append(problems, problem)
		}
	}
	return p, problems
}

// refused reports the checks that this node would never get to look at, as an
// error: they would be unknown for good. What was so in the plan that holds is a
// warning: whoever mends a telephone number in an emergency is not kept from it.
func (b *Book) refused(p *plan.Plan, current []*plan.Plan) []yamldoc.Problem {
	if b.Refused == nil {
		return nil
	}
	var before []yamldoc.Problem
	for _, held := range current {
		if held.ID == p.ID {
			before = b.Refused(held)
		}
	}
	problems := b.Refused(p)
	for i := range problems {
		if slices.ContainsFunc(before, func(old yamldoc.Problem) bool {
			return old.ID == problems[i].ID && reflect.DeepEqual(old.Args, problems[i].Args)
		}) {
			problems[i].Severity = yamldoc.Warning
		}
	}
	return problems
}

// errors and warnings of a list.
func split(problems []yamldoc.Problem) (errors, warnings []yamldoc.Problem) {
	for _, p := range problems {
		if p.Severity == yamldoc.Error {
			errors = append(errors, p)
		} else {
			warnings = append(warnings, p)
		}
	}
	return errors, warnings
}
