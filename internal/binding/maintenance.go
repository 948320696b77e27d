package binding

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
	"holdfast/internal/plan"
)

// Maintenance is what a plan says of how its service may be worked on; nil: it says
// nothing.
func Maintenance(p *plan.Plan) *maintenance.Rules {
	m := p.Maintenance
	if m == nil {
		return nil
	}
	r := &maintenance.Rules{
		Service: p.ID, Name: continuity.Text(p.Name), Owner: p.Owner, Zone: zoneOf(p.Service.Zone), Days: calendar.China(), Closed: p.Service.Closed,
		Longest: m.Longest, Notices: m.Notices, Emergency: m.Emergency, Tell: m.Tell,
		Runbook: m.Runbook, Overrun: m.Overrun, Batches: m.Batches,
		Contact: continuity.Text(m.Contact), Audiences: map[string]maintenance.Audience{}, Affected: map[string]maintenance.Part{},
	}
	if p.Roles[commander] != nil {
		r.Lead = commander
	}
	for _, h := range p.Service.Hours {
		r.Hours = append(r.Hours, calendar.Hours{From: clockOf(h.From), To: clockOf(h.To)})
	}
	for _, h := range m.LowTraffic {
		r.Low = append(r.Low, lowOf(h))
	}
	for name, a := range p.Audiences {
		if a != nil {
			r.Audiences[name] = maintenance.Audience{ID: name, Kind: a.Kind, Name: continuity.Text(a.Name), Words: wordsFor(p, a.Kind)}
		}
	}
	for i := range p.Channels {
		if c := &p.Channels[i]; c.Standby {
			r.Standby = append(r.Standby, maintenance.Channel{ID: c.ID, Name: continuity.Text(c.Name), How: continuity.Text(c.How)})
		}
	}
	r.Ready = append(itemsOf(p, m.Ready), standbyTested(p, m.Ready)...)
	r.Done = itemsOf(p, m.Done)
	r.Course = courseOf(p)
	parts(p, r)
	return r
}

// commander is the role that is told after a plan's owner.
const commander = "commander"

func clockOf(d time.Duration) calendar.Clock {
	minutes := int(d/time.Minute) % (24 * 60)
	return calendar.Clock{Hour: minutes / 60, Minute: minutes % 60}
}

func lowOf(h plan.Hours) maintenance.Low {
	l := maintenance.Low{Days: map[time.Weekday]bool{}, From: h.From, To: h.To}
	for _, name := range h.Days {
		day, ok := continuity.Weekday(name)
		switch {
		case ok:
			l.Days[day] = true
		case name == "workdays":
			l.Workdays = true
		case name == "holidays":
			l.Holidays = true
		}
	}
	return l
}

var templateField = regexp.MustCompile(`\{([^{}\n]*)\}`)

// wordsFor are the phases of a window for which there are words for a kind of
// audience, with the fields that all of these words have.
func wordsFor(p *plan.Plan, kind string) map[string][]string {
	words := map[string][]string{}
	for _, phase := range []string{
		maintenance.PhaseNotice, maintenance.PhaseStart, maintenance.PhaseChanged, maintenance.PhaseOverrun, maintenance.PhaseEnd, maintenance.PhaseCancelled,
		maintenance.PhaseAllClear,
	} {
		t, ok := p.Template(kind, phase)
		if !ok {
			continue
		}
		var common []string
		for i, text := range []string{t.Text.En, t.Text.Zh} {
			var has []string
			for _, m := range templateField.FindAllStringSubmatch(text, -1) {
				has = append(has, m[1])
			}
			switch {
			case text == "" && i == 1:
			case i == 0 || t.Text.En == "":
				common = has
			default:
				common = slices.DeleteFunc(common, func(f string) bool { return !slices.Contains(has, f) })
			}
		}
		words[phase] = common
	}
	return words
}

