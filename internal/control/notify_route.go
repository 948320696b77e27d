package control

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/oncall"
	"holdfast/internal/plan"
)

// router knows people and audiences by the plans that hold, and what reaches them
// by the node's channels.
type router struct {
	node    *Node
	senders map[string]sender
	over    map[string]string // channels that another one stands for, of one service
}

var (
	_ notify.Router   = (*router)(nil)
	_ notify.Channels = (*router)(nil)
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Sender implements notify.Channels.
func (r *router) Sender(id string) (notify.Opened, bool) {
	s, ok := r.senders[id]
	if !ok {
		return notify.Opened{}, false
	}
	kind := s.kind
	kind.PerNumber = notify.PerNumber(kind, s.set.Settings)
	return notify.Opened{ID: id, Kind: kind, Channel: s.channel, PerMinute: int(s.set.PerMinute)}, true
}

// Words implements notify.Router. A template is named by its id, or by the kind of
// an audience and the phase: customers/first.
func (r *router) Words(service, template string) (notify.Words, bool) {
	p := r.node.planOf(service)
	if p == nil {
		return notify.Words{}, false
	}
	t, ok := p.TemplateNamed(template)
	return notify.Words{Subject: continuity.Text(t.Subject), Text: continuity.Text(t.Text), Known: binding.Known(p)}, ok
}

// Resolve implements notify.Router.
func (r *router) Resolve(ctx context.Context, a notify.Ask) ([]notify.Target, error) {
	p := r.node.planOf(a.Service)
	over, err := r.switched(ctx, a.Service)
	if err != nil {
		return nil, err
	}
	r = &router{node: r.node, senders: r.senders, over: over}
	switch a.To.Kind {
	case continuity.ToPerson:
		return r.people(ctx, p, a, a.To.ID)
	case continuity.ToGroup:
		return r.group(ctx, p, a)
	case continuity.ToAddress:
		return r.address(p, a), nil
	}
	if p == nil {
		if _, changed := r.node.plansNow(); changed == nil {
			return nil, continuity.E(continuity.CodeStarting, nil, "control", true) // no plan has been read yet
		}
		return nil, nil
	}
	switch a.To.Kind {
	case continuity.ToRole, continuity.ToDeputies:
		lead, err := r.lead(ctx, p, a.To.ID, a.At)
		if err != nil || lead == "" {
			return nil, err
		}
		if a.To.Kind == continuity.ToRole {
			return r.people(ctx, p, a, lead)
		}
		return r.people(ctx, p, a, slices.DeleteFunc(slices.Clone(peopleOf(p, a.To.ID)), func(id string) bool { return id == lead })...)
	case continuity.ToTeam:
		return r.people(ctx, p, a, teamOf(p, a.To.ID)...)
	case continuity.ToAudience:
		return r.audience(ctx, p, a)
	}
	return nil, nil
}

// lead is who leads a role at a time: who is on call by its rotas, else the first
// of its people who is there.
func (r *router) lead(ctx context.Context, p *plan.Plan, name string, at time.Time) (string, error) {
	role := binding.Role(p, name, "", binding.Rotas(p))
	if role == nil {
		return "", nil
	}
	roster, overrides, err := onCallDesk{r.node}.known(ctx, p.ID)
	if err != nil {
		return "", err
	}
	id, _ := role.Lead(overrides, roster, at)
	return id, nil
}

// peopleOf are those of a role.
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
	t := notify.Target{ID: who.ID, Person: who.ID, Languages: []string{cmp.Or(who.Language, r.node.o.Config.Language, "en")}}
	t.Name = cmp.Or(who.Names[t.Languages[0]], who.Names["zh"], who.Names["en"])
	t.Free = freeAt(p, who)
	addresses := slices.DeleteFunc(slices.Clone(who.Addresses), func(to continuity.Address) bool {
		return to.For == continuity.ForPage && a.Urgency != continuity.UrgencyPage
	})
	if len(a.Channels) > 0 {
		for _, c := range chainOf(p, a.Channels, r.over) {
			w, s, ok := r.behind(p, a.Template, c.ID)
			if !ok {
				continue
			}
			if s.kind.Address == "" {
				t.Ways = append(t.Ways, w)
			}
			for _, to := range addresses {
				if to.Kind == s.kind.Address && s.kind.Address != "" {
					w.Kind, w.Address = to.Kind, to.Value
					t.Ways = append(t.Ways, w)
				}
			}
		}
		return t
	}
	for _, to := range addresses {
		for _, w := range r.reaching(p, a.Template, to.Kind) {
			w.Kind, w.Address = to.Kind, to.Value
			t.Ways = append(t.Ways, w)
		}
	}
	return t
}

