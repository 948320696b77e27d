package calendar

import (
	_ "embed"
	"maps"
	"slices"
	"sync"
	"time"
)

// Kind says why a day is worked on or not.
type Kind string

// The kinds of days.
const (
	Workday Kind = "workday"
	Weekend Kind = "weekend"
	Holiday Kind = "holiday"
	MakeUp  Kind = "make-up" // a weekend's day that is worked on
)

// Name is what a day off is called.
type Name struct {
	En string `json:"en,omitempty" yaml:"en" kind:"text"`
	Zh string `json:"zh,omitempty" yaml:"zh" kind:"text"`
}

// Day is the answer for one date.
type Day struct {
	Date    Date   `json:"date"`
	Kind    Kind   `json:"kind"`
	Name    Name   `json:"name,omitzero"`
	Source  string `json:"source,omitempty"` // the notice or file that says so
	Warning *Doubt `json:"warning,omitempty"`
}

// Working reports whether the day is worked on.
func (d Day) Working() bool { return d.Kind == Workday || d.Kind == MakeUp }

// Doubt says why an answer may be wrong: ID is a message of the catalogue.
type Doubt struct {
	ID   string `json:"id"`
	Year int    `json:"year"` // the year whose notice is missing
}

// The doubts.
const (
	// WeekendsOnly: the year has no notice here, so only weekends are known.
	WeekendsOnly = "calendar.weekends-only"
	// YearsEnd: next year's notice may still move days off into this December.
	YearsEnd = "calendar.years-end"
)

// yearsEnd is the first day of December that notices of the next year have
// touched.
const yearsEnd = 28

// Workdays knows which days are worked on. It does not change: With returns
// another.
type Workdays struct {
	weekend [7]bool
	days    map[Date]Day
	years   map[int]string // year to its source
	yearly  bool           // a year without a source is in doubt
}

//go:embed data/cn.yaml
var china []byte

var builtIn = sync.OnceValue(func() *Workdays {
	w, problems := Weekends(time.Saturday, time.Sunday).With("cn.yaml", china)
	if len(problems) > 0 {
		panic(problems[0].ID) // embedded: cannot happen in a binary that was tested
	}
	w.yearly = true
	return w
})

// China returns the working days of mainland China.
func China() *Workdays { return builtIn() }

// Weekends returns the working days of a country of which nothing but its
// weekend is known.
func Weekends(days ...time.Weekday) *Workdays {
	w := &Workdays{days: map[Date]Day{}, years: map[int]string{}}
	for _, d := range days {
		w.weekend[d] = true
	}
	return w
}

func (w *Workdays) clone() *Workdays {
	out := *w
	out.days, out.years = maps.Clone(w.days), maps.Clone(w.years)
	return &out
}

// Years lists the years that are known whole.
func (w *Workdays) Years() []int { return slices.Sorted(maps.Keys(w.years)) }

// Day answers for a date.
func (w *Workdays) Day(d Date) Day {
	if day, ok := w.days[d]; ok {
		return day
	}
	out := Day{Date: d, Kind: Workday, Source: w.years[d.Year]}
	if w.weekend[d.Weekday()] {
		out.Kind = Weekend
	}
	if !w.yearly {
		return out
	}
	if _, known := w.years[d.Year]; !known {
		out.Warning = &Doubt{WeekendsOnly, d.Year}
	} else if _, next := w.years[d.Year+1]; !next && d.Month == time.December && d.Day >= yearsEnd {
		out.Warning = &Doubt{YearsEnd, d.Year + 1}
	}
	return out
}

// maxStep bounds how many working days are counted.
const maxStep = 10_000

// Add returns the n-th working day after a date, or before it where n is
// negative; the date itself does not count. For 0 it is the date itself. The
// doubts are those of every day that was passed.
func (w *Workdays) Add(from Date, n int) (Date, []Doubt, error) {
	if n > maxStep || n < -maxStep {
		return Date{}, nil, invalid("calendar.too-far", "max", maxStep)
	}
	step, left := 1, n
	if n < 0 {
		step, left = -1, -n
	}
	var doubts []Doubt
	d := from
	for idle := 0; left > 0; {
		d = d.Plus(step)
		day := w.Day(d)
		doubts = with(doubts, day.Warning)
		if idle++; day.Working() {
			left, idle = left-1, 0
		}
		if idle > 366 { // a week that is all weekend
			return Date{}, nil, invalid("calendar.no-workdays")
		}
	}
	return d, doubts, nil
}

// Between counts the working days after a date, up to another and with it; it is
// negative where to is before from. Between(d, Add(d, n)) is n for n of 0 and
// more.
func (w *Workdays) Between(from, to Date) (int, []Doubt, error) {
	if to.Before(from) {
		n, doubts, err := w.Between(to, from)
		return -n, doubts, err
	}
	if days := to.wall().Sub(from.wall()) / (24 * time.Hour); days > 3*maxStep {
		return 0, nil, invalid("calendar.too-far", "max", maxStep)
	}
	n := 0
	var doubts []Doubt
	for d := from; d != to; {
		d = d.Plus(1)
		day := w.Day(d)
		doubts = with(doubts, day.Warning)
		if day.Working() {
			n++
		}
	}
	return n, doubts, nil
}

// WorkdayCount is the working days of a time, with those days that are no plain
// working days or weekends.
type WorkdayCount struct {
	From    Date    `json:"from"`
	To      Date    `json:"to"`
	Working int     `json:"working"`
	Days    []Day   `json:"days" nullable:"false"`
	Doubts  []Doubt `json:"doubts" nullable:"false"`
}

// maxCount bounds how many days are shown one by one.
const maxCount = 400

// Count counts the working days from a date to another, both included.
func (w *Workdays) Count(from, to Date) (WorkdayCount, error) {
	out := WorkdayCount{From: from, To: to, Days: []Day{}, Doubts: []Doubt{}}
	if to.Before(from) || from.Plus(maxCount).Before(to) {
		return out, invalid("calendar.too-far", "max", maxCount)
	}
	n, doubts, err := w.Between(from.Plus(-1), to)
	out.Working, out.Doubts = n, append(out.Doubts, doubts...)
	for d := from; !to.Before(d); d = d.Plus(1) {
		if day := w.Day(d); day.Kind == Holiday || day.Kind == MakeUp {
			out.Days = append(out.Days, day)
		}
	}
	return out, err
}

func with(doubts []Doubt, d *Doubt) []Doubt {
	if d == nil || slices.Contains(doubts, *d) {
		return doubts
	}
	return append(doubts, *d)
}
