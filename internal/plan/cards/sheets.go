package cards

import (
	"slices"
	"strconv"
	"time"

	"holdfast/internal/catalogue"
)

// firstSteps is how many steps a card has room for; the runbook has them all.
const firstSteps = 5

// sheet is one card or one list: what HTML and PDF both print.
type sheet struct {
	Pocket   bool // A6; otherwise A4
	Kind     Words
	Title    Words
	Sections []section
	Footer   Words
}

// section is a heading and its rows.
type section struct {
	Heading Words
	Rows    []row
}

// row is a line: its mark (a number or a box to tick), what it says, with a
// number beside it, and what is added in small.
type row struct {
	Mark   string
	Say    Words
	Beside Words
	Strong bool
	Small  []Words
}

// text is the line itself.
func (r row) text() string {
	if r.Beside.Text == "" {
		return clean(r.Say.Text)
	}
	return clean(r.Say.Text) + "  " + clean(r.Beside.Text)
}

// Tick is a box for a pen.
func (r row) Tick() bool { return r.Mark == box }

const box = "☐"

// printer makes sheets of a plan.
type printer struct {
	plan *Plan
}

func (p printer) label(id string, args catalogue.Args) Words {
	return Words{Text: catalogue.Text(p.plan.Lang, id, args)}
}

func (p printer) sheets() []sheet {
	var all []sheet
	for i := range p.plan.Scenarios {
		all = append(all, p.card(&p.plan.Scenarios[i]))
	}
	if contacts := p.contacts(); len(contacts.Sections) > 0 {
		all = append(all, contacts)
	}
	for i := range p.plan.Interim {
		all = append(all, p.interim(&p.plan.Interim[i]))
	}
	for i := range p.plan.Runbooks {
		all = append(all, p.runbook(&p.plan.Runbooks[i]))
	}
	for i := range p.plan.Checklists {
		all = append(all, p.checklist(&p.plan.Checklists[i]))
	}
	for i := range p.plan.Selfhelp {
		all = append(all, p.guide(&p.plan.Selfhelp[i]))
	}
	if len(p.plan.Messages) > 0 {
		all = append(all, p.messages())
	}
	return all
}

// card is what a tired person needs first: how grave, whom to call, what to do;
// then where to talk, how to work meanwhile, whom to call outside.
func (p printer) card(s *Scenario) sheet {
	steps := section{Heading: p.label("cards.first-steps", nil)}
	for i, step := range s.Steps[:min(len(s.Steps), firstSteps)] {
		steps.Rows = append(steps.Rows, row{Mark: strconv.Itoa(i+1) + ".", Say: step.Say, Strong: true, Small: p.doing(step)})
	}
	if more := len(s.Steps) - firstSteps; more > 0 {
		words := p.label("cards.more-steps", catalogue.Args{"n": more, "runbook": s.Runbook.Text})
		words.At = s.Runbook.At
		steps.Rows = append(steps.Rows, row{Say: words})
	}
	roles := s.Roles
	if len(roles) == 0 {
		roles = p.plan.Roles
	}
	meanwhile := section{Heading: p.label("cards.meanwhile", nil)}
	for _, way := range s.Meanwhile {
		meanwhile.Rows = append(meanwhile.Rows, row{Say: way.Name, Strong: true, Small: append(slices.Clone(way.For), way.How)})
	}
	return sheet{
		Pocket: true, Kind: p.label("cards.card", nil), Title: s.Name, Footer: p.footer(),
		Sections: filled(p.grade(s.Grade), p.leads(roles, false), steps, p.talk(s.Talk), meanwhile, p.providers(s.Providers)),
	}
}

// doing is who does a step, and until when.
func (p printer) doing(step Step) []Words {
	var small []Words
	if step.Who.Text != "" {
		small = append(small, step.Who)
	}
	if step.Within > 0 {
		small = append(small, p.within(step.Within))
	}
	return small
}

// leads are the roles with whom to call, and who stands in. On the sheet of
// contacts it says what they decide, too.
func (p printer) leads(roles []Role, full bool) section {
	leads := section{Heading: p.label("cards.leads", nil)}
	for _, role := range roles {
		if len(role.People) == 0 {
			continue
		}
		first := role.People[0]
		r := row{Say: first.Name, Beside: first.Phone, Strong: true, Small: []Words{role.Name}}
		if full && role.May.Text != "" {
			may := p.label("cards.decides", catalogue.Args{"what": role.May.Text})
			may.At = role.May.At
			r.Small = append(r.Small, may)
		}
		for _, person := range role.People[1:] {
			deputy := p.label("cards.deputy", catalogue.Args{"name": person.Name.Text, "phone": person.Phone.Text})
			deputy.At = person.Name.At
			r.Small = append(r.Small, deputy)
		}
		leads.Rows = append(leads.Rows, r)
	}
	return leads
}

func (p printer) talk(channels []Channel) section {
	talk := section{Heading: p.label("cards.talk", nil)}
	for i, c := range channels {
		r := row{Mark: strconv.Itoa(i+1) + ".", Say: c.Name}
		if c.How.Text != "" {
			r.Small = append(r.Small, c.How)
		}
		talk.Rows = append(talk.Rows, r)
	}
	return talk
}

func (p printer) providers(all []Provider) section {
	s := section{Heading: p.label("cards.providers", nil)}
	for _, provider := range all {
		s.Rows = append(s.Rows, row{Say: provider.Name, Beside: provider.Phone, Strong: true, Small: provider.Ways})
	}
	return s
}

