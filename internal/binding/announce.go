package binding

import (
	"maps"
	"slices"

	"holdfast/internal/announce"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

// Words are what a plan says of words to audiences. order puts the people of a role in
// the order in which they are asked; nil: as the plan has them.
func Words(p *plan.Plan, order func(role string, people []string) []string) *announce.Rules {
	r := &announce.Rules{
		Zone: zoneOf(p.Service.Zone), Known: Known(p), Names: map[string]continuity.Text{}, Grades: map[string]announce.Grade{},
		Find: func(name string) (announce.Template, bool) { return templateFor(p, name) }, Command: Incidents(p).InCommand(), Owner: p.Owner,
	}
	contact(p, r.Known)
	for i := range p.Impact {
		r.Names[p.Impact[i].Process] = text(p.Impact[i].Name, p.Impact[i].Process)
	}
	for i := range p.Components {
		r.Names[p.Components[i].ID] = text(p.Components[i].Name, p.Components[i].ID)
	}
	for _, id := range slices.Sorted(maps.Keys(p.Audiences)) {
		if a := p.Audiences[id]; a != nil {
			r.Audiences = append(r.Audiences, announce.Audience{ID: id, Kind: a.Kind, Name: text(a.Name, id), From: a.From, Clock: a.LegalClock})
		}
	}
	for name, g := range p.Grades {
		if g != nil {
			r.Grades[name] = announce.Grade{First: g.FirstMessage, Every: g.Update, Escalate: g.Escalate}
		}
	}
	publishers(p, r, order)
	for i := range p.Channels {
		if c := &p.Channels[i]; c.Answers != "" && c.ID != "" {
			r.Answers = append(r.Answers, announce.Answering{Channel: c.ID, Audience: c.Answers})
		}
	}
	if p.Tech != nil {
		for i := range p.Tech.Routes {
			if route := &p.Tech.Routes[i]; route.Answers != "" && route.ID != "" {
				r.Answers = append(r.Answers, announce.Answering{Route: route.ID, Audience: route.Answers})
			}
		}
	}
	return r
}

// publishers are who may publish: the commander is asked first to approve, and
// reminded last to write.
func publishers(p *plan.Plan, r *announce.Rules, order func(string, []string) []string) {
	var roles []string
	for _, name := range slices.Sorted(maps.Keys(p.Roles)) {
		if role := p.Roles[name]; role != nil && slices.Contains(role.May, announce.May) {
			roles = append(roles, name)
		}
	}
	if len(roles) == 0 {
		r.Anybody = true
		if p.Roles[commander] != nil {
			roles = []string{commander}
		} else {
			roles = slices.Sorted(maps.Keys(p.Roles))
		}
	}
	first := func(name string) int {
		if name == commander {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(roles, func(a, b string) int { return first(a) - first(b) })
	for _, name := range roles {
		people := p.Roles[name].People
		if order != nil {
			people = order(name, people)
		}
		for _, id := range people {
			if !slices.Contains(r.Approvers, id) {
				r.Approvers = append(r.Approvers, id)
			}
		}
	}
	slices.SortStableFunc(roles, func(a, b string) int { return first(b) - first(a) })
	r.Roles = roles
}

// contact says how one reaches somebody: by the first telephone of the plan that says
// how.
func contact(p *plan.Plan, known map[string]string) {
	for _, kind := range []string{"hotline", "phone"} {
		for i := range p.Channels {
			if c := &p.Channels[i]; c.Kind == kind && c.How != (plan.Text{}) {
				known["contact@en"], known["contact@zh"] = c.How.In(catalogue.En), c.How.In(catalogue.Zh)
				return
			}
		}
	}
}

// templateFor is the template of an id, or of KIND/PHASE.
func templateFor(p *plan.Plan, name string) (announce.Template, bool) {
	t, ok := p.TemplateNamed(name)
	return announce.Template{
		ID: t.ID, Kind: t.Audience, Phase: t.Phase, Subject: continuity.Text(t.Subject), Text: continuity.Text(t.Text), Must: plan.Mandatory(t.Phase),
	}, ok
}
