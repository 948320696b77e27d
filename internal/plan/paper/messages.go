package paper

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"holdfast/internal/plan"
	"holdfast/internal/plan/cards"
)

// onPaper are the phases whose messages everybody may need in a hurry; those
// that a runbook sends come along anyway.
var onPaper = []string{"first", "update", "all-clear"}

// actText is the id of what an action tells a person to do.
func actText(action string) string { return "cards.do-" + strings.ReplaceAll(action, ".", "-") }

// messages are what the plan's runbooks send, and what each audience is told
// at first, meanwhile and in the end; each once.
func (w *writer) messages() []cards.Message {
	var all []plan.Template
	add := func(t plan.Template, ok bool) {
		if ok && !slices.ContainsFunc(all, func(x plan.Template) bool { return x.ID == t.ID }) {
			all = append(all, t)
		}
	}
	for i := range w.plan.Runbooks {
		for j := range w.plan.Runbooks[i].Steps {
			if id := w.plan.Runbooks[i].Steps[j].Told()["template"]; id != "" {
				add(w.plan.TemplateByID(id))
			}
		}
	}
	for _, phase := range onPaper {
		for _, name := range slices.Sorted(maps.Keys(w.plan.Audiences)) {
			add(w.plan.Template(w.plan.Audiences[name].Kind, phase))
		}
	}
	out := make([]cards.Message, 0, len(all))
	for _, t := range all {
		text, where := t.Text.In(w.lang), ""
		for i := range w.plan.Templates {
			if w.plan.Templates[i].ID == t.ID {
				where = fmt.Sprintf("templates[%d].text", i)
			}
		}
		words := cards.Words{Text: text}
		if where != "" {
			words = w.text(t.Text, where)
		}
		words.Text = w.filled(words.Text)
		out = append(out, cards.Message{Name: cards.Words{Text: w.templateName(t), At: words.At}, Text: words})
	}
	return out
}

// templateName says in people's words when a message is sent and to whom.
func (w *writer) templateName(t plan.Template) string {
	return w.say("cards.message", "phase", w.say("cards.phase-"+t.Phase), "audience", w.say("cards.audience-"+t.Audience))
}

var gap = regexp.MustCompile(`\{([a-z_]+)\}`)

// filled puts into a message what is known beforehand, and gaps for the rest.
func (w *writer) filled(text string) string {
	return gap.ReplaceAllStringFunc(text, func(found string) string {
		switch name := found[1 : len(found)-1]; name {
		case "service":
			return w.plan.Name.In(w.lang)
		case "standby":
			var names []string
			for _, ch := range w.channels(w.standby()) {
				names = append(names, ch.Name.Text)
			}
			if names != nil {
				return strings.Join(names, w.say("cards.comma"))
			}
			return w.say("cards.gap", "name", w.say("cards.field-"+name))
		default:
			return w.say("cards.gap", "name", w.say("cards.field-"+strings.ReplaceAll(name, "_", "-")))
		}
	})
}