// contacts is one card of everybody and every way.
func (p printer) contacts() sheet {
	return sheet{
		Pocket: true, Kind: p.label("cards.card", nil), Title: p.label("cards.contacts", nil), Footer: p.footer(),
		Sections: filled(p.leads(p.plan.Roles, true), p.talk(p.plan.Talk), p.providers(p.plan.Providers)),
	}
}

func (p printer) interim(way *Interim) sheet {
	how := section{Heading: p.label("cards.how", nil), Rows: []row{{Say: way.How, Strong: true}}}
	whom := section{Heading: p.label("cards.for", nil)}
	for _, words := range way.For {
		whom.Rows = append(whom.Rows, row{Say: words})
	}
	limits := section{Heading: p.label("cards.approved", nil), Rows: []row{{Say: way.Approved}}}
	if way.Lasts > 0 {
		limits.Rows[0].Small = append(limits.Rows[0].Small, p.label("cards.lasts", catalogue.Args{"time": p.duration(way.Lasts)}))
	}
	list := section{Heading: p.label("cards.checklist", nil)}
	if way.Checklist.Text != "" {
		list.Rows = []row{{Say: way.Checklist}}
	}
	return sheet{
		Pocket: true, Kind: p.label("cards.interim", nil), Title: way.Name, Footer: p.footer(),
		Sections: filled(how, whom, list, limits),
	}
}

func (p printer) runbook(r *Runbook) sheet {
	about := section{Heading: p.label("cards.about", nil)}
	if r.About.Text != "" {
		about.Rows = []row{{Say: r.About}}
	}
	steps := section{Heading: p.label("cards.tick", nil)}
	for _, step := range r.Steps {
		steps.Rows = append(steps.Rows, row{Mark: box, Say: step.Say, Strong: true, Small: append(p.doing(step), step.Also...)})
	}
	signed := section{Heading: p.label("cards.signed", nil), Rows: []row{{Say: p.label("cards.sign", nil)}}}
	return sheet{Kind: p.label("cards.runbook", nil), Title: r.Name, Footer: p.footer(), Sections: filled(about, steps, signed)}
}

// messages are one list: whoever writes looks for the fitting one.
func (p printer) messages() sheet {
	s := sheet{Kind: p.label("cards.messages", nil), Title: p.label("cards.messages-title", nil), Footer: p.footer()}
	for _, m := range p.plan.Messages {
		s.Sections = append(s.Sections, section{Heading: m.Name, Rows: []row{{Say: m.Text}}})
	}
	return s
}

// grade is the line of times of a card.
func (p printer) grade(name Words) section {
	for _, g := range p.plan.Grades {
		if g.Name.Text != name.Text {
			continue
		}
		r := row{Say: g.Name, Strong: true}
		if g.When.Text != "" {
			r.Small = append(r.Small, g.When)
		}
		for _, limit := range []struct {
			id string
			d  time.Duration
		}{{"cards.first-message", g.FirstMessage}, {"cards.update", g.Update}, {"cards.recover", g.Recover}} {
			if limit.d > 0 {
				r.Small = append(r.Small, p.label(limit.id, catalogue.Args{"time": p.duration(limit.d)}))
			}
		}
		return section{Heading: p.label("cards.grade", nil), Rows: []row{r}}
	}
	return section{}
}

func (p printer) checklist(c *Checklist) sheet {
	list := section{Heading: p.label("cards.tick", nil)}
	for _, item := range c.Items {
		r := row{Mark: box, Say: item.Say}
		if item.Who.Text != "" {
			r.Small = append(r.Small, item.Who)
		}
		list.Rows = append(list.Rows, r)
	}
	owner := section{Heading: p.label("cards.owner", nil)}
	if c.Owner.Text != "" {
		owner.Rows = []row{{Say: c.Owner}}
	}
	signed := section{Heading: p.label("cards.signed", nil), Rows: []row{{Say: p.label("cards.sign", nil)}}}
	return sheet{Kind: p.label("cards.checklist", nil), Title: c.Name, Footer: p.footer(), Sections: filled(owner, list, signed)}
}

func (p printer) guide(g *Guide) sheet {
	list := section{Heading: p.label("cards.try", nil)}
	for i, say := range g.Steps {
		list.Rows = append(list.Rows, row{Mark: strconv.Itoa(i+1) + ".", Say: say})
	}
	return sheet{Kind: p.label("cards.selfhelp", nil), Title: g.Name, Footer: p.footer(), Sections: filled(list)}
}

// footer says how old the paper may be.
func (p printer) footer() Words {
	id, args := "cards.footer", catalogue.Args{
		"service": p.plan.Service.Text, "version": p.plan.Version.Text, "made": p.plan.Made.Format(time.DateOnly),
	}
	if !p.plan.ValidUntil.IsZero() {
		id, args["until"] = "cards.footer-until", p.plan.ValidUntil.Format(time.DateOnly)
	}
	words := p.label(id, args)
	words.At = p.plan.Service.At
	return words
}

func (p printer) within(d time.Duration) Words {
	return p.label("cards.within", catalogue.Args{"time": p.duration(d)})
}

// duration is a time as people say it: hours and minutes, never 0h0m.
func (p printer) duration(d time.Duration) string {
	text := ""
	for _, unit := range []struct {
		id string
		d  time.Duration
	}{{"cards.days", 24 * time.Hour}, {"cards.hours", time.Hour}, {"cards.minutes", time.Minute}, {"cards.seconds", time.Second}} {
		if n := int(d / unit.d); n > 0 {
			if text != "" {
				text += " "
			}
			text += p.label(unit.id, catalogue.Args{"n": n}).Text
			d -= time.Duration(n) * unit.d
		}
	}
	return text
}

func filled(sections ...section) []section {
	kept := sections[:0]
	for _, s := range sections {
		if len(s.Rows) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}
