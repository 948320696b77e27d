package incident

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// below is the id of the n-th object below an incident.
func below(id, kind string, n int) string { return id + "." + kind + "-" + strconv.Itoa(n) }

// rank orders notifications that are told together by the grade: SEV-1 speaks first.
func rank(grade string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(grade, "SEV-"))
	if err != nil {
		return 0
	}
	return 10 - n
}

// said makes a text of the catalogue in both languages, with what each text of an
// incident may use.
func said(id string, i *continuity.Incident, args func(catalogue.Lang) catalogue.Args) continuity.Text {
	in := func(lang catalogue.Lang) string {
		all := catalogue.Args{
			"id": i.ID, "service": i.Service, "grade": i.Grade, "title": inLanguage(i.Title, lang), "since": i.Since().UTC().Format("2006-01-02 15:04 UTC"),
		}
		if args != nil {
			for name, v := range args(lang) {
				all[name] = v
			}
		}
		return catalogue.Text(lang, id, all)
	}
	return continuity.Text{En: in(catalogue.En), Zh: in(catalogue.Zh)}
}

// inLanguage is a text in a language, or in the other where it has none.
func inLanguage(t continuity.Text, lang catalogue.Lang) string {
	if lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

// lasts is a length of time for people, by the minute where it is one or more.
func lasts(lang catalogue.Lang, d time.Duration) string {
	if d >= time.Minute {
		d = d.Round(time.Minute)
	}
	return catalogue.Lasts(lang, d)
}

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, fmt.Errorf("incident: %s", what), append([]any{"detail_id", "incident.invalid." + what}, pairs...)...)
}

func refused(what string, pairs ...any) error {
	for n := 0; n+1 < len(pairs); n += 2 {
		if name, is := pairs[n+1].(string); is && pairs[n] == "state" {
			words := "incident.word."
			if what == "task" {
				words = "incident.task."
			}
			pairs = append(pairs, "state_text", words+name)
			break
		}
	}
	return continuity.E(continuity.CodeState, fmt.Errorf("incident: %s", what), append([]any{"detail_id", "incident.state." + what}, pairs...)...)
}
