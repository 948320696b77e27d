package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/yamldoc"
)

// choice reports a block that must have exactly one of some fields.
func choice(r *reading, where, id string, fields map[string]bool) {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] {
			set = append(set, name)
		}
	}
	switch {
	case len(set) == 0:
		r.Error(place(r.places, where), id, "words", slices.Sorted(maps.Keys(fields)))
	case len(set) > 1:
		r.Error(place(r.places, where+"."+set[1]), "plan.one-of", "words", set)
	}
}

// unread reports whether a field is in the file and could not be read.
func (c *checker) unread(where string, empty bool) bool {
	_, there := c.business.places[where]
	return there && empty
}

func (c *checker) checkSignals() {
	for i := range c.plan.Warnings {
		w, where := &c.plan.Warnings[i], fmt.Sprintf("warnings[%d]", i)
		choice(c.business, where, "plan.warning-of", map[string]bool{"measure": w.Measure != "", "check": w.Check != ""})
		if w.Measure == "" {
			continue
		}
		if c.unread(where+".over", w.Over == nil) || c.unread(where+".under", w.Under == nil) {
			continue
		}
		choice(c.business, where, "plan.threshold", map[string]bool{"over": w.Over != nil, "under": w.Under != nil})
		if w.Clear != nil && (w.Over != nil && *w.Clear > *w.Over || w.Under != nil && *w.Clear < *w.Under) {
			c.error(where+".clear", "plan.clear-side")
		}
	}
	for i := range c.plan.SLOs {
		s, where := &c.plan.SLOs[i], fmt.Sprintf("slos[%d]", i)
		choice(c.business, where, "plan.slo-of", map[string]bool{"check": s.Check != "", "good": s.Good != ""})
		if (s.Good == "") != (s.Total == "") {
			c.error(where, "plan.slo-pair")
		}
	}
}

func (c *checker) checkScenarios() {
	limits := c.limits()
	for i := range c.plan.Scenarios {
		s, where := &c.plan.Scenarios[i], fmt.Sprintf("scenarios[%d]", i)
		if t := s.Trigger; t != nil {
			choice(c.business, where+".trigger", "plan.trigger", map[string]bool{
				"check": t.Check != "", "warning": t.Warning != "", "reports": t.Reports > 0,
				"notice": t.Notice != "", "window": t.Window != "", "person": t.Person,
			})
		} else if s.ID != "" {
			c.warning(where, "plan.no-trigger", "id", s.ID)
		}
		g := c.plan.Grades[s.Grade]
		if mtd, process := limits.tightest(s); g != nil && !s.Partial && mtd > 0 && g.Recover > mtd {
			c.error(where+".grade", "plan.grade-over-mtd", "grade", s.Grade, "value", brief(g.Recover), "mtd", brief(mtd), "process", process)
		}
	}
}

func (c *checker) checkRunbooks() {
	for i := range c.plan.Runbooks {
		before := map[string]bool{}
		c.checkIsolation(i)
		for j := range c.plan.Runbooks[i].Steps {
			step, where := &c.plan.Runbooks[i].Steps[j], fmt.Sprintf("runbooks[%d].steps[%d]", i, j)
			c.checkStep(step, where)
			for k, earlier := range step.After {
				if earlier != "" && !before[earlier] {
					c.error(fmt.Sprintf("%s.after[%d]", where, k), "plan.step-order", "id", step.ID, "value", earlier)
				}
			}
			before[step.ID] = true
		}
	}
}

