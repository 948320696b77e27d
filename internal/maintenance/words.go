package maintenance

import (
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// both makes a text of the catalogue in both languages.
func both(id string, args func(catalogue.Lang) catalogue.Args) continuity.Text {
	return continuity.Text{En: catalogue.Text(catalogue.En, id, args(catalogue.En)), Zh: catalogue.Text(catalogue.Zh, id, args(catalogue.Zh))}
}

func in(t continuity.Text, lang catalogue.Lang) string {
	if lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

func first(texts ...continuity.Text) continuity.Text {
	for _, t := range texts {
		if t != (continuity.Text{}) {
			return t
		}
	}
	return continuity.Text{}
}

func plainText(s string) continuity.Text { return continuity.Text{En: s, Zh: s} }

// Joined lists texts in both languages, each once.
func Joined(texts []continuity.Text) continuity.Text {
	var en, zh []string
	for _, t := range texts {
		if s := in(t, catalogue.En); s != "" && !slices.Contains(en, s) {
			en = append(en, s)
		}
		if s := in(t, catalogue.Zh); s != "" && !slices.Contains(zh, s) {
			zh = append(zh, s)
		}
	}
	return continuity.Text{En: strings.Join(en, ", "), Zh: strings.Join(zh, "、")}
}

// said is what every message of a window can say.
type said struct {
	affected, hits, meanwhile, contact, standby, reason continuity.Text
}

func (w *window) said() said {
	var names, whom, meant []continuity.Text
	for _, id := range w.Affected {
		part, ok := w.rules.Affected[id]
		if !ok || part.Name == (continuity.Text{}) {
			part.Name = plainText(id)
		}
		names, whom, meant = append(names, part.Name), append(whom, part.Whom), append(meant, part.Meant)
	}
	if len(w.Affected) == 0 {
		names = []continuity.Text{w.rules.Name}
	}
	var standby []continuity.Text
	for _, c := range w.rules.Standby {
		standby = append(standby, first(c.Name, plainText(c.ID)))
	}
	return said{
		affected:  Joined(names),
		hits:      first(w.Hits, Joined(whom), w.rules.Whom),
		meanwhile: first(w.Meanwhile, Joined(meant), w.rules.Meant),
		contact:   first(plainText(w.Contact), w.rules.Contact),
		standby:   first(plainText(w.Standby), Joined(standby)),
		reason:    first(w.Reason, both("maintenance.no-reason", func(catalogue.Lang) catalogue.Args { return nil })),
	}
}

// mustSay are the fields that the words of a first notice must have; a window's own
// text has them all.
var mustSay = []string{"start", "end", "affected", "contact", "standby"}

// lacks is what the messages of a window would not say: one that lacks anything is
// not announced.
func (w *window) lacks() (all []string) {
	says := w.said()
	for _, part := range []struct {
		name string
		is   bool
	}{
		{"what", says.affected != continuity.Text{}},
		{"start", !w.Start.IsZero()},
		{"end", w.End.After(w.Start)},
		{"hits", says.hits != continuity.Text{}},
		{"meanwhile", says.meanwhile != continuity.Text{}},
		{"contact", says.contact != continuity.Text{}},
		{"standby", says.standby != continuity.Text{}},
		{"tell", len(w.rules.Tell) > 0},
		{"reason", w.Kind != continuity.WindowEmergency || w.theirs() || w.Reason != continuity.Text{}}, // whoever approves goes by it
	} {
		if !part.is {
			all = append(all, part.name)
		}
	}
	for _, id := range w.rules.Tell {
		fields, own := w.rules.Audiences[id].Words[PhaseNotice]
		if own && slices.ContainsFunc(mustSay, func(f string) bool { return !slices.Contains(fields, f) }) {
			all = append(all, "words")
			break
		}
	}
	return all
}

// vars are what the templates of a window's messages are filled with.
func (w *window) vars(a *Audience) map[string]string {
	vars := map[string]string{}
	put := func(name string, t continuity.Text) {
		for lang, text := range map[catalogue.Lang]string{catalogue.En: in(t, catalogue.En), catalogue.Zh: in(t, catalogue.Zh)} {
			if text != "" {
				vars[name+"@"+string(lang)] = text
			}
		}
	}
	says := w.said()
	put("service", w.rules.Name)
	put("audience", first(a.Name, plainText(a.ID)))
	put("affected", says.affected)
	put("hits", says.hits)
	put("meanwhile", says.meanwhile)
	put("contact", says.contact)
	put("standby", says.standby)
	put("reason", says.reason)
	vars["start"], vars["end"] = w.clock(w.Start), w.clock(w.End)
	vars["expected"] = vars["end"]
	w.courseVars(vars, put)
	return vars
}

// words is the text of a phase where the plan has none of its own for an audience.
func (w *window) words(a *Audience, phase, part string) continuity.Text {
	vars := w.vars(a)
	return both("maintenance.say."+phase+"."+part, func(lang catalogue.Lang) catalogue.Args {
		args := catalogue.Args{}
		for _, name := range []string{"service", "affected", "hits", "meanwhile", "contact", "standby", "reason", "start", "end", "expected"} {
			if args[name] = vars[name]; vars[name] == "" {
				args[name] = vars[name+"@"+string(lang)]
			}
		}
		return args
	})
}

// clock is a time as the service's people say it.
func (w *window) clock(at time.Time) string {
	return at.In(w.rules.Zone).Format("2006-01-02 15:04 UTC-07:00")
}

// title is what a window is called in words to those who plan it.
func (w *window) title(lang catalogue.Lang) string {
	if t := in(w.Title, lang); t != "" {
		return t
	}
	return catalogue.Text(lang, "maintenance.title."+w.Kind, nil)
}

// owner tells who answers for the service. id is what the ids of the texts begin with.
func (w *window) owner(id, urgency string, more catalogue.Args) {
	id = strings.TrimSuffix(id, ".")
	args := func(lang catalogue.Lang) catalogue.Args { return w.args(lang, more) }
	n := continuity.Notification{
		Urgency: urgency, To: []continuity.Recipient{{Kind: continuity.ToPerson, ID: w.rules.Owner}},
		Subject: both(id+".subject", args), Text: both(id+".text", args), Touches: w.Affected,
	}
	if w.rules.Lead != "" {
		n.Escalate = []continuity.Recipient{{Kind: continuity.ToRole, ID: w.rules.Lead}, {Kind: continuity.ToDeputies, ID: w.rules.Lead}}
	}
	w.tell(n)
}

// lackTexts says for its planner what a window lacks, or falls on.
func (w *window) lackTexts() []string {
	all := lackWords(w.Lacks)
	if w.Placed.Clashes() {
		all = append(all, "maintenance.lacks.place")
	}
	if len(all) == 0 {
		all = append(all, "maintenance.lacks.nothing")
	}
	return all
}

// args are what texts for staff are filled with: the window, and more. Of more, a list
// is of messages of the catalogue.
func (w *window) args(lang catalogue.Lang, more map[string]any) catalogue.Args {
	all := catalogue.Args{"id": w.ID, "title": w.title(lang), "service": in(w.rules.Name, lang), "start": w.clock(w.Start), "end": w.clock(w.End)}
	for name, v := range more {
		if ids, ok := v.([]string); ok { // messages of the catalogue
			texts := make([]string, len(ids))
			for i, id := range ids {
				texts[i] = catalogue.Text(lang, id, nil)
			}
			v = strings.Join(texts, map[catalogue.Lang]string{catalogue.En: ", ", catalogue.Zh: "、"}[lang])
		}
		if t, ok := v.(continuity.Text); ok {
			v = in(t, lang)
		}
		all[name] = v
	}
	return all
}
