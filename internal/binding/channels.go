package binding

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// Node knows the kinds of a node's channels by their ids.
type Node func(id string) (notify.Kind, bool)

// Behind is which channel of a node stands behind one of a plan,
// and the text in which its provider approved a template; nil: it sends any. Whatever
// is sent, shown or refused by a plan's channels goes by it.
func Behind(p *plan.Plan, node Node, channel, template string) (*plan.Sender, *plan.Approved, error) {
	s := p.Behind(channel)
	if s == nil {
		return nil, nil, ErrNoChannel
	}
	kind, there := node(s.Via)
	switch {
	case !there:
		return s, nil, ErrNothingBehind
	case p.Bound(s):
		if text := s.Approved(p, template); text != nil {
			return s, text, nil
		}
		return s, nil, ErrUnapproved
	case kind.Templates:
		return s, nil, ErrUnapproved
	}
	return s, nil, nil
}

// RefusedChannels reports channels of a plan that the node's, of these kinds, can't
// be: those that the technical file names, and those of a channel's name.
func RefusedChannels(p *plan.Plan, node map[string]notify.Kind) []yamldoc.Problem {
	r := newReport(p)
	for i := range p.Channels {
		ch := &p.Channels[i]
		kind, there := node[ch.ID]
		if p.Sender(ch.ID) != nil || !there {
			continue
		}
		where := fmt.Sprintf("channels[%d].id", i)
		switch {
		case !slices.Contains(kind.Serves, ch.Kind):
			r.Plan(where, "wording.plan.named", "via", ch.ID, "kind", kind.Name, "is", ch.Kind, "words", kind.Serves)
		case kind.Templates:
			r.Plan(where, "wording.plan.unapproved", "via", ch.ID, "kind", kind.Name)
		}
	}
	if p.Tech == nil {
		return r.problems()
	}
	for i := range p.Tech.Channels {
		s, where := &p.Tech.Channels[i], fmt.Sprintf("channels[%d]", i)
		ch, known := p.Channel(s.ID)
		kind, there := node[s.Via]
		switch {
		case !known: // which the plan's own checks say
		case !there:
			r.channelMissing(where+".via", s.Via, node)
		case !slices.Contains(kind.Serves, ch.Kind):
			r.Tech(where+".via", "wording.plan.serves", "via", s.Via, "kind", kind.Name, "id", s.ID, "is", ch.Kind, "words", kind.Serves)
		case kind.Templates && !p.Bound(s):
			r.Tech(where+".via", "wording.plan.approved", "via", s.Via, "kind", kind.Name, "id", s.ID)
		}
	}
	return r.problems()
}

func (r *Report) channelMissing(where, via string, node map[string]notify.Kind) {
	var names []string
	for name := range node {
		names = append(names, name)
	}
	slices.Sort(names)
	if near, ok := yamldoc.Nearest(via, names); ok {
		r.Tech(where, "wording.plan.via-near", "via", via, "near", near)
		return
	}
	if names == nil {
		r.Tech(where, "wording.plan.via-none", "via", via)
		return
	}
	r.Tech(where, "wording.plan.via", "via", via, "words", names)
}

// Wording is what a plan says over one of its channels.
type Wording struct {
	Via           string // the channel of the node; empty: none stands behind it, and nobody named one
	To            string // the room or group, where whoever is told has none of their own
	Subject, Text string
	Template      *notify.Template // of a provider that sends approved texts only
	Open          []string         // fields of the plan for which nothing is known
}

// Why nothing can be said.
var (
	ErrNoChannel  = errors.New("binding: the plan has no such channel")
	ErrNoTemplate = errors.New("binding: there is no such template")
	ErrUnapproved = errors.New("binding: no approved text stands for the template")
	// ErrNothingBehind is of a channel that the node has not.
	ErrNothingBehind = errors.New("binding: no channel of the node stands behind it")
)

// Word puts a template of the plan, or plan.Page, into the words of a channel of a
// node. The values go before what the plan itself knows; a name with
// "@en" or "@zh" is for that language. What no channel stands behind is worded, too.
func Word(p *plan.Plan, node Node, channel, template string, lang catalogue.Lang, values map[string]string) (Wording, error) {
	s, a, err := Behind(p, node, channel, template)
	if errors.Is(err, ErrNoChannel) {
		return Wording{}, err
	}
	t, ok := p.TemplateByID(template)
	if template == plan.Page {
		words := catalogue.Text(lang, "wording.page", nil)
		t, ok = plan.Template{ID: plan.Page, Text: plan.Text{En: words, Zh: words}}, true
	}
	if !ok {
		return Wording{}, ErrNoTemplate
	}
	nothing := errors.Is(err, ErrNothingBehind)
	if nothing && p.Bound(s) { // yet
		if a = s.Approved(p, template); a == nil {
			err = ErrUnapproved
		}
	}
	if errors.Is(err, ErrUnapproved) {
		return Wording{}, err
	}
	value := func(field string) (string, bool) { return valueOf(p, field, lang, values) }
	var w Wording
	if !nothing || p.Sender(channel) != nil {
		w.Via, w.To = s.Via, s.To
	}
	if a == nil {
		var open []string
		w.Subject, w.Open = plan.Fill(t.Subject.In(lang), value)
		w.Text, open = plan.Fill(t.Text.In(lang), value)
		for _, field := range open {
			if !slices.Contains(w.Open, field) {
				w.Open = append(w.Open, field)
			}
		}
		return w, nil
	}
	said := a.Say(lang, func(field string) (string, bool) {
		if v, ok := value(field); ok || template == plan.Page {
			return v, ok
		}
		// The text of a page says another template's words.
		switch field {
		case "subject":
			v, _ := plan.Fill(t.Subject.In(lang), value)
			return v, v != ""
		case "text":
			v, _ := plan.Fill(t.Text.In(lang), value)
			return v, v != ""
		}
		return "", false
	})
	w.Text, w.Open = said.Text, said.Open
	w.Template = &notify.Template{Code: said.Code, Sign: said.Sign, Variables: said.Variables, Order: said.Order}
	return w, nil
}

// Known are the values of fields that the plan itself has, by NAME@LANGUAGE.
func Known(p *plan.Plan) map[string]string {
	all := map[string]string{}
	for _, field := range []string{"provider", "service", "standby"} {
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			if v, ok := valueOf(p, field, lang, nil); ok && v != "" {
				all[field+"@"+string(lang)] = v
			}
		}
	}
	return all
}

// valueOf is what is known of a field.
func valueOf(p *plan.Plan, field string, lang catalogue.Lang, values map[string]string) (string, bool) {
	for _, name := range []string{field + "@" + string(lang), field} {
		if v, ok := values[name]; ok {
			return v, true
		}
	}
	switch field {
	case "service":
		return p.Name.In(lang), true
	case "provider":
		for i := range p.Providers {
			if p.Providers[i].ID == p.Service.Provider {
				return p.Providers[i].Name.In(lang), true
			}
		}
	case "standby":
		var names []string
		for i := range p.Channels {
			if ch := &p.Channels[i]; ch.Standby {
				name := ch.Name.In(lang)
				if name == "" {
					name = ch.ID
				}
				names = append(names, name)
			}
		}
		comma := map[catalogue.Lang]string{catalogue.Zh: "、"}[lang]
		if comma == "" {
			comma = ", "
		}
		return strings.Join(names, comma), len(names) > 0
	}
	return "", false
}
