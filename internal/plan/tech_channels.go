package plan

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/catalogue"
)

// Sender is the channel of the node that stands behind a channel of the plan,
// and what its provider approved of what the plan says.
type Sender struct {
	ID        string               `yaml:"id" kind:"id" ref:"channels" required:"true" example:"sms"`
	Via       string               `yaml:"via" kind:"id" required:"true" example:"company-sms"`
	To        string               `yaml:"to" kind:"text" example:"\"#incidents\""`
	Wording   string               `yaml:"wording" kind:"word" of:"approved,free" example:"free"`
	Templates map[string]*Approved `yaml:"templates" names:"id"`
}

// Approved is a text as a provider approved it, which sends no other.
type Approved struct {
	Code      Text              `yaml:"code" required:"true" example:"SMS_123456789"`
	Sign      string            `yaml:"sign" kind:"text" example:"某公司"`
	Variables map[string]string `yaml:"variables" kind:"text" names:"text" example:"{service: name, expected: time}"`
	Text      Text              `yaml:"text" required:"true" example:"{zh: \"${name} 预计 ${time} 恢复。\"}"`
}

// How a channel is worded.
const (
	WordingApproved = "approved" // its provider sends approved texts only
	WordingFree     = "free"     // it sends any text
)

// Page is what stands in the place of a template's id for what has none: a page,
// a test of the channel.
const Page = "page"

// PageFields are the fields of a page: its subject in one line, all that it says,
// and the link by which it is acknowledged.
var PageFields = []string{"link", "service", "subject", "text"}

// Sender is the channel of the node that the technical file names behind a channel
// of the plan; nil: it names none.
func (p *Plan) Sender(channel string) *Sender {
	if p.Tech == nil {
		return nil
	}
	for i := range p.Tech.Channels {
		if p.Tech.Channels[i].ID == channel {
			return &p.Tech.Channels[i]
		}
	}
	return nil
}

// Behind is the channel of the node behind a channel of the plan: the one that the
// technical file names, else the one of the same name, which is to send any text.
// nil: the plan has no such channel.
func (p *Plan) Behind(channel string) *Sender {
	if s := p.Sender(channel); s != nil {
		return s
	}
	if _, ok := p.Channel(channel); !ok {
		return nil
	}
	return &Sender{ID: channel, Via: channel, Wording: WordingFree}
}

// Approved is the text that stands for a template, which is named by its id or by
// an audience's kind and a phase: its own, else that of a page.
func (s *Sender) Approved(p *Plan, template string) *Approved {
	if own := s.Templates[template]; own != nil {
		return own
	}
	if t, ok := p.TemplateNamed(template); ok && template != "" {
		if own := s.Templates[t.ID]; own != nil {
			return own
		}
	}
	return s.Templates[Page]
}

// Channel is the plan's channel of an id.
func (p *Plan) Channel(id string) (Channel, bool) {
	for i := range p.Channels {
		if p.Channels[i].ID == id {
			return p.Channels[i], true
		}
	}
	return Channel{}, false
}

// Bound says whether a sender sends approved texts only: text messages and calls
// do unless the plan says otherwise.
func (p *Plan) Bound(s *Sender) bool {
	if s.Wording == "" {
		ch, _ := p.Channel(s.ID)
		return len(s.Templates) > 0 || ch.Kind == "sms" || ch.Kind == "phone"
	}
	return s.Wording == WordingApproved
}

// variable is how providers write one: ${name}, {{1}}, {1}.
var variable = regexp.MustCompile(`\$\{([^{}\s]+)\}|\{\{([^{}\s]+)\}\}|\{([^{}\s]+)\}`)

func variableIn(text string) string { return strings.Trim(text, "${}") }

