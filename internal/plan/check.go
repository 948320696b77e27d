package plan

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"holdfast/internal/yamldoc"
)

// checker holds what the checks of one plan share. A field that could not be
// read is the zero value here, and has been reported already.
type checker struct {
	plan     *Plan
	business *reading
	tech     *reading // nil without a technical file
	people   *People  // nil: nobody said who there is
	entries  map[string]*entries
	left     map[string]string // person to the day
}

// check reports what the fields say together.
func check(c *checker) {
	c.entries = map[string]*entries{}
	define(c.business, c.plan, c.entries)
	if c.tech != nil {
		define(c.tech, c.plan.Tech, c.entries)
		if id := c.plan.Tech.Plan; id != "" && c.plan.ID != "" && id != c.plan.ID {
			c.tech.Error(c.tech.places["plan"], "plan.other-plan", "value", id, "id", c.plan.ID)
		}
	}
	c.definePeople()
	c.defineTemplates()
	c.refer(c.business, c.plan)
	c.checkTexts(c.business, c.plan)
	if c.tech != nil {
		c.refer(c.tech, c.plan.Tech)
		c.checkTexts(c.tech, c.plan.Tech)
		c.checkTech()
	}
	c.checkImpact()
	c.checkGrades()
	c.checkHours()
	c.checkRotas()
	c.checkFlows()
	c.checkSignals()
	c.checkScenarios()
	c.checkRunbooks()
	c.checkTemplates()
	c.checkCycles()
	c.checkKeeping()
	c.checkDrills()
	c.checkSections()
	if !c.business.Failed() && (c.tech == nil || !c.tech.Failed()) {
		c.checkUse() // else what is unused may only be misspelt elsewhere
	}
}

func (c *checker) error(where, id string, pairs ...any) {
	c.business.Error(c.at(where), id, pairs...)
}

func (c *checker) warning(where, id string, pairs ...any) {
	c.business.Warning(c.at(where), id, pairs...)
}

// at is where something stands, or the block that lacks it.
func (c *checker) at(where string) yamldoc.Place { return place(c.business.places, where) }

func place(places yamldoc.Places, where string) yamldoc.Place { return places.At(where) }

