package paper

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
	"holdfast/internal/plan/cards"
	"holdfast/internal/yamldoc"
)

// Options of cards.
type Options struct {
	Lang    catalogue.Lang
	Version string    // of the plan
	Made    time.Time // the day on the paper
}

// Cards makes of a plan what goes on paper. known may be nil: then people are
// their ids, without a number. What comes back beside it are warnings: of whom
// nobody could call.
func Cards(p *plan.Plan, known *plan.People, o Options) (*cards.Plan, []yamldoc.Problem) {
	w := &writer{plan: p, lang: o.Lang, people: map[string]int{}, known: known, found: yamldoc.NewFindings(p.File)}
	if known != nil {
		for i := range known.People {
			w.people[known.People[i].ID] = i
		}
	} else {
		w.found.Warning(p.Places.At("roles"), "cards.no-people")
	}
	out := &cards.Plan{
		Lang: o.Lang, Service: w.named(p.Name, p.ID, "name"), Version: cards.Words{Text: o.Version},
		Made: o.Made, ValidUntil: p.ReviewEvery.After(o.Made),
	}
	for _, name := range w.roleNames() {
		out.Roles = append(out.Roles, w.role(name))
	}
	out.Talk = w.channels(w.standby())
	for i := range p.Tools {
		tool, at := &p.Tools[i], fmt.Sprintf("tools[%d]", i)
		how := w.text(tool.For, at+".for")
		if tool.How != (plan.Text{}) {
			how.Text += w.say("cards.sentence-end") + w.text(tool.How, at+".how").Text
		}
		out.Talk = append(out.Talk, cards.Channel{Name: w.named(tool.Name, tool.ID, at+".name"), How: how})
	}
	for i := range p.Providers {
		out.Providers = append(out.Providers, w.provider(i))
	}
	for _, key := range slices.Sorted(maps.Keys(p.Grades)) {
		g, at := p.Grades[key], "grades."+key
		out.Grades = append(out.Grades, cards.Grade{
			Name: w.grade(key), When: w.text(g.When, at+".when"), FirstMessage: g.FirstMessage, Update: g.Update, Recover: g.Recover,
		})
	}
	for i := range p.Interim {
		out.Interim = append(out.Interim, w.interim(i))
	}
	for i := range p.Scenarios {
		out.Scenarios = append(out.Scenarios, w.scenario(i))
	}
	for i := range p.Runbooks {
		at := fmt.Sprintf("runbooks[%d]", i)
		out.Runbooks = append(out.Runbooks, cards.Runbook{
			Name: w.named(p.Runbooks[i].Name, p.Runbooks[i].ID, at+".name"), About: w.text(p.Runbooks[i].About, at+".about"), Steps: w.steps(i),
		})
	}
	out.Messages = w.messages()
	for i := range p.Checklists {
		out.Checklists = append(out.Checklists, w.checklist(i))
	}
	for i := range p.Selfhelp {
		g := &p.Selfhelp[i]
		at := fmt.Sprintf("selfhelp[%d]", i)
		guide := cards.Guide{Name: w.named(g.Name, g.ID, at+".name")}
		for j, step := range g.Steps {
			guide.Steps = append(guide.Steps, w.text(step, fmt.Sprintf("%s.steps[%d]", at, j)))
		}
		out.Selfhelp = append(out.Selfhelp, guide)
	}
	return out, w.found.Found()
}

// writer turns parts of one plan into words with their places.
type writer struct {
	plan   *plan.Plan
	lang   catalogue.Lang
	known  *plan.People
	people map[string]int // id to index
	found  *yamldoc.Findings
	told   map[string]bool // people of whom something was said
}

func (w *writer) say(id string, pairs ...any) string {
	args := catalogue.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return catalogue.Text(w.lang, id, args)
}

