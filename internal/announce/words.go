package announce

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

var languages = []catalogue.Lang{catalogue.En, catalogue.Zh}

// in is a text in a language, or in the other one where it has none.
func in(t continuity.Text, lang catalogue.Lang) string {
	if lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

// own is a text in a language, or nothing where it has none.
func own(t continuity.Text, lang catalogue.Lang) string {
	if lang == catalogue.Zh {
		return t.Zh
	}
	return t.En
}

// values are what fields stand for, by NAME or NAME@LANGUAGE.
type values map[string]string

// both sets a field to a text of both languages, where it says anything.
func (v values) both(name string, t continuity.Text) {
	for _, lang := range languages {
		if words := in(t, lang); words != "" {
			v[name+"@"+string(lang)] = words
		}
	}
}

// said sets a field to a text of the catalogue.
func (v values) said(name, id string) {
	for _, lang := range languages {
		v[name+"@"+string(lang)] = catalogue.Text(lang, id, nil)
	}
}

// moment sets a field to a time, or to words that it is not known.
func (v values) moment(name string, at time.Time, zone *time.Location) {
	if at.IsZero() {
		v.said(name, "announce.unknown."+name)
		return
	}
	v[name] = catalogue.Moment(at, zone)
}

// usual puts honest words where a plan has none.
func (v values) usual(r *Rules) {
	maps.Copy(v, r.Known)
	for _, name := range []string{"contact", "standby"} {
		if v[name] == "" && v[name+"@en"] == "" && v[name+"@zh"] == "" {
			v.said(name, "announce.unknown."+name)
		}
	}
}

// service names the service by its id where the plan has no name for it.
func (v values) service(id string) {
	if v["service@en"] == "" && v["service@zh"] == "" {
		v["service"] = id
	}
}

// affected names what is hit.
func (v values) affected(r *Rules, ids []string) {
	for _, lang := range languages {
		var names []string
		for _, id := range ids {
			name := in(r.Names[id], lang)
			if name == "" {
				name = id
			}
			names = append(names, name)
		}
		comma := ", "
		if lang == catalogue.Zh {
			comma = "、"
		}
		if len(names) == 0 {
			names = []string{cmp.Or(v["service@"+string(lang)], v["service"])}
		}
		v["affected@"+string(lang)] = strings.Join(names, comma)
	}
}

// saying is what is said beside what an incident is.
type saying struct {
	status         continuity.Text // empty: what its state says
	expected, next time.Time
	vars           map[string]string // a person's own
}

// ofIncident are the values for words of an incident to an audience.
func ofIncident(r *Rules, i *continuity.Incident, a *Audience, s saying) values {
	v := values{}
	v.usual(r)
	v.service(i.Service)
	v.both("incident", i.Title)
	if i.Title == (continuity.Text{}) {
		v["incident"] = i.ID
	}
	v["grade"] = i.Grade
	v.moment("start", i.Since(), r.Zone)
	if ended := i.Works(); !ended.IsZero() {
		v.moment("end", ended, r.Zone)
	}
	v.moment("expected", s.expected, r.Zone)
	v.moment("next_update", s.next, r.Zone)
	v.affected(r, i.Hits)
	v.both("audience", a.Name)
	if s.status != (continuity.Text{}) {
		v.both("status", s.status)
	} else if i.Unrestored() {
		v.said("status", "announce.status.unrestored")
	} else {
		v.said("status", "announce.status."+i.State)
	}
	if len(i.Causes) == 0 {
		v.said("reason", "announce.unknown.reason")
	} else {
		for _, lang := range languages {
			var causes []string
			for _, c := range i.Causes {
				causes = append(causes, catalogue.Text(lang, "announce.cause."+c, nil))
			}
			v["reason@"+string(lang)] = strings.Join(causes, map[catalogue.Lang]string{catalogue.En: ", ", catalogue.Zh: "、"}[lang])
		}
	}
	for name, value := range s.vars {
		plain, _, _ := strings.Cut(name, "@")
		if name == plain { // it goes before what is known in either language
			delete(v, name+"@en")
			delete(v, name+"@zh")
		}
		v[name] = value
	}
	return v
}

// ofWindow are the values for words of a window.
func ofWindow(r *Rules, w *continuity.Window) values {
	v := values{}
	v.usual(r)
	v.service(w.Service)
	v.moment("start", w.Start, r.Zone)
	v.moment("end", w.End, r.Zone)
	v.moment("expected", w.End, r.Zone)
	if w.Course.Expected.After(w.End) {
		v.moment("expected", w.Course.Expected, r.Zone)
	}
	v.affected(r, w.Affected)
	if w.Contact != "" {
		delete(v, "contact@en")
		delete(v, "contact@zh")
		v["contact"] = w.Contact
	}
	if w.Standby != "" {
		delete(v, "standby@en")
		delete(v, "standby@zh")
		v["standby"] = w.Standby
	}
	v.both("reason", w.Reason)
	if w.Reason == (continuity.Text{}) {
		v.said("reason", "announce.unknown.reason")
	}
	return v
}

// What a text of a person's own has to say, by phase: one of the fields of each group,
// in braces or as the words that it stands for. What, since when, whom it hits, what
// to do meanwhile, when the next word comes.
var mustSay = map[string][][]string{
	PhaseFirst:    {{"service", "incident"}, {"start"}, {"affected"}, {"standby", "contact"}, {"next_update"}},
	PhaseUpdate:   {{"service", "incident"}, {"start"}, {"affected"}, {"standby", "contact"}, {"next_update"}},
	PhaseAllClear: {{"service", "incident"}, {"end"}},
}

// lacks are the fields that a text of a person's own doesn't say, in any language
// that it has.
func lacks(t continuity.Text, phase string, v values) (missing []string) {
	for _, lang := range languages {
		text := t.En
		if lang == catalogue.Zh {
			text = t.Zh
		}
		if text == "" {
			continue
		}
		for _, group := range mustSay[phase] {
			if group[0] == "end" && v["end"] == "" { // it was ended, and does not work
				continue
			}
			if !slices.ContainsFunc(group, func(name string) bool { return says(text, name, v) }) && !slices.Contains(missing, group[0]) {
				missing = append(missing, group[0])
			}
		}
	}
	return missing
}

func says(text, name string, v values) bool {
	if strings.Contains(text, "{"+name+"}") {
		return true
	}
	for _, key := range []string{name, name + "@en", name + "@zh"} {
		if v[key] != "" && strings.Contains(text, v[key]) {
			return true
		}
	}
	// A time may be said without its date.
	_, value, _ := strings.Cut(v[name], " ")
	hour, _, dated := strings.Cut(value, " UTC")
	return dated && strings.Contains(text, hour)
}

// says reports whether a template has a field.
func (t *Template) says(name string) bool {
	return strings.Contains(t.Text.En+t.Text.Zh, "{"+name+"}")
}
