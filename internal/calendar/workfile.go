package calendar

import (
	"reflect"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/yamldoc"
)

// A file of working days. What it says of a day goes over what is known already;
// a year that it lists is known whole from then on, days at the top say nothing
// of their years.
type workfile struct {
	Schema  string     `yaml:"schema" kind:"word" of:"holdfast/workdays@1" default:"holdfast/workdays@1"`
	Weekend []string   `yaml:"weekend" kind:"word" of:"monday,tuesday,wednesday,thursday,friday,saturday,sunday"`
	Years   []workyear `yaml:"years"`
	Off     []span     `yaml:"off"`
	Work    []Date     `yaml:"work" kind:"date"`
}

type workyear struct {
	Year   int64  `yaml:"year" kind:"int" min:"1900" max:"2999" required:"true" example:"2027"`
	Source string `yaml:"source" kind:"text" required:"true" example:"Notice on holidays 2027"`
	Off    []span `yaml:"off"`
	Work   []Date `yaml:"work" kind:"date"`
}

type span struct {
	From Date `yaml:"from" kind:"date" required:"true" example:"2027-01-01"`
	To   Date `yaml:"to" kind:"date"`
	Name Name `yaml:"name"`
}

var language = &yamldoc.Language{Name: "workdays.yaml", Kinds: workKinds()}

func workKinds() map[string]yamldoc.Kind {
	kinds := yamldoc.Basic()
	kinds["date"] = yamldoc.Kind{
		Parse: func(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
			d, err := ParseDate(text)
			if err != nil {
				return nil, yamldoc.Wrong("config.date")
			}
			return d, nil
		},
		Schema: yamldoc.Pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`),
	}
	return kinds
}

// maxSpan bounds the days of one entry.
const maxSpan = 60

// With returns the working days as a file changes them. The source of days
// outside years is the file's name.
func (w *Workdays) With(name string, src []byte) (*Workdays, []yamldoc.Problem) {
	f := yamldoc.NewFindings(name)
	root, lines := yamldoc.Read(f, src)
	var file workfile
	var places yamldoc.Places
	if root != nil {
		places = language.Decode(f, root, &file)
	}
	if f.Failed() || root == nil {
		return nil, f.Settle(lines)
	}
	out := w.clone()
	if _, ok := places["weekend"]; ok {
		out.weekend = [7]bool{}
		for _, day := range file.Weekend {
			out.weekend[slices.Index(weekdays, day)] = true
		}
	}
	for i, y := range file.Years {
		year, at := int(y.Year), "years["+strconv.Itoa(i)+"]."
		out.years[year] = y.Source
		out.put(f, places, at, year, y.Source, y.Off, y.Work)
	}
	out.put(f, places, "", 0, name, file.Off, file.Work)
	if f.Failed() {
		return nil, f.Settle(lines)
	}
	return out, f.Settle(lines)
}

var weekdays = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// put enters the days of one list; year 0 is any.
func (w *Workdays) put(f *yamldoc.Findings, places yamldoc.Places, at string, year int, source string, off []span, work []Date) {
	seen := map[Date]bool{}
	enter := func(d Date, day Day, place yamldoc.Place) {
		day.Date, day.Source = d, source
		switch {
		case year != 0 && !near(d, year):
			f.Error(place, "calendar.other-year", "date", d.String(), "year", year)
		case seen[d]:
			f.Error(place, "calendar.twice", "date", d.String())
		default:
			seen[d] = true
			w.days[d] = day
		}
	}
	for i, s := range off {
		place := places[at+"off["+strconv.Itoa(i)+"].from"]
		if s.To == (Date{}) {
			s.To = s.From
		}
		if s.To.Before(s.From) || s.From.Plus(maxSpan).Before(s.To) {
			f.Error(place, "calendar.span", "from", s.From.String(), "to", s.To.String(), "max", maxSpan)
			continue
		}
		for d := s.From; !s.To.Before(d); d = d.Plus(1) {
			enter(d, Day{Kind: Holiday, Name: s.Name}, place)
		}
	}
	for i, d := range work {
		kind := Workday
		if w.weekend[d.Weekday()] {
			kind = MakeUp
		}
		enter(d, Day{Kind: kind}, places[at+"work["+strconv.Itoa(i)+"]"])
	}
}

// near reports whether a date belongs to a year's notice: holidays at New Year
// reach into the neighbouring one.
func near(d Date, year int) bool {
	return d.Year == year || d.Year == year-1 && d.Month == time.December && d.Day > 15 ||
		d.Year == year+1 && d.Month == time.January && d.Day < 16
}