func (c *checker) checkStep(step *Step, where string) {
	if _, bad := c.business.places[where+".do"]; !bad || step.Do != "" {
		choice(c.business, where, "plan.step-empty", map[string]bool{"do": step.Do != "", "say": step.Say != Text{}, "run": step.Run != ""})
	}
	if p := step.Proof; p != nil {
		choice(c.business, where+".proof", "plan.proof", map[string]bool{"check": p.Check != "", "checklist": p.Checklist != ""})
	}
	if b := step.Before; b != nil {
		choice(c.business, where+".before", "plan.condition", map[string]bool{"check": b.Check != "", "query": b.Query != ""})
	}
	if step.Else != "" {
		if _, said := c.business.places[where+".if_not"]; said {
			c.error(where+".else", "plan.else-if-not")
		}
	}
	if step.Typed != "" && (step.Run != "" || step.Do != "" && step.Do != "approve") {
		c.error(where+".typed", "plan.typed-do")
	}
	if part := step.Told()["part"]; step.Do == "upgrade.start" && part != "" && !slices.Contains(upgradeParts, part) {
		c.error(where+".with", "plan.upgrade-part", "value", part, "words", upgradeParts)
	}
	known := actions[step.Do]
	told := map[string]bool{}
	if n := step.With.Node; n != nil {
		if step.Do == "" || n.Kind != yamldoc.MappingNode {
			if step.Do == "" && step.Run == "" && step.Say == (Text{}) {
				return // the action could not be read
			}
			c.error(where+".with", "plan.with")
			return
		}
		for _, pair := range n.Pairs {
			told[pair.Key.Text] = true
			p, ok := known[pair.Key.Text]
			if _, all := known[anyParameter]; all && pair.Key.Text != anyParameter {
				ok = true
			}
			switch {
			case !ok:
				c.business.Error(pair.Key.At, "plan.with-unknown", "value", pair.Key.Text, "action", step.Do, "words", slices.Sorted(maps.Keys(known)))
			case pair.Value.Kind != yamldoc.ScalarNode || pair.Value.Text == "":
				c.business.Error(pair.Value.At, "plan.with-text", "value", pair.Key.Text)
			case p.ref != "":
				c.reference(c.business, pair.Value.At, where+".with."+pair.Key.Text, p.ref, pair.Value.Text)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if known[name].must && !told[name] {
			c.error(where+".do", "plan.with-missing", "action", step.Do, "name", name)
		}
	}
	if step.Do == "wait" {
		choice(c.business, where, "plan.wait-for", map[string]bool{"check": told["check"], "query": told["query"]})
		if step.Within == 0 {
			c.error(where+".do", "plan.wait-within")
		}
	}
}

// checkIsolation warns of a runbook that recovers what it has not isolated before. One
// that nothing but others run goes on where those are, and is looked at there.
func (c *checker) checkIsolation(i int) {
	r := &c.plan.Runbooks[i]
	if c.runByOthers(i) && !slices.ContainsFunc(c.plan.Scenarios, func(s Scenario) bool { return s.Runbook == r.ID }) {
		return
	}
	told := false
	var walk func(r *Runbook, where string, isolated bool, within []string) bool
	walk = func(r *Runbook, where string, isolated bool, within []string) bool {
		if slices.Contains(within, r.ID) {
			return isolated
		}
		within = append(slices.Clone(within), r.ID)
		for j := range r.Steps {
			s, at := &r.Steps[j], where
			if at == "" {
				at = fmt.Sprintf("runbooks[%d].steps[%d]", i, j)
			}
			// Where it fails, it has isolated nothing, and what is done then says nothing
			// of the steps after it.
			if k := c.runbook(s.Else); k >= 0 {
				walk(&c.plan.Runbooks[k], at, isolated, within)
			}
			isolated = isolated || slices.Contains(isolating, s.Do) || slices.Contains(s.Tags, "isolate")
			recovers := slices.Contains(recovering, s.Do) || slices.Contains(s.Tags, "recover") && !slices.Contains(holding, s.Do)
			if recovers && !isolated && !told {
				told = true
				c.warning(at, "plan.recover-first", "id", s.ID)
			}
			if k := c.runbook(s.Run); k >= 0 {
				isolated = walk(&c.plan.Runbooks[k], at, isolated, within)
			}
		}
		return isolated
	}
	walk(r, "", false, nil)
}

// runbook is where a runbook stands; negative: nowhere.
func (c *checker) runbook(id string) int {
	return slices.IndexFunc(c.plan.Runbooks, func(r Runbook) bool { return r.ID == id && id != "" })
}

// runByOthers reports whether another runbook runs one.
func (c *checker) runByOthers(i int) bool {
	for j := range c.plan.Runbooks {
		for _, s := range c.plan.Runbooks[j].Steps {
			if id := c.plan.Runbooks[i].ID; i != j && (s.Run == id || s.Else == id) {
				return true
			}
		}
	}
	return false
}

// checkCycles looks for what needs itself.
func (c *checker) checkCycles() {
	next := map[string][]string{}
	for _, x := range c.plan.Components {
		next[x.ID] = x.DependsOn
	}
	c.cycle("plan.cycle", next, "components")

	next = map[string][]string{}
	for _, x := range c.plan.Channels {
		next[x.ID] = []string{x.Next}
	}
	c.cycle("plan.cycle-channels", next, "channels")

	next = map[string][]string{}
	for _, x := range c.plan.Runbooks {
		for _, s := range x.Steps {
			next[x.ID] = append(next[x.ID], s.Run, s.Else)
		}
	}
	c.cycle("plan.cycle-runbooks", next, "runbooks")

	next = map[string][]string{}
	for name, x := range c.plan.Roles {
		next[name] = []string{x.Under}
	}
	c.cycle("plan.cycle-roles", next, "roles")
}

// cycle reports each ring once, at the first of its entries in the file.
func (c *checker) cycle(id string, next map[string][]string, word string) {
	const grey, black = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(name string)
	visit = func(name string) {
		state[name] = grey
		path = append(path, name)
		for _, to := range next[name] {
			switch {
			case to == "" || state[to] == black:
			case state[to] == grey && !c.business.Full():
				ring := append(slices.Clone(path[slices.Index(path, to):]), to)
				c.business.Error(c.entries[word].at[to], id, "ring", strings.Join(ring, " → "))
			case state[to] == 0 && c.entries[word].has(to):
				visit(to)
			}
		}
		path = path[:len(path)-1]
		state[name] = black
	}
	if e := c.entries[word]; e != nil {
		for _, name := range e.names {
			if state[name] == 0 {
				visit(name)
			}
		}
	}
}

// CheckPlans reports what several plans say together: the same id twice, and
// services that need each other. Problems are added to those of their file.
func CheckPlans(plans []*Plan) []yamldoc.Problem {
	var problems []yamldoc.Problem
	files, next := map[string]*Plan{}, map[string][]string{}
	for _, p := range plans {
		if first := files[p.ID]; first != nil {
			problems = append(problems, p.problem("id", "plan.same-plan", "id", p.ID, "file", first.File))
			continue
		}
		files[p.ID] = p
		for _, d := range p.Dependencies {
			if d.Plan != "" && d.Strength == "stops" {
				next[p.ID] = append(next[p.ID], d.Plan)
			}
		}
	}
	for _, p := range plans {
		rings := map[string][]string{}
		for i, d := range p.Dependencies {
			where := fmt.Sprintf("dependencies[%d].plan", i)
			if d.Plan != "" && files[d.Plan] == nil && len(plans) > 1 {
				problems = append(problems, p.problem(where, "plan.no-such-plan", "value", d.Plan))
			}
			if d.Plan == "" || d.Strength != "stops" {
				continue
			}
			ring, known := rings[d.Plan]
			if !known {
				ring = ringOf(next, d.Plan, p.ID)
				rings[d.Plan] = ring
			}
			if ring != nil && p.ID == slices.Min(ring) {
				problems = append(problems, p.problem(where, "plan.cycle-plans", "ring", strings.Join(append([]string{p.ID}, ring...), " → ")))
			}
		}
	}
	return problems
}

func (p *Plan) problem(where, id string, pairs ...any) yamldoc.Problem {
	f := yamldoc.NewFindings(p.File)
	f.Error(place(p.Places, where), id, pairs...)
	found := f.Found()
	return found[0]
}

// ringOf is the way from one name to another, or nil.
func ringOf(next map[string][]string, from, to string) []string {
	seen := map[string]bool{}
	var find func(name string) []string
	find = func(name string) []string {
		if name == to {
			return []string{name}
		}
		if seen[name] {
			return nil
		}
		seen[name] = true
		for _, n := range next[name] {
			if way := find(n); way != nil {
				return append([]string{name}, way...)
			}
		}
		return nil
	}
	return find(from)
}
