package control

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
)

// router knows people and audiences by the plans that hold, and what reaches them
// by the node's channels.
type router struct {
	node    *Node
	senders map[string]sender
}

var (
	_ notify.Router   = (*router)(nil)
	_ notify.Channels = (*router)(nil)
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Sender implements notify.Channels.
func (r *router) Sender(id string) (notify.Opened, bool) {
	s, ok := r.senders[id]
	return notify.Opened{ID: id, Kind: s.kind, Channel: s.channel, PerMinute: int(s.set.PerMinute)}, ok
}

// Words implements notify.Router. A template is named by its id, or by the kind of
// an audience and the phase: customers/first.
func (r *router) Words(service, template string) (subject, text continuity.Text, ok bool) {
	p := r.node.planOf(service)
	if p == nil {
		return subject, text, false
	}
	t, ok := p.TemplateByID(template)
	if audience, phase, both := strings.Cut(template, "/"); !ok && both {
		t, ok = p.Template(audience, phase)
	}
	return continuity.Text(t.Subject), continuity.Text(t.Text), ok
}

// Resolve implements notify.Router.
func (r *router) Resolve(ctx context.Context, a notify.Ask) ([]notify.Target, error) {
	p := r.node.planOf(a.Service)
	switch a.To.Kind {
	case continuity.ToPerson:
		return r.people(ctx, p, a, a.To.ID)
	case continuity.ToGroup:
		return r.group(ctx, p, a)
	case continuity.ToAddress:
		return r.address(p, a), nil
	}
	if p == nil {
		return nil, nil
	}
	switch a.To.Kind {
	case continuity.ToRole:
		all, err := r.people(ctx, p, a, peopleOf(p, a.To.ID)...)
		return all[:min(1, len(all))], err
	case continuity.ToDeputies:
		all, err := r.people(ctx, p, a, peopleOf(p, a.To.ID)...)
		return all[min(1, len(all)):], err
	case continuity.ToTeam:
		return r.people(ctx, p, a, teamOf(p, a.To.ID)...)
	case continuity.ToAudience:
		return r.audience(ctx, p, a)
	}
	return nil, nil
}

// peopleOf are those of a role, who leads first.
func peopleOf(p *plan.Plan, role string) []string {
	if r := p.Roles[role]; r != nil {
		return r.People
	}
	return nil
}

// teamOf are all of a team.
func teamOf(p *plan.Plan, id string) []string {
	t := p.Teams[id]
	if t == nil {
		return nil
	}
	all := append([]string{t.Lead}, t.People...)
	for _, role := range t.Roles {
		all = append(all, peopleOf(p, role)...)
	}
	return all
}

func (r *router) group(ctx context.Context, p *plan.Plan, a notify.Ask) ([]notify.Target, error) {
	o, err := r.node.store.Get(ctx, continuity.KindGroup, a.To.ID)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil, nil
	}
	var g continuity.Group
	if err == nil {
		err = json.Unmarshal(o.Body, &g)
	}
	if err != nil || !g.Until.IsZero() && !a.At.Before(g.Until) {
		return nil, err
	}
	return r.people(ctx, p, a, g.People...)
}

// people are those of some people who are there at the time, each once.
func (r *router) people(ctx context.Context, p *plan.Plan, a notify.Ask, ids ...string) ([]notify.Target, error) {
	var all []notify.Target
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		who, _, err := r.node.store.People().Get(ctx, id)
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !who.HasLeft(a.At) {
			all = append(all, r.person(p, a, &who))
		}
	}
	return all, nil
}

// person is somebody with the ways to them: over the channels that are named, or to
// their addresses in their order.
func (r *router) person(p *plan.Plan, a notify.Ask, who *continuity.Person) notify.Target {
	t := notify.Target{ID: who.ID, Person: who.ID, Languages: []string{cmp.Or(r.node.o.Config.Language, "en")}}
	t.Name = cmp.Or(who.Names[t.Languages[0]], who.Names["zh"], who.Names["en"])
	if len(a.Channels) > 0 {
		for _, c := range chainOf(p, a.Channels) {
			s, ok := r.serves(c)
			if !ok {
				continue
			}
			if s.kind.Address == "" {
				t.Ways = append(t.Ways, notify.Way{Channel: c.ID, Sender: s.set.ID})
			}
			for _, to := range who.Addresses {
				if to.Kind == s.kind.Address && s.kind.Address != "" {
					t.Ways = append(t.Ways, notify.Way{Channel: c.ID, Sender: s.set.ID, Kind: to.Kind, Address: to.Value})
				}
			}
		}
		return t
	}
	for _, to := range who.Addresses {
		for _, w := range r.reaching(p, to.Kind) {
			w.Kind, w.Address = to.Kind, to.Value
			t.Ways = append(t.Ways, w)
		}
	}
	return t
}

