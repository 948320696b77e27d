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

// Time reports whether the answer is how long something lasts.
func (q Question) Time() bool { return q.kind == "duration" }

// Wrong says what is wrong with an answer, by itself or beside those that were
// given before, or nil.
func (q Question) Wrong(answer string, before map[string]string) *yamldoc.Problem {
	f := yamldoc.NewFindings("")
	at := yamldoc.Place{Line: 1, Column: 1, Length: 1}
	if _, bad := kinds[q.kind].Parse(answer, reflect.StructTag("")); bad != nil {
		f.Error(at, bad.ID, append([]any{"field", q.ID, "value", yamldoc.Brief(answer)}, bad.Args...)...)
		return &f.Found()[0]
	}
	mtd, rto := before["mtd"], before["rto"]
	switch q.ID {
	case "mtd":
		mtd = answer
	case "rto":
		rto = answer
	default:
		return nil
	}
	if most, within := lasts(mtd), lasts(rto); most > 0 && within > most {
		f.Error(at, "plan.rto-over-mtd", "rto", rto, "mtd", mtd)
		return &f.Found()[0]
	}
	return nil
}

// lasts is how long an answer is; 0: there is none yet.
func lasts(answer string) time.Duration {
	value, _ := kinds["duration"].Parse(answer, reflect.StructTag(""))
	d, _ := value.(time.Duration)
	return d
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
