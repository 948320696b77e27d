package paper

import (
	"fmt"
	"slices"

	"holdfast/internal/plan"
	"holdfast/internal/plan/cards"
)

// scenario is what its card says.
func (w *writer) scenario(i int) cards.Scenario {
	s, where := &w.plan.Scenarios[i], fmt.Sprintf("scenarios[%d]", i)
	out := cards.Scenario{Name: w.named(s.Name, s.ID, where+".name"), Grade: w.grade(s.Grade)}
	owners := map[string]bool{}
	if r := slices.IndexFunc(w.plan.Runbooks, func(r plan.Runbook) bool { return r.ID == s.Runbook }); r >= 0 {
		out.Steps = w.steps(r)
		out.Runbook = w.named(w.plan.Runbooks[r].Name, s.Runbook, fmt.Sprintf("runbooks[%d].name", r))
		for _, step := range w.plan.Runbooks[r].Steps {
			owners[step.Owner] = true
		}
	}
	for _, name := range w.roleNames() {
		if role := w.plan.Roles[name]; owners[name] || role.Under == "" && len(role.May) > 0 {
			out.Roles = append(out.Roles, w.role(name))
		}
	}
	channels := s.Channels
	if len(channels) == 0 {
		channels = w.standby()
	}
	out.Talk = w.channels(channels)
	var ways []string
	for j := range w.plan.Impact {
		if row := &w.plan.Impact[j]; row.Meanwhile != "" && w.hit(s, row) && !slices.Contains(ways, row.Meanwhile) {
			ways = append(ways, row.Meanwhile)
		}
	}
	for j := range w.plan.Interim {
		if slices.Contains(ways, w.plan.Interim[j].ID) {
			out.Meanwhile = append(out.Meanwhile, w.interim(j))
		}
	}
	for j := range w.plan.Providers {
		if slices.Contains(w.concerned(s), w.plan.Providers[j].ID) {
			out.Providers = append(out.Providers, w.provider(j))
		}
	}
	return out
}

// hit reports whether a scenario stops a process. One that says nothing of it
// hits all.
func (w *writer) hit(s *plan.Scenario, row *plan.Process) bool {
	return len(s.Hits) == 0 || slices.Contains(s.Hits, row.Process) ||
		slices.ContainsFunc(s.Hits, func(h string) bool { return slices.Contains(row.Needs, h) })
}

// concerned are the providers whom a scenario concerns.
func (w *writer) concerned(s *plan.Scenario) []string {
	ids := []string{w.plan.Service.Provider}
	if s.Trigger != nil {
		ids = append(ids, s.Trigger.Notice)
	}
	for i := range w.plan.Components {
		if c := &w.plan.Components[i]; len(s.Hits) == 0 || slices.Contains(s.Hits, c.ID) {
			ids = append(ids, c.Provider)
		}
	}
	for i := range w.plan.Impact {
		row := &w.plan.Impact[i]
		if !w.hit(s, row) {
			continue
		}
		for j := range w.plan.Dependencies {
			if d := &w.plan.Dependencies[j]; slices.Contains(row.Needs, d.ID) {
				ids = append(ids, d.Provider)
			}
		}
	}
	return ids
}

func (w *writer) steps(runbook int) []cards.Step {
	r := &w.plan.Runbooks[runbook]
	out := make([]cards.Step, 0, len(r.Steps))
	for j := range r.Steps {
		step, where := &r.Steps[j], fmt.Sprintf("runbooks[%d].steps[%d]", runbook, j)
		line := cards.Step{Say: w.act(step, where), Who: w.whoever(step.Owner, where+".owner"), Within: step.Within}
		if b := step.Before; b != nil {
			what := b.Query
			if b.Check != "" {
				what = w.lookedUp("checks", b.Check)
			}
			line.Also = append(line.Also, w.words(w.say("cards.before", "what", what), where+".before"))
		}
		if step.Proof != nil {
			what := w.lookedUp("checks", step.Proof.Check)
			if step.Proof.Checklist != "" {
				what = w.checklistName(step.Proof.Checklist).Text
			}
			line.Also = append(line.Also, w.words(w.say("cards.proof", "what", what), where+".proof"))
		}
		if step.Else != "" {
			line.Also = append(line.Also, w.words(w.say("cards.else", "runbook", w.lookedUp("runbooks", step.Else)), where+".else"))
		}
		if step.IfNot != "escalate" {
			line.Also = append(line.Also, w.words(w.say("cards.if-not-"+step.IfNot), where))
		}
		out = append(out, line)
	}
	return out
}

// act is what a step tells a person to do, also where Holdfast would have
// done it.
func (w *writer) act(step *plan.Step, where string) cards.Words {
	switch {
	case step.Say != plan.Text{}:
		return w.text(step.Say, where+".say")
	case step.Run != "":
		return w.words(w.say("cards.run", "runbook", w.lookedUp("runbooks", step.Run)), where+".run")
	}
	args := []any{"told", ""}
	for name, value := range step.Told() {
		args = append(args, name, w.lookedUp(plan.Refers(step.Do, name), value))
	}
	return w.words(w.say(actText(step.Do), args...), where+".do")
}

// lookedUp is the name of an entry of a section.
func (w *writer) lookedUp(section, id string) string {
	p := w.plan
	named := func(t plan.Text) string {
		if t == (plan.Text{}) {
			return id
		}
		return t.In(w.lang)
	}
	switch section {
	case "audiences":
		if a := p.Audiences[id]; a != nil {
			return named(a.Name)
		}
	case "channels":
		if i := slices.IndexFunc(p.Channels, func(x plan.Channel) bool { return x.ID == id }); i >= 0 {
			return named(p.Channels[i].Name)
		}
	case "runbooks":
		if i := slices.IndexFunc(p.Runbooks, func(x plan.Runbook) bool { return x.ID == id }); i >= 0 {
			return named(p.Runbooks[i].Name)
		}
	case "backups":
		if i := slices.IndexFunc(p.Backups, func(x plan.Backup) bool { return x.ID == id }); i >= 0 {
			return named(p.Backups[i].Name)
		}
	case "upgrades":
		if i := slices.IndexFunc(p.Upgrades, func(x plan.Upgrade) bool { return x.ID == id }); i >= 0 {
			return named(p.Upgrades[i].Name)
		}
	case "checks":
		if p.Tech != nil {
			if i := slices.IndexFunc(p.Tech.Checks, func(x plan.Check) bool { return x.ID == id }); i >= 0 {
				return named(p.Tech.Checks[i].Name)
			}
		}
	case "templates":
		if t, ok := p.TemplateByID(id); ok {
			return w.templateName(t)
		}
	}
	return id
}