// itemsOf are the lines of a checklist.
func itemsOf(p *plan.Plan, id string) (items []maintenance.Item) {
	for i := range p.Checklists {
		list := &p.Checklists[i]
		if list.ID != id {
			continue
		}
		for j := range list.Items {
			from := &list.Items[j]
			item := maintenance.Item{ID: from.ID, Say: continuity.Text(from.Say), Owner: from.Owner}
			if item.Owner == "" {
				item.Owner = list.Owner
			}
			if from.Check != "" {
				item.Check = p.ID + "/" + from.Check
			}
			if from.Channel != "" {
				testedChannel(p, &item, from.Channel)
			}
			items = append(items, item)
		}
	}
	return items
}

// testedChannel has an item be about the test of a channel of the plan.
func testedChannel(p *plan.Plan, item *maintenance.Item, id string) {
	item.Channel = p.ID + "/" + id
	if s := p.Behind(id); s != nil {
		item.Sender = s.Via
	}
	if c, ok := p.Channel(id); ok && c.Test != nil {
		item.Until = c.Test.Every.After
	}
}

// standbyTested are the standby channels that this node can test and that the
// checklist does not name: they have to have been tested as often as the plan says.
func standbyTested(p *plan.Plan, list string) (items []maintenance.Item) {
	named := map[string]bool{}
	for i := range p.Checklists {
		for j := range p.Checklists[i].Items {
			if p.Checklists[i].ID == list {
				named[p.Checklists[i].Items[j].Channel] = true
			}
		}
	}
	for i := range p.Channels {
		c := &p.Channels[i]
		if !c.Standby || c.Test == nil || named[c.ID] || p.Sender(c.ID) == nil {
			continue
		}
		item := maintenance.Item{ID: "tested-" + c.ID, Say: continuity.Text(c.Name), Owner: c.Test.By}
		testedChannel(p, &item, c.ID)
		items = append(items, item)
	}
	return items
}

// parts are what a window can affect, with whom that hits and what they do meanwhile.
func parts(p *plan.Plan, r *maintenance.Rules) {
	interim := map[string]continuity.Text{}
	for i := range p.Interim {
		interim[p.Interim[i].ID] = continuity.Text(p.Interim[i].How)
	}
	var whom, meant []continuity.Text
	add := func(to *[]continuity.Text, t continuity.Text) {
		if t != (continuity.Text{}) && !slices.Contains(*to, t) {
			*to = append(*to, t)
		}
	}
	hit := map[string][2][]continuity.Text{} // by what processes need
	for i := range p.Impact {
		row := &p.Impact[i]
		department, how := continuity.Text(row.Department), interim[row.Meanwhile]
		add(&whom, department)
		add(&meant, how)
		r.Affected[row.Process] = maintenance.Part{Name: continuity.Text(row.Name), Whom: department, Meant: how}
		for _, need := range row.Needs {
			of := hit[need]
			add(&of[0], department)
			add(&of[1], how)
			hit[need] = of
		}
	}
	part := func(id string, name plan.Text) {
		if _, there := r.Affected[id]; !there {
			r.Affected[id] = maintenance.Part{Name: continuity.Text(name), Whom: maintenance.Joined(hit[id][0]), Meant: maintenance.Joined(hit[id][1])}
		}
	}
	for i := range p.Components {
		part(p.Components[i].ID, p.Components[i].Name)
	}
	for i := range p.Dependencies {
		part(p.Dependencies[i].ID, p.Dependencies[i].Name)
	}
	for i := range p.Flows {
		f := &p.Flows[i]
		if _, there := r.Affected[f.ID]; !there {
			of := r.Affected[f.Process]
			r.Affected[f.ID] = maintenance.Part{Name: continuity.Text(f.Name), Whom: of.Whom, Meant: of.Meant}
		}
	}
	r.Whom, r.Meant = maintenance.Joined(whom), maintenance.Joined(meant)
}

// RelayRoutes are the routes of a plan, by the relays that have them.
func RelayRoutes(p *plan.Plan) map[string][]string {
	routes := map[string][]string{}
	if p.Tech != nil {
		for i := range p.Tech.Routes {
			r := &p.Tech.Routes[i]
			routes[r.Relay] = append(routes[r.Relay], r.ID)
		}
	}
	for _, relay := range slices.Collect(maps.Keys(routes)) {
		slices.Sort(routes[relay])
	}
	return routes
}
