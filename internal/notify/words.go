package notify

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

var errWords = errors.New("notify: a field of a template is not filled")

func valueOf(vars map[string]string, name, language string) string {
	if v := vars[name+"@"+language]; v != "" {
		return v
	}
	return vars[name]
}

// in is a text in a language, or in the other one where it has none.
func in(t continuity.Text, language string) string {
	if language == "zh" && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

// mostNamed bounds how many others one message names.
const mostNamed = 10

// together is two sets of values; the second goes before the first.
func together(known, values map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range known {
		field, _, _ := strings.Cut(name, "@")
		if _, said := values[field]; !said {
			all[name] = value
		}
	}
	maps.Copy(all, values)
	return all
}

// compose makes the message of a delivery, which tells others besides.
func compose(n *continuity.Notification, d *continuity.Delivery, with []*continuity.Notification, target *Target, way *Way, kind *Kind) *Message {
	m := &Message{
		Key: d.ID, Repeat: d.Repeat, Kind: way.Kind, To: way.Address, Name: target.Name, Language: "en",
		Urgent: n.Urgency == continuity.UrgencyPage, Thread: n.About,
	}
	var subjects, texts []string
	for _, language := range strings.Split(d.Language, "+") {
		subject, text := wordsIn(n, with, language)
		if n.Exercise != "" {
			subject, text = marked("notify.exercise", language, subject, text)
		}
		if d.Repeat && !kind.Keys {
			subject, text = marked("notify.repeat", language, subject, text)
		}
		if texts = append(texts, text); subject != "" {
			subjects = append(subjects, subject)
		}
	}
	m.Language, _, _ = strings.Cut(d.Language, "+")
	// What is the same in each language is said once.
	m.Subject, m.Text = strings.Join(slices.Compact(subjects), " / "), strings.Join(slices.Compact(texts), "\n\n")
	if kind.Longest > 0 {
		m.Text = cut(m.Text, kind.Longest)
	}
	return m
}

// marked has a message say something before all else; one without a subject gets
// none by it.
func marked(id, language, subject, text string) (withSubject, withText string) {
	mark := catalogue.Text(catalogue.Lang(language), id, nil)
	with := func(words string) string {
		if strings.HasPrefix(words, mark) { // whoever wrote it said so
			return words
		}
		return mark + words
	}
	if subject != "" {
		subject = with(subject)
	}
	return subject, with(text)
}

// approve puts a message into the text that its provider approved, where it sends
// no other. One that can't be filled is an error.
func approve(m *Message, n *continuity.Notification, a *Approved) error {
	if a == nil {
		return nil
	}
	vars := together(a.Known, n.Vars)
	for name, value := range map[string]string{"subject": m.Subject, "text": m.Text, "link": m.Link} {
		if vars[name] == "" {
			vars[name] = value
		}
	}
	if valueOf(vars, "service", m.Language) == "" {
		vars["service"] = n.Service
	}
	marked := n.Exercise == ""
	m.Template = &Template{Code: in(a.Code, m.Language), Sign: a.Sign, Order: a.Order[m.Language], Variables: map[string]string{}}
	for theirs, ours := range a.Variables {
		value := valueOf(vars, ours, m.Language)
		if value == "" {
			return errWords
		}
		switch {
		case n.Exercise == "":
		case ours == "service":
			value, marked = catalogue.Text(catalogue.Lang(m.Language), "notify.exercise", nil)+value, true
		case ours == "subject", ours == "text":
			marked = marked || n.Vars[ours] == "" // what was composed says so already
		}
		m.Template.Variables[theirs] = value
	}
	if !marked {
		return errWords // an exercise that does not say so is no exercise for who reads it
	}
	return nil
}

// wordsIn is what a notification says in one language, with those that it tells
// besides.
func wordsIn(n *continuity.Notification, with []*continuity.Notification, language string) (subject, text string) {
	lang := catalogue.Lang(language)
	subject, text = in(n.Subject, language), in(n.Text, language)
	if n.Again > 0 {
		text += "\n" + catalogue.Text(lang, "notify.more", catalogue.Args{"n": n.Again})
	}
	if len(with) == 0 {
		return subject, text
	}
	if subject != "" {
		subject = catalogue.Text(lang, "notify.digest", catalogue.Args{"subject": subject, "n": len(with)})
	}
	text += "\n\n" + catalogue.Text(lang, "notify.also", nil)
	for i, other := range with {
		if i == mostNamed {
			text += "\n" + catalogue.Text(lang, "notify.further", catalogue.Args{"n": len(with) - i})
			break
		}
		text += "\n- " + brief(other, language)
	}
	return subject, text
}

// brief is a notification in one line.
func brief(n *continuity.Notification, language string) string {
	line := in(n.Subject, language)
	if line == "" {
		line, _, _ = strings.Cut(in(n.Text, language), "\n")
	}
	return cut(line, 120)
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	runes := []rune(text)
	return string(runes[:most-1]) + "…"
}
