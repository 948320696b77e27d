package binding

import (
	"maps"
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/oncall"
	"holdfast/internal/plan"
)

// Rotas are the rotas of a plan by their ids. One that can't be read is not there.
func Rotas(p *plan.Plan) map[string]*oncall.Rota {
	all := map[string]*oncall.Rota{}
	for i := range p.Rotas {
		from := &p.Rotas[i]
		starts, err := calendar.ParseDate(from.Starts)
		if err != nil || from.ID == "" {
			continue
		}
		spec := oncall.Spec{
			ID: p.ID + "/" + from.ID, Zone: zoneOf(from.Zone), People: from.People, Days: from.Every.Days, Starts: starts, Handover: from.Handover,
		}
		if from.Zone == "" {
			spec.Zone = zoneOf(p.Service.Zone)
		}
		for _, h := range from.Hours {
			hours := oncall.Hours{From: h.From, To: h.To}
			for _, name := range h.Days {
				if day, ok := continuity.Weekday(name); ok {
					hours.Days = append(hours.Days, day)
				}
			}
			spec.Hours = append(spec.Hours, hours)
		}
		if r, err := oncall.New(spec); err == nil {
			all[from.ID] = r
		}
	}
	return all
}

// Role is whom a role of a plan consists of, and how long each has to answer at a
// grade; nil: there is no such role.
func Role(p *plan.Plan, name, grade string, rotas map[string]*oncall.Rota) *oncall.Role {
	from := p.Roles[name]
	if from == nil {
		return nil
	}
	role := &oncall.Role{People: from.People, Wait: escalates(p, grade)}
	for _, id := range from.Rota {
		if r := rotas[id]; r != nil {
			role.Rotas = append(role.Rotas, r)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.Teams)) {
		team := p.Teams[id]
		if team == nil || !slices.Contains(team.Roles, name) {
			continue
		}
		role.Team = append(append(role.Team, team.Lead), team.People...)
		for _, other := range team.Roles {
			if r := p.Roles[other]; r != nil {
				role.Team = append(role.Team, r.People...)
			}
		}
	}
	return role
}

// escalates is how long somebody has to answer; 0 where the plan does not say.
func escalates(p *plan.Plan, grade string) time.Duration {
	if g := p.Grades[grade]; g != nil {
		return g.Escalate
	}
	return 0
}
