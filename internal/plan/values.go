package plan

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// Text is what people read, in one language or both. Written as one text it
// serves both.
type Text struct {
	En string `yaml:"en" kind:"text"`
	Zh string `yaml:"zh" kind:"text"`
}

// In is the text in a language, or in the other where it has none.
func (t Text) In(lang catalogue.Lang) string {
	if lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

// Short takes one text for both languages.
func (t *Text) Short(f *yamldoc.Findings, n *yamldoc.Node) {
	if strings.TrimSpace(n.Text) == "" {
		f.Error(n.At, "plan.empty-text")
		return
	}
	t.En, t.Zh = n.Text, n.Text
}

// Refine lets one text stand for both languages.
func (*Text) Refine(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{yamldoc.AnyScalar(""), schema}}
}

// Period is a time on the calendar: months and years have no exact length.
type Period struct {
	Months, Days int
	Exact        time.Duration // of hours and minutes
}

// After is the moment a period later. A day that a month lacks becomes its last.
func (p Period) After(t time.Time) time.Time {
	if p.Months != 0 {
		first := time.Date(t.Year(), t.Month()+time.Month(p.Months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
		last := first.AddDate(0, 1, -1).Day()
		t = first.AddDate(0, 0, min(t.Day(), last)-1)
	}
	return t.AddDate(0, 0, p.Days).Add(p.Exact)
}

// rough orders periods; it is no length.
func (p Period) rough() time.Duration {
	return time.Duration(p.Months)*30*24*time.Hour + time.Duration(p.Days)*24*time.Hour + p.Exact
}

// Money is an amount in ten-thousandths of its currency's unit.
type Money struct {
	Parts    int64
	Currency string
}

// MoneyParts is how many parts a currency's unit has.
const MoneyParts = 10000

func (m Money) String() string {
	text := strconv.FormatInt(m.Parts/MoneyParts, 10)
	if rest := m.Parts % MoneyParts; rest != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%04d", rest), "0")
	}
	return text + " " + m.Currency
}

// Loss is money over time.
type Loss struct {
	Money
	Per time.Duration
}

// Unit is the time for which a loss is said, as a plan writes it.
func (l Loss) Unit() string {
	return map[time.Duration]string{time.Minute: "min", time.Hour: "h", 24 * time.Hour: "d"}[l.Per]
}

// After is what a loss has come to.
func (l Loss) After(d time.Duration) Money {
	if l.Per == 0 {
		return Money{Currency: l.Currency}
	}
	return Money{Parts: int64(float64(l.Parts) * float64(d) / float64(l.Per)), Currency: l.Currency}
}

var (
	typeOfText = reflect.TypeFor[Text]()
	typeOfRaw  = reflect.TypeFor[yamldoc.Raw]()
)