// VariablesIn are the variables of an approved text in the order in which its
// provider counts them: by number where they have numbers, else as they come.
func VariablesIn(text string) []string {
	var names []string
	numbers := true
	for _, found := range variable.FindAllString(text, -1) {
		name := variableIn(found)
		if slices.Contains(names, name) {
			continue
		}
		if _, err := strconv.Atoi(name); err != nil {
			numbers = false
		}
		names = append(names, name)
	}
	if numbers {
		slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	}
	return names
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// Spoken is what a provider will say of an approved text.
type Spoken struct {
	Code      string
	Sign      string
	Text      string            // without the signature; what nothing was given for stands as it is in the text
	Variables map[string]string // by the provider's names
	Order     []string          // of the provider's names
	Open      []string          // fields of the plan for which nothing was given
}

// Say fills an approved text. value knows the fields of the plan.
func (a *Approved) Say(lang catalogue.Lang, value func(field string) (string, bool)) Spoken {
	text := a.Text.In(lang)
	s := Spoken{Code: a.Code.In(lang), Sign: a.Sign, Variables: map[string]string{}, Order: VariablesIn(text)}
	for _, field := range slices.Sorted(maps.Keys(a.Variables)) {
		if filled, ok := value(field); ok {
			s.Variables[a.Variables[field]] = filled
		} else {
			s.Open = append(s.Open, field)
		}
	}
	s.Text = variable.ReplaceAllStringFunc(text, func(found string) string {
		if filled, ok := s.Variables[variableIn(found)]; ok {
			return filled
		}
		return found
	})
	return s
}

// Fill puts values into a template's text; what nothing was given for is returned
// as open.
func Fill(text string, value func(field string) (string, bool)) (filled string, open []string) {
	filled = templateField.ReplaceAllStringFunc(text, func(found string) string {
		field := found[1 : len(found)-1]
		if v, ok := value(field); ok {
			return v
		}
		if !slices.Contains(open, field) {
			open = append(open, field)
		}
		return found
	})
	return filled, open
}

// Sent are the templates that may be sent over a channel, in the order in which
// the plan comes to them.
func (p *Plan) Sent(channel string) []string {
	leading := p.leading(channel)
	over := func(channels []string) bool {
		return slices.ContainsFunc(channels, func(id string) bool { return leading[id] })
	}
	var ids []string
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	type moment struct{ kind, phase string }
	told, inside, outside := map[moment]bool{}, false, false
	for _, name := range slices.Sorted(maps.Keys(p.Audiences)) {
		a := p.Audiences[name]
		if !over(a.Channels) {
			continue
		}
		if a.Kind == "staff" || a.Kind == "executives" {
			inside = true
		} else {
			outside = true
		}
		for _, phase := range p.phases(name) {
			if m := (moment{a.Kind, phase}); !told[m] {
				told[m] = true
				t, _ := p.Template(a.Kind, phase)
				add(t.ID)
			}
		}
	}
	for i := range p.Runbooks {
		for j := range p.Runbooks[i].Steps {
			step := &p.Runbooks[i].Steps[j]
			if step.Do != "notify" && step.Do != "autoreply.on" {
				continue
			}
			with := step.Told()
			a := p.Audiences[with["to"]]
			switch {
			case step.Do == "autoreply.on":
				if with["channel"] == channel {
					add(with["template"])
				}
			case with["channel"] != "" && leading[with["channel"]], with["channel"] == "" && a != nil && over(a.Channels):
				add(with["template"])
			}
		}
	}
	if inside || !outside { // over what is for people outside alone, nobody is paged
		add(Page)
	}
	return ids
}

// phases are those in which an audience is told something.
func (p *Plan) phases(audience string) []string {
	var all []string
	if m := p.Maintenance; m != nil && slices.Contains(m.Tell, audience) {
		all = append(all, "notice", "start", "changed", "overrun", "end", "cancelled")
	}
	all = append(all, "first", "update", "all-clear")
	if c := p.Compensation; c != nil && slices.ContainsFunc(c.Rules, func(g Gift) bool { return g.For == audience }) {
		all = append(all, "compensation")
	}
	return all
}

// leading are the channels of which what they can't send may come to one: itself,
// and those that name it as the next.
func (p *Plan) leading(channel string) map[string]bool {
	before := map[string][]string{}
	for i := range p.Channels {
		before[p.Channels[i].Next] = append(before[p.Channels[i].Next], p.Channels[i].ID)
	}
	found, open := map[string]bool{channel: true}, []string{channel}
	for len(open) > 0 {
		id := open[0]
		open = open[1:]
		for _, from := range before[id] {
			if from != "" && !found[from] {
				found[from] = true
				open = append(open, from)
			}
		}
	}
	return found
}