// freeAt is when a person's hours of quiet end; nil: they have none.
func freeAt(p *plan.Plan, who *continuity.Person) func(time.Time) time.Time {
	if len(who.Quiet) == 0 {
		return nil
	}
	zone := time.Local
	if p != nil {
		if own, err := time.LoadLocation(p.Service.Zone); err == nil {
			zone = own
		}
	}
	person := *who
	return func(at time.Time) time.Time {
		if until, quiet := oncall.Quiet(person, zone, at); quiet {
			return until
		}
		return at
	}
}

// reaching are the channels that send to a kind of addresses: those of the plan,
// the standing ones first, and then the node's others.
func (r *router) reaching(p *plan.Plan, template, kind string) (ways []notify.Way) {
	used := map[string]bool{}
	if p != nil {
		for _, standby := range []bool{false, true} {
			for i := range p.Channels {
				c := &p.Channels[i]
				w, s, ok := r.behind(p, template, c.ID)
				if ok && c.Standby == standby && s.kind.Address == kind && !used[w.Sender] {
					used[w.Sender] = true
					ways = append(ways, w)
				}
			}
		}
	}
	for _, set := range r.node.o.Config.Channels {
		if s := r.senders[set.ID]; s.kind.Address == kind && !used[set.ID] {
			ways = append(ways, notify.Way{Channel: set.ID, Sender: set.ID})
		}
	}
	return ways
}

// kind is that of one of the node's channels.
func (r *router) kind(id string) (notify.Kind, bool) {
	s, ok := r.senders[id]
	return s.kind, ok
}

// behind is the node's channel behind one of a plan; the way's address is the plan's
// room. One that sends approved texts only, and has none for the template, is none.
func (r *router) behind(p *plan.Plan, template, channel string) (notify.Way, sender, bool) {
	bound, text, err := binding.Behind(p, r.kind, channel, template)
	if err != nil {
		return notify.Way{}, sender{}, false
	}
	s, ok := r.senders[bound.Via]
	w := notify.Way{Channel: channel, Sender: bound.Via, Address: bound.To, Kind: s.kind.Address}
	if !ok || text == nil {
		return w, s, ok
	}
	w.Approved = &notify.Approved{
		Code: continuity.Text(text.Code), Sign: text.Sign, Variables: map[string]string{}, Known: binding.Known(p),
		Order: map[string][]string{"en": plan.VariablesIn(text.Text.In(catalogue.En)), "zh": plan.VariablesIn(text.Text.In(catalogue.Zh))},
	}
	for ours, theirs := range text.Variables {
		w.Approved.Variables[theirs] = ours
	}
	return w, s, true
}

// chainOf are channels of a plan, each followed by those that take its place; over says
// which another one stands for now.
func chainOf(p *plan.Plan, ids []string, over map[string]string) (chain []*plan.Channel) {
	if p == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, id := range ids {
		for id != "" && !seen[id] {
			seen[id] = true
			if to := over[id]; to != "" && !seen[to] {
				id = to
				continue
			}
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
		for _, c := range chainOf(p, start, r.over) {
			w, s, ok := r.behind(p, a.Template, c.ID)
			switch {
			case ok && (s.kind.Address == "" || w.Address != ""):
				t.Ways = append(t.Ways, w)
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
	if a.Doubled {
		return r.doubled(ctx, p, a, all, who.Teams)
	}
	return all, nil
}

// doubled adds the people of an audience's teams, each by text message or mail: not
// everybody looks into a room. Who is told by themselves is told so anyway.
func (r *router) doubled(ctx context.Context, p *plan.Plan, a notify.Ask, all []notify.Target, teams []string) ([]notify.Target, error) {
	if !slices.ContainsFunc(all, func(t notify.Target) bool { return t.Person == "" }) {
		return all, nil
	}
	for _, team := range teams {
		one := a
		one.Channels = nil
		people, err := r.people(ctx, p, one, teamOf(p, team)...)
		if err != nil {
			return nil, err
		}
		for _, t := range people {
			t.Once = true
			t.Ways = slices.DeleteFunc(t.Ways, func(w notify.Way) bool {
				s := r.senders[w.Sender]
				return !s.kind.Doubles()
			})
			if len(t.Ways) > 0 && !slices.ContainsFunc(all, func(have notify.Target) bool { return have.ID == t.ID }) {
				all = append(all, t)
			}
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
	for _, c := range chainOf(p, []string{a.To.ID}, r.over) {
		if w, _, ok := r.behind(p, a.Template, c.ID); ok && w.Sender != a.To.ID {
			w.Address = cmp.Or(a.To.Address, w.Address)
			t.Ways = append(t.Ways, w)
		}
	}
	if len(t.Ways) == 0 {
		return nil
	}
	return []notify.Target{t}
}