// definePeople makes of the file of people, or else of whom roles and teams
// name, the people there are.
func (c *checker) definePeople() {
	e := &entries{in: c.business, at: map[string]yamldoc.Place{}, used: map[string]bool{}}
	c.entries["people"] = e
	add := func(id string) {
		if id != "" && !e.has(id) {
			e.at[id] = yamldoc.Place{}
			e.names = append(e.names, id)
		}
	}
	if c.people != nil {
		c.left = map[string]string{}
		for _, p := range c.people.People {
			add(p.ID)
			if p.HasLeft(time.Now()) {
				c.left[p.ID] = p.Left
			}
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.plan.Roles)) {
		for _, id := range c.plan.Roles[name].People {
			add(id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.plan.Teams)) {
		add(c.plan.Teams[name].Lead)
		for _, id := range c.plan.Teams[name].People {
			add(id)
		}
	}
	add(c.plan.Owner)
}

func (c *checker) leaver(r *reading, at yamldoc.Place, id string) {
	if day := c.left[id]; day != "" {
		r.Warning(at, "plan.leaver", "value", id, "day", day)
	}
}

func (c *checker) unknownPerson(r *reading, at yamldoc.Place, field, id string) {
	if near, ok := yamldoc.Nearest(id, c.entries["people"].names); ok {
		r.Error(at, "plan.unknown-person-near", "field", field, "value", id, "near", near)
		return
	}
	r.Error(at, "plan.unknown-person", "field", field, "value", id)
}

// checkTexts reports texts that are there and say nothing.
func (c *checker) checkTexts(r *reading, doc any) {
	walk(reflect.ValueOf(doc).Elem(), "", func(where string, _ reflect.StructTag, v reflect.Value) {
		if v.Type() != typeOfText || !v.IsZero() {
			return
		}
		if at, ok := r.places[where]; ok && !r.ReportedOn(at.Line) {
			r.Error(at, "plan.empty-text")
		}
	})
}

func (c *checker) checkImpact() {
	for i := range c.plan.Impact {
		row, where := &c.plan.Impact[i], fmt.Sprintf("impact[%d]", i)
		if row.MTD > 0 && row.RTO > row.MTD {
			c.error(where+".rto", "plan.rto-over-mtd", "rto", brief(row.RTO), "mtd", brief(row.MTD))
		}
		for j := 1; j < len(row.OverTime); j++ {
			now, before := row.OverTime[j], row.OverTime[j-1]
			at := fmt.Sprintf("%s.over_time[%d]", where, j)
			if now.After > 0 && now.After <= before.After {
				c.error(at+".after", "plan.over-time-order", "value", brief(now.After), "before", brief(before.After))
			}
			if now.Loss.Currency == before.Loss.Currency && now.Loss.Currency != "" && now.Loss.Parts < before.Loss.Parts {
				c.error(at+".loss", "plan.loss-shrinks", "value", now.Loss.String(), "before", before.Loss.String())
			}
		}
		if c.plan.Profile == "full" && row.Meanwhile == "" && row.Process != "" {
			c.error(where, "plan.no-meanwhile", "process", row.Process)
		}
	}
}

// limits are the processes in the order of their MTDs, and which of them is the
// first one to stand still without each thing.
type limits struct {
	rows  []*Process
	first map[string]int
}

func (c *checker) limits() limits {
	l := limits{first: map[string]int{}}
	for i := range c.plan.Impact {
		if row := &c.plan.Impact[i]; row.MTD > 0 {
			l.rows = append(l.rows, row)
		}
	}
	slices.SortStableFunc(l.rows, func(a, b *Process) int { return cmp.Compare(a.MTD, b.MTD) })
	for i, row := range l.rows {
		for _, name := range append([]string{row.Process}, row.Needs...) {
			if _, known := l.first[name]; !known {
				l.first[name] = i
			}
		}
	}
	return l
}

// tightest is the shortest MTD of what a scenario hits: all, where it says nothing.
func (l limits) tightest(s *Scenario) (mtd time.Duration, process string) {
	least := len(l.rows)
	if len(s.Hits) == 0 {
		least = 0
	}
	for _, hit := range s.Hits {
		if i, known := l.first[hit]; known {
			least = min(least, i)
		}
	}
	if least == len(l.rows) {
		return 0, ""
	}
	return l.rows[least].MTD, l.rows[least].Process
}

func (c *checker) checkGrades() {
	var last *Grade
	name := ""
	for _, key := range slices.Sorted(maps.Keys(c.plan.Grades)) {
		g := c.plan.Grades[key]
		if last != nil && g.Recover > 0 && g.Recover < last.Recover {
			c.error("grades."+key+".recover_within", "plan.grade-order", "grade", key, "value", brief(g.Recover), "above", name, "before", brief(last.Recover))
		}
		if g.Scope > 0 && g.FirstMessage > g.Scope {
			c.error("grades."+key+".first_message_within", "plan.message-after-scope", "value", brief(g.FirstMessage), "scope", brief(g.Scope))
		}
		last, name = g, key
	}
}

func (c *checker) checkHours() {
	one := func(h Hours, where string) {
		if h.To > 0 && h.From == h.To {
			c.error(where+".to", "plan.no-hours", "value", clock(h.To))
		}
	}
	for i, h := range c.plan.Service.Hours {
		one(h, fmt.Sprintf("service.hours[%d]", i))
	}
	if m := c.plan.Maintenance; m != nil {
		for i, h := range m.LowTraffic {
			one(h, fmt.Sprintf("maintenance.low_traffic[%d]", i))
		}
	}
}

func (c *checker) checkFlows() {
	for i := range c.plan.Flows {
		flow, where := &c.plan.Flows[i], fmt.Sprintf("flows[%d]", i)
		switch {
		case flow.Wire == "none" && flow.Route != "":
			c.error(where+".route", "plan.flow-both", "id", flow.ID)
		case flow.Wire == "none" && flow.Instead == "":
			c.error(where, "plan.flow-instead", "id", flow.ID)
		case flow.Wire == "relay" && flow.Route == "":
			c.error(where, "plan.flow-route", "id", flow.ID)
		}
	}
}

// clock is a time of day.
func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// brief writes a duration as a plan does.
func brief(d time.Duration) string {
	for _, u := range []struct {
		one  time.Duration
		unit string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.one && d%u.one == 0 {
			return fmt.Sprint(int64(d/u.one)) + u.unit
		}
	}
	return d.String()
}
