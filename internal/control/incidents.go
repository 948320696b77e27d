package control

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/follow"
	"holdfast/internal/incident"
	"holdfast/internal/oncall"
)

// openIncidents carries incidents from the first sign to the review.
func (n *Node) openIncidents(context.Context) error {
	o := incident.Options{
		Plans: &incidentPlans{node: n}, Duty: roleDuty{n}, Node: n.name,
		Known: func(ctx context.Context, id string) (bool, error) {
			who, _, err := n.store.People().Get(ctx, id)
			if code := continuity.CodeOf(err); code == continuity.CodeNotFound || code == continuity.CodeInvalid {
				return false, nil
			}
			return err == nil && !who.HasLeft(time.Now()), err
		},
	}
	n.whileLeading("relays-seen", n.watchRelays)
	n.lead(incident.Name, incident.Kinds(), incident.New(o))
	n.api.Incidents = incidentsDesk{incident.NewActs(n.store, o, time.Now), n.store.People()}
	return nil
}

// lead runs an engine that follows the store while this node leads.
func (n *Node) lead(name string, kinds []string, engine follow.Engine) {
	f := follow.New(follow.Options{
		Store: n.store, Name: name, Node: n.name, Kinds: kinds, Log: n.log, Every: min(time.Second, n.judges), Refused: n.refused(name),
		Lease: func() (continuity.Lease, bool) {
			if lease := n.leads(); lease != nil {
				return *lease, true
			}
			return continuity.Lease{}, false
		},
	}, engine)
	n.whileLeading(name, func(ctx context.Context, _ *continuity.Lease) { f.Run(ctx) })
}

// incidentPlans are what the plans that hold say of incidents, made once for each
// change of the plans.
type incidentPlans struct {
	node *Node

	mu    sync.Mutex
	since <-chan struct{} // closed when they are others
	all   []*incident.Rules
}

// All implements incident.Plans.
func (p *incidentPlans) All() []*incident.Rules {
	p.mu.Lock()
	defer p.mu.Unlock()
	plans, changed := p.node.plansNow()
	if p.since == changed {
		return p.all
	}
	versions := map[string]int64{}
	for cursor := ""; ; {
		page, next := p.node.plans.List(cursor, 1000)
		for _, h := range page {
			versions[h.Service] = h.Version
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	p.since, p.all = changed, nil
	for _, one := range plans {
		r := binding.Incidents(one)
		r.Version = versions[one.ID]
		p.all = append(p.all, r)
	}
	return p.all
}

// Of implements incident.Plans.
func (p *incidentPlans) Of(service string) (*incident.Rules, bool) {
	for _, r := range p.All() {
		if r.Service == service {
			return r, true
		}
	}
	return nil, false
}

// roleDuty knows who is asked to take a role.
type roleDuty struct{ node *Node }

// dutyTime is how long people may be looked for.
const dutyTime = 5 * time.Second

// Ladder implements incident.Duty.
func (d roleDuty) Ladder(service, name, grade string, at time.Time) (all []continuity.Recipient, err error) {
	p := d.node.planOf(service)
	if p == nil {
		return nil, nil
	}
	role := binding.Role(p, name, grade, binding.Rotas(p))
	if role == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), dutyTime)
	defer cancel()
	roster, overrides, err := onCallDesk(d).known(ctx, service)
	if err != nil {
		return nil, err
	}
	for _, step := range oncall.Ladder(role, overrides, roster, at) {
		if len(step.To) == 1 {
			all = append(all, step.To[0])
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	for _, id := range sortedKeys(p.Teams) {
		if team := p.Teams[id]; team != nil && slices.Contains(team.Roles, name) {
			all = append(all, continuity.Recipient{Kind: continuity.ToTeam, ID: id})
		}
	}
	return all, nil
}

// incidentsDesk shows incidents to the API.
type incidentsDesk struct {
	*incident.Acts

	people interface {
		Get(ctx context.Context, id string) (continuity.Person, int64, error)
	}
}

// Timeline implements controlapi.Incidents: with the names of people.
func (d incidentsDesk) Timeline(ctx context.Context, id string) ([]incident.TimelineEntry, error) {
	all, err := d.Acts.Timeline(ctx, id)
	if err != nil {
		return nil, err
	}
	known := map[string]continuity.Text{}
	for i := range all {
		for _, id := range all[i].Named() {
			name, seen := known[id]
			if !seen {
				who, _, err := d.people.Get(ctx, id)
				if code := continuity.CodeOf(err); err != nil && code != continuity.CodeNotFound && code != continuity.CodeInvalid {
					return nil, err
				}
				name = continuity.Text{En: who.Names["en"], Zh: who.Names["zh"]}
				known[id] = name
			}
			if name == (continuity.Text{}) {
				continue
			}
			if all[i].Names == nil {
				all[i].Names = map[string]continuity.Text{}
			}
			all[i].Names[id] = name
		}
	}
	return all, nil
}

// Below implements controlapi.Incidents.
func (d incidentsDesk) Below(ctx context.Context, id string) (b controlapi.IncidentParts, err error) {
	if b.Tasks, err = incident.Below[continuity.Task](ctx, d.Acts, id, continuity.KindTask); err != nil {
		return b, err
	}
	if b.Decisions, err = incident.Below[continuity.Decision](ctx, d.Acts, id, continuity.KindDecision); err != nil {
		return b, err
	}
	if b.Situations, err = incident.Below[continuity.Situation](ctx, d.Acts, id, continuity.KindSituation); err != nil {
		return b, err
	}
	if b.Resources, err = incident.Below[continuity.Used](ctx, d.Acts, id, continuity.KindResource); err != nil {
		return b, err
	}
	if b.Notes, err = incident.Below[continuity.Note](ctx, d.Acts, id, continuity.KindNote); err != nil {
		return b, err
	}
	b.RoleNames, err = d.RoleNames(ctx, id)
	return b, err
}
