package control

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/oncall"
	"holdfast/internal/people"
	"holdfast/internal/plan"
)

// openOnCall says who is on call, and keeps groups of people.
func (n *Node) openOnCall(context.Context) error {
	groups := people.Groups{Store: n.store, Person: n.store.People().Get, Now: time.Now}
	n.jobs[people.TimerGroup] = groups.Expire
	n.api.Groups = groupsDesk{groups}
	n.api.OnCall = onCallDesk{n}
	return nil
}

// groupsDesk shows groups to the API.
type groupsDesk struct{ people.Groups }

// Group implements controlapi.Groups.
func (d groupsDesk) Group(ctx context.Context, id string) (controlapi.VersionedGroup, error) {
	k, err := d.Get(ctx, id)
	return controlapi.VersionedGroup(k), err
}

// ListGroups implements controlapi.Groups.
func (d groupsDesk) ListGroups(ctx context.Context, cursor string, limit int) ([]controlapi.VersionedGroup, string, error) {
	page, next, err := d.List(ctx, cursor, limit)
	out := make([]controlapi.VersionedGroup, len(page))
	for i, k := range page {
		out[i] = controlapi.VersionedGroup(k)
	}
	return out, next, err
}

// PutGroup implements controlapi.Groups.
func (d groupsDesk) PutGroup(ctx context.Context, by continuity.Actor, g continuity.Group, version int64, reason string) (controlapi.VersionedGroup, error) {
	k, err := d.Put(ctx, by, g, version, reason)
	return controlapi.VersionedGroup(k), err
}

// EndGroup implements controlapi.Groups.
func (d groupsDesk) EndGroup(ctx context.Context, by continuity.Actor, id string, version int64, reason string) error {
	return d.End(ctx, by, id, version, reason)
}

// onCallDesk shows who is on call to the API.
type onCallDesk struct{ node *Node }