func at(file string, p yamldoc.Place) string {
	if p.Line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// words are a text that stands in the business file.
func (w *writer) words(text, where string) cards.Words {
	return cards.Words{Text: text, At: at(w.plan.File, w.plan.Places.At(where))}
}

// text is a text in the cards' language, at the place of that language.
func (w *writer) text(t plan.Text, where string) cards.Words {
	said := t.In(w.lang)
	if said == "" {
		return cards.Words{}
	}
	return w.words(said, where+part(w.plan.Places, t, where, w.lang))
}

// part is the field of a text that stands in a language, empty where the text
// is written as one.
func part(places yamldoc.Places, t plan.Text, where string, lang catalogue.Lang) string {
	for _, p := range []struct{ name, text string }{{".zh", t.Zh}, {".en", t.En}} {
		if _, there := places[where+p.name]; there && p.text == t.In(lang) {
			return p.name
		}
	}
	return ""
}

// named is a name for people, or the id where there is none.
func (w *writer) named(t plan.Text, id, where string) cards.Words {
	if t == (plan.Text{}) {
		return w.words(id, where)
	}
	return w.text(t, where)
}

// roleNames are the roles in the order in which they are called: those who
// stand under nobody first, then by the file's order.
func (w *writer) roleNames() []string {
	depth := func(name string) (n int) {
		for r := w.plan.Roles[name]; r != nil && r.Under != "" && n < len(w.plan.Roles); r = w.plan.Roles[r.Under] {
			n++
		}
		return n
	}
	names := slices.Sorted(maps.Keys(w.plan.Roles))
	slices.SortStableFunc(names, func(a, b string) int {
		if d := depth(a) - depth(b); d != 0 {
			return d
		}
		return w.plan.Places.At("roles."+a).Line - w.plan.Places.At("roles."+b).Line
	})
	return names
}

func (w *writer) role(name string) cards.Role {
	role, where := w.plan.Roles[name], "roles."+name
	out := cards.Role{Name: w.named(role.Name, name, where+".name")}
	var may []string
	for _, word := range role.May {
		may = append(may, w.say("cards.may-"+word))
	}
	if may != nil {
		out.May = w.words(strings.Join(may, w.say("cards.comma")), where+".may")
	}
	for i, id := range role.People {
		if person, ok := w.person(id, fmt.Sprintf("%s.people[%d]", where, i)); ok {
			out.People = append(out.People, person)
		}
	}
	return out
}

// person is one who can be called; ok is false for whoever left.
func (w *writer) person(id, where string) (p cards.Person, ok bool) {
	i, there := w.people[id]
	if !there {
		return cards.Person{Name: w.words(id, where)}, true
	}
	who := &w.known.People[i]
	if who.HasLeft(time.Now()) {
		return cards.Person{}, false
	}
	place := func(field string) string {
		return at(w.known.File, w.known.Places.At(fmt.Sprintf("people[%d].%s", i, field)))
	}
	p.Name = cards.Words{Text: who.Name.In(w.lang), At: place("name" + part(w.known.Places, who.Name, fmt.Sprintf("people[%d].name", i), w.lang))}
	number, field := who.Number()
	if number == "" {
		if !w.told[id] {
			w.found.Warning(w.plan.Places.At(where), "cards.no-phone", "value", id)
			if w.told == nil {
				w.told = map[string]bool{}
			}
			w.told[id] = true
		}
		return p, true
	}
	p.Phone = cards.Words{Text: grouped(number), At: place(field)}
	return p, true
}

// grouped writes a mobile number of China as it is read out.
func grouped(phone string) string {
	if len(phone) != 11 || phone[0] != '1' || strings.ContainsAny(phone, " -") {
		return phone
	}
	return phone[:3] + " " + phone[3:7] + " " + phone[7:]
}

// whoever is the name of a role, or of a person.
func (w *writer) whoever(id, where string) cards.Words {
	if role := w.plan.Roles[id]; role != nil {
		return w.named(role.Name, id, where)
	}
	if p, ok := w.person(id, where); ok && id != "" {
		return p.Name
	}
	return w.words(id, where)
}

// standby are the channels for when the usual ones fail, each with what it
// falls back on behind it.
func (w *writer) standby() []string {
	var ids []string
	for i := range w.plan.Channels {
		if ch := &w.plan.Channels[i]; ch.Standby && !slices.ContainsFunc(w.plan.Channels, func(o plan.Channel) bool { return o.Standby && o.Next == ch.ID }) {
			ids = append(ids, ch.ID)
		}
	}
	return ids
}

// channels are some channels, and those that they fall back on.
func (w *writer) channels(ids []string) []cards.Channel {
	var out []cards.Channel
	seen := map[string]bool{}
	for len(ids) > 0 {
		id := ids[0]
		ids = ids[1:]
		i := slices.IndexFunc(w.plan.Channels, func(ch plan.Channel) bool { return ch.ID == id })
		if i < 0 || seen[id] {
			continue
		}
		seen[id] = true
		ch, where := &w.plan.Channels[i], fmt.Sprintf("channels[%d]", i)
		out = append(out, cards.Channel{Name: w.named(ch.Name, ch.ID, where+".name"), How: w.text(ch.How, where+".how")})
		if ch.Next != "" {
			ids = append(ids, ch.Next)
		}
	}
	return out
}

func (w *writer) provider(i int) cards.Provider {
	p, where := &w.plan.Providers[i], fmt.Sprintf("providers[%d]", i)
	out := cards.Provider{Name: w.named(p.Name, p.ID, where+".name")}
	if p.Phone != "" {
		out.Phone = w.words(p.Phone, where+".phone")
	}
	for _, way := range []struct{ field, text string }{{"mail", p.Mail}, {"site", p.Site}} {
		if way.text != "" {
			out.Ways = append(out.Ways, w.words(way.text, where+"."+way.field))
		}
	}
	if p.Contract != "" {
		out.Ways = append(out.Ways, w.words(w.say("cards.contract", "number", p.Contract), where+".contract"))
	}
	return out
}

func (w *writer) grade(key string) cards.Words {
	name := w.text(w.plan.Grades[key].Name, "grades."+key+".name")
	if name.Text == "" {
		return w.words(key, "grades."+key)
	}
	name.Text = key + " " + name.Text
	return name
}

func (w *writer) interim(i int) cards.Interim {
	way, where := &w.plan.Interim[i], fmt.Sprintf("interim[%d]", i)
	out := cards.Interim{
		Name: w.named(way.Name, way.ID, where+".name"), How: w.text(way.How, where+".how"), Lasts: way.Lasts,
	}
	approved := w.whoever(way.ApprovedBy, where+".approved_by")
	approved.Text = w.say("cards.approved-by", "who", approved.Text, "day", way.ApprovedOn)
	out.Approved = approved
	for j := range w.plan.Impact {
		if row := &w.plan.Impact[j]; row.Meanwhile == way.ID {
			out.For = append(out.For, w.process(j))
		}
	}
	for j := range w.plan.Flows {
		if flow := &w.plan.Flows[j]; flow.Instead == way.ID {
			out.For = append(out.For, w.named(flow.Name, flow.ID, fmt.Sprintf("flows[%d].name", j)))
		}
	}
	if way.Checklist != "" {
		out.Checklist = w.checklistName(way.Checklist)
	}
	return out
}

// process is a department with what it does.
func (w *writer) process(i int) cards.Words {
	row, where := &w.plan.Impact[i], fmt.Sprintf("impact[%d]", i)
	name := w.named(row.Name, row.Process, where+".name")
	name.Text = w.say("cards.process", "department", row.Department.In(w.lang), "process", name.Text)
	return name
}

func (w *writer) checklist(i int) cards.Checklist {
	list, where := &w.plan.Checklists[i], fmt.Sprintf("checklists[%d]", i)
	out := cards.Checklist{Name: w.named(list.Name, list.ID, where+".name")}
	if list.Owner != "" {
		out.Owner = w.whoever(list.Owner, where+".owner")
	}
	for j := range list.Items {
		item, here := &list.Items[j], fmt.Sprintf("%s.items[%d]", where, j)
		line := cards.Item{Say: w.text(item.Say, here+".say")}
		if item.Owner != "" {
			line.Who = w.whoever(item.Owner, here+".owner")
		}
		out.Items = append(out.Items, line)
	}
	return out
}

func (w *writer) checklistName(id string) cards.Words {
	for i := range w.plan.Checklists {
		if list := &w.plan.Checklists[i]; list.ID == id {
			return w.named(list.Name, id, fmt.Sprintf("checklists[%d].name", i))
		}
	}
	return cards.Words{Text: id}
}
