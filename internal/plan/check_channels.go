package plan

import (
	"fmt"
	"maps"
	"slices"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// checkSenders holds the channels of the node to what the plan sends over them.
func (c *checker) checkSenders() {
	for i := range c.plan.Tech.Channels {
		if c.tech.Full() {
			return
		}
		s, where := &c.plan.Tech.Channels[i], fmt.Sprintf("channels[%d]", i)
		for _, id := range slices.Sorted(maps.Keys(s.Templates)) {
			c.checkApproved(id, s.Templates[id], where+".templates."+id)
		}
		ch, known := c.plan.Channel(s.ID)
		switch {
		case !known:
			continue // which is told already
		case s.Wording == WordingFree && len(s.Templates) > 0:
			c.tech.Error(place(c.tech.places, where+".templates"), "plan.approved-free")
			continue
		case ch.Kind == "messenger" && s.Wording == "" && len(s.Templates) == 0: // WhatsApp is one
			c.tech.Error(place(c.tech.places, where+".id"), "plan.wording-unsaid", "id", ch.ID)
			continue
		case !c.plan.Bound(s):
			continue
		}
		var lacks []string
		for _, id := range c.plan.Sent(s.ID) {
			if s.Templates[id] == nil {
				lacks = append(lacks, id)
			}
		}
		if len(lacks) > 0 {
			c.tech.Error(place(c.tech.places, where+".id"), "plan.approved-missing", "id", ch.ID, "words", lacks)
		}
	}
}

// checkApproved holds an approved text to the template that it stands for.
func (c *checker) checkApproved(id string, a *Approved, where string) {
	fields, phase := PageFields, ""
	if id != Page {
		c.reference(c.tech, place(c.tech.places, where), "channels.templates", "templates", id)
		t, ok := c.plan.TemplateByID(id)
		if !ok {
			return
		}
		fields, phase = TemplateFields, t.Phase
	}
	filled := map[string]string{} // by the provider's names
	for _, field := range slices.Sorted(maps.Keys(a.Variables)) {
		at, name := place(c.tech.places, where+".variables."+field), a.Variables[field]
		if near, ok := yamldoc.Nearest(field, fields); !slices.Contains(fields, field) && ok {
			c.tech.Error(at, "plan.template-field-near", "value", field, "near", near)
		} else if !slices.Contains(fields, field) {
			c.tech.Error(at, "plan.template-field", "value", field, "words", fields)
		}
		if first := filled[name]; first != "" {
			c.tech.Error(at, "plan.approved-twice", "value", name, "first", first)
		}
		filled[name] = field
	}
	if a.Text == (Text{}) {
		return // which is told already
	}
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		text, at := a.Text.En, place(c.tech.places, where+".text.en")
		if lang == catalogue.Zh {
			text, at = a.Text.Zh, place(c.tech.places, where+".text.zh")
		}
		if text == "" || lang == catalogue.Zh && text == a.Text.En {
			continue
		}
		in := VariablesIn(text)
		for _, name := range in {
			if filled[name] == "" {
				c.tech.Error(at, "plan.approved-unfilled", "value", name)
			}
		}
		var has []string
		for _, name := range slices.Sorted(maps.Keys(filled)) {
			if !slices.Contains(in, name) {
				c.tech.Error(place(c.tech.places, where+".variables."+filled[name]), "plan.approved-unknown", "value", name)
			}
			has = append(has, filled[name])
		}
		var lacks []string
		for _, must := range mandatory[phase] {
			if !slices.Contains(has, must) {
				lacks = append(lacks, must)
			}
		}
		if len(lacks) > 0 {
			c.tech.Error(at, "plan.template-lacks", "phase", phase, "words", lacks)
		}
	}
}