// roster is the people there are, as of now.
func (d onCallDesk) roster(ctx context.Context) (oncall.Roster, error) {
	all := map[string]continuity.Person{}
	for cursor := ""; ; {
		page, next, err := d.node.store.People().List(ctx, cursor, 1000)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			all[p.ID] = p
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return func(id string) (continuity.Person, bool) {
		p, ok := all[id]
		return p, ok
	}, nil
}

func (d onCallDesk) overrides(roster oncall.Roster) oncall.Overrides {
	return oncall.Overrides{Store: d.node.store, Now: time.Now, Roster: roster, Known: func(id string) bool {
		service, rota, _ := strings.Cut(id, "/")
		return slices.ContainsFunc(d.plans(service), func(p *plan.Plan) bool { return service != "" && p.Rota(rota) != nil })
	}}
}

// plans are those of a service, or all.
func (d onCallDesk) plans(service string) []*plan.Plan {
	plans, _ := d.node.plansNow()
	return slices.DeleteFunc(slices.Clone(plans), func(p *plan.Plan) bool { return service != "" && p.ID != service })
}

// named refuses a service that no plan is of.
func (d onCallDesk) named(service string) error {
	if service == "" || len(d.plans(service)) > 0 {
		return nil
	}
	if _, changed := d.node.plansNow(); changed == nil {
		return continuity.E(continuity.CodeStarting, nil, "control", true) // no plan has been read yet
	}
	return continuity.E(continuity.CodeNotFound, nil, "kind", "plan", "id", service)
}

// known is what rotas are read with.
func (d onCallDesk) known(ctx context.Context, service string) (oncall.Roster, []continuity.Override, error) {
	roster, err := d.roster(ctx)
	if err != nil {
		return nil, nil, err
	}
	overrides, err := d.overrides(roster).All(ctx, service)
	return roster, overrides, err
}

// Now implements controlapi.OnCall.
func (d onCallDesk) Now(ctx context.Context, service, grade string, at time.Time) ([]controlapi.OnCallRole, error) {
	if err := d.named(service); err != nil {
		return nil, err
	}
	roster, overrides, err := d.known(ctx, service)
	if err != nil {
		return nil, err
	}
	all := []controlapi.OnCallRole{}
	for _, p := range d.plans(service) {
		rotas := binding.Rotas(p)
		for _, name := range slices.Sorted(maps.Keys(p.Roles)) {
			role := binding.Role(p, name, grade, rotas)
			if role == nil {
				continue
			}
			all = append(all, leads(p, name, role, overrides, roster, at))
		}
	}
	return all, nil
}

// leads is who leads a role at an instant, and who is told after them.
func leads(p *plan.Plan, name string, role *oncall.Role, overrides []continuity.Override, roster oncall.Roster, at time.Time) controlapi.OnCallRole {
	out := controlapi.OnCallRole{Service: p.ID, Role: name, Name: continuity.Text(p.Roles[name].Name)}
	out.Person, _ = role.Lead(overrides, roster, at)
	for _, r := range role.Rotas {
		now, next := r.Current(overrides, roster, at)
		if now == nil {
			continue
		}
		_, out.Rota, _ = strings.Cut(r.ID(), "/")
		out.Until, out.Override, out.Instead, out.Gone = &now.End, now.Override, now.Instead, now.Gone
		if next != nil {
			out.Next = next.Person
		}
		break
	}
	for _, step := range oncall.Ladder(role, overrides, roster, at) {
		one := controlapi.OnCallStep{People: []string{}, Wait: step.Wait.Seconds()}
		for _, to := range step.To {
			one.People = append(one.People, to.ID)
		}
		out.Ladder = append(out.Ladder, one)
	}
	return out
}

// lookBack is how far before a period is looked for the beginning of its first
// shifts.
const lookBack = 40 * 24 * time.Hour

// Shifts implements controlapi.OnCall. Those that lie in a period in part come whole.
func (d onCallDesk) Shifts(ctx context.Context, q controlapi.ShiftQuery) ([]continuity.Shift, error) {
	if err := d.named(q.Service); err != nil {
		return nil, err
	}
	roster, overrides, err := d.known(ctx, q.Service)
	if err != nil {
		return nil, err
	}
	all := []continuity.Shift{}
	for _, p := range d.plans(q.Service) {
		rotas := binding.Rotas(p)
		for _, id := range slices.Sorted(maps.Keys(rotas)) {
			if q.Rota != "" && q.Rota != id && q.Rota != rotas[id].ID() {
				continue
			}
			for _, s := range rotas[id].Shifts(overrides, roster, q.From.Add(-lookBack), q.To.Add(lookBack)) {
				if s.End.After(q.From) && s.Start.Before(q.To) && (q.Person == "" || q.Person == s.Person) {
					all = append(all, s)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b continuity.Shift) int { return a.Start.Compare(b.Start) })
	return all, nil
}

// Calendar implements controlapi.OnCall.
func (d onCallDesk) Calendar(ctx context.Context, q controlapi.ShiftQuery, lang catalogue.Lang) ([]byte, error) {
	shifts, err := d.Shifts(ctx, q)
	if err != nil {
		return nil, err
	}
	roster, err := d.roster(ctx)
	if err != nil {
		return nil, err
	}
	return oncall.ICal(shifts, time.Now(), func(s continuity.Shift) string {
		name := s.Person
		if p, ok := roster(s.Person); ok && p.Names[string(lang)] != "" {
			name = p.Names[string(lang)]
		}
		return catalogue.Text(lang, "oncall.shift", catalogue.Args{"rota": s.Rota, "person": name})
	}), nil
}

// Overrides implements controlapi.OnCall.
func (d onCallDesk) Overrides(ctx context.Context, service string, past bool) ([]controlapi.ShownOverride, error) {
	if err := d.named(service); err != nil {
		return nil, err
	}
	all, err := d.overrides(nil).All(ctx, service)
	if err != nil {
		return nil, err
	}
	out := []controlapi.ShownOverride{}
	now := time.Now()
	for i := range all {
		if past || now.Before(all[i].Until) {
			out = append(out, controlapi.ShownOverride{Override: all[i], Covered: oncall.Covered(all, &all[i])})
		}
	}
	return out, nil
}

// AddOverride implements controlapi.OnCall.
func (d onCallDesk) AddOverride(ctx context.Context, by continuity.Actor, o continuity.Override) (continuity.Override, error) {
	roster, err := d.roster(ctx)
	if err != nil {
		return o, err
	}
	return d.overrides(roster).Add(ctx, by, o)
}

// EndOverride implements controlapi.OnCall.
func (d onCallDesk) EndOverride(ctx context.Context, by continuity.Actor, id, why string) (continuity.Override, error) {
	return d.overrides(nil).End(ctx, by, id, why)
}
