package continuity

import (
	"maps"
	"regexp"
	"slices"
	"time"
)

// Person is somebody whom plans may name.
type Person struct {
	ID         string            `json:"id"`
	Names      map[string]string `json:"names"` // by language: zh, en
	Addresses  []Address         `json:"addresses,omitempty"`
	Department string            `json:"department,omitempty"`
	Left       time.Time         `json:"left,omitzero"`      // from then on nobody counts on them
	Language   string            `json:"language,omitempty"` // en or zh, which they are told in; empty: who tells them chooses
	Zone       string            `json:"zone,omitempty"`     // of their hours of quiet; empty: that of the service
	Quiet      []QuietHours      `json:"quiet,omitempty"`    // in which only a page reaches them
}

// QuietHours are a stretch of the week in which a person is left alone. One that
// ends no later than it begins ends on the day after.
type QuietHours struct {
	Days []string `json:"days,omitempty"` // mon ... sun, on which it begins; none: every day
	From string   `json:"from"`           // 22:00
	To   string   `json:"to"`             // 07:00; 24:00 is the midnight that ends the day
}

// HasLeft says whether the person is gone at a time.
func (p Person) HasLeft(at time.Time) bool { return !p.Left.IsZero() && !at.Before(p.Left) }

// Differing names the fields in which another version of the person differs.
func (p Person) Differing(other Person) (fields []string) {
	if !maps.Equal(p.Names, other.Names) {
		fields = append(fields, "names")
	}
	if !slices.Equal(p.Addresses, other.Addresses) {
		fields = append(fields, "addresses")
	}
	if p.Department != other.Department {
		fields = append(fields, "department")
	}
	if !p.Left.Equal(other.Left) {
		fields = append(fields, "left")
	}
	if p.Language != other.Language {
		fields = append(fields, "language")
	}
	if p.Zone != other.Zone {
		fields = append(fields, "zone")
	}
	if !slices.EqualFunc(p.Quiet, other.Quiet, QuietHours.equal) {
		fields = append(fields, "quiet")
	}
	return fields
}

func (q QuietHours) equal(other QuietHours) bool {
	return q.From == other.From && q.To == other.To && slices.Equal(q.Days, other.Days)
}

// Mention is a place where a plan names a person.
type Mention struct {
	Person  string `json:"person"`
	Service string `json:"service"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Where   string `json:"where"` // the path in the file: roles.commander.people
}

// PeopleChange is what a list of people changes, or would.
type PeopleChange struct {
	Added     []string       `json:"added"`
	Changed   []PersonChange `json:"changed"`
	Unchanged int            `json:"unchanged"`
	Missing   []string       `json:"missing"` // known, not gone and not in the list: they stay
	Gone      []string       `json:"gone"`    // in the list, and have left
	Named     []Mention      `json:"named"`   // where plans name those
	Done      bool           `json:"done"`
}

// PersonChange is what becomes otherwise of a person.
type PersonChange struct {
	ID     string   `json:"id"`
	Fields []string `json:"fields"` // names, addresses, department, left, language, zone, quiet
}

// weekdays are the days as people's hours of quiet and rotas name them.
var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

var clockForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// Fits reports whether the hours can be read.
func (q QuietHours) Fits() bool {
	return clockForm.MatchString(q.From) && (clockForm.MatchString(q.To) || q.To == "24:00") && q.From != q.To &&
		!slices.ContainsFunc(q.Days, func(day string) bool { return !slices.Contains(weekdays, day) })
}

// Weekday is the day of a name such as mon.
func Weekday(name string) (time.Weekday, bool) {
	i := slices.Index(weekdays, name)
	return time.Weekday((i + 1) % 7), i >= 0
}
