package plan

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"holdfast/internal/yamldoc"
)

//go:embed defaults/templates.yaml
var defaultTemplates []byte

// DefaultTemplates come along with every plan; a plan's own of the same id, or
// for the same audience and phase, goes before.
var DefaultTemplates = sync.OnceValue(func() []Template {
	var doc struct {
		Templates []Template `yaml:"templates"`
	}
	r := read(Source{"defaults/templates.yaml", defaultTemplates}, planLanguage, &doc)
	if r.Failed() {
		panic(fmt.Sprint(r.settle())) // embedded: cannot happen in a binary that was tested
	}
	return doc.Templates
})

// TemplateFields are the fields that a template may have filled in.
var TemplateFields = []string{
	"affected", "audience", "compensation", "contact", "end", "expected", "grade", "hits", "incident", "link", "meanwhile",
	"next_update", "provider", "reason", "receipt", "service", "standby", "start", "status",
}

// mandatory is what a message of a phase must say.
var mandatory = map[string][]string{
	"notice":  {"start", "end", "affected", "contact", "standby"},
	"changed": {"start", "end"},
	"first":   {"service"},
	"update":  {"next_update"},
	"overrun": {"expected"},
}

var templateField = regexp.MustCompile(`\{([^{}\n]*)\}`)

// Template is the one for an audience's kind in a phase; ok is false where
// there is none. Key customers get what customers get unless the plan has
// words of its own for them.
func (p *Plan) Template(audience, phase string) (t Template, ok bool) {
	if t, ok = p.template(audience, phase); !ok && audience == "key-customers" {
		return p.template("customers", phase)
	}
	return t, ok
}

func (p *Plan) template(audience, phase string) (t Template, ok bool) {
	for _, list := range [][]Template{p.Templates, DefaultTemplates()} {
		for _, t := range list {
			if t.Audience == audience && t.Phase == phase {
				return t, true
			}
		}
	}
	return Template{}, false
}

// TemplateByID is the plan's own template of an id, or the one that comes along.
func (p *Plan) TemplateByID(id string) (t Template, ok bool) {
	for _, list := range [][]Template{p.Templates, DefaultTemplates()} {
		for _, t := range list {
			if t.ID == id {
				return t, true
			}
		}
	}
	return Template{}, false
}

// TemplateNamed is the template of an id, or that for an audience's kind in a phase:
// customers/first.
func (p *Plan) TemplateNamed(name string) (Template, bool) {
	if audience, phase, both := strings.Cut(name, "/"); both {
		return p.Template(audience, phase)
	}
	return p.TemplateByID(name)
}

// Mandatory are the fields that a message of a phase must say.
func Mandatory(phase string) []string { return slices.Clone(mandatory[phase]) }

// defineTemplates adds the defaults to the plan's own.
func (c *checker) defineTemplates() {
	e := c.entries["templates"]
	if e == nil {
		e = &entries{in: c.business, at: map[string]yamldoc.Place{}, used: map[string]bool{}}
		c.entries["templates"] = e
	}
	for _, t := range DefaultTemplates() {
		if !e.has(t.ID) {
			e.at[t.ID] = yamldoc.Place{}
			e.names = append(e.names, t.ID)
		}
	}
}

func (c *checker) checkTemplates() {
	for i := range c.plan.Templates {
		t, where := &c.plan.Templates[i], fmt.Sprintf("templates[%d]", i)
		for _, part := range []struct {
			where string
			text  Text
		}{{where + ".subject", t.Subject}, {where + ".text", t.Text}} {
			c.checkFields(part.where, part.text, t.Phase)
		}
	}
}

func (c *checker) checkFields(where string, text Text, phase string) {
	texts := map[string]string{where + ".en": text.En, where + ".zh": text.Zh}
	if text.En == text.Zh {
		texts = map[string]string{where: text.En}
	}
	body := where[len(where)-len("text"):] == "text"
	for _, at := range []string{where, where + ".en", where + ".zh"} {
		words := texts[at]
		if words == "" {
			continue
		}
		var has []string
		for _, m := range templateField.FindAllStringSubmatch(words, -1) {
			has = append(has, m[1])
			if slices.Contains(TemplateFields, m[1]) {
				continue
			}
			if near, ok := yamldoc.Nearest(m[1], TemplateFields); ok {
				c.error(at, "plan.template-field-near", "value", m[1], "near", near)
			} else {
				c.error(at, "plan.template-field", "value", m[1], "words", TemplateFields)
			}
		}
		var lacks []string
		for _, must := range mandatory[phase] {
			if !slices.Contains(has, must) {
				lacks = append(lacks, must)
			}
		}
		if body && lacks != nil {
			c.error(at, "plan.template-lacks", "phase", phase, "words", lacks)
		}
	}
}
