package binding

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
	"holdfast/internal/plan"
)

// technical is the role that does the work of a window, where nothing names another.
const technical = "technical"

// courseOf is what a plan says of a window from its start.
func courseOf(p *plan.Plan) maintenance.Course {
	m := p.Maintenance
	c := maintenance.Course{
		Parts: map[string][]string{}, Review: m.Review, Processes: coreFirst(p), Verify: verifyOf(p),
		Complete: maintenance.Complete{Person: true}, Readmit: maintenance.Readmit{Wait: 10 * time.Minute},
	}
	for _, role := range []string{commander, technical} {
		if p.Roles[role] != nil {
			c.Technical = role
		}
	}
	if p.Roles[commander] != nil {
		c.Commander = commander
	}
	for i := range p.Components {
		c.Parts[p.Components[i].ID] = p.Components[i].Checks
	}
	for i := range p.Dependencies {
		c.Parts[p.Dependencies[i].ID] = p.Dependencies[i].Checks
	}
	for i := range p.Impact {
		row := &p.Impact[i]
		for _, need := range row.Needs {
			if checks, known := c.Parts[need]; known {
				c.Parts[row.Process] = append(append(c.Parts[row.Process], need), checks...)
			}
		}
	}
	for i := range p.Flows {
		if needs, known := c.Parts[p.Flows[i].Process]; known {
			c.Parts[p.Flows[i].ID] = append([]string{p.Flows[i].Process}, needs...)
		}
	}
	if p.Tech != nil {
		for i := range p.Tech.Checks {
			c.Checks = append(c.Checks, p.Tech.Checks[i].ID)
		}
	}
	for i := range m.During {
		if put, ok := putOf(p, m.During[i].Route); ok {
			put.Mode, put.For = m.During[i].Mode, m.During[i].For
			c.Modes = append(c.Modes, put)
		}
	}
	for i := range m.Uploads {
		if put, ok := putOf(p, m.Uploads[i].Route); ok {
			put.Paths, put.Say = m.Uploads[i].Paths, continuity.Text(m.Uploads[i].Say)
			c.Uploads = append(c.Uploads, put)
		}
	}
	if d := m.Complete; d != nil {
		c.Complete = maintenance.Complete{For: d.For, Notice: d.Notice, Person: d.Person != "", Agree: int(d.Agree)}
		for _, id := range d.Checks {
			c.Complete.Checks = append(c.Complete.Checks, p.ID+"/"+id)
		}
		if p.Roles[d.Person] != nil {
			c.Technical = d.Person
		}
	}
	if r := m.Readmit; r != nil {
		c.Readmit = readmitOf(p, r)
	}
	// Somebody of a batch has to say that it works before the next one comes, unless the
	// plan has another measure.
	if c.Readmit.Errors == "" {
		c.Readmit.CheckIns = max(c.Readmit.CheckIns, 1)
	}
	if f := m.Feedback; f != nil {
		for i := range p.Providers {
			if v := &p.Providers[i]; v.ID == f.Provider && v.Mail != "" {
				c.Vendor = &maintenance.Vendor{Name: continuity.Text(v.Name), Address: v.Mail, Channel: f.Channel, After: f.After}
			}
		}
	}
	return c
}

// putOf is where a route of the technical file is.
func putOf(p *plan.Plan, route string) (maintenance.Put, bool) {
	if p.Tech == nil {
		return maintenance.Put{}, false
	}
	for i := range p.Tech.Routes {
		if r := &p.Tech.Routes[i]; r.ID == route {
			return maintenance.Put{Relay: r.Relay, Route: r.ID}, true
		}
	}
	return maintenance.Put{}, false
}

// coreFirst are the processes in the order in which they are looked after: those that
// can be missed for the shortest time first, and of these what costs most.
func coreFirst(p *plan.Plan) (all []maintenance.Process) {
	rows := make([]*plan.Process, 0, len(p.Impact))
	for i := range p.Impact {
		rows = append(rows, &p.Impact[i])
	}
	slices.SortStableFunc(rows, func(a, b *plan.Process) int {
		return cmp.Or(cmp.Compare(a.MTD, b.MTD), cmp.Compare(b.Loss.After(time.Hour).Parts, a.Loss.After(time.Hour).Parts))
	})
	for _, row := range rows {
		x := maintenance.Process{ID: row.Process, Name: continuity.Text(row.Name), MTD: row.MTD}
		for i := range p.Interim {
			if p.Interim[i].ID == row.Meanwhile {
				x.How = continuity.Text(p.Interim[i].How)
			}
		}
		all = append(all, x)
	}
	return all
}

// verifyOf are the things that are looked at before people come back: what the plan
// sorts, and of the checklist the rest, as base functions.
func verifyOf(p *plan.Plan) (all []maintenance.Verify) {
	items := itemsOf(p, p.Maintenance.Done)
	sorted := map[string]bool{}
	add := func(kind string, item *maintenance.Item) {
		sorted[item.ID] = true
		v := maintenance.Verify{ID: "item/" + item.ID, Kind: kind, Say: item.Say, Owner: item.Owner, Check: item.Check}
		all = append(all, v)
	}
	for i := range p.Maintenance.Verify {
		group := &p.Maintenance.Verify[i]
		for _, id := range group.Checks {
			v := maintenance.Verify{ID: "check/" + id, Kind: group.Kind, Check: p.ID + "/" + id}
			if p.Tech != nil {
				for j := range p.Tech.Checks {
					if p.Tech.Checks[j].ID == id {
						v.Say = continuity.Text(p.Tech.Checks[j].Name)
					}
				}
			}
			all = append(all, v)
		}
		for _, id := range group.Items {
			for j := range items {
				if items[j].ID == id {
					add(group.Kind, &items[j])
				}
			}
		}
	}
	for i := range items {
		if !sorted[items[i].ID] {
			add("base", &items[i])
		}
	}
	return all
}

func readmitOf(p *plan.Plan, from *plan.Readmission) maintenance.Readmit {
	r := maintenance.Readmit{Wait: from.Wait, CheckIns: int(from.CheckIns), Errors: from.Errors}
	if from.Most != nil {
		r.Most = *from.Most
	}
	for _, id := range from.Routes {
		if put, ok := putOf(p, id); ok {
			r.Lines = append(r.Lines, put)
		}
	}
	for i := range from.Groups {
		g := maintenance.Group{Teams: from.Groups[i].Teams}
		for _, id := range g.Teams {
			if t := p.Teams[id]; t != nil && !slices.Contains(g.Leads, t.Lead) {
				g.Leads = append(g.Leads, t.Lead)
			}
			g.People = append(g.People, teamOf(p, id)...)
		}
		r.Groups = append(r.Groups, g)
	}
	return r
}

// teamOf are all of a team.
func teamOf(p *plan.Plan, id string) (all []string) {
	t := p.Teams[id]
	if t == nil {
		return nil
	}
	if all = slices.Clone(t.People); t.Lead != "" {
		all = append(all, t.Lead)
	}
	for _, role := range t.Roles {
		if r := p.Roles[role]; r != nil {
			all = append(all, r.People...)
		}
	}
	return all
}
