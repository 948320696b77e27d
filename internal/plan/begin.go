package plan

import (
	"bytes"
	_ "embed"
	"reflect"
	"strconv"
	"text/template"

	"holdfast/internal/yamldoc"
)

// Question is one thing that a new plan needs to know.
type Question struct {
	ID      string // its text stands in the catalogue
	Default string // "": it has to be answered
	kind    string
}

// Questions are the ten that make a plan.
func Questions() []Question {
	return []Question{
		{"service", "", "text"}, {"id", "", "id"}, {"owner", "", "person"}, {"deputy", "", "person"},
		{"process", "orders", "id"}, {"department", "", "text"},
		{"mtd", "4h", "duration"}, {"rto", "1h", "duration"}, {"loss", "1000 CNY/h", "loss"},
		{"meanwhile", "", "text"},
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

//go:embed defaults/begin.yaml
var beginning string

// Begin makes a small plan of answers by the ids of their questions. day is
// when the interim way of working was approved: the day on which it is written.
func Begin(answers map[string]string, day string) []byte {
	filled := map[string]string{"day": day}
	for _, q := range Questions() {
		answer := answers[q.ID]
		if answer == "" {
			answer = q.Default
		}
		if q.kind == "text" {
			answer = strconv.Quote(answer)
		}
		filled[q.ID] = answer
	}
	var out bytes.Buffer
	if err := template.Must(template.New("").Option("missingkey=error").Parse(beginning)).Execute(&out, filled); err != nil {
		panic(err) // embedded: cannot happen in a binary that was tested
	}
	return out.Bytes()
}
