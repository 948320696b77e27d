package cards

import (
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

// row is a line: its mark (a number or a box to tick), what it says, and what
// is added in small.
type row struct {
	Mark   string
	Say    Words
	Strong bool
	Small  []Words
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
	for i := range p.plan.Checklists {
		all = append(all, p.checklist(&p.plan.Checklists[i]))
	}
	for i := range p.plan.Selfhelp {
		all = append(all, p.guide(&p.plan.Selfhelp[i]))
	}
	return all
}

func (p printer) card(s *Scenario) sheet {
	steps := section{Heading: p.label("cards.first-steps", nil)}
	for i, step := range s.Steps[:min(len(s.Steps), firstSteps)] {
		r := row{Mark: strconv.Itoa(i+1) + ".", Say: step.Say, Strong: true}
		if step.Who.Text != "" {
			r.Small = append(r.Small, step.Who)
		}
		if step.Within > 0 {
			r.Small = append(r.Small, p.within(step.Within))
		}
		steps.Rows = append(steps.Rows, r)
	}
	if more := len(s.Steps) - firstSteps; more > 0 {
		steps.Rows = append(steps.Rows, row{Say: p.label("cards.more-steps", catalogue.Args{"n": more})})
	}
	leads := section{Heading: p.label("cards.leads", nil)}
	for _, person := range p.plan.Leads {
		r := row{Say: person.Name, Strong: !person.Deputy, Small: []Words{person.Role}}
		if person.Deputy {
			r.Small = append(r.Small, p.label("cards.deputy", nil))
		}
		if person.Phone.Text != "" {
			r.Small = append(r.Small, person.Phone)
		}
		leads.Rows = append(leads.Rows, r)
	}
	talk := section{Heading: p.label("cards.talk", nil)}
	for i, c := range p.plan.Talk {
		r := row{Mark: strconv.Itoa(i+1) + ".", Say: c.Name}
		if c.How.Text != "" {
			r.Small = append(r.Small, c.How)
		}
		talk.Rows = append(talk.Rows, r)
	}
	return sheet{
		Pocket: true, Kind: p.label("cards.card", nil), Title: s.Name, Footer: p.footer(),
		Sections: filled(p.grade(s.Grade), leads, talk, steps),
	}
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
		list.Rows = append(list.Rows, row{Mark: box, Say: item})
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
