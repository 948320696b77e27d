package binding

import (
	"slices"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/runbook"
)

// deepest bounds how deep runbooks are gone through in each other; a plan whose
// runbooks run each other is refused.
const deepest = 20

// Script is a runbook of a plan, step by step, with those that it has gone through in
// their places. reaches says which of the plan's channels the node can send over: the
// others are tested by hand.
func Script(p *plan.Plan, id string, reaches func(channel string) bool) (*runbook.Script, bool) {
	i := slices.IndexFunc(p.Runbooks, func(r plan.Runbook) bool { return r.ID == id })
	if i < 0 {
		return nil, false
	}
	s := &runbook.Script{Service: p.ID, Runbook: id, Name: text(p.Runbooks[i].Name, id), Roles: map[string]runbook.Role{}, Zone: p.Service.Zone}
	for name, role := range p.Roles {
		if role == nil {
			continue
		}
		people := slices.Clone(role.People)
		for _, rota := range p.Rotas {
			if slices.Contains(role.Rota, rota.ID) {
				people = append(people, rota.People...)
			}
		}
		s.Roles[name] = runbook.Role{People: people, May: role.May}
	}
	w := &scriptWriter{p, reaches}
	s.Steps = w.steps(&p.Runbooks[i], "", nil, "", 0)
	return s, true
}

type scriptWriter struct {
	p       *plan.Plan
	reaches func(string) bool
}

// steps are those of a runbook: ids begin with prefix, the first ones come after what
// is named, and all are done only where a step fails, if one is named.
func (w *scriptWriter) steps(r *plan.Runbook, prefix string, after []string, failed string, depth int) (all []runbook.Step) {
	before := ""
	for i := range r.Steps {
		from := &r.Steps[i]
		s := runbook.Step{
			ID: prefix + from.ID, Say: continuity.Text(from.Say), Do: from.Do, Owner: from.Owner, Failed: failed, Within: from.Within, IfNot: from.IfNot,
			With: from.Told(), Isolates: slices.Contains(from.Tags, "isolate"), Typed: from.Typed,
		}
		switch {
		case len(from.After) > 0:
			for _, earlier := range from.After {
				s.After = append(s.After, prefix+earlier)
			}
		case before != "":
			s.After = []string{before}
		default:
			s.After = slices.Clone(after)
		}
		before = s.ID
		if b := from.Before; b != nil {
			s.Before = w.condition(b.Check, b.Via)
			s.Before.Query = b.Query
		}
		if from.Run != "" {
			all = append(all, w.within(&s, from.Run, depth)...)
			continue
		}
		s.Items, s.Back = w.items(from)
		if from.Proof != nil && from.Proof.Check != "" {
			s.Proof = w.condition(from.Proof.Check, from.Proof.Via)
		}
		if from.Proof != nil && from.Proof.Checklist != "" {
			s.Items = append(s.Items, w.checklist(from.Proof.Checklist)...)
		}
		var others []runbook.Step
		if r := w.runbook(from.Else); r != nil && depth < deepest {
			others = w.steps(r, s.ID+"/else/", []string{s.ID}, s.ID, depth+1)
			for i := range others {
				s.Else = append(s.Else, others[i].ID)
			}
		}
		all = append(append(all, s), others...)
	}
	return all
}

// within is a step that stands for a runbook: that one's steps, and the end of them.
func (w *scriptWriter) within(s *runbook.Step, id string, depth int) (all []runbook.Step) {
	if r := w.runbook(id); r != nil && depth < deepest {
		all = w.steps(r, s.ID+"/", s.After, s.Failed, depth+1)
		if s.Before != nil && len(all) > 0 && all[0].Before == nil {
			all[0].Before = s.Before
		}
	}
	s.Runbook, s.Before = id, nil
	for i := range all {
		s.After = append(s.After, all[i].ID)
	}
	return append(all, *s)
}

func (w *scriptWriter) runbook(id string) *plan.Runbook {
	if i := slices.IndexFunc(w.p.Runbooks, func(r plan.Runbook) bool { return r.ID == id && id != "" }); i >= 0 {
		return &w.p.Runbooks[i]
	}
	return nil
}

func (w *scriptWriter) condition(check, via string) *runbook.Condition {
	if check == "" {
		return &runbook.Condition{}
	}
	return &runbook.Condition{Check: w.p.ID + "/" + check, Via: via}
}

func (w *scriptWriter) checklist(id string) (items []runbook.Item) {
	for _, list := range w.p.Checklists {
		if list.ID != id {
			continue
		}
		for _, item := range list.Items {
			items = append(items, runbook.Item{ID: item.ID, Say: continuity.Text(item.Say)})
		}
	}
	return items
}

// said fills a text of the catalogue for one language.
type said func(catalogue.Lang) catalogue.Args

func item(id, text string, args said) runbook.Item {
	return runbook.Item{ID: id, Say: continuity.Text{En: catalogue.Text(catalogue.En, text, args(catalogue.En)), Zh: catalogue.Text(catalogue.Zh, text, args(catalogue.Zh))}}
}

// items are what a person ticks off where an action can't do all of it, there and
// back.
func (w *scriptWriter) items(step *plan.Step) (there, back []runbook.Item) {
	told := step.Told()
	args := func(lang catalogue.Lang) catalogue.Args {
		to := told["to"]
		if to == "" {
			to = told["channel"]
		}
		how := w.how(to, lang)
		link := told["link"]
		if link == "" {
			link = how
		}
		return catalogue.Args{
			"from": w.name(told["from"], lang), "to": w.name(to, lang), "channel": w.name(to, lang), "how": how, "link": link, "what": told["what"],
		}
	}
	lines := func(ids ...string) (all []runbook.Item) {
		for _, id := range ids {
			all = append(all, item(id, "runbook.item."+step.Do+"."+id, args))
		}
		return all
	}
	switch step.Do {
	case "channel.switch":
		return w.switched(told["from"], told["to"]), w.switched(told["to"], told["from"])
	case "channel.test":
		if !w.reaches(told["channel"]) {
			there = append(there, item("tested", "runbook.item.tested", args))
		}
		return there, nil
	case "call.forward":
		return lines("tried", "forwarded", "rings"), lines("tried-back", "ended", "rings-again")
	case "bridge.open":
		return lines("opened", "mobile", "desktop", "sent"), lines("said", "closed")
	case "hotspot.on":
		return lines("on", "desktop", "works"), lines("network", "off")
	}
	return nil, nil
}

// switched are the lines of going over to a channel: tested first, where no machine
// does that, then each kind of device by itself.
func (w *scriptWriter) switched(from, to string) (all []runbook.Item) {
	c, _ := w.p.Channel(to)
	args := func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{"from": w.name(from, lang), "to": w.name(to, lang), "channel": w.name(to, lang), "how": w.how(to, lang)}
	}
	if !w.reaches(to) {
		tested := item("tested", "runbook.item.tested", args)
		tested.First = true
		all = append(all, tested)
	}
	for _, device := range c.Devices {
		all = append(all, item(device, "runbook.item.switch-"+device, args))
	}
	return all
}

func (w *scriptWriter) name(id string, lang catalogue.Lang) string {
	if c, ok := w.p.Channel(id); ok && c.Name != (plan.Text{}) {
		return c.Name.In(lang)
	}
	return id
}

func (w *scriptWriter) how(id string, lang catalogue.Lang) string {
	c, _ := w.p.Channel(id)
	return c.How.In(lang)
}
