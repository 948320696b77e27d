package binding

import (
	"slices"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
	"holdfast/internal/upgrade/figures"
	"holdfast/internal/upgrade/precheck"
)

// Upgrade is what a plan says of one of its upgrades; nil: there is none, or Holdfast
// does not carry it out.
func Upgrade(p *plan.Plan, id string) *upgrade.Spec {
	at := slices.IndexFunc(p.Upgrades, func(u plan.Upgrade) bool { return u.ID == id })
	r := p.Carried(id)
	if at < 0 || r == nil {
		return nil
	}
	u := &p.Upgrades[at]
	s := &upgrade.Spec{
		Service: p.ID, ID: id, Name: text(u.Name, id), Zone: zoneOf(p.Service.Zone), Owner: p.Owner,
		Sets: u.Backups, Fresh: u.Fresh, Runbook: u.Runbook, Bake: u.Bake, Times: int(r.Undo.Times),
		Data:   upgrade.Data{Looked: r.Data != nil || r.Migration != nil && r.Migration.Status != nil},
		Limits: upgrade.Limits{Minutes: int(r.Undo.Most.Minutes()), Records: r.Undo.Records},
	}
	if s.Limits.Records == 0 {
		s.Limits.Records = upgrade.AnyRecords
	}
	switch r.Undo.Data {
	case "down":
		s.Data.Back = upgrade.BackDown
	case "backup":
		s.Data.Back = upgrade.BackRestore
	case "faster":
		s.Data.Back = upgrade.BackFaster
	}
	s.Data.Rehearse = s.Data.Back == upgrade.BackFaster || s.Data.Back != "" && r.Migration != nil && r.Migration.Rehearsed()
	if p.Roles[technical] != nil {
		s.Technical = technical
	}
	if p.Roles[commander] != nil {
		s.Commander = commander
	}
	if m := p.Maintenance; m != nil {
		for _, audience := range m.Tell {
			s.Tell = append(s.Tell, continuity.Recipient{Kind: continuity.ToAudience, ID: audience})
		}
	}
	for _, item := range itemsOf(p, u.Before) {
		if item.Check == "" {
			s.Before = append(s.Before, upgrade.Item{ID: item.ID, Say: item.Say})
		}
	}
	s.Before = append(s.Before, trainedItems(p, r)...)
	for _, in := range r.Intake {
		route := upgrade.Route{Route: in.Route, Mode: in.Mode}
		for i := range p.Tech.Routes {
			if p.Tech.Routes[i].ID == in.Route {
				route.Relay = p.Tech.Routes[i].Relay
			}
		}
		s.Routes = append(s.Routes, route)
		if s.Longest == 0 || in.Longest < s.Longest {
			s.Longest = in.Longest
		}
	}
	return s
}

// trainedItems have a person say that those on duty were trained: no system that
// Holdfast asks knows it.
func trainedItems(p *plan.Plan, r *plan.Rollout) (items []upgrade.Item) {
	if r.Needs == nil {
		return nil
	}
	for _, id := range r.Needs.Trained {
		name := continuity.Text{En: id, Zh: id}
		for i := range p.Training {
			if p.Training[i].ID == id {
				name = text(p.Training[i].Name, id)
			}
		}
		items = append(items, upgrade.Item{ID: "trained-" + id, Say: continuity.Text{
			En: catalogue.Text(catalogue.En, "upgrade.trained", catalogue.Args{"name": name.En}),
			Zh: catalogue.Text(catalogue.Zh, "upgrade.trained", catalogue.Args{"name": name.Zh}),
		}})
	}
	return items
}

// UpgradeChecks are the checks of a plan that have to be up before an upgrade, as its
// list says.
func UpgradeChecks(p *plan.Plan, id string) (checks []string) {
	for i := range p.Upgrades {
		if p.Upgrades[i].ID != id {
			continue
		}
		for _, item := range itemsOf(p, p.Upgrades[i].Before) {
			if item.Check != "" {
				checks = append(checks, item.Check)
			}
		}
	}
	return checks
}

// UpgradeNeeds is what an upgrade needs of the machine, its peers and people.
func UpgradeNeeds(r *plan.Rollout) precheck.Needs {
	var n precheck.Needs
	if r.Needs == nil {
		return n
	}
	from := r.Needs
	n = precheck.Needs{CPU: int(from.CPU), Memory: from.Memory, Ports: from.Ports, OnDuty: from.OnDuty, Kernel: versions(from.Kernel)}
	for _, s := range from.Disk {
		n.Disk = append(n.Disk, precheck.Space{Path: s.Path, Free: s.Free, OfData: s.OfData})
	}
	for _, p := range from.Programs {
		n.Programs = append(n.Programs, precheck.Program{ID: p.ID, Versions: versions(p.Versions)})
	}
	for i := range from.Peers {
		peer := &from.Peers[i]
		n.Peers = append(n.Peers, precheck.Peer{Address: peer.Address, RTT: peer.RTT, Loss: &peer.Loss})
	}
	if d := from.Database; d != nil {
		n.Database = &precheck.DatabaseNeeded{Old: versions(d.Old), New: versions(d.New)}
	}
	return n
}

// versions reads what the plan's check has let through.
func versions(text string) precheck.Range {
	r, _ := precheck.ParseRange(text)
	return r
}

// UpgradeTraffic are the questions by which a route's share of errors and its latency are
// known, over so long.
func UpgradeTraffic(p *plan.Plan, route, over string) map[string]measure.Measure {
	all := map[string]measure.Measure{}
	for _, figure := range []string{"failed", "latency"} {
		text := relayFigure(p, &plan.RelayFigure{Route: route, Figure: figure}) + " over " + over
		if m, err := measure.NewMeasure(route+" "+figure, text); err == nil {
			all[figure] = m
		}
	}
	return all
}

// UpgradeData is what of the data is compared. changed says that it has another form than
// before.
func UpgradeData(d *plan.Compared, changed bool) figures.Asked {
	a := figures.Asked{Kind: d.Kind}
	for i := range d.Tables {
		t := &d.Tables[i]
		a.Tables = append(a.Tables, figures.Table{Name: t.Table, Columns: t.Columns, Rows: t.Rows})
	}
	for i := range d.Invariants {
		v := &d.Invariants[i]
		query := v.SQL
		if changed && v.After != "" {
			query = v.After
		}
		a.Invariants = append(a.Invariants, figures.Invariant{ID: v.ID, SQL: query, Expect: v.Expect})
	}
	return a
}
