package plan

import (
	"bytes"
	_ "embed"
	"reflect"
	"strconv"
	"text/template"
	"time"

	"holdfast/internal/yamldoc"
)

// Question is one thing that a new plan needs to know.
type Question struct {
	ID      string // its text stands in the catalogue
	Default string // "": it has to be answered
	Sheet   bool   // a business impact analysis answers it
	kind    string
}

// Questions are the ten that make a plan.
func Questions() []Question {
	return []Question{
		{"service", "", false, "text"}, {"id", "", false, "id"}, {"owner", "", false, "person"}, {"deputy", "", false, "person"},
		{"process", "orders", true, "id"}, {"department", "", true, "text"},
		{"mtd", "4h", true, "duration"}, {"rto", "1h", true, "duration"}, {"loss", "1000 CNY/h", true, "loss"},
		{"meanwhile", "", true, "text"},
	}
}

// Wrong says what is wrong with an answer, or nil.
func (q Question) Wrong(answer string) *yamldoc.Problem {
	_, bad := kinds[q.kind].Parse(answer, reflect.StructTag(""))
	if bad == nil {
		return nil
	}
	f := yamldoc.NewFindings("")
	f.Error(yamldoc.Place{Line: 1, Column: 1, Length: 1}, bad.ID, append([]any{"field", q.ID, "value", yamldoc.Brief(answer)}, bad.Args...)...)
	return &f.Found()[0]
}

// Beginning is what a new plan is made of.
type Beginning struct {
	Answers map[string]string   // by the ids of their questions
	Day     string              // when the interim way of working was approved: the day on which it is written
	Impact  []Process           // none: the one process of the answers
	Interim []Interim           // of Impact
	Notes   map[string][]string // comments on a process, by its id
	Recover time.Duration       // within which SEV-1 ends; 0: as answered
}

//go:embed defaults/begin.yaml
var beginning string

// Begin makes a small plan.
func Begin(b Beginning) []byte {
	filled := map[string]any{"day": b.Day, "impact": b.Impact, "interim": b.Interim, "notes": b.Notes}
	for _, q := range Questions() {
		answer := b.Answers[q.ID]
		if answer == "" {
			answer = q.Default
		}
		if q.kind == "text" {
			answer = strconv.Quote(answer)
		}
		filled[q.ID] = answer
	}
	if b.Recover > 0 {
		filled["rto"] = Written(b.Recover)
	}
	words := template.FuncMap{"quote": strconv.Quote, "time": Written}
	var out bytes.Buffer
	if err := template.Must(template.New("").Funcs(words).Option("missingkey=error").Parse(beginning)).Execute(&out, filled); err != nil {
		panic(err) // embedded: cannot happen in a binary that was tested
	}
	return out.Bytes()
}

// Written is a duration as a plan writes it.
func Written(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Second != 0:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + "ms"
	}
	return brief(d)
}