// reaching are the channels that send to a kind of addresses: those of the plan,
// the standing ones first, and then the node's others.
func (r *router) reaching(p *plan.Plan, kind string) (ways []notify.Way) {
	used := map[string]bool{}
	add := func(channel string, s sender) {
		if s.kind.Address == kind && !used[s.set.ID] {
			used[s.set.ID] = true
			ways = append(ways, notify.Way{Channel: channel, Sender: s.set.ID})
		}
	}
	if p != nil {
		for _, standby := range []bool{false, true} {
			for i := range p.Channels {
				if s, ok := r.serves(&p.Channels[i]); ok && p.Channels[i].Standby == standby {
					add(p.Channels[i].ID, s)
				}
			}
		}
	}
	for _, set := range r.node.o.Config.Channels {
		add(set.ID, r.senders[set.ID])
	}
	return ways
}

// serves is the node's channel that sends for one of a plan: the one of its name,
// or else the first that can.
func (r *router) serves(c *plan.Channel) (sender, bool) {
	if s, ok := r.senders[c.ID]; ok && slices.Contains(s.kind.Serves, c.Kind) {
		return s, true
	}
	for _, set := range r.node.o.Config.Channels {
		if s := r.senders[set.ID]; slices.Contains(s.kind.Serves, c.Kind) {
			return s, true
		}
	}
	return sender{}, false
}

// chainOf are channels of a plan, each followed by those that take its place.
func chainOf(p *plan.Plan, ids []string) (chain []*plan.Channel) {
	if p == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, id := range ids {
		for id != "" && !seen[id] {
			seen[id] = true
			i := slices.IndexFunc(p.Channels, func(c plan.Channel) bool { return c.ID == id })
			if i < 0 {
				break
			}
			chain, id = append(chain, &p.Channels[i]), p.Channels[i].Next
		}
	}
	return chain
}

// audience is told over each of its channels: in the channel's room, or, where it
// has none, the people of the audience's teams one by one. Channels that are named
// are one chain.
func (r *router) audience(ctx context.Context, p *plan.Plan, a notify.Ask) ([]notify.Target, error) {
	who := p.Audiences[a.To.ID]
	if who == nil {
		return nil, nil
	}
	starts := make([][]string, 0, len(who.Channels))
	for _, id := range who.Channels {
		starts = append(starts, []string{id})
	}
	if len(a.Channels) > 0 {
		starts = [][]string{a.Channels}
	}
	var all []notify.Target
	for _, start := range starts {
		t := notify.Target{ID: a.To.ID + "/" + start[0], Name: cmp.Or(who.Name.En, who.Name.Zh, a.To.ID), Languages: who.Languages}
		if len(t.Languages) == 0 {
			t.Languages = []string{"zh"}
		}
		personal := false
		for _, c := range chainOf(p, start) {
			s, ok := r.serves(c)
			switch {
			case ok && s.kind.Address == "":
				t.Ways = append(t.Ways, notify.Way{Channel: c.ID, Sender: s.set.ID})
			case ok:
				personal = true
			}
		}
		if len(t.Ways) > 0 || !personal {
			all = append(all, t)
			continue
		}
		for _, team := range who.Teams {
			one := a
			one.Channels = start
			people, err := r.people(ctx, p, one, teamOf(p, team)...)
			if err != nil {
				return nil, err
			}
			all = append(all, people...)
		}
	}
	return all, nil
}

// address is one of nobody who is known, over a channel of the plan or the node.
func (r *router) address(p *plan.Plan, a notify.Ask) []notify.Target {
	t := notify.Target{ID: a.To.ID + "/" + notify.Mask(a.To.Address), Languages: []string{cmp.Or(r.node.o.Config.Language, "en")}}
	if s, ok := r.senders[a.To.ID]; ok {
		t.Ways = append(t.Ways, notify.Way{Channel: a.To.ID, Sender: a.To.ID, Kind: s.kind.Address, Address: a.To.Address})
	}
	for _, c := range chainOf(p, []string{a.To.ID}) {
		if s, ok := r.serves(c); ok && s.set.ID != a.To.ID {
			t.Ways = append(t.Ways, notify.Way{Channel: c.ID, Sender: s.set.ID, Kind: s.kind.Address, Address: a.To.Address})
		}
	}
	if len(t.Ways) == 0 {
		return nil
	}
	return []notify.Target{t}
}
