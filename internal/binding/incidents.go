package binding

import (
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
	"holdfast/internal/plan"
)

// Incidents are what a plan says of the incidents of its service.
func Incidents(p *plan.Plan) *incident.Rules {
	r := &incident.Rules{
		Service: p.ID, Name: text(p.Name, p.ID), Owner: p.Owner, Causes: plan.Causes(),
		Grades: map[string]incident.Grade{}, Roles: map[string]incident.Role{}, Legal: map[string]time.Duration{},
	}
	for i := range p.Scenarios {
		s := &p.Scenarios[i]
		r.Scenarios = append(r.Scenarios, incident.Scenario{
			ID: s.ID, Name: text(s.Name, s.ID), Partial: s.Partial, Scope: s.Scope, Hits: s.Hits, Grade: s.Grade, Runbook: s.Runbook, Trigger: trigger(p, s.Trigger),
		})
	}
	for id, g := range p.Grades {
		if g != nil {
			r.Grades[id] = incident.Grade{Name: continuity.Text(g.Name), Recover: g.Recover, Scope: g.Scope, Escalate: g.Escalate, Review: g.Review}
		}
	}
	for i := range p.Impact {
		x := &p.Impact[i]
		r.Processes = append(r.Processes, incident.Process{ID: x.Process, Name: text(x.Name, x.Process), RTO: x.RTO, MTD: x.MTD, Needs: x.Needs})
	}
	for i := range p.Components {
		c := &p.Components[i]
		one := incident.Component{ID: c.ID, Needs: c.DependsOn}
		for _, check := range c.Checks {
			one.Checks = append(one.Checks, p.ID+"/"+check)
		}
		r.Components = append(r.Components, one)
	}
	for id, role := range p.Roles {
		if role != nil {
			r.Roles[id] = incident.Role{Name: text(role.Name, id), People: role.People, May: role.May, Under: role.Under}
		}
	}
	for id, a := range p.Audiences {
		if a != nil && a.LegalClock > 0 {
			r.Legal[id] = a.LegalClock
		}
	}
	for i := range p.Resources {
		r.Resources = append(r.Resources, p.Resources[i].ID)
	}
	return r
}

// trigger is what begins a scenario by itself; the zero value where people do.
func trigger(p *plan.Plan, t *plan.Trigger) incident.Trigger {
	switch {
	case t == nil:
	case t.Check != "":
		return incident.Trigger{Check: p.ID + "/" + t.Check, State: continuity.CheckState(t.State)}
	case t.Warning != "":
		return incident.Trigger{Warning: t.Warning, Level: continuity.Level(t.Level)}
	case t.Reports > 0:
		return incident.Trigger{Reports: int(t.Reports), Within: t.Within}
	case t.Notice != "":
		return incident.Trigger{Notice: t.Notice}
	case t.Window != "":
		return incident.Trigger{Window: t.Window}
	}
	return incident.Trigger{}
}
