package control

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/announce"
	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/incident"
	"holdfast/internal/plan"
)

// openAnnounce says what audiences are told.
func (n *Node) openAnnounce(context.Context) error {
	plans := n.words
	n.lead("announce", announce.Kinds, announce.New(plans))
	n.whileLeading("route words", n.speakOnRoutes)
	n.api.Updates = updatesDesk{announce.NewActs(n.store, plans, time.Now)}
	n.api.Losses = lossDesk{n}
	return nil
}

// peopleAgain is how long who is on call counts as known.
const peopleAgain = 5 * time.Second

// wordPlans are what the plans that hold say of words.
type wordPlans struct {
	node *Node

	mu    sync.Mutex
	known map[string]wordRules // by service
}

type wordRules struct {
	rules   *announce.Rules
	changed <-chan struct{} // closed when the plan is another
	until   time.Time
}

// Of implements announce.Plans.
func (w *wordPlans) Of(service string, at time.Time) (*announce.Rules, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	plans, changed := w.node.plansNow()
	if k, ok := w.known[service]; ok && k.changed == changed && at.Before(k.until) && !at.Before(k.until.Add(-peopleAgain)) {
		return k.rules, true
	}
	i := slices.IndexFunc(plans, func(p *plan.Plan) bool { return p.ID == service })
	if i < 0 {
		delete(w.known, service)
		return nil, false
	}
	p := plans[i]
	ctx, cancel := context.WithTimeout(context.Background(), dutyTime)
	defer cancel()
	roster, overrides, err := onCallDesk{w.node}.known(ctx, service)
	rotas := binding.Rotas(p)
	rules := binding.Words(p, func(role string, people []string) []string {
		r := binding.Role(p, role, "", rotas)
		if err != nil || r == nil {
			return people // as the plan has them
		}
		lead, _ := r.Lead(overrides, roster, at)
		there := slices.DeleteFunc(slices.Clone(people), func(id string) bool {
			who, known := roster(id)
			return id == lead || !known || who.HasLeft(at)
		})
		if lead != "" {
			there = append([]string{lead}, there...)
		}
		return there
	})
	chiefs, failed := w.node.holding(ctx, access.IncidentsCommand)
	if failed != nil {
		chiefs = nil // they are asked for again in a moment
	}
	rules.Chiefs = slices.DeleteFunc(chiefs, func(id string) bool {
		if err != nil {
			return true
		}
		who, known := roster(id)
		return !known || who.HasLeft(at)
	})
	w.known[service] = wordRules{rules, changed, at.Add(peopleAgain)}
	return rules, true
}

// updatesDesk takes the API's words to the acts.
type updatesDesk struct{ *announce.Acts }

func whoOf(c controlapi.Caller) announce.Who {
	return announce.Who{Actor: c.Actor, Chief: c.Scopes.Has(access.IncidentsCommand)}
}

// Say implements controlapi.Updates.
func (d updatesDesk) Say(ctx context.Context, c controlapi.Caller, incident string, draft announce.Draft) (announce.Kept, error) {
	return d.Acts.Say(ctx, whoOf(c), incident, draft)
}

// Approve implements controlapi.Updates.
func (d updatesDesk) Approve(ctx context.Context, c controlapi.Caller, id string, version int64) (announce.Kept, error) {
	return d.Acts.Approve(ctx, whoOf(c), id, version)
}

// Reject implements controlapi.Updates.
func (d updatesDesk) Reject(ctx context.Context, c controlapi.Caller, id string, version int64, reason string) (announce.Kept, error) {
	return d.Acts.Reject(ctx, whoOf(c), id, version, reason)
}

// lossDesk counts what incidents have cost.
type lossDesk struct{ node *Node }

// Loss implements controlapi.Losses.
func (d lossDesk) Loss(ctx context.Context, id string) (incident.Loss, error) {
	i, err := d.node.incidentOf(ctx, id)
	if err != nil {
		return incident.Loss{}, err
	}
	if i.State == continuity.Merged {
		return incident.Loss{}, continuity.E(continuity.CodeState, nil, "detail_id", "announce.merged", "id", id, "into", i.Into)
	}
	p := d.node.planOf(i.Service)
	if p == nil {
		return incident.Loss{}, continuity.E(continuity.CodeNotFound, nil, "kind", "plan", "id", i.Service)
	}
	var others []incident.Hitting
	for cursor := ""; ; {
		objects, next, err := d.node.store.List(ctx, continuity.Query{Kind: continuity.KindIncident, Service: i.Service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return incident.Loss{}, err
		}
		for _, o := range objects {
			var h incident.Hitting
			if err := json.Unmarshal(o.Body, &h.Incident); err != nil {
				return incident.Loss{}, err
			}
			if h.ID == i.ID || h.State == continuity.Merged || h.Exercise != i.Exercise {
				continue
			}
			for _, one := range binding.Losses(p, h.Hits) {
				h.Processes = append(h.Processes, one.Process)
			}
			others = append(others, h)
		}
		if cursor = next; cursor == "" {
			return incident.LossOf(&i, binding.Losses(p, i.Hits), others, time.Now().UTC()), nil
		}
	}
}
